import { authmountRouter, requireToken } from 'authmount/express'
import authmountPlugin from 'authmount/fastify'
import express from 'express'
import Fastify from 'fastify'
import { type HostOptions, listen, type Mount } from './host.ts'
import { SIGN_IN } from './sign-in.ts'

/** What the route `/transfer` wants of whoever calls it. */
export const STRONG = { scopes: ['read:records'], acr: ['gold', 'platinum'], maxAge: 300 }

/** Hosts with a route that wants its user to have signed in strongly and lately. */
export const strongMounts: Readonly<Record<'express' | 'fastify', Mount>> = {
  express: async authmount => {
    const app = express()
    app.use(authmountRouter(authmount))
    app.get('/transfer', requireToken(authmount, STRONG), (request, response) => {
      response.json(request.oauth)
    })
    return listen(app)
  },
  fastify: async authmount => {
    const app = Fastify({ forceCloseConnections: true })
    await app.register(authmountPlugin, { authmount })
    app.get('/transfer', { preHandler: app.requireToken(STRONG) }, async request => request.oauth)
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  },
}

/**
 * Users who signed in with a password, and with a second factor where their session says so: `session=anna@1700000000+gold`, the time
 * in seconds.
 */
export const STRENGTHS: HostOptions = {
  ...SIGN_IN,
  acrValues: ['silver', 'gold'],
  authenticate: async request => {
    const [, session = '', strong] = /(?:^|; )session=([^;+]+)(\+gold)?/.exec(request.headers.cookie ?? '') ?? []
    const user = await SIGN_IN.authenticate?.({ ...request, headers: { cookie: `session=${session}` } })
    return user && { ...user, ...(strong ? { acr: 'gold', amr: ['pwd', 'otp'] } : { acr: 'silver', amr: ['pwd'] }) }
  },
}
