import type { IncomingHttpHeaders } from 'node:http'
import type { EpochMs } from '../base/time.ts'
import type { HttpResponse } from '../http/types.ts'

/** The contents of a valid access token: the app, the user and the scopes. */
export interface TokenInfo {
  /** The `client_id` of the app. */
  readonly clientId: string
  /** null where the app acts for itself (`client_credentials`). */
  readonly userId: string | null
  /** The user's organisation; the app's own where it acts for itself. */
  readonly orgId: string
  /** The scopes of the token. */
  readonly scopes: readonly string[]
  /** The authorization this token descends from; the same after a refresh. */
  readonly grantId: string
  /** When the token expires. */
  readonly expiresAt: EpochMs
}

/** The requirements of a protected route on an access token. `Scope` is the names of the scopes that there are. */
export interface TokenRequirements<Scope extends string = string> {
  /** The scopes it must have, all of them. Default: none, so any valid token passes. */
  readonly scopes?: readonly Scope[] | undefined
  /** The member of the option `resources` to which the route belongs: a token for another one is refused, and a 401 names it. Default: the first. */
  readonly resource?: string | undefined
}

/** The parts of a request that a guard reads. */
export interface GuardedRequest {
  /** The method, in upper case. */
  readonly method: string
  /** The request target as it was sent, such as `/records?page=2`. */
  readonly url: string
  /**
   * Lower-cased headers, in an object of the request's own: guards tell by it whether a proof of a key comes a second time.
   * Repeated Authorization headers must be joined, so that none of them is valid.
   */
  readonly headers: IncomingHttpHeaders
}

/** Checks the access token of a request. Resolves to its contents, or to the answer that refuses it (RFC 6750 §3). Never rejects. */
export type TokenGuard = (request: GuardedRequest) => Promise<
  | {
      /** The contents of the token. */
      readonly oauth: TokenInfo
      /** Headers to add to the route's answer: the next nonce of a client that proves its key (RFC 9449 §8.2). */
      readonly headers?: Readonly<Record<string, string>> | undefined
    }
  | {
      /** The answer to send instead. */
      readonly refusal: HttpResponse
    }
>

/** Anything that can guard a route: an authorization server, or a verifier of its tokens. `Scope` is the names of its scopes. */
export interface Guarding<Scope extends string = string> {
  /** Makes a guard for a protected route. Throws TypeError, where the route is defined, for a requirement that cannot be met. */
  guard(requirements?: TokenRequirements<Scope>): TokenGuard
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

/** The token of an Authorization header with the scheme of bound tokens (RFC 9449 §7.1); undefined where there is none. */
export function boundToken(authorization: unknown): string | undefined {
  return typeof authorization === 'string' && DPOP.test(authorization)
    ? authorization.slice(authorization.lastIndexOf(' ') + 1)
    : undefined
}

const BEARER = /^bearer +\S+$/i
const DPOP = /^dpop +\S+$/i
