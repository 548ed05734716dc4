import formbody from '@fastify/formbody'
import type { Authmount } from 'authmount'
import authmountPlugin, { authmountConsole } from 'authmount/fastify'
import { mcpHook } from 'authmount/mcp'
import Fastify, { type FastifyInstance } from 'fastify'
import {
  createAuthorization,
  GRACE_SECONDS,
  type HostSettings,
  nameOfApp,
  type SeededApps,
  seedApps,
} from '../host/authorization.ts'
import { CONNECTOR, showConnections } from '../host/connections.ts'
import { afterSignOut, callbackPage, homePage, loginPage, safeReturnTo, signOutPage } from '../host/pages.ts'
import { addRecord, allRecords, recordsOf } from '../host/records.ts'
import type { OpenStore } from '../host/store.ts'
import { sessionCookie, sessionOf, signIn, signOut } from '../host/users.ts'
import { describeWalkthrough } from '../host/walkthrough.ts'
import { answerMcp, mcpOptions } from '../mcp/records-server.ts'
import { playgroundFile, playgroundPage, whoIs } from '../playground/page.ts'

/** The example host on Fastify. Resolves when it listens on `port` of the loopback interface. */
export async function startFastify(
  port: number,
  { store, name }: Pick<OpenStore, 'store' | 'name'>,
  settings: HostSettings = {},
): Promise<{
  readonly origin: string
  readonly authmount: Authmount
  readonly apps: SeededApps
  readonly server: FastifyInstance
}> {
  const origin = `http://localhost:${port}`
  const authmount = createAuthorization(origin, store, settings)
  const apps = await seedApps(authmount, origin)
  const walkthrough = describeWalkthrough(`Fastify, with its data in ${name},`, origin, {
    apps,
    hasConnector: settings.contacts !== undefined,
  })
  const app = Fastify({ forceCloseConnections: true })

  // authmount: the OAuth routes, in one line.
  await app.register(authmountPlugin, { authmount })
  // A page for admins, to manage their organisation's apps.
  await app.register(authmountConsole, { authmount, prefix: '/admin/oauth' })

  // The host's own API, now open to apps that the user has allowed.
  app.get('/api/records', { preHandler: app.requireToken({ scopes: ['read:records'] }) }, async request => {
    const userId = request.oauth?.userId
    return userId ? recordsOf(userId) : allRecords()
  })
  app.post<{ Body: { text?: unknown } | undefined }>(
    '/api/records',
    { preHandler: app.requireToken({ scopes: ['write:records'] }) },
    async (request, reply) => {
      const userId = request.oauth?.userId
      const text = request.body?.text
      if (!userId || typeof text !== 'string') return reply.code(400).send({ error: 'send { "text": "…" } with a user’s token' })
      return reply.code(201).send(addRecord(userId, text))
    },
  )

  // The same API for agents: an MCP server.
  app.route({
    method: ['GET', 'POST', 'DELETE', 'OPTIONS'],
    url: '/mcp',
    preHandler: mcpHook(authmount, mcpOptions(origin)),
    handler: async (request, reply) => {
      reply.hijack()
      await answerMcp(request.raw, reply.raw, request.body)
    },
  })

  // The host's own pages and login.
  await app.register(formbody)
  const html = 'text/html; charset=utf-8'
  app.get('/', async (request, reply) =>
    reply.type(html).send(homePage(sessionOf(request.headers.cookie)?.user ?? null, walkthrough.authorizeUrl)),
  )
  app.get<{ Querystring: { returnTo?: string } }>('/login', async (request, reply) =>
    reply.type(html).send(loginPage(safeReturnTo(request.query.returnTo))),
  )
  app.post<{ Body: Record<string, string | undefined> }>('/login', async (request, reply) => {
    const { name = '', password = '', returnTo } = request.body
    const sessionId = signIn(name, password)
    if (sessionId) return reply.header('set-cookie', sessionCookie(sessionId)).redirect(safeReturnTo(returnTo), 303)
    return reply
      .code(401)
      .type(html)
      .send(loginPage(safeReturnTo(returnTo), true))
  })
  app.get<{ Querystring: Record<string, unknown> }>('/sign-out', async (request, reply) => {
    const { client_id: clientId, returnTo } = request.query
    return reply.type(html).send(signOutPage(safeReturnTo(returnTo), await nameOfApp(clientId, apps, store)))
  })
  app.post<{ Body: Record<string, string | undefined> }>('/sign-out', async (request, reply) => {
    signOut(request.headers.cookie)
    return reply.redirect(afterSignOut(request.body ?? {}), 303)
  })
  const { contacts } = settings
  if (contacts) {
    app.get<{ Querystring: { error?: string } }>('/connections', async (request, reply) => {
      const user = sessionOf(request.headers.cookie)?.user
      if (!user) return reply.redirect('/login?returnTo=/connections')
      return reply.type(html).send(await showConnections(authmount, contacts, user, request.query.error))
    })
    app.post('/connections/disconnect', async (request, reply) => {
      const user = sessionOf(request.headers.cookie)?.user
      if (user) await authmount.disconnect(CONNECTOR, { userId: user.id, orgId: user.orgId })
      return reply.redirect('/connections', 303)
    })
  }
  app.get('/whoami', async (request, reply) => {
    const session = sessionOf(request.headers.cookie)
    return session ? whoIs(session.user) : reply.code(401).send({ error: 'nobody is signed in' })
  })
  app.get('/callback', async (request, reply) => {
    const query = new URL(request.url, origin).searchParams
    const code = query.get('code')
    return reply.type(html).send(callbackPage(query, code && walkthrough.redeemCommand(code)))
  })

  // A page on which to walk through all of it.
  app.get('/playground', async (request, reply) => {
    const user = sessionOf(request.headers.cookie)?.user ?? null
    const { body, headers } = await playgroundPage({ issuer: origin, graceSeconds: settings.graceSeconds ?? GRACE_SECONDS, user })
    return reply.headers(headers).send(body)
  })
  app.get<{ Params: { file: string } }>('/playground/:file', async (request, reply) => {
    const file = await playgroundFile(request.params.file)
    return file ? reply.headers(file.headers).send(file.body) : reply.callNotFound()
  })

  await app.listen({ port, host: '127.0.0.1' })
  console.log(walkthrough.text)
  return { origin, authmount, apps, server: app }
}
