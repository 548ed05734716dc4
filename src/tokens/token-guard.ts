import type { IncomingHttpHeaders } from 'node:http'
import type { JsonObject } from '../base/json.ts'
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
  /** What the option `accessTokenClaims` said when the token was issued; empty if it said nothing. */
  readonly claims: JsonObject
  /** When the token expires. */
  readonly expiresAt: EpochMs
  /** The authentication context in which the user signed in; absent where the host does not say. */
  readonly acr?: string
  /** The authentication methods by which the user signed in; absent where the host does not say. */
  readonly amr?: readonly string[]
  /** When the user signed in; absent where the host does not say. A refresh leaves it as it was. */
  readonly authTime?: EpochMs
}

/** The requirements of a protected route on an access token. `Scope` is the names of the scopes that there are. */
export interface TokenRequirements<Scope extends string = string> {
  /** The scopes it must have, all of them. Default: none, so any valid token passes. */
  readonly scopes?: readonly Scope[] | undefined
  /** The member of the option `resources` to which the route belongs: a token for another one is refused, and a 401 names it. Default: the first. */
  readonly resource?: string | undefined
  /**
   * The authentication context in which the user must have signed in, or several of which one will do. A token without it is answered
   * 401 `insufficient_user_authentication`, with what the client has to ask for (RFC 9470). Default: any.
   */
  readonly acr?: string | readonly string[] | undefined
  /** How long ago the user may have signed in at most; else the answer is the same. 1–999,999,999 seconds. Default: any time. */
  readonly maxAge?: number | undefined
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

/** How the user of a token signed in, as far as the host says. */
export interface Authentication extends JsonObject {
  /** The authentication context in which they signed in (RFC 6711). */
  readonly acr?: string
  /** The authentication methods that they used (RFC 8176). */
  readonly amr?: readonly string[]
  /** When they signed in. */
  readonly authTime?: EpochMs
}

/** The same with members that may be null or undefined, as a principal or the context of a grant has them. */
export interface ToldAuthentication {
  readonly acr?: unknown
  readonly amr?: unknown
  readonly authTime?: unknown
}

/** Picks what is known of how a user signed in; undefined where nothing is. */
export function authenticationOf(told: ToldAuthentication): Authentication | undefined {
  // Hot path, before every guarded host route: most hosts say none of them.
  const { acr, amr, authTime } = told as { readonly [Name in keyof Authentication]?: Authentication[Name] | null }
  if (acr == null && amr == null && authTime == null) return undefined
  return { ...(acr != null && { acr }), ...(amr != null && { amr }), ...(authTime != null && { authTime }) }
}
