import { errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import type { Log } from '../base/log.ts'
import type { EpochMs } from '../base/time.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { KeySet, unavailable } from '../tokens/key-set.ts'
import type { Refuse } from './refusals.ts'
import { type Metadata, ServerMetadata } from './server-metadata.ts'

/** The options that the client of an authorization server needs. */
export interface ServerOptions {
  readonly issuer: string
  readonly toleranceMs: number
  readonly timeoutMs: number
  readonly fetch: typeof fetch
  readonly log: Log
  readonly refuse: Refuse
  readonly now: () => EpochMs
}

/** A JWT that was verified, and the key that verified it. */
export interface Verified {
  readonly claims: JWTPayload
  readonly key: object
}

const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA']

/** Client of an authorization server. Every failure of the server is an OAuthError `temporarily_unavailable`. */
export class AuthorizationServer {
  readonly #options: ServerOptions
  readonly #metadata: ServerMetadata
  readonly #keys: KeySet

  constructor(options: ServerOptions) {
    const { issuer, log, now } = options
    this.#options = options
    this.#metadata = new ServerMetadata({
      issuer,
      json: url => this.#json(url),
      failed: cause => this.#unavailable('its metadata', cause),
      now,
    })
    this.#keys = new KeySet({
      read: () => this.#readKeys(),
      failed: (cause, cached) => {
        if (cached) log.error('the published keys could not be read again; those at hand are used', cause)
        return cached ? unavailable({ cause }) : this.#unavailable('its keys', cause)
      },
      now,
    })
  }

  /** Verifies a JWT access token (RFC 9068 §4). */
  async verifyJwt(token: string, audience: string): Promise<Verified> {
    const { issuer, now, refuse, toleranceMs } = this.#options
    try {
      const { key, payload } = await jwtVerify(token, this.#keys.get, {
        algorithms: ALGORITHMS,
        typ: 'at+jwt',
        issuer,
        audience,
        requiredClaims: ['exp', 'iat', 'sub', 'client_id', 'jti'],
        clockTolerance: toleranceMs / 1000,
        currentDate: new Date(now()),
      })
      return { claims: payload, key }
    } catch (error) {
      const reason = reasonOf(error)
      throw reason === undefined ? this.#unavailable('usable keys', error) : refuse(reason)
    }
  }

  /** Tells whether a key that verified a JWT is still among the published ones, as far as is known without asking the server. */
  trusts(key: object): boolean {
    return this.#keys.trusts(key)
  }

  /** Introspects a token (RFC 7662). */
  async introspect(token: string, app: { readonly clientId: string; readonly clientSecret: string }): Promise<JWTPayload> {
    const ask = async ({ introspectionEndpoint }: Metadata) => {
      const body = new URLSearchParams({ token, client_id: app.clientId, client_secret: app.clientSecret })
      const claims = await this.#json(introspectionEndpoint, { method: 'POST', body })
      // RFC 7662 §2.2 requires `active`. Without it, this is another endpoint than it was.
      if (typeof claims.active !== 'boolean') throw new Error('the introspection endpoint did not answer with active')
      return claims
    }
    const metadata = await this.#metadata.get()
    try {
      return await ask(metadata).catch(async error => {
        const moved = await this.#metadata.after(error, metadata)
        if (moved.introspectionEndpoint === metadata.introspectionEndpoint) throw error
        return ask(moved)
      })
    } catch (error) {
      throw this.#unavailable('introspection', error)
    }
  }

  async #readKeys(): Promise<JSONWebKeySet> {
    const known = this.#metadata.cached
    let metadata = known ?? (await this.#metadata.read())
    // A server that signed nothing may have begun to.
    if (known?.keysUrl === null) metadata = await this.#metadata.read()
    return this.#keysOf(metadata).catch(async error => {
      const moved = await this.#metadata.after(error, metadata)
      if (moved.keysUrl === metadata.keysUrl) throw error
      return this.#keysOf(moved)
    })
  }

  async #keysOf({ keysUrl }: Metadata): Promise<JSONWebKeySet> {
    const set = keysUrl === null ? { keys: [] } : await this.#json(keysUrl)
    if (!Array.isArray(set.keys)) throw new Error('the address of the published keys did not answer with keys')
    return set as unknown as JSONWebKeySet
  }

  async #json(url: string, init: RequestInit = {}): Promise<Record<string, unknown>> {
    const signal = AbortSignal.timeout(this.#options.timeoutMs)
    const { fetch } = this.#options
    const response = await fetch(url, { ...init, redirect: 'error', headers: { accept: 'application/json' }, signal })
    if (!response.ok) {
      await response.body?.cancel()
      throw new Error(`${new URL(url).pathname} answered ${response.status}`)
    }
    const body: unknown = await response.json()
    if (typeof body !== 'object' || body === null) throw new Error(`${new URL(url).pathname} did not answer with an object`)
    return body as Record<string, unknown>
  }

  #unavailable(what: string, cause: unknown): OAuthError {
    if (cause instanceof OAuthError) return cause
    this.#options.log.error(`the authorization server did not give ${what}`, cause)
    return unavailable({ cause })
  }
}

/** The reason for which jose refuses a token; undefined where the token is not to blame. */
function reasonOf(error: unknown): string | undefined {
  // A key that is published and cannot be used.
  if (!(error instanceof errors.JOSEError) || error instanceof errors.JWKSInvalid) return undefined
  if (error instanceof errors.JWTExpired) return 'it has expired'
  if (error instanceof errors.JWTClaimValidationFailed)
    return `its ${error.claim} is ${error.reason === 'missing' ? 'missing' : 'not what it must be'}`
  if (error instanceof errors.JWKSNoMatchingKey) return 'its key is not among those that the server publishes'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature is wrong'
  if (error instanceof errors.JOSEAlgNotAllowed) return `its alg is none of ${ALGORITHMS.join(', ')}`
  return 'it is a malformed JWT'
}
