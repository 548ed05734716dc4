import formbody from '@fastify/formbody'
import fastifyHelmet from '@fastify/helmet'
import { ApiError, type Authmount } from 'authmount'
import { authmountRouter } from 'authmount/express'
import authmountPlugin from 'authmount/fastify'
import express from 'express'
import Fastify from 'fastify'
import helmet from 'helmet'
import { listen, type Mount, USERS } from './host.ts'

type Fields = Readonly<Record<string, string | undefined>>

const escaped = (text = '') => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;')

/** A page of the host's: a form that asks for a code, and a link that goes back without it. */
const page = (name: string, { returnTo, step_id }: Fields) => `<!doctype html><html lang="en"><title>${name}</title>
<main><h1>${name}</h1><form method="post" action="/step/${name}">
<input type="hidden" name="returnTo" value="${escaped(returnTo)}"><input type="hidden" name="step_id" value="${escaped(step_id)}">
<label>Code <input name="code"></label><label>Organisation <input name="orgId"></label><button>Continue</button></form>
<a href="${escaped(returnTo)}">Skip</a></main></html>`

/** What the host's server does with the form: the address at which the browser goes on, or null for somebody whose step it is not. */
async function submit(authmount: Authmount, cookie: string | undefined, form: Fields): Promise<string | null> {
  const user = USERS[/session=(\w+)/.exec(cookie ?? '')?.[1] ?? '']
  if (!user || form.code !== '123456') return null
  const { sessionId, userId } = user
  try {
    const orgId = form.orgId || undefined
    return await authmount.passStep(form.step_id ?? '', { userId, sessionId, orgId, acr: 'gold', amr: ['otp'] })
  } catch (error) {
    if (!(error instanceof ApiError) || error.code === 'FORBIDDEN') return null
    return form.returnTo ?? '/'
  }
}

/** Hosts with pages of steps behind helmet's default policy, for a browser to go through. */
export const stepMounts: Readonly<Record<'express' | 'fastify', Mount>> = {
  express: async authmount => {
    const app = express()
    app.use(helmet())
    app.use(authmountRouter(authmount))
    app.get('/step/:name', (request, response) => {
      response.send(page(request.params.name, request.query as Fields))
    })
    app.post('/step/:name', express.urlencoded(), async (request, response) => {
      const next = await submit(authmount, request.headers.cookie, request.body)
      if (next === null) response.status(403).send('<title>Refused</title>')
      else response.redirect(303, next)
    })
    return listen(app)
  },
  fastify: async authmount => {
    const app = Fastify({ forceCloseConnections: true })
    await app.register(fastifyHelmet)
    await app.register(authmountPlugin, { authmount })
    await app.register(formbody)
    app.get<{ Params: { name: string }; Querystring: Fields }>('/step/:name', async (request, reply) =>
      reply.type('text/html').send(page(request.params.name, request.query)),
    )
    app.post<{ Body: Fields }>('/step/:name', async (request, reply) => {
      const next = await submit(authmount, request.headers.cookie, request.body)
      if (next === null) return reply.code(403).type('text/html').send('<title>Refused</title>')
      return reply.redirect(next, 303)
    })
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  },
}
