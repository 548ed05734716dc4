/** Receives what an operator should know. Never receives a token, code or secret. */
export interface Log {
  /** Something failed. `cause` is the error behind it, which may be of any type. */
  error(message: string, cause?: unknown): void
  /** Something works and should be changed. */
  warn(message: string): void
}

/** The same log, which neither fails a request nor ends the process, whether it throws or, in spite of its type, rejects. */
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
    error: (message, cause) => safely(() => log.error(message, cause)),
    warn: message => safely(() => log.warn(message)),
  }
}
