/**
 * One server for the flows, in a process of its own: `flow-server.ts '<JSON of ServerKind>'`. It says where it listens, and answers
 * each message with a number: see `Question` in servers.ts. It uses nothing but the package and its example, so that it also runs
 * in an older revision.
 */
import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import { Session } from 'node:inspector/promises'
import formbody from '@fastify/formbody'
import { type Authmount, type AuthmountOptions, createAuthmount, type Store } from 'authmount'
import express from 'express'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { bareClient, bareRoutes } from './bare-routes.ts'
import type { Question, ServerKind } from './servers.ts'

const REDIRECT_URI = 'https://app.example/callback'
const kind: ServerKind = JSON.parse(process.argv[2] ?? '')
const began = Date.now()
const now = () => began + (Date.now() - began) * (kind.clockSpeed ?? 1)
/** One round trip to the store, and the store itself. */
interface Database {
  readonly ping: () => Promise<unknown>
  readonly store: () => Promise<Store>
}
const database = await { memory: openMemory, redis: openRedis, postgres: openPostgres }[kind.store]()
const store = kind.side === 'bare' ? undefined : await database.store()
const authmount = store && create(store)
const client = authmount ? await register(authmount) : bareClient
const url = await { fastify: listenFastify, express: listenExpress }[kind.framework]()

process.on('message', async (question: Question) => {
  process.send?.(await answer(question))
})
process.send?.({ url, redirectUri: REDIRECT_URI, ...client })

/** One bare verification of ES256, of as many bytes as a proof has. */
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const signed = randomBytes(400)
const signature = sign('sha256', signed, { key: privateKey, dsaEncoding: 'ieee-p1363' })
const verifyOnce = () => verify('sha256', signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)

const profiler = new Session()

async function answer({ ask, count = 0, path = '' }: Question): Promise<number> {
  if (ask === 'dispatch') return dispatchTokens(count)
  if (ask === 'profile') await startProfile()
  if (ask === 'profiled') await writeFile(path, JSON.stringify((await profiler.post('Profiler.stop')).profile))
  if (ask === 'heap') {
    global.gc?.()
    return process.memoryUsage().heapUsed
  }
  if (ask === 'exit') setImmediate(() => process.exit(0))
  const { system, user } = process.cpuUsage()
  return user + system
}

async function startProfile(): Promise<void> {
  profiler.connect()
  await profiler.post('Profiler.enable')
  await profiler.post('Profiler.setSamplingInterval', { interval: 200 })
  await profiler.post('Profiler.start')
}

function create(store: Store): Authmount {
  const signing = {
    accessTokenFormat: 'jwt',
    sealingKeys: [randomBytes(32)],
    signingAlg: kind.format === 'RS256' ? 'RS256' : 'ES256',
  } as const
  const options: AuthmountOptions = {
    now,
    issuer: 'http://localhost',
    store,
    // Making an RSA key takes seconds on a busy machine, and an older revision counts that.
    storeTimeoutMs: 30_000,
    rotationGraceSeconds: 60,
    authenticate: ({ headers }) => ({ userId: String(headers['x-user']), orgId: 'bench', isAdmin: false }),
    scopes: { 'read:records': { description: 'Read your records' } },
    ...(kind.format === 'opaque' ? {} : signing),
  }
  // A few users do here what the limits allow to thousands.
  const rateLimits = { screens: false, codes: false, logins: false, clientFailures: false } as const
  try {
    return createAuthmount({ ...options, rateLimits })
  } catch {
    // An older revision has no such option, and most of the limits neither.
    return createAuthmount(options)
  }
}

async function register(authmount: Authmount) {
  // As short as both may be.
  const lifetimes = { accessTokenLifetime: 3600, refreshTokenLifetime: 3600 }
  const { clientId, clientSecret } = await authmount.registerApp(
    { name: 'Bench', allowedScopes: ['read:records'], redirectUris: [REDIRECT_URI], ...lifetimes },
    { orgId: 'bench', userId: 'bench' },
  )
  for (let index = 0; index < (kind.liveGrants ?? 0); index++) {
    const createdAt = now()
    const scopes = Object.freeze(['read:records'])
    const id = clientId + randomBytes(16).toString('base64url')
    const grant = { id, appId: clientId, orgId: 'bench', userId: null, scopes, createdAt, epoch: 1, context: {} }
    const token = { kind: 'access', scopes, issuedAt: createdAt, expiresAt: createdAt + 3_600_000 } as const
    await store?.grants.create(grant, [{ ...token, id: randomBytes(32).toString('base64url') }])
  }
  return { clientId, clientSecret }
}

async function openMemory(): Promise<Database> {
  const { memoryStore } = await import('authmount/stores/memory')
  return { ping: async () => {}, store: async () => memoryStore({ maxRecords: 10_000_000, now }) }
}

async function openRedis(): Promise<Database> {
  const redis = new Redis(process.env.REDIS_URL ?? '', { enableAutoPipelining: true })
  const { redisStore } = await import('authmount/stores/redis')
  return { ping: () => redis.get('bench:app'), store: async () => redisStore(redis, { prefix: 'bench', warn: () => {} }) }
}

async function openPostgres(): Promise<Database> {
  const pool = new Pool({
    connectionString: process.env.POSTGRES_URL,
    // In one round trip, as the package pg sends a statement with parameters.
    options: '-c search_path=bench',
  })
  return {
    ping: () => pool.query('SELECT $1::text', ['ping']),
    async store() {
      const { postgresStore } = await import('../../examples/custom-store/postgres-store.ts')
      const tables = await readFile(new URL('../../examples/custom-store/schema.sql', import.meta.url), 'utf8')
      await pool.query(`DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench; ${tables}`)
      return postgresStore(pool)
    },
  }
}

async function listenFastify(): Promise<string> {
  const server = Fastify()
  if (authmount) {
    const { default: plugin, requireToken } = await import('authmount/fastify')
    server.register(plugin, { authmount })
    server.get('/guarded', { preHandler: requireToken(authmount, { scopes: ['read:records'] }) }, async () => ({ ok: true }))
    server.get('/verified', { preHandler: requireToken(authmount, { scopes: ['read:records'] }) }, async () => ({
      ok: verifyOnce(),
    }))
  } else {
    server.register(formbody)
    for (const { method, path, respond } of bareRoutes(kind.format, REDIRECT_URI))
      server.route({
        method,
        url: path,
        async handler({ body, query }, reply) {
          await database.ping()
          const { html, json, location } = respond({ form: body, query })
          if (location !== undefined) return reply.redirect(location)
          return html === undefined ? json : reply.type('text/html').send(html)
        },
      })
  }
  return server.listen({ port: 0, host: '127.0.0.1' })
}

async function listenExpress(): Promise<string> {
  const server = express()
  if (authmount) {
    const { authmountRouter, requireToken } = await import('authmount/express')
    server.use(authmountRouter(authmount))
    server.get('/guarded', requireToken(authmount, { scopes: ['read:records'] }), (_request, response) => {
      response.json({ ok: true })
    })
    server.get('/verified', requireToken(authmount, { scopes: ['read:records'] }), (_request, response) => {
      response.json({ ok: verifyOnce() })
    })
  } else {
    server.use(express.urlencoded({ extended: false }))
    for (const { method, path, respond } of bareRoutes(kind.format, REDIRECT_URI))
      server[method === 'GET' ? 'get' : 'post'](path, async ({ body, query }, response) => {
        await database.ping()
        const { html, json, location } = respond({ form: body, query })
        if (location !== undefined) response.redirect(location)
        else if (html === undefined) response.json(json)
        else response.type('text/html').send(html)
      })
  }
  const listening: Server = await new Promise(resolve => {
    const listening = server.listen(0, '127.0.0.1', () => resolve(listening))
  })
  const address = listening.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

/** The token endpoint without HTTP, `count` times: the processor time of one, in microseconds. */
async function dispatchTokens(count: number): Promise<number> {
  const endpoint = authmount?.find('/oauth/token')?.endpoint
  if (!endpoint) throw new Error('a bare server has no token endpoint')
  const { clientId, clientSecret } = client
  const text = `grant_type=client_credentials&scope=read%3Arecords&client_id=${clientId}&client_secret=${clientSecret}`
  const rest = { method: 'POST', params: {}, query: new URLSearchParams(), headers: {}, ip: undefined, native: undefined }
  const before = process.cpuUsage()
  for (let index = 0; index < count; index++)
    await authmount?.dispatch(endpoint, { ...rest, body: { kind: 'form', form: new URLSearchParams(text) } })
  const { system, user } = process.cpuUsage(before)
  return (system + user) / count
}
