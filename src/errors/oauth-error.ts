/** Error codes, grouped by the document that defines them. */
export type OAuthErrorCode =
  // RFC 6749 §4.1.2.1, §5.2
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_response_type'
  | 'invalid_scope'
  | 'access_denied'
  | 'server_error'
  | 'temporarily_unavailable'
  // RFC 6750 §3.1
  | 'invalid_token'
  | 'insufficient_scope'
  // RFC 8707 §2
  | 'invalid_target'
  // OpenID Connect Core 1.0 §3.1.2.6
  | 'login_required'
  | 'consent_required'
  | 'interaction_required'
  | 'request_not_supported'
  | 'request_uri_not_supported'
  | 'registration_not_supported'
  // OpenID Connect Core 1.0 §3.1.2.6, RFC 9101 §7
  | 'invalid_request_uri'
  // RFC 8628 §3.5
  | 'authorization_pending'
  | 'slow_down'
  | 'expired_token'
  // RFC 9449 §5, §8
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'
  // RFC 7591 §3.2.2
  | 'invalid_redirect_uri'
  | 'invalid_client_metadata'

const STATUS: Partial<Record<OAuthErrorCode, number>> = {
  invalid_client: 401,
  invalid_token: 401,
  insufficient_scope: 403,
  server_error: 500,
  temporarily_unavailable: 503,
}

/** What a page says to the person who was sent here, where the error's code does not tell. `app` is the app, as the page calls it. */
export interface ToldToPerson {
  /** Which text of the pages. */
  readonly message: 'badDocument' | 'awaitsAdmission' | 'refusedByOrganization'
  /** The app's host, or the name it gives itself. */
  readonly app: string
}

/** The optional parts of an {@link OAuthError}. */
export interface OAuthErrorOptions {
  /** The error behind it. Logged, never sent. */
  readonly cause?: unknown
  /** The HTTP status. Default: that of the code, else 400. */
  readonly status?: number
  /** Whether the flow is over, so that the user must start again from the app. Default false. */
  readonly expired?: boolean
  /** Headers of the answer, with lower-case names. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** What a page says to the person. Default: by the code. */
  readonly told?: ToldToPerson | undefined
  /** When to retry, in whole seconds from now. Default: 1 for status 503, else unknown. */
  readonly retryAfterSeconds?: number | undefined
}

/** An error of an OAuth endpoint. `description` is sent to the client; `cause` is only logged. */
export class OAuthError extends Error {
  /** The name of the class. */
  override readonly name: string = 'OAuthError'
  /** HTTP status of the answer, where it is not a redirect. */
  readonly status: number
  /** The `error` of the answer. */
  readonly code: OAuthErrorCode
  /** The `error_description` of the answer: tells the client's developer what to change. */
  readonly description: string
  /** Whether the flow is over, so that the user must start again from the app. */
  readonly expired: boolean
  /** Headers of the answer, with lower-case names; undefined: none. */
  readonly headers: Readonly<Record<string, string>> | undefined
  /** What a page says to the person; undefined: by the code. */
  readonly told: ToldToPerson | undefined
  /** When to retry, in whole seconds from now; undefined if that is not known. */
  readonly retryAfterSeconds: number | undefined

  constructor(code: OAuthErrorCode, description: string, options: OAuthErrorOptions = {}) {
    super(`${code}: ${description}`, { cause: options.cause })
    this.code = code
    this.description = description
    this.status = options.status ?? STATUS[code] ?? 400
    this.expired = options.expired ?? false
    this.headers = options.headers
    this.told = options.told
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

/** Where to send the answer to an authorization request: a redirect URI that is registered for the app. */
export interface RedirectTarget {
  /** The registered redirect URI. */
  readonly redirectUri: string
  /** Echoed unchanged; null if the request had none that can be echoed. */
  readonly state: string | null
  /** Whether the answer travels in the address, or is posted by the browser (OAuth 2.0 Form Post Response Mode). */
  readonly responseMode: 'query' | 'fragment' | 'form_post'
}

/** An error of an authorization request whose redirect URI is already trusted, so that it is sent there (RFC 6749 §4.1.2.1). */
export class TargetedError extends OAuthError {
  /** The name of the class. */
  override readonly name = 'TargetedError'
  /** Where to send it. */
  readonly target: RedirectTarget

  constructor(target: RedirectTarget, code: OAuthErrorCode, description: string, options: OAuthErrorOptions = {}) {
    super(code, description, options)
    this.target = target
  }
}
