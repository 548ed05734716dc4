/** Receives what an operator should know. Never receives a token, code or secret. */
export interface Log {
  /**
   * Something failed. `cause` is the error behind it: its name, message, code, stack and causes, and none of the other
   * properties that a driver puts on it.
   */
  error(message: string, cause?: unknown): void
  /** Something works and should be changed. */
  warn(message: string): void
}

/** The properties of an error that the log receives beside its name, message, stack and causes: what says where it failed. */
const KEPT = ['code', 'errno', 'syscall', 'address', 'port', 'status', 'statusCode'] as const

/** How deep causes are followed. */
const MAX_DEPTH = 8

/**
 * Returns an error as the log may have it: without properties that hold data. Drivers put the whole failed command on their
 * errors, and HTTP clients the whole request, with everything in it that is secret.
 */
export function withoutData(cause: unknown, depth = 0): unknown {
  if (typeof cause === 'function') return 'a function'
  if (typeof cause !== 'object' || cause === null) return cause
  if (depth > MAX_DEPTH) return '…'
  try {
    const given = cause as Readonly<Record<string, unknown>>
    const { message, name, stack } = given
    const error = new Error(typeof message === 'string' ? message : `a ${given.constructor?.name ?? 'value'} without a message`)
    // Set only where it differs: an own property of the name is printed twice.
    const named = typeof name === 'string' ? name : 'Error'
    if (named !== error.name) Object.defineProperty(error, 'name', { value: named, configurable: true })
    if (typeof stack === 'string') error.stack = stack
    const kept = KEPT.flatMap(key => (['string', 'number'].includes(typeof given[key]) ? [[key, given[key]] as const] : []))
    Object.assign(error, Object.fromEntries(kept))
    if (given.cause !== undefined) error.cause = withoutData(given.cause, depth + 1)
    if (Array.isArray(given.errors))
      Object.assign(error, { errors: given.errors.slice(0, 20).map(each => withoutData(each, depth + 1)) })
    return error
  } catch {
    return 'an error that cannot be read'
  }
}

/**
 * The same log, which neither fails a request nor ends the process, whether it throws or, in spite of its type, rejects; causes
 * come to it {@link withoutData without data}.
 */
export function safeLog(log: Log): Log {
  const failed = (cause: unknown) =>
    process.emitWarning(`authmount could not write to its log: ${cause instanceof Error ? cause.name : typeof cause}`)
  const safely = (write: () => unknown) => {
    try {
      Promise.resolve(write()).catch(failed)
    } catch (cause) {
      failed(cause)
    }
  }
  return {
    error: (message, cause) => safely(() => (cause === undefined ? log.error(message) : log.error(message, withoutData(cause)))),
    warn: message => safely(() => log.warn(message)),
  }
}
