/** A limit has been used up. Answered 429, in the words of whatever route it is thrown on. */
export class RateLimitError extends Error {
  override readonly name = 'RateLimitError'
  /** When the caller may go on, in whole seconds: at least 1. */
  readonly retryAfterSeconds: number
  /** How much is left: none. For callers who may know, which an anonymous one may not. */
  readonly headers: Readonly<Record<string, string>>

  constructor(message: string, retryAfterSeconds: number, headers: Readonly<Record<string, string>>) {
    super(message)
    this.retryAfterSeconds = retryAfterSeconds
    this.headers = headers
  }
}
