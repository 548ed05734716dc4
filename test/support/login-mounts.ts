import formbody from '@fastify/formbody'
import fastifyHelmet from '@fastify/helmet'
import { authmountConsole, authmountRouter } from 'authmount/express'
import authmountPlugin, { authmountConsole as consolePlugin } from 'authmount/fastify'
import express from 'express'
import Fastify from 'fastify'
import helmet from 'helmet'
import { listen, type Mount } from './host.ts'

const page = (returnTo: string) => `<!doctype html><html lang="en"><title>Sign in</title><main><h1>Sign in</h1>
<form method="post" action="/login"><input type="hidden" name="returnTo" value="${returnTo.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}">
<label>Name <input name="name"></label><button>Sign in</button></form></main></html>`

const cookie = (name: string) => `session=${name}; Path=/; HttpOnly; SameSite=Lax`

/** Hosts with a login page of their own behind helmet's default policy, for a browser to go through, and the console. */
export const loginMounts: Readonly<Record<string, Mount>> = {
  express: async authmount => {
    const app = express()
    app.use(helmet())
    app.use(authmountRouter(authmount))
    app.use('/console', authmountConsole(authmount))
    app.get('/login', (request, response) => {
      response.send(page(String(request.query.returnTo ?? '/')))
    })
    app.post('/login', express.urlencoded(), (request, response) => {
      const { name, returnTo } = request.body as Record<string, string>
      response.setHeader('set-cookie', cookie(String(name))).redirect(303, String(returnTo))
    })
    return listen(app)
  },
  fastify: async authmount => {
    const app = Fastify({ forceCloseConnections: true })
    await app.register(fastifyHelmet)
    await app.register(authmountPlugin, { authmount })
    await app.register(consolePlugin, { authmount, prefix: '/console' })
    await app.register(formbody)
    app.get<{ Querystring: { returnTo?: string } }>('/login', async (request, reply) =>
      reply.type('text/html').send(page(request.query.returnTo ?? '/')),
    )
    app.post<{ Body: Record<string, string> }>('/login', async (request, reply) =>
      reply.header('set-cookie', cookie(request.body.name ?? '')).redirect(request.body.returnTo ?? '/', 303),
    )
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  },
}
