export type ConnectorErrorCode =
  /** Nobody has connected it, or it was disconnected. */
  | 'not_connected'
  /** The provider no longer accepts what was granted: only the user can connect it again. */
  | 'needs_reconnect'
  /** The user, or the provider for them, said no. */
  | 'access_denied'
  /** The provider refused what it was asked: a code, or the host's own credentials. */
  | 'provider_refused'
  /** The provider did not answer, or asks to be left alone for a while. */
  | 'provider_unavailable'
  /** The provider's answer cannot be believed. */
  | 'invalid_response'
  /** The host's hook names no such connector, or one that cannot work. */
  | 'not_configured'

export interface ConnectorErrorOptions {
  readonly cause?: unknown
  readonly retryAfterSeconds?: number | undefined
}

/** An outside provider could not be had. The message is for a log, and quotes nothing of the provider's. */
export class ConnectorError extends Error {
  override readonly name = 'ConnectorError'
  readonly code: ConnectorErrorCode
  /** When it is worth trying again, where the provider said so. */
  readonly retryAfterSeconds: number | undefined

  constructor(code: ConnectorErrorCode, message: string, options: ConnectorErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}
