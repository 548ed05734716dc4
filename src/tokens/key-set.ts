import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { sha256 } from '../base/crypto.ts'
import type { EpochMs } from '../base/time.ts'
import { TtlCache } from '../base/ttl-cache.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { Budget } from './budget.ts'

/** The keys are trusted for five minutes. From four minutes on they are read again in the background: a busy service never waits for that. */
const TRUSTED_MS = 300_000
const AGING_MS = 240_000
/**
 * While the keys cannot be read, the cached ones stay trusted for an hour, and are read again every ten seconds. Tokens wait
 * for such a reading only if the last failure is more than a minute ago.
 */
const UNREAD_MS = 3_600_000
const RETRY_MS = 10_000
const EXCUSED_MS = 60_000
/** The readings that tokens can cause by naming keys that are not in the cache: ten at once, and one more every five seconds. */
const READINGS = { burst: 10, everyMs: 5000 }
/** How long a key that was not published counts as unknown without another reading, and the most such keys in the cache. */
const UNKNOWN_MS = 10_000
const MAX_UNKNOWN = 1000

type FoundKey = Awaited<ReturnType<JWTVerifyGetKey>>

interface Source {
  /** Reads the published keys. */
  readonly read: () => Promise<JSONWebKeySet>
  /** The readings that tokens can cause by naming keys that are not in the cache. Default: ten at once, and one more every five seconds. */
  readonly readings?: { readonly burst: number; readonly everyMs: number }
  /**
   * Whether a token that names a key that is not in the cache is refused when no reading is left for it. Default: it is told to
   * come again.
   */
  readonly refusesUnread?: boolean
  /** Logs that they could not be read, and makes the error of the tokens that waited. `cached`: whether there are keys all the same. */
  readonly failed: (cause: unknown, cached: boolean) => Error
  readonly now: () => EpochMs
}

/**
 * Cache of the published keys. A token is refused for an unknown key only after a reading that began when the token was
 * already there: a reading under way may have begun before the key was published. Concurrent readings are coalesced.
 */
export class KeySet {
  readonly #source: Source
  readonly #budget: Budget
  readonly #unknown = new TtlCache<true>(MAX_UNKNOWN)
  /** The set in which a key was found. */
  readonly #setOf = new WeakMap<object, JWTVerifyGetKey>()
  #keys: JWTVerifyGetKey | undefined
  /** The text of `#keys`: a set that says the same replaces nothing. */
  #text = ''
  /** When the reading began that gave `#keys`, and its number. */
  #readAt = Number.NEGATIVE_INFINITY
  #readNumber = 0
  #failedAt = Number.NEGATIVE_INFINITY
  /** When the last reading began, and its number. */
  #begunAt = Number.NEGATIVE_INFINITY
  #begun = 0
  #reading: Promise<void> | undefined

  constructor(source: Source) {
    this.#source = source
    this.#budget = new Budget(source.readings ?? READINGS)
  }

  /** Finds a key for jose. Rejects with JWKSNoMatchingKey, or with an OAuthError `temporarily_unavailable`. */
  readonly get: JWTVerifyGetKey = (header, token) =>
    this.#trusted() ? this.#find(header, token, this.#begun) : this.#readAndFind(header, token)

  /** Tells, without reading anything, whether a key that `get` found is still trusted. */
  trusts(key: object): boolean {
    return this.#trusted() && this.#setOf.get(key) === this.#keys
  }

  /** Tells whether the cached keys may be used as they are; begins to read them again when they are old. */
  #trusted(): boolean {
    const age = this.#since(this.#readAt)
    if (age <= AGING_MS) return true
    if (age > (this.#since(this.#failedAt) < EXCUSED_MS ? UNREAD_MS : TRUSTED_MS)) return false
    if (this.#since(this.#begunAt) >= RETRY_MS) this.#read().catch(() => {})
    return true
  }

  async #readAndFind(...[header, token]: Parameters<JWTVerifyGetKey>): Promise<FoundKey> {
    const arrived = this.#begun
    const old = () => this.#since(this.#readAt) > UNREAD_MS
    await (old() ? this.#readForToken() : this.#read()).catch(error => {
      if (old()) throw error
    })
    return this.#find(header, token, arrived)
  }

  /** The time since then, by a clock that may have gone back. */
  #since(then: EpochMs): number {
    return Math.abs(this.#source.now() - then)
  }

  /** `arrived` is the number of the last reading that had begun when the token came. */
  async #find(...[header, token, arrived]: [...Parameters<JWTVerifyGetKey>, number]): Promise<FoundKey> {
    for (;;) {
      const keys = this.#keys as JWTVerifyGetKey
      try {
        const key = await keys(header, token)
        this.#setOf.set(key, keys)
        return key
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        const wanted = sha256(`${header.alg} ${header.kid}`)
        if (this.#readNumber > arrived) this.#unknown.set(wanted, true, this.#source.now() + UNKNOWN_MS)
        if (this.#unknown.get(wanted, this.#source.now())) throw error
        await this.#readForToken(this.#source.refusesUnread ? error : undefined)
      }
    }
  }

  /** Reads the keys because of one token: as often as the budget allows. Rejects with `spent` where it allows no more. */
  #readForToken(spent?: Error): Promise<void> {
    const waitMs = this.#reading ? 0 : this.#budget.take(this.#source.now())
    return waitMs === 0 ? this.#read() : Promise.reject(spent ?? unavailable({ retryAfterSeconds: Math.ceil(waitMs / 1000) }))
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #readNow(): Promise<void> {
    const number = ++this.#begun
    const begunAt = this.#source.now()
    this.#begunAt = begunAt
    try {
      const set = await this.#source.read()
      const text = JSON.stringify(set)
      if (text !== this.#text || !this.#keys) this.#keys = createLocalJWKSet(set)
      this.#text = text
      this.#readAt = begunAt
      this.#readNumber = number
      this.#failedAt = Number.NEGATIVE_INFINITY
    } catch (cause) {
      this.#failedAt = this.#source.now()
      throw this.#source.failed(cause, this.#keys !== undefined)
    }
  }
}

/** The error of a token that cannot be checked. */
export function unavailable(options: { readonly cause?: unknown; readonly retryAfterSeconds?: number } = {}): OAuthError {
  return new OAuthError('temporarily_unavailable', 'the token cannot be checked at the moment: try again shortly', options)
}
