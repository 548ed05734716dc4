import { errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import type { Log } from '../base/log.ts'
import type { EpochMs } from '../base/time.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { KeySet } from './key-set.ts'

/** The options that the client of an authorization server needs. */
export interface ServerOptions {
  readonly issuer: string
  readonly toleranceMs: number
  readonly timeoutMs: number
  readonly fetch: typeof fetch
  readonly log: Log
  readonly now: () => EpochMs
}

interface Metadata {
  readonly introspectionEndpoint: string
  /** null: the server signs nothing (yet). */
  readonly keys: KeySet | null
  readonly readAt: EpochMs
}

/** How long the finding that a server publishes no keys is cached. */
const UNSIGNED_MS = 30_000

/** Client of an authorization server. Every failure of the server is an OAuthError `temporarily_unavailable`. */
export class AuthorizationServer {
  readonly #options: ServerOptions
  #metadata: Promise<Metadata> | undefined

  constructor(options: ServerOptions) {
    this.#options = options
  }

  /** Verifies a JWT access token (RFC 9068 §4). */
  async verifyJwt(token: string, audience: string): Promise<JWTPayload> {
    const { issuer, now, toleranceMs } = this.#options
    const { keys } = await this.#discover(true)
    if (!keys) throw invalidToken()
    try {
      const { payload } = await jwtVerify(token, keys.get, {
        algorithms: ['RS256', 'ES256', 'EdDSA'],
        typ: 'at+jwt',
        issuer,
        audience,
        requiredClaims: ['exp', 'iat', 'sub', 'client_id', 'jti'],
        clockTolerance: toleranceMs / 1000,
        currentDate: new Date(now()),
      })
      return payload
    } catch (error) {
      throw error instanceof errors.JOSEError ? invalidToken() : this.#unavailable('its keys', error)
    }
  }

  /** Introspects a token (RFC 7662). */
  async introspect(token: string, app: { readonly clientId: string; readonly clientSecret: string }): Promise<JWTPayload> {
    const { introspectionEndpoint } = await this.#discover(false)
    try {
      const body = new URLSearchParams({ token, client_id: app.clientId, client_secret: app.clientSecret })
      return await this.#json(introspectionEndpoint, { method: 'POST', body })
    } catch (error) {
      throw this.#unavailable('introspection', error)
    }
  }

  /** Reads the metadata, once. The next call retries a failure; metadata without keys are read again after `UNSIGNED_MS`. */
  async #discover(forKeys: boolean): Promise<Metadata> {
    this.#metadata ??= this.#readMetadata().catch(error => {
      this.#metadata = undefined
      throw this.#unavailable('its metadata', error)
    })
    const metadata = await this.#metadata
    if (!forKeys || metadata.keys || this.#options.now() - metadata.readAt < UNSIGNED_MS) return metadata
    this.#metadata = undefined
    return this.#discover(false)
  }

  async #readMetadata(): Promise<Metadata> {
    const { issuer, log, now } = this.#options
    const { origin, pathname } = new URL(issuer)
    // RFC 8414 §3.1
    const document = `${origin}/.well-known/oauth-authorization-server${pathname === '/' ? '' : pathname}`
    const { introspection_endpoint, issuer: named, jwks_uri } = await this.#json(document)
    // RFC 8414 §3.3
    if (named !== issuer) throw new Error('the metadata are of another issuer')
    const keysUrl = jwks_uri === undefined ? null : this.#trusted(jwks_uri)
    const fetchKeys = async () => (await this.#json(keysUrl ?? '')) as unknown as JSONWebKeySet
    const failed = (cause: unknown) => log.error('the published keys could not be read again; those at hand are used', cause)
    return {
      introspectionEndpoint: this.#trusted(introspection_endpoint),
      keys: keysUrl === null ? null : new KeySet(fetchKeys, { failed, now }),
      readAt: now(),
    }
  }

  /** Checks an endpoint of the metadata: the secret is sent there, or keys come from there, so it must be https like the issuer. */
  #trusted(endpoint: unknown): string {
    const url = typeof endpoint === 'string' && URL.canParse(endpoint) ? new URL(endpoint) : undefined
    if (url?.protocol !== 'https:' && url?.origin !== new URL(this.#options.issuer).origin)
      throw new Error('the metadata name an endpoint without https')
    return url.href
  }

  async #json(url: string, init: RequestInit = {}): Promise<Record<string, unknown>> {
    const signal = AbortSignal.timeout(this.#options.timeoutMs)
    const { fetch } = this.#options
    const response = await fetch(url, { ...init, redirect: 'error', headers: { accept: 'application/json' }, signal })
    const body: unknown = await response.json()
    if (!response.ok) throw new Error(`${new URL(url).pathname} answered ${response.status}`)
    if (typeof body !== 'object' || body === null) throw new Error(`${new URL(url).pathname} did not answer with an object`)
    return body as Record<string, unknown>
  }

  #unavailable(what: string, cause: unknown): OAuthError {
    if (cause instanceof OAuthError) return cause
    this.#options.log.error(`the authorization server did not give ${what}`, cause)
    return new OAuthError('temporarily_unavailable', 'the token cannot be checked at the moment: try again shortly', { cause })
  }
}

export function invalidToken(): OAuthError {
  return new OAuthError('invalid_token', 'the access token is unknown, expired, revoked, or for another resource')
}
