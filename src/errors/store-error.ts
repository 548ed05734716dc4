/** The store rejected, or did not answer in time. Requests are answered with 503. */
export class StoreError extends Error {
  /** Always `StoreError`. */
  override readonly name = 'StoreError'
  /** The call that failed, such as `apps.save`. */
  readonly operation: string

  constructor(
    operation: string,
    options: {
      /** The error of the store. Logged, never sent. */
      readonly cause?: unknown
    } = {},
  ) {
    super(`the store failed at ${operation}`, options)
    this.operation = operation
  }
}

/** The calls that change nothing. */
const READS = /\.(get|list|listTokens|find|peek)$/

/** Tells whether an error leaves open if something was changed: the reply of a write was lost, or came too late. */
export function isUnknownOutcome(error: unknown): boolean {
  return error instanceof StoreError && !READS.test(error.operation)
}
