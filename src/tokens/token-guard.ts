import type { IncomingHttpHeaders } from 'node:http'
import type { EpochMs } from '../base/time.ts'
import type { HttpResponse } from '../http/types.ts'

/** What a valid access token says: which app may do what, and for whom. */
export interface TokenInfo {
  readonly clientId: string
  /** null where the app acts for itself (`client_credentials`). */
  readonly userId: string | null
  /** The user's organisation; the app's own where it acts for itself. */
  readonly orgId: string
  readonly scopes: readonly string[]
  /** The authorization this token descends from; the same after a refresh. */
  readonly grantId: string
  readonly expiresAt: EpochMs
}

/** What a protected route requires of an access token. */
export interface TokenRequirements {
  /** All of these. Default: any valid token will do. */
  readonly scopes?: readonly string[] | undefined
  /** The member of the option `resources` that the route belongs to: a token for another one is refused, and a 401 names it. Default: the first. */
  readonly resource?: string | undefined
}

/** As much of a request as a guard reads. */
export interface GuardedRequest {
  readonly method: string
  /** The request target as it was sent, such as `/records?page=2`. */
  readonly url: string
  /** Lower-cased headers. Repeated Authorization headers must be joined, so that no credential survives. */
  readonly headers: IncomingHttpHeaders
}

/** Checks the access token of a request. Resolves to what it says, or to the answer to send instead (RFC 6750 §3). Never rejects. */
export type TokenGuard = (request: GuardedRequest) => Promise<{ readonly oauth: TokenInfo } | { readonly refusal: HttpResponse }>

/** Anything that can guard a route: an authorization server, or a verifier of its tokens. */
export interface Guarding {
  /** A guard for a protected route. Throws TypeError, where the route is defined, for a requirement that makes no sense. */
  guard(requirements?: TokenRequirements): TokenGuard
}

/**
 * The token of an Authorization header; undefined where there is none, or where a guard that is called by hand is given something
 * else than a text. Never read from a query or a body (RFC 9700 §4.3.2).
 */
export function bearerToken(authorization: unknown): string | undefined {
  return typeof authorization === 'string' && BEARER.test(authorization)
    ? authorization.slice(authorization.lastIndexOf(' ') + 1)
    : undefined
}

const BEARER = /^bearer +\S+$/i
