import { OAuthError } from './oauth-error.ts'

/** How a route wants the user of a token to have signed in. */
export interface WantedAuthentication {
  /** One of these authentication contexts; empty: any. */
  readonly acrValues: readonly string[]
  /** At most so many seconds ago; null: at any time. */
  readonly maxAgeSeconds: number | null
}

/** The error of a valid token whose user has not signed in as the route wants (RFC 9470 §3). Knows what to ask for, for the challenge. */
export class InsufficientAuthentication extends OAuthError {
  /** What the client has to ask for. */
  readonly authentication: WantedAuthentication
  /** Every scope that the client has to ask for: those of the token, so that it loses none, and those of the route. */
  readonly wanted: readonly string[]

  constructor(authentication: WantedAuthentication, required: readonly string[], granted: readonly string[]) {
    super('insufficient_user_authentication', 'this needs the user to sign in again, in the way that acr_values and max_age say')
    this.authentication = authentication
    this.wanted = [...new Set([...granted, ...required])]
  }
}
