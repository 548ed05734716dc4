import type { EpochMs } from '../base/time.ts'
import type { Context } from '../options/context.ts'
import type { App, Grant } from '../store/store.ts'

const DAY_MS = 86_400_000

/**
 * Returns how many whole seconds a grant has left until its absolute end: `lifetimes.grantDays`, or the app's own `grantDays` if
 * that is sooner. Infinity if it has no such end; 0 once it is over. No token of the grant may live longer.
 */
export function secondsLeft({ createdAt }: Pick<Grant, 'createdAt'>, app: Pick<App, 'grantDays'>, context: Context): number {
  const { config, now } = context
  if (config.grantDays === null && (app.grantDays ?? null) === null) return Number.POSITIVE_INFINITY
  const days = Math.min(config.grantDays ?? Number.POSITIVE_INFINITY, app.grantDays ?? Number.POSITIVE_INFINITY)
  const end: EpochMs = createdAt + days * DAY_MS
  return Math.max(0, Math.floor((end - now) / 1000))
}
