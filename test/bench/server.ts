/**
 * One server to put under load, in a process of its own: `server.ts <kind>`.
 * Says where it listens, and answers `cpu` with the processor time it has used, in microseconds.
 */
import formbody from '@fastify/formbody'
import { type Authmount, createAuthmount } from 'authmount'
import { authmountRouter, requireToken } from 'authmount/express'
import authmountPlugin, { requireToken as requireTokenHook } from 'authmount/fastify'
import { memoryStore } from 'authmount/stores/memory'
import { redisStore } from 'authmount/stores/redis'
import express from 'express'
import Fastify from 'fastify'
import { Redis } from 'ioredis'

const kind = process.argv[2] ?? ''
const bare = kind.endsWith('-bare')
/** Both sides talk to Redis in the same way: the bare routes as often as authmount's, one command after the other. */
const redis = kind.includes('-redis') ? new Redis(process.env.REDIS_URL ?? '', { enableAutoPipelining: true }) : undefined
const authmount: Authmount = createAuthmount({
  issuer: 'http://localhost',
  store: redis ? redisStore(redis, { prefix: 'bench', warn: () => {} }) : memoryStore({ maxRecords: 10_000_000 }),
  authenticate: () => null,
  scopes: { 'read:records': { description: 'Read your records' } },
})
const app = await authmount.registerApp(
  { name: 'Bench', allowedScopes: ['read:records'], allowedGrantTypes: ['client_credentials'] },
  { orgId: 'bench', userId: 'bench' },
)
const body = `grant_type=client_credentials&scope=read%3Arecords&client_id=${app.clientId}&client_secret=${app.clientSecret}`

/** What the token endpoint answers, made without doing any of its work. */
const answer = () => ({
  access_token: `am_at_${app.clientId}aaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`,
  token_type: 'Bearer',
  expires_in: 3600,
  scope: 'read:records',
})

const listen = kind.startsWith('express') ? listenExpress : listenFastify
const url = await listen([['read:records']])
/** The same once more, whose guarded route lets everyone in: in this process, so that nothing else is different. */
const openUrl = await listen([])
const answered = await fetch(`${url}/oauth/token`, { method: 'POST', body: new URLSearchParams(body) })
const { access_token: token } = (await answered.json()) as { access_token: string }
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ cpu: user + system })
})
process.on('SIGINT', () => process.exit(0))
process.send?.({ url, openUrl, body, token })

async function listenExpress(guards: readonly string[][]): Promise<string> {
  const server = express()
  if (bare) {
    server.use(express.urlencoded({ extended: false }))
    server.post('/oauth/token', (_request, response) => {
      response.json(answer())
    })
  } else server.use(authmountRouter(authmount))
  server.get('/guarded', ...guards.map(scopes => requireToken(authmount, { scopes })), (_request, response) => {
    response.json({ ok: true })
  })
  const listening = server.listen(0, '127.0.0.1')
  await new Promise(resolve => listening.once('listening', resolve))
  const address = listening.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

async function listenFastify(guards: readonly string[][]): Promise<string> {
  const server = Fastify()
  if (bare) {
    server.register(formbody)
    server.post('/oauth/token', async () => {
      await redis?.get('bench:app')
      await redis?.set('bench:token', 'x'.repeat(300), 'PX', 3_600_000)
      return answer()
    })
  } else server.register(authmountPlugin, { authmount })
  if (bare) {
    server.get('/guarded', async () => {
      await redis?.get('bench:token')
      return { ok: true }
    })
  } else {
    const preHandler = guards.map(scopes => requireTokenHook(authmount, { scopes }))
    server.get('/guarded', { preHandler }, async () => ({ ok: true }))
  }
  return server.listen({ port: 0, host: '127.0.0.1' })
}
