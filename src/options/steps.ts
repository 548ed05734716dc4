import type { Principal } from './principal.ts'

/** A page of the host's that a user passes between the login and the consent, such as a second factor. */
export interface Step {
  /** Its name, 1 to 100 printable characters without spaces: events have it, and the step is remembered by it. */
  readonly name: string
  /**
   * The page: a path, or a URL on the origin of the issuer, of `loginUrl` or of `consentUrl`; no fragment. It gets `step_id`,
   * `returnTo` and the hints of the request.
   */
  readonly url: string
  /**
   * For how long whoever has passed the step does not pass it again in the same session, for whatever app. Needs `sessionId`.
   * 0–31,536,000 seconds; default 0: each authorization asks anew.
   */
  readonly rememberSeconds?: number | undefined
}

/** The authorization request for which the host says its steps. */
export interface StepsRequest {
  /** The app that asks, by its `client_id`. */
  readonly clientId: string
  /** The signed-in user, as `authenticate` says, with what the steps passed so far have changed: `orgId`, `acr` and `amr`. */
  readonly principal: Principal
  /** The scopes that are asked for. */
  readonly scopes: readonly string[]
  /** The resources that are asked for (RFC 8707); null: the request names none. */
  readonly resources: readonly string[] | null
  /** The authentication contexts that the client wants, the one it likes best first (OpenID Connect Core §3.1.2.1, `acr_values`). */
  readonly acrValues: readonly string[]
  /** The names of the steps that have been passed so far, for this request or remembered. */
  readonly passed: readonly string[]
}

/** What the host's server says of a step that was passed. */
export interface PassedStep {
  /** Who has passed it, as your session says: a step of another user is refused. Give it always. */
  readonly userId?: string | undefined
  /** The session in which it was passed, as `authenticate` says it: a step of another session is refused. */
  readonly sessionId?: string | undefined
  /** The organisation in which the user acts for this request. Make sure that it is one of theirs. Default: as before. */
  readonly orgId?: string | undefined
  /** The authentication context that is reached now (RFC 6711). Default: as before. */
  readonly acr?: string | undefined
  /** The authentication methods that were used (RFC 8176). They are added to those before. Default: none. */
  readonly amr?: readonly string[] | undefined
}
