import { authenticationOf, type TokenInfo } from '../tokens/token-guard.ts'

/** The contents of an access token in the form in which tools of the official SDK get them: its type `AuthInfo`. */
export interface McpAuthInfo {
  /** The access token. For calls of your own API; never for another server's. */
  token: string
  /** The `client_id` of the app. */
  clientId: string
  /** The scopes of the token. */
  scopes: string[]
  /** When the token expires, in seconds since 1970. */
  expiresAt: number
  /** The resource for which the token was checked. */
  resource: URL
  /** What the SDK has no member for. */
  extra: {
    /** The user; null where the app acts for itself. */
    userId: string | null
    /** The user's organisation; the app's own where it acts for itself. */
    orgId: string
    /** The authorization this token descends from; the same after a refresh. */
    grantId: string
    /** What the option `accessTokenClaims` said when the token was issued; empty if it said nothing. */
    claims: TokenInfo['claims']
    /** The authentication context in which the user signed in; absent where the host does not say. */
    acr?: string
    /** The authentication methods by which the user signed in; absent where the host does not say. */
    amr?: readonly string[]
    /** When the user signed in, in milliseconds since 1970; absent where the host does not say. */
    authTime?: number
  }
}

/** Converts a token that was checked for `resource`. */
export function mcpAuthInfo(token: string, oauth: TokenInfo, resource: string): McpAuthInfo {
  const { claims, clientId, expiresAt, grantId, orgId, scopes, userId } = oauth
  return {
    token,
    clientId,
    scopes: [...scopes],
    expiresAt: Math.floor(expiresAt / 1000),
    resource: new URL(resource),
    extra: { userId, orgId, grantId, claims, ...authenticationOf(oauth) },
  }
}
