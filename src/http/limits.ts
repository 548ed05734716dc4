import { sha256 } from '../base/crypto.ts'
import type { Events } from '../base/events.ts'
import type { Log } from '../base/log.ts'
import type { EpochMs } from '../base/time.ts'
import { withTimeout } from '../base/timeout.ts'
import { TtlCache } from '../base/ttl-cache.ts'
import { OptionsError } from '../errors/options-error.ts'
import { RateLimitError } from '../errors/rate-limit-error.ts'
import { addressKey } from './address.ts'
import { isRateLimiterResult, memoryLimiter, type RateLimit, type RateLimiter, type RateLimiterResult } from './rate-limiter.ts'

/** How much is allowed: `points` within `seconds`. */
export interface Allowance {
  readonly points: number
  readonly seconds: number
}

interface NamedLimit extends Allowance {
  /** Its name in the host's database. */
  readonly id: string
  /** What the refusal says after “too many”. */
  readonly of: string
}

/** Every limit, by its name in the options, with its default. A feature adds a row for each of its own. */
export const LIMITS = {
  /** Changes to apps, by organisation and admin. */
  appChanges: { id: 'app_changes', points: 10, seconds: 60, of: 'changes' },
  /** Records that wait for a user's answer, by user, each kind for itself; consent screens also by app. */
  screens: { id: 'screens', points: 100, seconds: 600, of: 'pages were opened' },
  /** Authorization codes, by user and app. */
  codes: { id: 'codes', points: 120, seconds: 60, of: 'codes were issued' },
  /** Records of browsers that were sent to the login, by address. */
  logins: { id: 'logins', points: 100, seconds: 600, of: 'logins were begun' },
  /** Authorization requests that clients which authenticate push, by client. */
  pushedRequests: { id: 'pushed_requests', points: 600, seconds: 60, of: 'requests were pushed' },
  /** Authorization requests that anyone can have stored in the name of a client, by client and address. */
  publicPushedRequests: { id: 'public_pushed_requests', points: 300, seconds: 600, of: 'requests were pushed' },
  /** Failed authentications of clients, by client and address. */
  clientFailures: { id: 'client_failures', points: 60, seconds: 60, of: 'attempts have failed' },
  /** Failed exchanges of a sign-in provider's code, by provider and address. */
  exchangeFailures: { id: 'exchange_failures', points: 30, seconds: 60, of: 'exchanges have failed' },
  /** Codes for devices, by address. */
  deviceCodes: { id: 'device_codes', points: 100, seconds: 600, of: 'devices asked for a code' },
  /** Codes that users type, right or wrong, by user: at that rate, one of 25 billion is not guessed. */
  userCodes: { id: 'user_codes', points: 30, seconds: 600, of: 'codes were tried' },
  /** Reading of client metadata documents, by user. */
  documents: { id: 'documents', points: 60, seconds: 600, of: 'new clients were used' },
  /** Reading of client metadata documents, by the host that has them. */
  documentsOfHost: { id: 'documents_of_host', points: 300, seconds: 600, of: 'documents of this host were read' },
  /** Clients that register themselves, by address. */
  registrations: { id: 'registrations', points: 100, seconds: 3600, of: 'clients were registered' },
  /** Clients that register themselves, all together. */
  allRegistrations: { id: 'all_registrations', points: 1000, seconds: 3600, of: 'clients were registered' },
} as const satisfies Readonly<Record<string, NamedLimit>>

export type LimitName = keyof typeof LIMITS

/** What each limit allows; null: it is off. */
export type Allowances = Readonly<Record<LimitName, Allowance | null>>

type Headers = Readonly<Record<string, string>>

/**
 * Counts what callers do. A key says whose, in as many parts as it takes; it is hashed with the limit's name. No key is an
 * address alone where a thousand users may be behind it, but for what strangers store.
 *
 * `waiting` counts the time against what the request may wait for the store in all; half of that is the most that is waited.
 */
export interface Limits {
  /** Whether failures of anyone have used up a limit: all that a request of a healthy server looks at. */
  readonly state: { exhausted: boolean }
  /**
   * Counts one use. Resolves to the headers that say how much is left; rejects with RateLimitError (429) when nothing was.
   */
  count(name: LimitName, key: readonly string[], waiting: Waiting): Promise<Headers>
  /** Counts one use by the caller's address, and by `key`. Rejects with RateLimitError. */
  countFrom(name: LimitName, ip: string | undefined, waiting: Waiting, key?: readonly string[]): Promise<void>
  /** Throws RateLimitError if the failures of this key and address have used up their limit. */
  checkFailures(name: LimitName, key: readonly string[], ip: string | undefined): void
  /** Counts a failure of this key and address. Rejects with RateLimitError when the limit is used up. */
  countFailure(name: LimitName, key: readonly string[], ip: string | undefined, waiting: Waiting): Promise<void>
}

/** Runs a call within the time that one request may wait for the store. Rejects when that is over. */
export interface Waiting {
  wait<T>(operation: string, run: () => Promise<T>): Promise<T>
}

/** Where counts are kept, and for how long that store is waited for. */
export interface LimitSettings {
  readonly log: Log
  readonly now: () => EpochMs
  readonly rateLimits: Allowances
  /** Makes the limiter of the host's for a limit. null: every process counts for itself. */
  readonly rateLimiter: ((limit: RateLimit) => RateLimiter) | null
  readonly storeTimeoutMs: number
}

/** The most keys whose failures have used up their limit that one process remembers. */
const MAX_EXHAUSTED = 100_000

/**
 * Named limits, shared by all processes where the host supplies limiters. Each limiter is made once, here: throws OptionsError
 * for one that cannot count. When its database does not answer, each process counts for itself, and an event says so.
 */
export function createLimits({ log, now, rateLimiter, rateLimits, storeTimeoutMs }: LimitSettings, events: Events): Limits {
  const limiters = new Map(
    Object.entries<NamedLimit>(LIMITS).flatMap(([name, { id, of }]) => {
      const allowance = rateLimits[name as LimitName]
      if (!allowance) return []
      const { points, seconds } = allowance
      const limit = { points, duration: seconds, keyPrefix: `authmount:${id}` }
      const shared = rateLimiter && usable(rateLimiter(limit))
      return [[name, { id, of, points, local: memoryLimiter(limit, now), shared }] as const]
    }),
  )
  const state = { exhausted: false }
  const exhausted = new TtlCache<EpochMs>(MAX_EXHAUSTED)
  let exhaustedUntil = 0
  let told = false

  const hashOf = (id: string, key: readonly string[]) => sha256(JSON.stringify([id, ...key]))

  async function count(name: LimitName, key: readonly string[], waiting: Waiting): Promise<Headers> {
    const limiter = limiters.get(name)
    if (!limiter) return {}
    const { id, local, of, points, shared } = limiter
    const hashed = hashOf(id, key)
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
  }

  /** Where addresses tell nothing apart, nobody is refused; the log says once what to set. */
  async function countUntold(name: LimitName, key: readonly string[], ip: string | undefined): Promise<void> {
    const limiter = limiters.get(name)
    if (!limiter || told || (await consume(limiter.local, hashOf(limiter.id, ['?', ...key]))).allowed) return
    told = true
    log.warn(
      `too many ${limiter.of}, from ${ip ?? 'an unknown address'}: a private address is not limited. Behind a proxy, ` +
        "let the framework read the client's address: trust proxy in Express, trustProxy in Fastify",
    )
  }

  return {
    state,
    count,
    async countFrom(name, ip, waiting, key = []) {
      const address = addressKey(ip)
      if (address === null) await countUntold(name, key, ip)
      else await count(name, [address, ...key], waiting)
    },
    checkFailures(name, key, ip) {
      const at = now()
      state.exhausted &&= at < exhaustedUntil
      const address = state.exhausted ? addressKey(ip) : null
      if (address === null) return
      const until = exhausted.get(hashOf(LIMITS[name].id, [address, ...key]), at)
      if (until !== undefined) throw tooMany(LIMITS[name].of, until - at)
    },
    async countFailure(name, key, ip, waiting) {
      const address = addressKey(ip)
      if (address === null) return countUntold(name, key, ip)
      try {
        await count(name, [address, ...key], waiting)
      } catch (error) {
        if (!(error instanceof RateLimitError)) throw error
        const until = now() + error.retryAfterSeconds * 1000
        exhausted.set(hashOf(LIMITS[name].id, [address, ...key]), until, until)
        exhaustedUntil = Math.max(exhaustedUntil, until)
        state.exhausted = true
        throw error
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
): Headers {
  const headers = {
    'ratelimit-limit': String(points),
    'ratelimit-remaining': String(Math.max(0, remainingPoints)),
    'ratelimit-reset': String(wholeSeconds(msBeforeNext)),
  }
  if (allowed) return headers
  throw tooMany(of, msBeforeNext, headers)
}

function tooMany(of: string, ms: number, headers: Headers = {}): RateLimitError {
  const seconds = wholeSeconds(ms)
  return new RateLimitError(`too many ${of}: try again in ${seconds} s`, seconds, headers)
}

function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}
