import type { Log } from '../base/log.ts'
import type { Kind } from './kinds.ts'

/** Two functions. Whatever the log throws fails no request. */
export const log: Kind<Log> = {
  read(value, place) {
    const { error, warn } = (value ?? {}) as Readonly<Record<string, unknown>>
    return typeof error === 'function' && typeof warn === 'function'
      ? safeLog(value as Log)
      : place.refuse('must have the functions error and warn')
  },
}

export const consoleLog = safeLog({
  error: (message, cause) => console.error(`authmount: ${message}`, ...(cause === undefined ? [] : [cause])),
  warn: message => console.warn(`authmount: ${message}`),
})

/** A log that fails must not fail a request, nor take the process with it. */
function safeLog(log: Log): Log {
  const safely = (write: () => void) => {
    try {
      write()
    } catch (cause) {
      process.emitWarning(`authmount could not write to its log: ${cause instanceof Error ? cause.name : typeof cause}`)
    }
  }
  return {
    error: (message, cause) => safely(() => log.error(message, cause)),
    warn: message => safely(() => log.warn(message)),
  }
}
