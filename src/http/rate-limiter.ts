import type { EpochMs } from '../base/time.ts'

/** A limit, as the option `rateLimiter` is handed it: the options of a limiter of rate-limiter-flexible. */
export interface RateLimit {
  /** How often a key may be used within `duration`. */
  readonly points: number
  /** Seconds. */
  readonly duration: number
  /** `authmount:` and the limit's name. Keys are hashed with that name too, so that one limiter may serve several limits. */
  readonly keyPrefix: string
}

/**
 * Counts uses of keys, for all processes that share its database. Every limiter of rate-limiter-flexible is one, and so is
 * anything else with such a `consume`.
 */
export interface RateLimiter {
  /** How often a key may be used, where that is not what {@link RateLimit.points} says. */
  readonly points?: number | undefined
  /**
   * Counts one use. Resolves to what is left, or rejects with the same when nothing was. Any other rejection means that the
   * database failed: this process then counts for itself.
   */
  consume(key: string): Promise<RateLimiterResult>
}

/** The rest of a limit for one key. */
export interface RateLimiterResult {
  /** How often the key may still be used now. */
  readonly remainingPoints: number
  /** Milliseconds until the key has all of its points again. */
  readonly msBeforeNext: number
}

/** Whether a value is the result of a limiter. Told by its shape: a host's limiter may come from another copy of the library. */
export function isRateLimiterResult(value: unknown): value is RateLimiterResult {
  if (typeof value !== 'object' || value === null || value instanceof Error) return false
  const { msBeforeNext, remainingPoints } = value as Readonly<Record<string, unknown>>
  return Number.isFinite(msBeforeNext) && Number.isFinite(remainingPoints)
}

/** Keys that one process counts for one limit. The oldest window is evicted first, so its key starts anew. */
const MAX_KEYS = 100_000

/** A limiter that counts in this process alone, in windows that begin with the first use of a key. Its memory is bounded. */
export function memoryLimiter(
  { duration, points }: Pick<RateLimit, 'duration' | 'points'>,
  now: () => EpochMs,
  maxKeys = MAX_KEYS,
): RateLimiter {
  /** In the order in which windows began, which is the order in which they end. */
  const windows = new Map<string, { used: number; readonly endsAt: EpochMs }>()

  function windowOf(key: string, at: EpochMs) {
    const open = windows.get(key)
    if (open && open.endsAt > at) return open
    windows.delete(key)
    const started = { used: 0, endsAt: at + duration * 1000 }
    windows.set(key, started)
    // Each window that begins removes up to two that have ended, so that none stays for long and no call takes long.
    for (const [oldest, { endsAt }] of firstTwo(windows)) if (endsAt <= at || windows.size > maxKeys) windows.delete(oldest)
    return started
  }

  return {
    async consume(key) {
      const at = now()
      const window = windowOf(key, at)
      window.used++
      const result = { remainingPoints: Math.max(0, points - window.used), msBeforeNext: window.endsAt - at }
      return window.used > points ? Promise.reject(result) : result
    },
  }
}

function firstTwo<Key, Value>(map: ReadonlyMap<Key, Value>): readonly (readonly [Key, Value])[] {
  const entries = map.entries()
  return [entries.next(), entries.next()].flatMap(({ done, value }) => (done ? [] : [value]))
}
