import { type Log, safeLog } from '../base/log.ts'
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
