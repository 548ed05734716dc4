/** The store rejected, or did not answer in time. Always answered 503, never as a fault of the client. */
export class StoreError extends Error {
  override readonly name = 'StoreError'

  constructor(operation: string, options: { readonly cause?: unknown } = {}) {
    super(`the store failed at ${operation}`, options)
  }
}
