import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { sha256 } from '../base/crypto.ts'
import type { Events } from '../base/events.ts'
import type { Log } from '../base/log.ts'
import type { EpochMs } from '../base/time.ts'
import { withTimeout } from '../base/timeout.ts'
import { ApiError } from '../errors/api-error.ts'

/** What a limiter of the host's must be made with: `duration` is in seconds. */
export interface RateLimit {
  readonly points: number
  readonly duration: number
  readonly keyPrefix: string
}

/** Changes to apps: ten a minute for each admin. */
const MUTATIONS: RateLimit = { points: 10, duration: 60, keyPrefix: 'authmount:mutations' }

export interface Limits {
  /** Counts one change by a principal. Resolves with the headers that say how many are left; rejects with ApiError 429. */
  countMutation(principal: { readonly orgId: string; readonly userId: string }): Promise<Readonly<Record<string, string>>>
}

/** Where counts are kept, and for how long that store is waited for. */
export interface LimitSettings {
  readonly log: Log
  readonly now: () => EpochMs
  /** Default: every process counts for itself. */
  readonly rateLimiter: ((limit: RateLimit) => RateLimiterAbstract) | undefined
  readonly storeTimeoutMs: number
}

/**
 * Rate limits, shared by all processes where the host supplies a limiter. When its store does not answer, each process
 * counts for itself, and an event says so.
 */
export function createLimits({ log, now, rateLimiter, storeTimeoutMs }: LimitSettings, events: Events): Limits {
  const local = new RateLimiterMemory(MUTATIONS)
  const shared = rateLimiter?.(MUTATIONS)
  return {
    async countMutation({ orgId, userId }) {
      const key = sha256(JSON.stringify([orgId, userId]))
      try {
        return judge(await consume(shared ?? local, key, storeTimeoutMs))
      } catch (cause) {
        if (cause instanceof ApiError) throw cause
        log.error('the store of the rate limits failed: this process counts for itself', cause)
        events.emit({ type: 'rate_limiter_unavailable', at: now() })
        return judge(await consume(local, key, storeTimeoutMs))
      }
    },
  }
}

interface Consumed {
  readonly allowed: boolean
  readonly points: number
  readonly result: RateLimiterRes
}

/** Takes one point. A limiter rejects with its result when there was none left, and with anything else when it failed. */
async function consume(limiter: RateLimiterAbstract, key: string, timeoutMs: number): Promise<Consumed> {
  const { points } = limiter
  try {
    return { allowed: true, points, result: await withTimeout(() => limiter.consume(key), timeoutMs, 'the rate limiter') }
  } catch (refused) {
    if (refused instanceof RateLimiterRes) return { allowed: false, points, result: refused }
    throw refused
  }
}

function judge({ allowed, points, result }: Consumed): Readonly<Record<string, string>> {
  const seconds = String(Math.max(1, Math.ceil(result.msBeforeNext / 1000)))
  const headers = {
    'ratelimit-limit': String(points),
    'ratelimit-remaining': String(Math.max(0, result.remainingPoints)),
    'ratelimit-reset': seconds,
  }
  if (allowed) return headers
  throw new ApiError('TOO_MANY_REQUESTS', `at most ${points} changes in a minute: try again in ${seconds} s`, [], {
    headers: { ...headers, 'retry-after': seconds },
  })
}
