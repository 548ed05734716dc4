/** What callers do: each flow over HTTP, as a client would. */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { askServer, type BenchServer, CALLERS } from './servers.ts'

/** Makes what one caller does again and again. */
export type Flow = (server: BenchServer) => Promise<() => Promise<void>>

export const FLOWS = {
  'client credentials': async server => async () =>
    void (await token(server, { grant_type: 'client_credentials', scope: 'read:records' })),
  introspection: async server => {
    const { access_token } = await token(server, { grant_type: 'client_credentials' })
    const form = { token: access_token, ...credentials(server) }
    return async () => void (await send(server, { path: '/oauth/introspect', form }))
  },
  bearer: async server => {
    const { access_token } = await token(server, { grant_type: 'client_credentials' })
    return async () => void (await send(server, { path: '/guarded', headers: { authorization: `Bearer ${access_token}` } }))
  },
  'bearer and a verification': async server => {
    const { access_token } = await token(server, { grant_type: 'client_credentials' })
    return async () => void (await send(server, { path: '/verified', headers: { authorization: `Bearer ${access_token}` } }))
  },
  'bound token': async server => {
    const prove = newProver()
    const url = 'http://localhost/guarded'
    const fields = { grant_type: 'client_credentials', ...credentials(server) }
    const dpop = prove({ htm: 'POST', htu: 'http://localhost/oauth/token' })
    const { access_token } = JSON.parse((await send(server, { path: '/oauth/token', form: fields, headers: { dpop } })).text)
    const ath = createHash('sha256').update(access_token).digest('base64url')
    const authorization = `DPoP ${access_token}`
    return async () =>
      void (await send(server, { path: '/guarded', headers: { authorization, dpop: prove({ htm: 'GET', htu: url, ath }) } }))
  },
  refresh: async server => {
    let tokens = await redeem(server, await agree(server))
    return async () => {
      tokens = await token(server, { grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
    }
  },
  'code flow': async server => async () => void (await redeem(server, await authorize(server))),
  'code flow with consent': async server => async () => void (await redeem(server, await agree(server))),
  'wrong secret': async server => {
    const form = { grant_type: 'client_credentials', ...credentials(server), client_secret: 'am_cs_wrong' }
    return async () => void (await send(server, { path: '/oauth/token', form, status: 401 }))
  },
  'wrong code': async server => {
    const wrong = { grant_type: 'authorization_code', code: `am_ac_${'a'.repeat(43)}`, redirect_uri: server.redirectUri }
    return async () =>
      void (await send(server, { path: '/oauth/token', form: { ...wrong, ...credentials(server) }, status: 400 }))
  },
  'wrong refresh token': async server => {
    const { refresh_token } = await redeem(server, await agree(server))
    const wrong = { grant_type: 'refresh_token', refresh_token: `${refresh_token.slice(0, -8)}aaaaaaaa` }
    return async () =>
      void (await send(server, { path: '/oauth/token', form: { ...wrong, ...credentials(server) }, status: 400 }))
  },
  'malformed token, introspected': async server => {
    const form = { token: `am_at_${'x'.repeat(80)}`, ...credentials(server) }
    return async () => void (await send(server, { path: '/oauth/introspect', form }))
  },
  'malformed bearer token': async server => async () =>
    void (await send(server, { path: '/guarded', headers: { authorization: 'Bearer am_at_malformed' }, status: 401 })),
} satisfies Readonly<Record<string, Flow>>

export type FlowName = keyof typeof FLOWS

/** What a server did in one turn. */
export interface Load {
  /** Processor time of the server, for each time that the flow ran. */
  readonly cpuMicros: number
  readonly latencies: readonly number[]
}

/** Runs a flow by all callers for a time. `perSecond` slows them down to so many runs a second together. */
export async function load(
  server: BenchServer,
  flow: Flow,
  seconds: number,
  perSecond = Number.POSITIVE_INFINITY,
): Promise<Load> {
  const callers = await Promise.all(Array.from({ length: CALLERS }, (_, index) => flow({ ...server, user: `user-${index}` })))
  const latencies: number[] = []
  const before = await askServer(server, { ask: 'cpu' })
  const start = performance.now()
  const until = start + seconds * 1000
  await Promise.all(
    callers.map(async call => {
      for (let runs = 0, began = performance.now(); began < until; runs++) {
        await call()
        const ended = performance.now()
        latencies.push(ended - began)
        const early = start + ((runs + 1) * 1000 * CALLERS) / perSecond - ended
        if (early > 0) await new Promise(resolve => setTimeout(resolve, early))
        began = performance.now()
      }
    }),
  )
  return { cpuMicros: ((await askServer(server, { ask: 'cpu' })) - before) / latencies.length, latencies }
}

/** Makes a key, and what signs proofs with it (RFC 9449 §4.2). */
function newProver(): (claims: object) => string {
  const { privateKey: key, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const header = encode({ typ: 'dpop+jwt', alg: 'ES256', jwk: publicKey.export({ format: 'jwk' }) })
  return claims => {
    const jti = randomBytes(16).toString('base64url')
    const text = `${header}.${encode({ jti, iat: Math.floor(Date.now() / 1000), ...claims })}`
    return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }
}

/** The first time, the user is asked. */
async function authorize(server: BenchServer): Promise<string> {
  const location = await locationOf(server, { path: `/oauth/authorize?${requestOf(server)}` })
  return location.searchParams.get('code') ?? agree(server)
}

async function agree(server: BenchServer): Promise<string> {
  const screen = await locationOf(server, { path: `/oauth/authorize?${requestOf(server)}&prompt=consent` })
  await send(server, { path: `${screen.pathname}${screen.search}`, headers: { accept: 'text/html' } })
  const form = { consent_id: screen.searchParams.get('consent_id') ?? '', consent: 'granted' }
  const location = await locationOf(server, { path: '/oauth/authorize', form })
  return location.searchParams.get('code') ?? ''
}

function requestOf({ clientId, redirectUri }: BenchServer): URLSearchParams {
  const app = { client_id: clientId, redirect_uri: redirectUri }
  return new URLSearchParams({ response_type: 'code', ...app, scope: 'read:records', state: 'some-state' })
}

function redeem(server: BenchServer, code: string): Promise<Tokens> {
  return token(server, { grant_type: 'authorization_code', code, redirect_uri: server.redirectUri })
}

interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
}

async function token(server: BenchServer, form: Readonly<Record<string, string>>): Promise<Tokens> {
  return JSON.parse((await send(server, { path: '/oauth/token', form: { ...form, ...credentials(server) } })).text)
}

function credentials({ clientId, clientSecret }: BenchServer): { readonly client_id: string; readonly client_secret: string } {
  return { client_id: clientId, client_secret: clientSecret }
}

interface Request {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
  /** The status that a refusal must have. Default: any that is none. */
  readonly status?: number
}

async function locationOf(server: BenchServer, request: Request): Promise<URL> {
  const { location } = await send(server, request)
  return new URL(location, 'http://localhost')
}

async function send(
  { pool, user }: BenchServer,
  { form, headers, path, status }: Request,
): Promise<{ readonly text: string; readonly location: string }> {
  const answer = await pool.request({
    path,
    method: form ? 'POST' : 'GET',
    headers: { 'x-user': user, ...(form && { 'content-type': 'application/x-www-form-urlencoded' }), ...headers },
    body: form ? new URLSearchParams(form).toString() : null,
  })
  const text = await answer.body.text()
  const expected = status === undefined ? answer.statusCode < 400 : answer.statusCode === status
  if (!expected) throw new Error(`${path}: ${answer.statusCode} ${text}`)
  return { text, location: String(answer.headers.location ?? '') }
}
