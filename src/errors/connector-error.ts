/** Why an outside account cannot be used. */
export type ConnectorErrorCode =
  /** No account is connected, or it was disconnected. */
  | 'not_connected'
  /** The provider no longer accepts the refresh token: only the user can connect the account again. */
  | 'needs_reconnect'
  /** The user or the provider denied access. */
  | 'access_denied'
  /** The provider refused the request: the code, or the host's own credentials. */
  | 'provider_refused'
  /** The provider did not answer, or limits the rate of requests. */
  | 'provider_unavailable'
  /** The provider's answer is malformed, or could not be verified. */
  | 'invalid_response'
  /** The host's hook names no such connector, or one whose configuration cannot work. */
  | 'not_configured'

/** The optional parts of a {@link ConnectorError}. */
export interface ConnectorErrorOptions {
  /** The error behind it. */
  readonly cause?: unknown
  /** When to retry, in seconds from now. */
  readonly retryAfterSeconds?: number | undefined
}

/** An outside account could not be used. The message is for a log, and quotes nothing of the provider's answer. */
export class ConnectorError extends Error {
  /** Always `ConnectorError`. */
  override readonly name = 'ConnectorError'
  /** Why. */
  readonly code: ConnectorErrorCode
  /** When to retry, in seconds from now; undefined if the provider did not say. */
  readonly retryAfterSeconds: number | undefined

  constructor(code: ConnectorErrorCode, message: string, options: ConnectorErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}
