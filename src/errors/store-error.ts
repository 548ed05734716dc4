/** The store rejected, or did not answer in time. Requests are answered with 503. */
export class StoreError extends Error {
  /** Always `StoreError`. */
  override readonly name = 'StoreError'

  constructor(
    operation: string,
    options: {
      /** The error of the store. Logged, never sent. */
      readonly cause?: unknown
    } = {},
  ) {
    super(`the store failed at ${operation}`, options)
  }
}
