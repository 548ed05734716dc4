import { createHmac } from 'node:crypto'
import type { EpochMs } from '../base/time.ts'

/** A nonce is accepted for this long after the next one is given out, and at most twice as long in all. */
const NONCE_MS = 150_000

/**
 * Nonces for proofs (RFC 9449 §8, §9), which no store keeps: each is an HMAC of the time, rounded down. Every process with the same
 * keys accepts them. The first key makes them; all keys are accepted, so that a new key can be brought in process by process.
 */
export class ProofNonces {
  readonly #keys: readonly Uint8Array[]
  #period = Number.NaN
  #newest = ''
  #accepted: ReadonlySet<unknown> = new Set()

  constructor(keys: readonly Uint8Array[]) {
    this.#keys = keys
  }

  /** The nonce that clients are given now. */
  current(now: EpochMs): string {
    this.#advance(now)
    return this.#newest
  }

  accepts(nonce: unknown, now: EpochMs): boolean {
    this.#advance(now)
    return this.#accepted.has(nonce)
  }

  #advance(now: EpochMs): void {
    const period = Math.floor(now / NONCE_MS)
    if (period === this.#period) return
    // The next one too: the clock of another process may be ahead.
    this.#accepted = new Set([period - 1, period, period + 1].flatMap(each => this.#keys.map(key => nonceOf(each, key))))
    this.#newest = nonceOf(period, this.#keys[0] ?? new Uint8Array())
    this.#period = period
  }
}

function nonceOf(period: number, key: Uint8Array): string {
  return createHmac('sha256', key).update(`authmount dpop nonce ${period}`).digest('base64url').slice(0, 22)
}
