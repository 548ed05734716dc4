import type { JsonObject } from '../base/json.ts'
import type { EpochMs } from '../base/time.ts'
import type { GrantApp } from './grants.ts'

/** What is known of the login behind a grant. */
export interface SessionFacts {
  /** When the user signed in; null if that is not known. */
  readonly authTime: EpochMs | null
  /** How the user signed in, as a class (OpenID Connect Core §2); null if that is not known. */
  readonly acr: string | null
  /** The methods by which the user signed in (RFC 8176); empty if they are not known. */
  readonly amr: readonly string[]
}

/** The token that claims are wanted for. */
export interface TokenClaimsRequest {
  /** The app that gets the token. */
  readonly app: GrantApp
  /** null where the app acts for itself. */
  readonly userId: string | null
  /** The user's organisation; the app's own where it acts for itself. */
  readonly orgId: string
  /** The scopes of the token. */
  readonly scopes: readonly string[]
  /** The resources that the token is for; all of the server's if the client named none. */
  readonly audience: readonly string[]
  /** The grant type of the request, such as `refresh_token`. */
  readonly grantType: string
  /** What is known of the login. */
  readonly session: SessionFacts
}

/** What the host is asked to allow. */
export interface PolicyRequest extends Omit<TokenClaimsRequest, 'grantType'> {
  /**
   * `authorize`: a signed-in user is sent by an app, and again when they agree. `token`: a new grant is about to get its tokens.
   * `refresh`: a grant is about to get new ones. `use`: an access token is presented, if the option `policyAtUse` says so.
   */
  readonly event: 'authorize' | 'token' | 'refresh' | 'use'
  /** The grant type of a token request; null at `authorize` and `use`. */
  readonly grantType: string | null
  /** The authorization; null where there is none yet. The same after a refresh. */
  readonly grantId: string | null
  /** When the authorization began; null where there is none yet. */
  readonly grantedAt: EpochMs | null
}

/** Errors with which a denial may be answered (RFC 6749 §4.1.2.1, §5.2). */
export const POLICY_ERRORS = ['access_denied', 'invalid_grant', 'invalid_scope', 'unauthorized_client'] as const

/** The answer of the option `policy`. */
export type PolicyAnswer =
  | {
      /** Nothing is issued; at `refresh` the grant ends. */
      readonly deny: true
      /**
       * What the client hears. Default: `access_denied` at `authorize`; `invalid_grant` at `token` and `refresh`, or
       * `unauthorized_client` where the app acts for itself. At `use` it is `invalid_token` always.
       */
      readonly error?: (typeof POLICY_ERRORS)[number] | undefined
      /** For the client's developer: 1–200 characters. Default: that the rules of this server do not allow it. */
      readonly description?: string | undefined
    }
  | {
      /** Allows it, within the limits that the other members set. Not needed beside one of them. */
      readonly allow?: true | undefined
      /** The scopes that are left: those of the request that are not here are taken away, and none is added. Default: all. */
      readonly scopes?: readonly string[] | undefined
      /** The longest life of the access token, in seconds. Counts at `token` and `refresh`. Default: as long as without a policy. */
      readonly accessTokenSeconds?: number | undefined
      /** The longest life of the refresh token, in seconds. Counts at `token` and `refresh`. Default: as long as without a policy. */
      readonly refreshTokenSeconds?: number | undefined
    }

/** The option `accessTokenClaims`. */
export type AccessTokenClaimsHook = (request: TokenClaimsRequest) => Promise<JsonObject | null> | JsonObject | null

/** The option `policy`. */
export type PolicyHook = (request: PolicyRequest) => Promise<PolicyAnswer> | PolicyAnswer
