/**
 * A server with a guarded route, in a process of its own: `guard-server.ts <express|fastify>`.
 * It says where it listens, and answers each message with the processor time it has used, in microseconds.
 */
import { createAuthmount } from 'authmount'
import { authmountRouter, requireToken } from 'authmount/express'
import authmountPlugin, { requireToken as requireTokenHook } from 'authmount/fastify'
import { memoryStore } from 'authmount/stores/memory'
import express from 'express'
import Fastify from 'fastify'

const SCOPES = { 'read:records': { description: 'Read your records' } }
type Guards = readonly (readonly (keyof typeof SCOPES)[])[]

const authmount = createAuthmount({
  issuer: 'http://localhost',
  store: memoryStore(),
  authenticate: () => null,
  scopes: SCOPES,
})
const app = await authmount.registerApp(
  { name: 'Bench', allowedScopes: ['read:records'], allowedGrantTypes: ['client_credentials'] },
  { orgId: 'bench', userId: 'bench' },
)
const body = new URLSearchParams({
  grant_type: 'client_credentials',
  client_id: app.clientId,
  client_secret: app.clientSecret ?? '',
})

const listen = process.argv[2] === 'express' ? listenExpress : listenFastify
const url = await listen([['read:records']])
/** The same once more, whose guarded route lets everyone in: in this process, so that nothing else is different. */
const openUrl = await listen([])
const answered = await fetch(`${url}/oauth/token`, { method: 'POST', body })
const { access_token: token } = (await answered.json()) as { access_token: string }
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ cpu: user + system })
})
process.send?.({ url, openUrl, token })

async function listenExpress(guards: Guards): Promise<string> {
  const server = express()
  server.use(authmountRouter(authmount))
  server.get('/guarded', ...guards.map(scopes => requireToken(authmount, { scopes })), (_request, response) => {
    response.json({ ok: true })
  })
  const listening = server.listen(0, '127.0.0.1')
  await new Promise(resolve => listening.once('listening', resolve))
  const address = listening.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

async function listenFastify(guards: Guards): Promise<string> {
  const server = Fastify()
  server.register(authmountPlugin, { authmount })
  const preHandler = guards.map(scopes => requireTokenHook(authmount, { scopes }))
  server.get('/guarded', { preHandler }, async () => ({ ok: true }))
  return server.listen({ port: 0, host: '127.0.0.1' })
}
