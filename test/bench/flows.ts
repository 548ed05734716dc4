/**
 * What each flow costs beside bare Fastify routes that answer the same, by the processor time of the server. The two take turns,
 * so that a machine that slows down slows both. Uses nothing but the package, so that it also runs beside an older revision.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createAuthmount } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import { Pool } from 'undici'

/** The figures of one flow. Times are of our side: processor time in microseconds, latencies in milliseconds. */
export interface Row {
  readonly name: string
  /** Processor time of the bare routes, divided by ours; null where there is nothing to compare. */
  readonly share: number | null
  readonly target: number | null
  readonly cpuMicros: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}

interface Server {
  readonly child: ChildProcess
  readonly pool: Pool
  readonly clientId: string
  readonly clientSecret: string
  readonly redirectUri: string
  /** Who is signed in: each caller is another, since the answers of one user wait for one another. */
  readonly user: string
}
/** Makes what one caller does again and again. */
type Flow = (server: Server) => Promise<() => Promise<void>>

/** How many callers a server has at once. */
const CALLERS = 8

const FLOWS: readonly {
  readonly name: string
  readonly target: number
  readonly format?: 'ES256' | 'RS256'
  readonly flow: Flow
}[] = [
  { name: 'client credentials', target: 0.6, flow: clientCredentials },
  { name: 'client credentials, JWT, ES256', target: 0.75, format: 'ES256', flow: clientCredentials },
  { name: 'client credentials, JWT, RS256', target: 0.88, format: 'RS256', flow: clientCredentials },
  { name: 'introspection', target: 0.65, flow: introspection },
  { name: 'bearer', target: 0.8, flow: bearer },
  { name: 'refresh', target: 0.45, flow: refresh },
  { name: 'code flow', target: 0.38, flow: async server => async () => void (await redeem(server, await authorize(server))) },
  {
    name: 'code flow with consent',
    target: 0.25,
    flow: async server => async () => void (await redeem(server, await agree(server))),
  },
]

export async function runFlows(rounds: number, seconds: number): Promise<readonly Row[]> {
  const rows: Row[] = [await withoutHttp()]
  for (const { flow, format = 'opaque', name, target } of FLOWS) {
    const [bare, ours] = await Promise.all([start('bare', format), start('ours', format)])
    for (const server of [bare, ours]) await load(server, flow, Math.min(1, seconds))
    const turns: { readonly bare: Load; readonly ours: Load }[] = []
    for (let round = 0; round < rounds; round++)
      turns.push({ bare: await load(bare, flow, seconds), ours: await load(ours, flow, seconds) })
    for (const { child, pool } of [bare, ours]) {
      await pool.destroy()
      child.kill()
    }
    const latencies = turns.flatMap(({ ours }) => ours.latencies)
    rows.push({
      name,
      target,
      share: quantile(
        turns.map(({ bare, ours }) => bare.cpuMicros / ours.cpuMicros),
        0.5,
      ),
      cpuMicros: quantile(
        turns.map(({ ours }) => ours.cpuMicros),
        0.5,
      ),
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
    })
  }
  return rows
}

export function formatRow({ cpuMicros, name, p50Ms, p99Ms, share, target }: Row): string {
  const shared = share === null ? '' : `${share.toFixed(2)} of a bare route (target ${target?.toFixed(2)}), `
  const latency =
    p50Ms === null || p99Ms === null ? '' : `, median ${p50Ms.toFixed(2)} ms, 99th percentile ${p99Ms.toFixed(2)} ms`
  return `${name}: ${shared}${cpuMicros.toFixed(1)} µs of processor time${latency}`
}

export function quantile(numbers: readonly number[], q: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}

interface Load {
  /** Of the server, for each time that the flow ran. */
  readonly cpuMicros: number
  readonly latencies: readonly number[]
}

async function load(server: Server, flow: Flow, seconds: number): Promise<Load> {
  const callers = await Promise.all(Array.from({ length: CALLERS }, (_, index) => flow({ ...server, user: `user-${index}` })))
  const latencies: number[] = []
  const before = await cpuOf(server)
  const until = performance.now() + seconds * 1000
  await Promise.all(
    callers.map(async call => {
      for (let began = performance.now(); began < until; ) {
        await call()
        const ended = performance.now()
        latencies.push(ended - began)
        began = ended
      }
    }),
  )
  return { cpuMicros: ((await cpuOf(server)) - before) / latencies.length, latencies }
}

async function start(side: 'bare' | 'ours', format: string): Promise<Server> {
  const child = fork(new URL('./flow-server.ts', import.meta.url), [side, format], { execArgv: ['--import', 'tsx'] })
  const [{ clientId, clientSecret, redirectUri, url }] = await once(child, 'message')
  return { child, clientId, clientSecret, redirectUri, user: '', pool: new Pool(url, { connections: CALLERS }) }
}

async function cpuOf({ child }: Server): Promise<number> {
  child.send('cpu')
  const [micros] = await once(child, 'message')
  return micros
}

async function clientCredentials(server: Server): Promise<() => Promise<void>> {
  return async () => void (await token(server, { grant_type: 'client_credentials', scope: 'read:records' }))
}

async function bearer(server: Server): Promise<() => Promise<void>> {
  const { access_token } = await token(server, { grant_type: 'client_credentials' })
  return async () => void (await send(server, { path: '/guarded', headers: { authorization: `Bearer ${access_token}` } }))
}

async function introspection(server: Server): Promise<() => Promise<void>> {
  const { access_token } = await token(server, { grant_type: 'client_credentials' })
  const form = { token: access_token, ...credentials(server) }
  return async () => void (await send(server, { path: '/oauth/introspect', form }))
}

async function refresh(server: Server): Promise<() => Promise<void>> {
  let tokens = await redeem(server, await agree(server))
  return async () => {
    tokens = await token(server, { grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
  }
}

/** The first time, the user is asked. */
async function authorize(server: Server): Promise<string> {
  const location = await locationOf(server, { path: `/oauth/authorize?${requestOf(server)}` })
  return location.searchParams.get('code') ?? agree(server)
}

async function agree(server: Server): Promise<string> {
  const screen = await locationOf(server, { path: `/oauth/authorize?${requestOf(server)}&prompt=consent` })
  await send(server, { path: `${screen.pathname}${screen.search}`, headers: { accept: 'text/html' } })
  const form = { consent_id: screen.searchParams.get('consent_id') ?? '', consent: 'granted' }
  const location = await locationOf(server, { path: '/oauth/authorize', form })
  return location.searchParams.get('code') ?? ''
}

function requestOf({ clientId, redirectUri }: Server): URLSearchParams {
  const app = { client_id: clientId, redirect_uri: redirectUri }
  return new URLSearchParams({ response_type: 'code', ...app, scope: 'read:records', state: 'some-state' })
}

function redeem(server: Server, code: string): Promise<Tokens> {
  return token(server, { grant_type: 'authorization_code', code, redirect_uri: server.redirectUri })
}

interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
}

async function token(server: Server, form: Readonly<Record<string, string>>): Promise<Tokens> {
  return JSON.parse((await send(server, { path: '/oauth/token', form: { ...form, ...credentials(server) } })).text)
}

function credentials({ clientId, clientSecret }: Server): Readonly<Record<string, string>> {
  return { client_id: clientId, client_secret: clientSecret }
}

interface Request {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
}

async function locationOf(server: Server, request: Request): Promise<URL> {
  const { location } = await send(server, request)
  return new URL(location, 'http://localhost')
}

async function send(
  { pool, user }: Server,
  { form, headers, path }: Request,
): Promise<{ readonly text: string; readonly location: string }> {
  const answer = await pool.request({
    path,
    method: form ? 'POST' : 'GET',
    headers: { 'x-user': user, ...(form && { 'content-type': 'application/x-www-form-urlencoded' }), ...headers },
    body: form ? new URLSearchParams(form).toString() : null,
  })
  const text = await answer.body.text()
  if (answer.statusCode >= 400) throw new Error(`${path}: ${answer.statusCode} ${text}`)
  return { text, location: String(answer.headers.location ?? '') }
}

/** The token endpoint alone, of the most frequent grant. */
async function withoutHttp(): Promise<Row> {
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
  const rest = { method: 'POST', params: {}, query: new URLSearchParams(), headers: {}, ip: undefined, native: undefined }
  const costs: number[] = []
  for (let turn = 0; turn < 30; turn++) {
    const { system, user } = process.cpuUsage()
    for (let index = 0; index < 5000; index++)
      await authmount.dispatch(endpoint, { ...rest, body: { kind: 'form', form: new URLSearchParams(text) } })
    const after = process.cpuUsage()
    costs.push((after.system + after.user - system - user) / 5000)
  }
  const cpuMicros = quantile(costs.slice(5), 0.5)
  return { name: 'client credentials without HTTP', share: null, target: null, cpuMicros, p50Ms: null, p99Ms: null }
}
