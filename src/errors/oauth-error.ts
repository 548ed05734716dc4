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

const STATUS: Partial<Record<OAuthErrorCode, number>> = {
  invalid_client: 401,
  invalid_token: 401,
  insufficient_scope: 403,
  server_error: 500,
  temporarily_unavailable: 503,
}

export interface OAuthErrorOptions {
  readonly cause?: unknown
  readonly status?: number
  /** What it was about is over: whoever sees it can only begin again. */
  readonly expired?: boolean
  /** When it is worth trying again, in whole seconds. Default: 1 for status 503, and otherwise not said. */
  readonly retryAfterSeconds?: number | undefined
}

/** Something the OAuth client did, or must be told. `description` is sent to the client; `cause` is only logged. */
export class OAuthError extends Error {
  override readonly name: string = 'OAuthError'
  /** HTTP status of the answer, where it is not a redirect. */
  readonly status: number
  readonly code: OAuthErrorCode
  readonly description: string
  readonly expired: boolean
  readonly retryAfterSeconds: number | undefined

  constructor(code: OAuthErrorCode, description: string, options: OAuthErrorOptions = {}) {
    super(`${code}: ${description}`, { cause: options.cause })
    this.code = code
    this.description = description
    this.status = options.status ?? STATUS[code] ?? 400
    this.expired = options.expired ?? false
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

/** Where an authorization request wants its answer, once that has been found to be the app's own address. */
export interface RedirectTarget {
  readonly redirectUri: string
  /** Echoed untouched; null when the request had none worth echoing. */
  readonly state: string | null
  /** Whether it travels in the address, or is posted by the browser (OAuth 2.0 Form Post Response Mode). */
  readonly responseMode: 'query' | 'fragment' | 'form_post'
}

/** An error of an authorization request whose redirect URI is already trusted: it may travel there (RFC 6749 §4.1.2.1). */
export class TargetedError extends OAuthError {
  override readonly name = 'TargetedError'
  readonly target: RedirectTarget

  constructor(target: RedirectTarget, code: OAuthErrorCode, description: string, options: OAuthErrorOptions = {}) {
    super(code, description, options)
    this.target = target
  }
}
