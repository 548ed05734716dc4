/** Receives what an operator should know. Never receives a token, code or secret. */
export interface Log {
  /** Something failed. `cause` is the error behind it, which may be of any type. */
  error(message: string, cause?: unknown): void
  /** Something works and should be changed. */
  warn(message: string): void
}
