import { OAuthError } from './oauth-error.ts'

/** The error of a valid token that lacks a scope of the route (RFC 6750 §3.1). Knows both sets, for the challenge. */
export class InsufficientScope extends OAuthError {
  /** Every scope that the client has to ask for: those of the token, so that a wider token loses none, and those of the route. */
  readonly wanted: readonly string[]

  constructor(required: readonly string[], granted: readonly string[]) {
    super('insufficient_scope', `this needs the scope ${required.join(' ')}`)
    this.wanted = [...new Set([...granted, ...required])]
  }
}
