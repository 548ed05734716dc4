/** Figures of parts: a guard, a check, an ID token, a grant in memory and in Redis. Most are of this machine and this minute. */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type Authmount, type AuthmountOptions, createAuthmount, type HttpResponse } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import { redisStore } from 'authmount/stores/redis'
import autocannon from 'autocannon'
import { Redis } from 'ioredis'
import { sealTokens } from '../../src/connectors/credentials.ts'
import { mintIdToken } from '../../src/tokens/id-token.ts'
import { newSigningJwk, signingKey } from '../../src/tokens/signing-key.ts'

const ROUNDS = 5

interface Server {
  readonly child: ChildProcess
  readonly url: string
  /** Of the same routes, without a guard. */
  readonly openUrl: string
  readonly token: string
}

say('Node.js', process.version)
await guardCost('fastify')
await guardCost('express')
await jwtCheck()
for (const alg of ['RS256', 'ES256', 'EdDSA'] as const) await idTokens(alg)
await connectorTokens()
await heapPerToken()
await revokeAll()
if (process.env.REDIS_URL) await bytesInRedis(process.env.REDIS_URL)

/** In turns of a second, in one process: its speed changes from minute to minute, and by more than what is looked for. */
async function guardCost(framework: 'express' | 'fastify'): Promise<void> {
  const server = await start(framework)
  const open = { ...server, url: server.openUrl }
  await load(server)
  await load(open)
  const guarded: number[] = []
  const without: number[] = []
  for (let turn = 0; turn < 6 * ROUNDS; turn++) {
    without.push(await cpuPerRequest(open))
    guarded.push(await cpuPerRequest(server))
  }
  // Processors that are shared only ever add to what a request costs, and to the dearer of two the more.
  const least = Math.min(...guarded) - Math.min(...without)
  const inMedian = median(guarded.map((cost, turn) => cost - (without[turn] ?? Number.NaN)))
  const cost = `${least.toFixed(1)} µs of processor time at the least (target 15), ${inMedian.toFixed(1)} in the median`
  say(`requireToken on ${framework}`, `${cost}, of ${Math.min(...without).toFixed(0)} and ${median(without).toFixed(0)} without`)
  server.child.kill()
}

/** What checking a JWT costs beside an opaque token, in turns, both looked up in the memory store. */
async function jwtCheck(): Promise<void> {
  const tokens = await Promise.all(
    (['opaque', 'jwt'] as const).map(async accessTokenFormat => {
      const authmount = newAuthmount({ accessTokenFormat, sealingKeys: [randomBytes(32)], signingAlg: 'ES256' })
      const issue = await issuer(authmount)
      const issued = []
      for (let index = 0; index < 1000; index++) issued.push(JSON.parse((await issue()).body).access_token as string)
      return { authmount, issued }
    }),
  )
  const ratios: number[] = []
  const rates: number[] = []
  for (let round = 0; round < 2 * ROUNDS + 1; round++) {
    const [opaque = 0, jwt = 0] = await inTurns(tokens, async ({ authmount, issued }) => {
      const began = performance.now()
      for (let index = 0; index < 20_000; index++) await authmount.checkToken(received(issued[index % issued.length]))
      return 20_000 / (performance.now() - began)
    })
    // The first round is there to be warm for the others.
    if (round > 0) ratios.push(jwt / opaque)
    if (round > 0) rates.push(jwt * 1000)
  }
  say(
    'check of a JWT in process',
    `${median(ratios).toFixed(2)} of an opaque token (target 0.80), ${Math.round(median(rates))} a second`,
  )
}

/** A text that has never been looked up, as each request brings one. */
function received(token = ''): string {
  return Buffer.from(token).toString('latin1')
}

async function inTurns<Item, Result>(items: readonly Item[], run: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = []
  for (const item of items) results.push(await run(item))
  return results
}

/** Refreshes that carry an ID token, against those that do not. */
async function idTokens(signingAlg: 'RS256' | 'ES256' | 'EdDSA'): Promise<void> {
  const key = await newSigningJwk(signingAlg)
  const signing = signingKey(key)
  const contents = { issuer: 'http://localhost', clientId: 'a'.repeat(24), userId: 'anna', accessToken: 'am_at_x', claims: {} }
  const mint = () =>
    mintIdToken(
      { ...contents, issuedAt: Date.now(), lifetimeSeconds: 3600, authentication: { auth_time: 0 }, nonce: 'n', sid: 's' },
      signing,
    )
  for (let index = 0; index < 200; index++) await mint()
  const began = process.cpuUsage()
  for (let index = 0; index < 1000; index++) await mint()
  const { user, system } = process.cpuUsage(began)
  say(`ID token, ${signingAlg}`, `${((user + system) / 1000).toFixed(0)} µs of processor time`)
}

/** What a host pays each time it is about to call a provider, while the token is fresh. */
async function connectorTokens(): Promise<void> {
  const store = memoryStore()
  const sealingKeys = [randomBytes(32)]
  const connectors = { baseUrls: ['http://localhost'], provider: () => null }
  const authmount = newAuthmount({ store, sealingKeys, signingAlg: 'ES256', connectors })
  const owner = { userId: 'anna', orgId: 'bench' }
  const key = { connectorId: 'drive', ownerId: JSON.stringify([owner.orgId, owner.userId]) }
  const tokens = {
    accessToken: 'a'.repeat(1000),
    refreshToken: 'r'.repeat(200),
    idToken: undefined,
    identity: undefined,
    tokenType: 'Bearer',
    expiresInSeconds: 3600,
    scopes: ['a', 'b'],
    details: {},
  }
  const before = { refreshToken: null, scopes: null, requestedScopes: null, details: {}, identity: null, site: null }
  const sealing = { connectors: { sealingKeys }, key, now: Date.now(), provider: {} } as never
  const sealed = await sealTokens(tokens, before, sealing)
  const credential = { ...key, ...sealed, leaseUntil: null, needsReconnect: false }
  await store.credentials.save({ ...credential, version: 1 })
  for (let index = 0; index < 2000; index++) await authmount.connectorToken('drive', owner)
  const began = performance.now()
  // As a server does that has several requests under way.
  const caller = async () => {
    for (let index = 0; index < 1000; index++) await authmount.connectorToken('drive', owner)
  }
  await Promise.all(Array.from({ length: 20 }, caller))
  say('connectorToken while it is fresh', `${Math.round(20_000_000 / (performance.now() - began))} a second (target 5000)`)
}

function newAuthmount(options: Partial<AuthmountOptions> = {}): Authmount {
  return createAuthmount({
    issuer: 'http://localhost',
    store: memoryStore(),
    authenticate: () => null,
    scopes: { 'read:records': { description: 'Read your records' } },
    ...options,
  })
}

/** Issues tokens to an app that acts for itself, without HTTP. */
async function issuer(authmount: Authmount): Promise<() => Promise<HttpResponse>> {
  const { clientId, clientSecret } = await authmount.registerApp(
    { name: 'Bench', allowedScopes: ['read:records'], allowedGrantTypes: ['client_credentials'] },
    { orgId: 'bench', userId: 'bench' },
  )
  const endpoint = authmount.find('/oauth/token')?.endpoint
  if (!endpoint) throw new Error('no token endpoint')
  const text = `grant_type=client_credentials&scope=read%3Arecords&client_id=${clientId}&client_secret=${clientSecret}`
  return () =>
    authmount.dispatch(endpoint, {
      method: 'POST',
      params: {},
      query: new URLSearchParams(),
      headers: {},
      body: { kind: 'form', form: new URLSearchParams(text) },
      ip: undefined,
      native: undefined,
    })
}

async function heapPerToken(): Promise<void> {
  const count = 200_000
  const issue = await issuer(newAuthmount())
  for (let index = 0; index < 1000; index++) await issue()
  const before = heapUsed()
  const began = process.cpuUsage()
  for (let index = 0; index < count; index++) await issue()
  const { user, system } = process.cpuUsage(began)
  say('heap per live opaque token with its grant', `${((heapUsed() - before) / count / 1024).toFixed(2)} KiB (target 1.5)`)
  say('client_credentials without HTTP', `${((user + system) / count).toFixed(1)} µs of processor time`)
}

/** The time to the answer of "revoke all", by how many tokens the app has. */
async function revokeAll(): Promise<void> {
  // The first is there to be warm for the others.
  for (const count of [100, 1000, 10_000, 100_000]) {
    const store = memoryStore()
    const authmount = createAuthmount({
      issuer: 'http://localhost',
      store,
      authenticate: () => ({ userId: 'anna', orgId: 'bench', isAdmin: true }),
      scopes: { 'read:records': { description: 'Read your records' } },
    })
    const { clientId } = await authmount.registerApp(
      { name: 'Bench', allowedScopes: ['read:records'], allowedGrantTypes: ['client_credentials'] },
      { orgId: 'bench', userId: 'anna' },
    )
    const now = Date.now()
    const scopes = Object.freeze(['read:records'])
    for (let index = 0; index < count; index++) {
      const id = `${clientId}${String(index).padStart(22, '0')}`
      const grant = { id, appId: clientId, orgId: 'bench', userId: null, scopes, createdAt: now, epoch: 1, context: {} }
      await store.grants.create(grant, [{ id: `t${index}`, kind: 'access', scopes, issuedAt: now, expiresAt: now + 3_600_000 }])
    }
    const found = authmount.find(`/oauth-clients/${clientId}/revoke-all-tokens`)
    if (!found) throw new Error('no such route')
    const began = performance.now()
    const answer = await authmount.dispatch(found.endpoint, {
      method: 'POST',
      params: found.params,
      query: new URLSearchParams(),
      headers: {},
      body: { kind: 'none' },
      ip: undefined,
      native: undefined,
    })
    if (count > 100)
      say(`revoke all of ${count} tokens`, `${(performance.now() - began).toFixed(1)} ms to the answer ${answer.body}`)
  }
}

/** What live tokens cost Redis, and how long an app that holds very many of them takes to list, count and revoke. */
async function bytesInRedis(url: string): Promise<void> {
  const redis = new Redis(url, { enableAutoPipelining: true })
  await redis.flushall()
  const store = redisStore(redis, { warn: () => {} })
  const authmount = createAuthmount({
    issuer: 'http://localhost',
    store,
    authenticate: () => ({ userId: 'anna', orgId: 'bench', isAdmin: true }),
    scopes: { 'read:records': { description: 'Read your records' } },
  })
  const register = () =>
    authmount.registerApp(
      { name: 'Bench', allowedScopes: ['read:records'], allowedGrantTypes: ['client_credentials'] },
      { orgId: 'bench', userId: 'anna' },
    )
  const apps = await Promise.all(Array.from({ length: 100 }, register))
  const memory = async () => Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
  const scopes = Object.freeze(['read:records'])
  const fill = async (count: number, clientIdOf: (index: number) => string) => {
    const before = await memory()
    for (let start = 0; start < count; start += 1000) {
      await Promise.all(
        Array.from({ length: 1000 }, (_, offset) => {
          const clientId = clientIdOf(start + offset)
          const now = Date.now()
          const id = clientId + randomBytes(16).toString('base64url')
          const grant = { id, appId: clientId, orgId: 'bench', userId: null, scopes, createdAt: now, epoch: 1, context: {} }
          const tokenId = randomBytes(32).toString('base64url')
          return store.grants.create(grant, [{ id: tokenId, kind: 'access', scopes, issuedAt: now, expiresAt: now + 3_600_000 }])
        }),
      )
    }
    return ((await memory()) - before) / count
  }
  const count = Number(process.env.TOKENS ?? 1_000_000)
  const bytes = await fill(count, index => apps[index % apps.length]?.clientId ?? '')
  say(`memory of Redis per live token, with its grant and index, of ${count}`, `${bytes.toFixed(0)} bytes (target 700)`)

  const { clientId } = await register()
  await fill(100_000, () => clientId)
  const call = async (what: string, method: 'GET' | 'POST', path: string) => {
    const found = authmount.find(`/oauth-clients/${clientId}/${path}`)
    if (!found) throw new Error('no such route')
    const began = performance.now()
    const { status } = await authmount.dispatch(found.endpoint, {
      method,
      params: found.params,
      query: new URLSearchParams(method === 'GET' ? { limit: '100' } : {}),
      headers: {},
      body: { kind: 'none' },
      ip: undefined,
      native: undefined,
    })
    say(
      `${what} an app's 100,000 tokens in Redis`,
      `${(performance.now() - began).toFixed(1)} ms to the answer ${status} (target 100)`,
    )
  }
  await call('list and count', 'GET', 'tokens')
  await call('revoke', 'POST', 'revoke-all-tokens')
  redis.disconnect()
}

function heapUsed(): number {
  global.gc?.()
  return process.memoryUsage().heapUsed
}

async function start(kind: string): Promise<Server> {
  const child = fork(new URL('./guard-server.ts', import.meta.url), [kind], { execArgv: ['--import', 'tsx'] })
  const [hello] = await once(child, 'message')
  return { child, ...hello }
}

/** One second of requests to the guarded route. Resolves to how many there were. */
async function load(server: Server): Promise<number> {
  const stopPolling = keepAwake()
  const result = await autocannon({
    url: `${server.url}/guarded`,
    connections: 64,
    duration: 1,
    headers: { authorization: `Bearer ${server.token}` },
  })
  stopPolling()
  if (result.non2xx > 0 || result.errors > 0) throw new Error(`${result.non2xx} refused, ${result.errors} failed`)
  return result.requests.total
}

/**
 * Keeps this process polling for answers. One that sleeps must be woken for each of them, and the slower of two servers
 * would be charged for that as well: twenty microseconds where processors are virtual, whatever the server did.
 */
function keepAwake(): () => void {
  let awake = true
  const poll = () => {
    if (awake) setImmediate(poll)
  }
  poll()
  return () => {
    awake = false
  }
}

/** Of the guarded route, in microseconds. */
async function cpuPerRequest(server: Server): Promise<number> {
  const before = await cpu(server)
  const total = await load(server)
  return ((await cpu(server)) - before) / total
}

async function cpu({ child }: Server): Promise<number> {
  child.send('cpu')
  const [answer] = await once(child, 'message')
  return answer.cpu
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

function say(what: string, figure: string): void {
  console.log(`${what}: ${figure}`)
}
