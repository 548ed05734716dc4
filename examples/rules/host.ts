import { createServer, type Server } from 'node:http'
import { type Authmount, createAuthmount, type RegisteredApp } from 'authmount'
import { authmountRouter, requireToken } from 'authmount/express'
import authmountPlugin from 'authmount/fastify'
import { memoryStore } from 'authmount/stores/memory'
import express from 'express'
import Fastify from 'fastify'
import { freePort } from '../host/printed.ts'
import { sessionOf } from '../host/users.ts'
import { Company } from './company.ts'
import { rulesOf } from './rules.ts'

/** A host with rules of its own, listening. */
export interface RuledHost {
  readonly origin: string
  /** The name of a second API, whose tokens are JWTs. */
  readonly billing: string
  readonly authmount: Authmount
  readonly company: Company
  /** An app that acts for users, and for itself. */
  readonly app: RegisteredApp
  close(): Promise<unknown>
}

/** The host's authorization server, with its users in `company`. */
function createRuled(origin: string, company: Company): Authmount {
  return createAuthmount({
    issuer: origin,
    store: memoryStore(),
    // A real host keeps its own secret.
    sealingKeys: [Buffer.from('b_6hJt0yrK3vZQeS1mUo8xWnPc5dGfLa2Tj7IiRk9E4', 'base64url')],
    signingAlg: 'ES256',
    scopes: {
      'read:records': { description: 'Read your records' },
      'write:records': { description: 'Add records for you' },
    },
    resources: {
      [origin]: {},
      [`${origin}/billing`]: { accessTokenFormat: 'jwt', accessTokenSeconds: 300 },
    },
    // A consent is good for a quarter, however often an app refreshes.
    lifetimes: { grantDays: 90 },
    ...rulesOf(company),
    onEvent: ({ type, ...says }) => console.log(`  event ${type}: ${JSON.stringify(says)}`),
    authenticate: ({ headers }) => {
      const session = sessionOf(headers.cookie)
      if (!session) return null
      const { id, isAdmin, name, orgId } = session.user
      return { userId: id, orgId, isAdmin, displayName: name, sessionId: session.id, authTime: session.since }
    },
  })
}

async function register(origin: string, authmount: Authmount): Promise<RegisteredApp> {
  return authmount.registerApp(
    { name: 'Report Maker', redirectUris: [`${origin}/callback`], allowedScopes: ['read:records', 'write:records'] },
    { orgId: 'acme', userId: 'anna' },
  )
}

export async function startRuledExpress(): Promise<RuledHost> {
  const app = express()
  const server: Server = createServer(app).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  const origin = `http://localhost:${typeof address === 'object' ? address?.port : ''}`
  const company = new Company()
  const authmount = createRuled(origin, company)
  app.use(authmountRouter(authmount))
  app.get('/who', requireToken(authmount), (request, response) => {
    response.json({ user: request.oauth?.userId, scopes: request.oauth?.scopes, claims: request.oauth?.claims })
  })
  const close = () => {
    server.closeAllConnections()
    return new Promise(resolve => server.close(resolve))
  }
  return { origin, billing: `${origin}/billing`, authmount, company, app: await register(origin, authmount), close }
}

export async function startRuledFastify(): Promise<RuledHost> {
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const company = new Company()
  const authmount = createRuled(origin, company)
  const app = Fastify({ forceCloseConnections: true })
  await app.register(authmountPlugin, { authmount })
  app.get('/who', { preHandler: app.requireToken() }, async ({ oauth }) => {
    return { user: oauth?.userId, scopes: oauth?.scopes, claims: oauth?.claims }
  })
  await app.listen({ port, host: '127.0.0.1' })
  return {
    origin,
    billing: `${origin}/billing`,
    authmount,
    company,
    app: await register(origin, authmount),
    close: () => app.close(),
  }
}
