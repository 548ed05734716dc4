import { sha256 } from '../base/crypto.ts'
import type { EpochMs } from '../base/time.ts'
import { PROOF_MS } from './proof-times.ts'

/** The most proofs of one generation: about 10 MB. */
const MAX_USED = 250_000

/**
 * The proofs that this process has accepted (RFC 9449 §11.1), for as long as one could be accepted again. Two generations of
 * digests, of which the older is forgotten as a whole. Under more load than 250,000 proofs in {@link PROOF_MS} that happens sooner.
 */
export class UsedProofs {
  #since = Number.NEGATIVE_INFINITY
  #recent = new Set<number>()
  #older = new Set<number>()

  /** True the first time a key's `jti` is seen, and false for a replay. */
  claim(jkt: string, jti: string, now: EpochMs): boolean {
    const age = now - this.#since
    // Both ways, because a clock may go back.
    if (age >= PROOF_MS || age < 0 || this.#recent.size >= MAX_USED) {
      this.#older = Math.abs(age) >= 2 * PROOF_MS ? new Set() : this.#recent
      this.#recent = new Set()
      this.#since = now
    }
    // 52 bits of the digest: a number takes half the memory of a text, and an accidental match refuses one proof in 10¹⁰.
    const proof = Number.parseInt(sha256(`${jkt} ${jti}`, 'hex').slice(0, 13), 16)
    if (this.#recent.has(proof) || this.#older.has(proof)) return false
    this.#recent.add(proof)
    return true
  }
}
