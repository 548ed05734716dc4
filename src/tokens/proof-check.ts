import type { KeyObject } from 'node:crypto'
import { sha256 } from '../base/crypto.ts'
import type { EpochMs } from '../base/time.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { type DpopProof, invalidProof, PROOF_ALGORITHMS, proofKey, readProof, verifyProof } from './dpop-proof.ts'
import type { ProofNonces } from './proof-nonces.ts'
import { PROOF_AGE_MS, PROOF_AHEAD_MS } from './proof-times.ts'

/** The request that a proof must be for. */
export interface ProvenRequest {
  readonly method: string
  /** The URLs, without query, at which clients may have sent it. */
  readonly urls: readonly string[]
  /** The access token beside the proof, and the thumbprint of the key it is bound to; undefined at the token endpoint. */
  readonly bound?: { readonly token: string; readonly jkt: string }
}

/** The most keys in the cache. */
const MAX_KEYS = 2000

/** Checks proofs of possession (RFC 9449 §4.3). Built once. */
export class ProofCheck {
  /** Null where no nonce is demanded. */
  readonly nonces: ProofNonces | null
  /** The algorithms that a proof may have. */
  readonly algorithms: readonly string[]
  /** Imported keys by thumbprint: importing one takes as long as verifying a signature. Only keys of live tokens get here. */
  readonly #keys = new Map<string, KeyObject>()
  /** The proof that a request has claimed, by its headers. */
  readonly #claimed = new WeakMap<object, string>()

  constructor(nonces: ProofNonces | null, algorithms: readonly string[] = PROOF_ALGORITHMS) {
    this.nonces = nonces
    this.algorithms = algorithms
  }

  /**
   * Reads and verifies a proof, all but that it is used once. Throws OAuthError: `invalid_dpop_proof`, `use_dpop_nonce` with the
   * nonce to use, or `invalid_token` if the token is bound to another key.
   */
  verify(header: string | readonly string[] | undefined, { bound, method, urls }: ProvenRequest, now: EpochMs): DpopProof {
    const proof = readProof(header)
    if (!this.algorithms.includes(proof.alg)) throw invalidProof(`must have an alg of ${this.algorithms.join(', ')}`)
    if (bound && proof.jkt !== bound.jkt) throw new OAuthError('invalid_token', 'the access token is bound to another key')
    if (proof.htm !== method) throw invalidProof(`must have the method of the request as htm: ${method}`)
    requireUrl(proof.htu, urls)
    const age = now - proof.iat * 1000
    if (age > PROOF_AGE_MS || age < -PROOF_AHEAD_MS)
      throw invalidProof('must have the present time as iat, in seconds since 1970')
    if (bound && proof.ath !== sha256(bound.token)) throw invalidProof('must have the SHA-256 of the access token as ath')
    if (this.nonces && !this.nonces.accepts(proof.nonce, now)) throw needsNonce(this.nonces.current(now))
    verifyProof(proof, bound ? this.#key(proof) : proofKey(proof))
    return proof
  }

  /** Tells whether this very request has claimed the proof: several guards of one route may check it. `headers` is its own object. */
  hasClaimed(headers: object, { text }: DpopProof): boolean {
    return this.#claimed.get(headers) === text
  }

  /** Notes that a request was the first to use a proof. */
  noteClaim(headers: object, { text }: DpopProof): void {
    this.#claimed.set(headers, text)
  }

  /** The nonce that replaces the one of a proof; undefined where that is the newest, or none is demanded (RFC 9449 §8.2). */
  nextNonce({ nonce }: DpopProof, now: EpochMs): string | undefined {
    const newest = this.nonces?.current(now)
    return newest === nonce ? undefined : newest
  }

  #key(proof: DpopProof): KeyObject {
    const known = this.#keys.get(proof.jkt)
    if (known) return known
    const key = proofKey(proof)
    const [oldest] = this.#keys.keys()
    if (this.#keys.size >= MAX_KEYS && oldest !== undefined) this.#keys.delete(oldest)
    this.#keys.set(proof.jkt, key)
    return key
  }
}

/** Makes the error of a proof that was used before (RFC 9449 §11.1). */
export function usedProof(): OAuthError {
  return invalidProof('has been used: each request needs a new one')
}

/** The header that gives a client a nonce (RFC 9449 §8). */
export function nonceHeader(nonce: string): Readonly<Record<string, string>> {
  return { 'dpop-nonce': nonce }
}

function needsNonce(nonce: string): OAuthError {
  const told = 'the DPoP proof must have the nonce of the header DPoP-Nonce'
  return new OAuthError('use_dpop_nonce', told, { headers: nonceHeader(nonce) })
}

/** RFC 9449 §4.3, check 9: query and fragment do not count. */
function requireUrl(htu: unknown, urls: readonly string[]): void {
  if (typeof htu === 'string') {
    if (urls.includes(htu)) return
    const normal = normalUrl(htu)
    if (normal !== undefined && urls.some(url => normalUrl(url) === normal)) return
  }
  throw invalidProof(`must have the URL of the request as htu: ${urls[0]}`)
}

/** Normalises a URL by its syntax and scheme (RFC 3986 §6.2.2, §6.2.3). */
function normalUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { origin, pathname, password, username } = new URL(text)
  if (username !== '' || password !== '') return undefined
  const path = pathname.replace(/%[\da-f]{2}/gi, escaped => {
    const char = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
    return /[\w.~-]/.test(char) ? char : escaped.toUpperCase()
  })
  return `${origin}${path}`
}
