/**
 * Ratios against bare routes of the same framework, in one run: the two servers take turns under the same load, so that
 * a machine that slows down slows both. Absolute figures are of this machine and this minute.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createAuthmount } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import autocannon from 'autocannon'

const ROUNDS = Number(process.env.ROUNDS ?? 5)
const SECONDS = Number(process.env.SECONDS ?? 3)

interface Server {
  readonly child: ChildProcess
  readonly url: string
  readonly body: string
  readonly token: string
}

await tokenRatio('fastify', 0.5)
await tokenRatio('express', 0.7)
await guardCost('fastify')
await guardCost('express')
await heapPerToken()
await revokeAll()

async function tokenRatio(framework: 'express' | 'fastify', target: number): Promise<void> {
  const [bare, ours] = await Promise.all([start(`${framework}-bare`), start(framework)])
  await load(bare, '/oauth/token', 1)
  await load(ours, '/oauth/token', 1)
  const ratios: number[] = []
  const rates: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const bareRate = await load(bare, '/oauth/token', SECONDS)
    const rate = await load(ours, '/oauth/token', SECONDS)
    rates.push(rate)
    ratios.push(rate / bareRate)
  }
  say(
    `client_credentials on ${framework}`,
    `${median(ratios).toFixed(2)} of a bare route (target ${target}), ${Math.round(median(rates))} requests/s`,
  )
  bare.child.kill()
  ours.child.kill()
}

async function guardCost(framework: 'express' | 'fastify'): Promise<void> {
  const server = await start(framework)
  await load(server, '/open', 1)
  await load(server, '/guarded', 1)
  const costs: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    costs.push((await cpuPerRequest(server, '/guarded')) - (await cpuPerRequest(server, '/open')))
  }
  say(`requireToken on ${framework}`, `${median(costs).toFixed(1)} µs of processor time (target 15)`)
  server.child.kill()
}

async function heapPerToken(): Promise<void> {
  const count = 200_000
  const authmount = createAuthmount({
    issuer: 'http://localhost',
    store: memoryStore(),
    authenticate: () => null,
    scopes: { 'read:records': { description: 'Read your records' } },
  })
  const { clientId, clientSecret } = await authmount.registerApp(
    { name: 'Bench', allowedScopes: ['read:records'], allowedGrantTypes: ['client_credentials'] },
    { orgId: 'bench', userId: 'bench' },
  )
  const endpoint = authmount.find('/oauth/token')?.endpoint
  if (!endpoint) throw new Error('no token endpoint')
  const text = `grant_type=client_credentials&scope=read%3Arecords&client_id=${clientId}&client_secret=${clientSecret}`
  const issue = () =>
    authmount.dispatch(endpoint, {
      method: 'POST',
      params: {},
      query: new URLSearchParams(),
      headers: {},
      body: { kind: 'form', form: new URLSearchParams(text) },
      ip: undefined,
      native: undefined,
    })
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
      const grant = { id, clientId, orgId: 'bench', userId: null, scopes, createdAt: now, epoch: 1, context: {} }
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

function heapUsed(): number {
  global.gc?.()
  return process.memoryUsage().heapUsed
}

async function start(kind: string): Promise<Server> {
  const child = fork(new URL('./server.ts', import.meta.url), [kind], { execArgv: ['--import', 'tsx'] })
  const [hello] = await once(child, 'message')
  return { child, ...hello }
}

/** Requests per second of one load of `seconds`. */
async function load(server: Server, path: string, seconds: number): Promise<number> {
  const post = path === '/oauth/token'
  const stopPolling = keepAwake()
  const result = await autocannon({
    url: server.url + path,
    connections: 64,
    duration: seconds,
    method: post ? 'POST' : 'GET',
    headers: post ? { 'content-type': 'application/x-www-form-urlencoded' } : { authorization: `Bearer ${server.token}` },
    ...(post ? { body: server.body } : {}),
  })
  stopPolling()
  if (result.non2xx > 0 || result.errors > 0) throw new Error(`${path}: ${result.non2xx} refused, ${result.errors} failed`)
  return result.requests.total / result.duration
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

async function cpuPerRequest(server: Server, path: string): Promise<number> {
  const before = await cpu(server)
  const began = performance.now()
  const rate = await load(server, path, SECONDS)
  const seconds = (performance.now() - began) / 1000
  return ((await cpu(server)) - before) / (rate * Math.min(seconds, SECONDS))
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
