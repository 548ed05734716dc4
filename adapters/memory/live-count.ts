import type { EpochMs } from '../../src/base/time.ts'

/**
 * Counts live tokens without visiting each: it keeps a counter for each instant of expiry, and tokens that are issued together
 * expire together.
 */
export class LiveCount {
  readonly #byExpiry = new Map<EpochMs, number>()

  add(expiresAt: EpochMs): void {
    this.#byExpiry.set(expiresAt, (this.#byExpiry.get(expiresAt) ?? 0) + 1)
  }

  /** Removes one token. Does nothing if it has expired and was removed already. */
  remove(expiresAt: EpochMs): void {
    const count = this.#byExpiry.get(expiresAt)
    if (count === undefined) return
    if (count > 1) this.#byExpiry.set(expiresAt, count - 1)
    else this.#byExpiry.delete(expiresAt)
  }

  get empty(): boolean {
    return this.#byExpiry.size === 0
  }

  at(now: EpochMs): number {
    let total = 0
    for (const [expiresAt, count] of this.#byExpiry) {
      if (expiresAt > now) total += count
      else this.#byExpiry.delete(expiresAt)
    }
    return total
  }
}
