import type { EpochMs } from '../../src/base/time.ts'

/**
 * How many tokens are live, known without looking at each: they are counted by the instant at which they expire, and
 * tokens issued together expire together.
 */
export class LiveCount {
  readonly #byExpiry = new Map<EpochMs, number>()

  add(expiresAt: EpochMs): void {
    this.#byExpiry.set(expiresAt, (this.#byExpiry.get(expiresAt) ?? 0) + 1)
  }

  /** Takes one out again. What has expired meanwhile may already be gone. */
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
