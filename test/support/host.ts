import type { Server } from 'node:http'
import { Readable } from 'node:stream'
import formbody from '@fastify/formbody'
import {
  type AuthmountEvent,
  type AuthmountOptions,
  createAuthmount,
  type HttpRequest,
  type Log,
  type Principal,
  type Store,
} from 'authmount'
import { authmountRouter, requireToken } from 'authmount/express'
import authmountPlugin from 'authmount/fastify'
import express, { type Express } from 'express'
import Fastify, { type FastifyInstance } from 'fastify'
import { TestClient } from './client.ts'
import { Clock } from './clock.ts'
import { type Connect, connectMemory, newNamespace } from './stores.ts'

export const SCOPES = {
  'read:records': { description: 'Read your records', category: 'Records' },
  'write:records': { description: 'Change your records', category: 'Records' },
  profile: { description: 'See your name' },
} as const

/** The host's users, by session cookie (`session=anna`) or by its own bearer tokens (`Bearer host-anna`). */
export const USERS: Readonly<Record<string, Principal>> = {
  anna: { userId: 'anna', orgId: 'org-1', isAdmin: true, displayName: 'Anna', sessionId: 'session-of-anna' },
  bert: { userId: 'bert', orgId: 'org-1', isAdmin: false, sessionId: 'session-of-bert' },
  cora: { userId: 'cora', orgId: 'org-2', isAdmin: true, sessionId: 'session-of-cora' },
}

export type HostOptions = Partial<AuthmountOptions> & {
  /** Where the host keeps its data. Default: in memory. */
  readonly connect?: Connect
  /** Stands between the host and its store. */
  readonly wrap?: (store: Store) => Store
}

/** A small host with authmount mounted, listening on a port of its own. */
export interface TestHost extends TestClient {
  readonly close: () => Promise<void>
}

export type Listening = { readonly url: string; readonly close: () => Promise<void> }
type Authmount = ReturnType<typeof createAuthmount>
/** Builds the host's app around an authmount, and listens. */
export type Mount = (authmount: Authmount) => Promise<Listening>

/** The two frameworks as most hosts run them. Every flow is tested on both. */
export const frameworks: Readonly<Record<string, Mount>> = {
  express: async authmount => {
    const app = express()
    app.use(authmountRouter(authmount))
    app.use(express.json(), express.urlencoded({ extended: true }))
    return listenExpress(app, authmount)
  },
  fastify: authmount => listenFastify(authmount, async () => {}),
}

/** Every way to mount that a host may choose. */
export const mounts: Readonly<Record<string, Mount>> = {
  ...frameworks,
  'express, after the host parsers': async authmount => {
    const app = express()
    app.use(express.json(), express.urlencoded({ extended: true }))
    app.use(authmountRouter(authmount))
    return listenExpress(app, authmount)
  },
  'express, after simple and text parsers': async authmount => {
    const app = express()
    app.use(express.text({ type: 'application/json' }), express.urlencoded({ extended: false }))
    app.use(authmountRouter(authmount))
    return listenExpress(app, authmount)
  },
  'express 4, after its JSON parser': async authmount => {
    const { default: express4 } = await import('express4')
    const app = express4() as unknown as Express
    app.use(express4.json())
    app.use(authmountRouter(authmount))
    return listenExpress(app, authmount)
  },
  'express 4.17, before its parsers': async authmount => {
    const { default: express417 } = await import('express417')
    const app = express417() as unknown as Express
    app.use(authmountRouter(authmount))
    app.use(express417.json())
    return listenExpress(app, authmount)
  },
  'express, below its mount path': async authmount => {
    const app = express()
    app.use(authmount.mountPath || '/', authmountRouter(authmount))
    app.use(express.json(), express.urlencoded({ extended: true }))
    return listenExpress(app, authmount)
  },
  'fastify, with form parser and hooks of the host': authmount =>
    listenFastify(authmount, async app => {
      await app.register(formbody)
      // As hosts do that check a signature over the raw body.
      app.addHook('preParsing', async (_request, _reply, payload) => {
        const chunks: Buffer[] = []
        for await (const chunk of payload) chunks.push(Buffer.from(chunk))
        return Readable.from(chunks)
      })
      app.addHook('preValidation', async () => {})
      app.setErrorHandler(async (_error, _request, reply) => reply.code(500).send({ host: 'error' }))
    }),
}

export async function startHost(mount: Mount, options: HostOptions = {}): Promise<TestHost> {
  const clock = new Clock()
  const events: AuthmountEvent[] = []
  const logged: unknown[] = []
  const log: Log = { error: (message, cause) => logged.push([message, cause]), warn: message => logged.push([message]) }
  const { connect = connectMemory, wrap = (store: Store) => store, ...rest } = options
  const connection = await connect(newNamespace(), clock.now)
  const store = rest.store ?? wrap(connection.store)
  const authmount = createAuthmount({
    issuer: 'https://issuer.example',
    store,
    authenticate,
    scopes: SCOPES,
    now: clock.now,
    onEvent: event => events.push(event),
    log,
    // Tests of something else do the same thing hundreds of times for one user.
    rateLimits: { screens: false, codes: false, logins: false, clientFailures: false, exchangeFailures: false },
    ...rest,
  })
  const listening = await mount(authmount)
  const client = new TestClient({ url: listening.url, authmount, store, clock, events, logged })
  const close = async () => {
    await listening.close()
    await connection.close()
  }
  return Object.assign(client, { close })
}

export async function authenticate(request: HttpRequest): Promise<Principal | null> {
  const session = /(?:^|; )session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]
  const bearer = /^Bearer host-(.+)$/.exec(request.headers.authorization ?? '')?.[1]
  return USERS[session ?? bearer ?? ''] ?? null
}

async function listenExpress(app: Express, authmount: Authmount): Promise<Listening> {
  app.get('/records', requireToken(authmount, { scopes: ['read:records'] }), (request, response) => {
    response.json(request.oauth)
  })
  app.get('/any', requireToken(authmount), (request, response) => {
    response.json(request.oauth)
  })
  app.get('/open', (request, response) => {
    response.json({ open: true, oauth: request.oauth ?? null })
  })
  app.post('/echo', (request, response) => {
    response.json({ body: request.body ?? null })
  })
  return listen(app)
}

/** Listens on a port of its own. */
export async function listen(app: { listen(port: number, host: string): Server }): Promise<Listening> {
  const server = app.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

async function listenFastify(authmount: Authmount, prepare: (app: FastifyInstance) => Promise<void>): Promise<Listening> {
  const app = Fastify({ forceCloseConnections: true })
  await prepare(app)
  await app.register(authmountPlugin, { authmount })
  app.get('/records', { preHandler: app.requireToken({ scopes: ['read:records'] }) }, async request => request.oauth)
  app.get('/any', { preHandler: app.requireToken() }, async request => request.oauth)
  app.get('/open', async request => ({ open: true, oauth: request.oauth }))
  app.post('/echo', async request => ({ body: request.body ?? null }))
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
}
