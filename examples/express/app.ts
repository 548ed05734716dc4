import type { Server } from 'node:http'
import type { Authmount } from 'authmount'
import { authmountConsole, authmountRouter, requireToken } from 'authmount/express'
import { mcpMiddleware } from 'authmount/mcp'
import express, { type Response } from 'express'
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
import { playgroundFile, playgroundPage, type Served, whoIs } from '../playground/page.ts'

/** The example host on Express. Resolves when it listens on `port` of the loopback interface. */
export async function startExpress(
  port: number,
  { store, name }: Pick<OpenStore, 'store' | 'name'>,
  settings: HostSettings = {},
): Promise<{ readonly origin: string; readonly authmount: Authmount; readonly apps: SeededApps; readonly server: Server }> {
  const app = express()
  const server = app.listen(port, '127.0.0.1')
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
  const address = server.address()
  const origin = `http://localhost:${typeof address === 'object' ? address?.port : port}`

  const authmount = createAuthorization(origin, store, settings)
  const apps = await seedApps(authmount, origin)
  const walkthrough = describeWalkthrough(`Express, with its data in ${name},`, origin, {
    apps,
    hasConnector: settings.contacts !== undefined,
  })

  // authmount: the OAuth routes, in one line.
  app.use(authmountRouter(authmount))
  // A page for admins, to manage their organisation's apps.
  app.use('/admin/oauth', authmountConsole(authmount))

  // The host's own API, now open to apps that the user has allowed.
  app.get('/api/records', requireToken(authmount, { scopes: ['read:records'] }), (request, response) => {
    const userId = request.oauth?.userId
    response.json(userId ? recordsOf(userId) : allRecords())
  })
  app.post('/api/records', requireToken(authmount, { scopes: ['write:records'] }), express.json(), (request, response) => {
    const userId = request.oauth?.userId
    const text: unknown = request.body?.text
    if (!userId || typeof text !== 'string') response.status(400).json({ error: 'send { "text": "…" } with a user’s token' })
    else response.status(201).json(addRecord(userId, text))
  })

  // The same API for agents: an MCP server.
  app.all('/mcp', mcpMiddleware(authmount, mcpOptions(origin)), (request, response) => answerMcp(request, response, request.body))

  // The host's own pages and login.
  app.get('/', (request, response) => {
    response.send(homePage(sessionOf(request.headers.cookie)?.user ?? null, walkthrough.authorizeUrl))
  })
  app.get('/login', (request, response) => {
    response.send(loginPage(safeReturnTo(request.query.returnTo)))
  })
  app.post('/login', express.urlencoded({ extended: false }), (request, response) => {
    const { name = '', password = '', returnTo } = request.body as Record<string, string | undefined>
    const sessionId = signIn(name, password)
    if (sessionId) response.setHeader('set-cookie', sessionCookie(sessionId)).redirect(303, safeReturnTo(returnTo))
    else response.status(401).send(loginPage(safeReturnTo(returnTo), true))
  })
  app.get('/sign-out', async (request, response) => {
    const { client_id: clientId, returnTo } = request.query
    response.send(signOutPage(safeReturnTo(returnTo), await nameOfApp(clientId, apps, store)))
  })
  app.post('/sign-out', express.urlencoded({ extended: false }), (request, response) => {
    signOut(request.headers.cookie)
    response.redirect(303, afterSignOut(request.body ?? {}))
  })
  const { contacts } = settings
  if (contacts) {
    app.get('/connections', async (request, response) => {
      const user = sessionOf(request.headers.cookie)?.user
      if (user) response.send(await showConnections(authmount, contacts, user, request.query.error))
      else response.redirect('/login?returnTo=/connections')
    })
    app.post('/connections/disconnect', async (request, response) => {
      const user = sessionOf(request.headers.cookie)?.user
      if (user) await authmount.disconnect(CONNECTOR, { userId: user.id, orgId: user.orgId })
      response.redirect(303, '/connections')
    })
  }
  app.get('/whoami', (request, response) => {
    const session = sessionOf(request.headers.cookie)
    if (session) response.json(whoIs(session.user))
    else response.status(401).json({ error: 'nobody is signed in' })
  })
  app.get('/callback', (request, response) => {
    const query = new URL(request.originalUrl, origin).searchParams
    const code = query.get('code')
    response.send(callbackPage(query, code && walkthrough.redeemCommand(code)))
  })

  // A page on which to walk through all of it.
  app.get('/playground', async (request, response) => {
    const user = sessionOf(request.headers.cookie)?.user ?? null
    serve(response, await playgroundPage({ issuer: origin, graceSeconds: settings.graceSeconds ?? GRACE_SECONDS, user }))
  })
  app.get('/playground/:file', async (request, response, next) => {
    const file = await playgroundFile(request.params.file)
    if (file) serve(response, file)
    else next()
  })

  console.log(walkthrough.text)
  return { origin, authmount, apps, server }
}

function serve(response: Response, { body, headers }: Served): void {
  response.set(headers).send(body)
}
