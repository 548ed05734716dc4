import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { EpochMs } from '../base/time.ts'

/** The keys are read again every five minutes, and for an unknown key at most every ten seconds: a new key is published for at least a minute before it signs. */
const FRESH_MS = 300_000
const LOOK_AGAIN_MS = 10_000

/**
 * Cache of the published keys. Reads them with the first token, in the background when they are older than `FRESH_MS`, and at
 * once for an unknown key, but at most every `LOOK_AGAIN_MS`. While they cannot be read, the cached keys stay valid.
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

  /** Finds a key for jose. Rejects with JWKSNoMatchingKey, or with the error of reading the keys. */
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
