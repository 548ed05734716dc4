import { createRemoteJWKSet, customFetch, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import type { Guarding, TokenRequirements } from '../authmount.ts'
import { sha256 } from '../crypto.ts'
import { renderChallenge } from '../errors/challenge.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { AuthmountEvent } from '../events.ts'
import { bearerToken, type TokenInfo } from '../oauth/bearer.ts'
import type { Log } from '../options.ts'
import type { EpochMs } from '../store.ts'
import { readJwt } from '../tokens/jwt-access-token.ts'
import { readOpaque } from '../tokens/opaque.ts'
import { Remembered } from './remembered.ts'
import { Revocations } from './revocations.ts'

export interface VerifierOptions {
  /** The authorization server, as its tokens and its discovery document name it. */
  readonly issuer: string
  /** The resource that this server is: a token for others is refused (RFC 9068 §4). */
  readonly audience: string
  /** The app whose `resourceServers` entry names the audience. Needed for opaque tokens only. */
  readonly introspection?: { readonly clientId: string; readonly clientSecret: string } | undefined
  /** How long what introspection said is believed, at most. 0–60 seconds; default 1. */
  readonly cacheSeconds?: number | undefined
  /** How long a token is believed after it has expired, for clocks that differ. 0–60 seconds; default 5. */
  readonly clockToleranceSeconds?: number | undefined
  /** How long the authorization server may take to answer. 10–60,000 milliseconds; default 5000. */
  readonly timeoutMs?: number | undefined
  /** Named by every 401, so that a client can find the authorization server (RFC 9728 §5.1). Default: not named. */
  readonly resourceMetadata?: string | undefined
  /** Default: the console. Never receives a token or a secret. */
  readonly log?: Log | undefined
  readonly fetch?: typeof fetch | undefined
  /** The clock. Default `Date.now`. */
  readonly now?: (() => EpochMs) | undefined
}

export interface Verifier extends Guarding {
  /**
   * What an access token says (without the word `Bearer`).
   * Rejects with OAuthError: `invalid_token`, `insufficient_scope`, or `temporarily_unavailable` when the authorization server
   * does not answer.
   */
  verify(token: string, requirements?: Pick<TokenRequirements, 'scopes'>): Promise<TokenInfo>
  /** Takes an audit event of the authorization server: what it says has been revoked is refused from then on. */
  onEvent(event: AuthmountEvent): void
}

/** Tokens that have been checked and are remembered. */
const MAX_REMEMBERED = 10_000

/**
 * Checks access tokens of an authmount server from another process: a JWT by the server's published keys, an opaque token by
 * asking it. Throws TypeError for options that cannot work.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  checkOptions(options)
  const { audience, cacheSeconds = 1, introspection, issuer, log = CONSOLE, now = Date.now, resourceMetadata } = options
  const server = new AuthorizationServer(options)
  const remembered = new Remembered<Checked>(MAX_REMEMBERED)
  const asking = new Map<string, Promise<Checked>>()
  const revocations = new Revocations()

  async function check(token: string): Promise<TokenInfo> {
    const id = sha256(token)
    const known = remembered.get(id, now())
    const checked = known ?? (await askOnce(id, token))
    if (checked.info.expiresAt + server.toleranceMs <= now()) throw invalidToken()
    if (revocations.has(checked.info, checked.issuedAt, now())) throw invalidToken()
    return checked.info
  }

  /** Many who present one token at once ask once. */
  function askOnce(id: string, token: string): Promise<Checked> {
    const asked =
      asking.get(id) ??
      ask(token)
        .then(checked => {
          const until = readJwt(token) ? checked.info.expiresAt + server.toleranceMs : now() + cacheSeconds * 1000
          remembered.set(id, checked, until)
          return checked
        })
        .finally(() => asking.delete(id))
    asking.set(id, asked)
    return asked
  }

  async function ask(token: string): Promise<Checked> {
    if (readJwt(token)) return checkedOf(await server.verifyJwt(token, audience))
    if (readOpaque(token)?.kind !== 'access' || !introspection) throw invalidToken()
    const claims = await server.introspect(token, introspection)
    const audiences: unknown[] = [claims.aud].flat()
    if (claims.active !== true || claims.iss !== issuer || claims.token_type !== 'Bearer' || !audiences.includes(audience))
      throw invalidToken()
    return checkedOf(claims)
  }

  return {
    async verify(token, { scopes = [] } = {}) {
      const info = await check(token)
      if (!scopes.every(scope => info.scopes.includes(scope)))
        throw new OAuthError('insufficient_scope', `this needs the scope ${scopes.join(' ')}`)
      return info
    },
    guard(requirements = {}) {
      const scopes = readScopes(requirements, audience)
      const challenge = { issuer, log, metadata: resourceMetadata }
      return async authorization => {
        const token = bearerToken(authorization)
        if (token === undefined) return { refusal: renderChallenge(undefined, scopes, challenge) }
        try {
          return { oauth: await this.verify(token, { scopes }) }
        } catch (error) {
          return { refusal: renderChallenge(error, scopes, challenge) }
        }
      }
    },
    onEvent(event) {
      if (revocations.add(event, now())) remembered.clear()
    },
  }
}

interface Checked {
  readonly info: TokenInfo
  readonly issuedAt: EpochMs
}

/** What the authorization server publishes and answers. */
class AuthorizationServer {
  readonly toleranceMs: number
  readonly #options: VerifierOptions
  readonly #fetch: typeof fetch
  readonly #timeoutMs: number
  readonly #now: () => EpochMs
  readonly #log: Log
  #metadata: Promise<Metadata> | undefined

  constructor(options: VerifierOptions) {
    const { clockToleranceSeconds = 5, fetch: own = fetch, log = CONSOLE, now = Date.now, timeoutMs = 5000 } = options
    this.#options = options
    this.#fetch = own
    this.#timeoutMs = timeoutMs
    this.#now = now
    this.#log = log
    this.toleranceMs = clockToleranceSeconds * 1000
  }

  async verifyJwt(token: string, audience: string): Promise<JWTPayload> {
    const { keys } = await this.#discover()
    if (!keys) throw invalidToken()
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: ['RS256', 'ES256', 'EdDSA'],
        typ: 'at+jwt',
        issuer: this.#options.issuer,
        audience,
        requiredClaims: ['exp', 'iat', 'sub', 'client_id', 'jti'],
        clockTolerance: this.toleranceMs / 1000,
        currentDate: new Date(this.#now()),
      })
      return payload
    } catch (error) {
      throw error instanceof errors.JOSEError && !UNAVAILABLE.has(error.code)
        ? invalidToken()
        : this.#unavailable('its keys', error)
    }
  }

  async introspect(token: string, app: { readonly clientId: string; readonly clientSecret: string }): Promise<JWTPayload> {
    const { introspectionEndpoint } = await this.#discover()
    try {
      const body = new URLSearchParams({ token, client_id: app.clientId, client_secret: app.clientSecret })
      return await this.#json(introspectionEndpoint, { method: 'POST', body })
    } catch (error) {
      throw this.#unavailable('introspection', error)
    }
  }

  /** Read once; what failed is tried again by the next who asks. */
  #discover(): Promise<Metadata> {
    this.#metadata ??= this.#readMetadata().catch(error => {
      this.#metadata = undefined
      throw this.#unavailable('its metadata', error)
    })
    return this.#metadata
  }

  async #readMetadata(): Promise<Metadata> {
    const { issuer } = this.#options
    const { origin, pathname } = new URL(issuer)
    // RFC 8414 §3.1
    const document = `${origin}/.well-known/oauth-authorization-server${pathname === '/' ? '' : pathname}`
    const { introspection_endpoint, issuer: named, jwks_uri } = await this.#json(document)
    // RFC 8414 §3.3
    if (named !== issuer) throw new Error('the metadata are of another issuer')
    return {
      introspectionEndpoint: this.#trusted(introspection_endpoint),
      keys: jwks_uri === undefined ? null : this.#keysAt(this.#trusted(jwks_uri)),
    }
  }

  #keysAt(url: string): JWTVerifyGetKey {
    return createRemoteJWKSet(new URL(url), {
      [customFetch]: (url, init) => this.#fetch(url, { ...init, redirect: 'error' } as RequestInit),
      timeoutDuration: this.#timeoutMs,
      // A new key is published far longer than this before it signs.
      cacheMaxAge: 300_000,
    })
  }

  /** A secret goes there, and whom to trust comes from there: never less protected than the issuer itself. */
  #trusted(endpoint: unknown): string {
    const url = typeof endpoint === 'string' && URL.canParse(endpoint) ? new URL(endpoint) : undefined
    if (url?.protocol !== 'https:' && url?.origin !== new URL(this.#options.issuer).origin)
      throw new Error('the metadata name an endpoint without https')
    return url.href
  }

  async #json(url: string, init: RequestInit = {}): Promise<Record<string, unknown>> {
    const signal = AbortSignal.timeout(this.#timeoutMs)
    const response = await this.#fetch(url, { ...init, redirect: 'error', headers: { accept: 'application/json' }, signal })
    const body: unknown = await response.json()
    if (!response.ok) throw new Error(`${new URL(url).pathname} answered ${response.status}`)
    if (typeof body !== 'object' || body === null) throw new Error(`${new URL(url).pathname} did not answer with an object`)
    return body as Record<string, unknown>
  }

  #unavailable(what: string, cause: unknown): OAuthError {
    if (cause instanceof OAuthError) return cause
    this.#log.error(`the authorization server did not give ${what}`, cause)
    return new OAuthError('temporarily_unavailable', 'the token cannot be checked at the moment: try again shortly', { cause })
  }
}

interface Metadata {
  readonly introspectionEndpoint: string
  /** null: the server signs nothing. */
  readonly keys: JWTVerifyGetKey | null
}

/** JOSE errors that say nothing about the token. */
const UNAVAILABLE = new Set(['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC'])

const CONSOLE: Log = {
  error: (message, cause) => console.error(`authmount/verify: ${message}`, ...(cause === undefined ? [] : [cause])),
  warn: message => console.warn(`authmount/verify: ${message}`),
}

function checkedOf({ client_id: clientId, exp, iat, jti = '', org_id: orgId, scope, sub }: JWTPayload): Checked {
  if (typeof clientId !== 'string' || typeof orgId !== 'string' || sub === undefined || exp === undefined) throw invalidToken()
  const info: TokenInfo = {
    clientId,
    userId: sub === clientId ? null : sub,
    orgId,
    scopes: typeof scope === 'string' ? scope.split(' ').filter(name => name !== '') : [],
    grantId: jti.slice(0, jti.indexOf('.')),
    expiresAt: exp * 1000,
  }
  return { info, issuedAt: (iat ?? 0) * 1000 }
}

function invalidToken(): OAuthError {
  return new OAuthError('invalid_token', 'the access token is unknown, expired, revoked, or for another resource')
}

function readScopes(requirements: TokenRequirements, audience: string): readonly string[] {
  const { resource = audience, scopes = [], ...unknown } = requirements
  const [name] = Object.keys(unknown)
  if (name !== undefined) throw new TypeError(`${name} is not something a route can require of a token: use { scopes: [...] }`)
  if (resource !== audience) throw new TypeError(`this verifier is for ${audience}, not for ${resource}`)
  if (!Array.isArray(scopes) || !scopes.every(scope => typeof scope === 'string' && scope !== ''))
    throw new TypeError("scopes must be an array, as in { scopes: ['read:records'] }")
  return [...scopes]
}

function checkOptions({
  audience,
  cacheSeconds = 1,
  clockToleranceSeconds = 5,
  introspection,
  issuer,
  timeoutMs = 5000,
}: VerifierOptions): void {
  const url = typeof issuer === 'string' && URL.canParse(issuer) ? new URL(issuer) : undefined
  const loopback = url !== undefined && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (!url || (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback)))
    throw new TypeError('issuer must be the https URL of the authorization server')
  if (typeof audience !== 'string' || audience === '') throw new TypeError('audience must name the resource that this server is')
  if (introspection && !(introspection.clientId && introspection.clientSecret))
    throw new TypeError('introspection must be { clientId, clientSecret }')
  const ranges = {
    cacheSeconds: [cacheSeconds, 0, 60],
    clockToleranceSeconds: [clockToleranceSeconds, 0, 60],
    timeoutMs: [timeoutMs, 10, 60_000],
  }
  for (const [name, [value = Number.NaN, low = 0, high = 0]] of Object.entries(ranges)) {
    if (!(value >= low && value <= high)) throw new TypeError(`${name} must be between ${low} and ${high}`)
  }
}
