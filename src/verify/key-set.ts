import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { EpochMs } from '../base/time.ts'

/** A new key is published for a minute at least before it signs: whoever looks twice in that time knows it. */
const FRESH_MS = 300_000
const LOOK_AGAIN_MS = 10_000

/**
 * The published keys. Read when the first token comes, in the background from then on, and at once for a key that is not known,
 * though not again and again. While they cannot be read, those that are known are good.
 */
export class KeySet {
  readonly #fetch: () => Promise<JSONWebKeySet>
  readonly #now: () => EpochMs
  readonly #failed: (cause: unknown) => void
  #keys: JWTVerifyGetKey | undefined
  #readAt = Number.NEGATIVE_INFINITY
  #triedAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined

  constructor(
    fetch: () => Promise<JSONWebKeySet>,
    { failed, now }: { readonly failed: (cause: unknown) => void; readonly now: () => EpochMs },
  ) {
    this.#fetch = fetch
    this.#now = now
    this.#failed = failed
  }

  /** For jose. Rejects with JWKSNoMatchingKey, or with why the keys could not be read. */
  readonly get: JWTVerifyGetKey = async (header, token) => {
    if (!this.#keys) await this.#read()
    else if (this.#now() - this.#readAt > FRESH_MS) this.#readAgain()
    const known = this.#keys
    if (!known) throw new Error('there are no keys')
    try {
      return await known(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || this.#now() - this.#triedAt < LOOK_AGAIN_MS) throw error
      await this.#read()
      return (this.#keys ?? known)(header, token)
    }
  }

  #readAgain(): void {
    if (this.#now() - this.#triedAt > LOOK_AGAIN_MS) this.#read().catch(this.#failed)
  }

  #read(): Promise<void> {
    this.#triedAt = this.#now()
    this.#reading ??= this.#fetch()
      .then(set => {
        this.#keys = createLocalJWKSet(set)
        this.#readAt = this.#now()
      })
      .finally(() => {
        this.#reading = undefined
      })
    return this.#reading
  }
}
