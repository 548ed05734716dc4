import type { EpochMs } from '../base/time.ts'

/** A token bucket: `burst` actions at once, and one more every `everyMs`. */
export class Budget {
  readonly #burst: number
  readonly #everyMs: number
  #left: number
  #at: EpochMs = 0

  constructor({ burst, everyMs }: { readonly burst: number; readonly everyMs: number }) {
    this.#burst = burst
    this.#everyMs = everyMs
    this.#left = burst
  }

  /** Takes one action. Returns 0, or, where none is left, how long it takes until there is one, in milliseconds. */
  take(now: EpochMs): number {
    const regained = Math.floor((now - this.#at) / this.#everyMs)
    // A clock that went back would otherwise give nothing until it has caught up.
    if (regained < 0 || this.#left + regained >= this.#burst) {
      this.#left = this.#burst
      this.#at = now
    } else {
      this.#left += regained
      this.#at += regained * this.#everyMs
    }
    if (this.#left === 0) return this.#at + this.#everyMs - now
    this.#left--
    return 0
  }
}
