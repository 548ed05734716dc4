import { sha256 } from '../base/crypto.ts'
import type { Events } from '../base/events.ts'
import type { Log } from '../base/log.ts'
import type { EpochMs } from '../base/time.ts'
import { withTimeout } from '../base/timeout.ts'
import { OptionsError } from '../errors/options-error.ts'
import { RateLimitError } from '../errors/rate-limit-error.ts'
import { isRateLimiterResult, memoryLimiter, type RateLimit, type RateLimiter, type RateLimiterResult } from './rate-limiter.ts'

interface NamedLimit extends Pick<RateLimit, 'duration' | 'points'> {
  /** The noun of the refusal: too many of these. */
  readonly of: string
}

/** Every limit: how often one key may be used within `duration` seconds. A feature adds a row for each of its own. */
const LIMITS = {
  /** By organisation and admin. */
  app_changes: { points: 10, duration: 60, of: 'changes' },
} as const satisfies Readonly<Record<string, NamedLimit>>

export type LimitName = keyof typeof LIMITS

export interface Limits {
  /**
   * Counts one use of a limit. `key` says whose, in as many parts as it takes; it is hashed with the limit's name. It must
   * never be an address alone, behind which there may be a thousand users.
   *
   * `waiting` counts the time against what the request may wait for the store in all; half of that is the most that is waited.
   *
   * Resolves to the headers that say how much is left; rejects with RateLimitError (429) when nothing was.
   */
  count(name: LimitName, key: readonly string[], waiting: Waiting): Promise<Readonly<Record<string, string>>>
}

/** Runs a call within the time that one request may wait for the store. Rejects when that is over. */
export interface Waiting {
  wait<T>(operation: string, run: () => Promise<T>): Promise<T>
}

/** Where counts are kept, and for how long that store is waited for. */
export interface LimitSettings {
  readonly log: Log
  readonly now: () => EpochMs
  /** Makes the limiter of the host's for a limit. null: every process counts for itself. */
  readonly rateLimiter: ((limit: RateLimit) => RateLimiter) | null
  readonly storeTimeoutMs: number
}

/**
 * Named limits, shared by all processes where the host supplies limiters. Each limiter is made once, here: throws OptionsError
 * for one that cannot count. When its database does not answer, each process counts for itself, and an event says so.
 */
export function createLimits({ log, now, rateLimiter, storeTimeoutMs }: LimitSettings, events: Events): Limits {
  const limiters = new Map(
    Object.entries<NamedLimit>(LIMITS).map(([name, { duration, of, points }]) => {
      const limit = { points, duration, keyPrefix: `authmount:${name}` }
      const shared = rateLimiter && usable(rateLimiter(limit))
      return [name, { of, points, local: memoryLimiter(limit, now), shared }]
    }),
  )
  return {
    async count(name, key, waiting) {
      const limiter = limiters.get(name)
      if (!limiter) throw new Error(`there is no limit ${name}`)
      const { local, of, points, shared } = limiter
      const hashed = sha256(JSON.stringify([name, ...key]))
      if (!shared) return headersOf(await consume(local, hashed), { of, points })
      try {
        const ask = () => withTimeout(() => consume(shared, hashed), storeTimeoutMs / 2, 'the rate limiter')
        const counted = await waiting.wait('the rate limiter', ask)
        return headersOf(counted, { of, points: shared.points ?? points })
      } catch (cause) {
        if (cause instanceof RateLimitError) throw cause
        log.error('the store of the rate limits failed: this process counts for itself', cause)
        events.emit({ type: 'rate_limiter_unavailable', at: now() })
        return headersOf(await consume(local, hashed), { of, points })
      }
    },
  }
}

function usable(limiter: unknown): RateLimiter {
  if (typeof limiter === 'object' && limiter !== null && 'consume' in limiter && typeof limiter.consume === 'function')
    return limiter as RateLimiter
  throw new OptionsError(['rateLimiter must return a limiter: limit => new RateLimiterRedis({ storeClient: redis, ...limit })'])
}

interface Consumed extends RateLimiterResult {
  readonly allowed: boolean
}

/** Takes one point. A limiter rejects with its result when there was none left, and with anything else when it failed. */
async function consume(limiter: RateLimiter, key: string): Promise<Consumed> {
  let result: unknown
  let allowed = true
  try {
    result = await limiter.consume(key)
  } catch (refused) {
    if (!isRateLimiterResult(refused)) throw refused
    result = refused
    allowed = false
  }
  if (!isRateLimiterResult(result)) throw new TypeError('the rate limiter did not say what is left')
  return { allowed, remainingPoints: result.remainingPoints, msBeforeNext: result.msBeforeNext }
}

function headersOf(
  { allowed, msBeforeNext, remainingPoints }: Consumed,
  { of, points }: { readonly of: string; readonly points: number },
): Readonly<Record<string, string>> {
  const seconds = Math.max(1, Math.ceil(msBeforeNext / 1000))
  const headers = {
    'ratelimit-limit': String(points),
    'ratelimit-remaining': String(Math.max(0, remainingPoints)),
    'ratelimit-reset': String(seconds),
  }
  if (allowed) return headers
  throw new RateLimitError(`too many ${of}: try again in ${seconds} s`, seconds, headers)
}
