import { randomId, sha256 } from '../base/crypto.ts'
import type { HttpRequest } from '../http/types.ts'
import type { Config } from '../options/config.ts'
import type { Context } from '../options/context.ts'
import type { DpopProof } from '../tokens/dpop-proof.ts'
import { nonceHeader, type ProvenRequest, usedProof } from '../tokens/proof-check.ts'
import { PROOF_AGE_MS } from '../tokens/proof-times.ts'

/** Added to how long a store remembers a proof, because the clocks of two processes differ. */
const SKEW_MS = 60_000

/** What the check of a proof needs of a context. */
export type ProofContext = Pick<Context, 'config' | 'now' | 'services' | 'store'>

/**
 * Checks the proof of a request, and uses it up (RFC 9449 §4.3, §11.1). Rejects with OAuthError `invalid_dpop_proof`,
 * `use_dpop_nonce` or `invalid_token`, or with StoreError.
 */
export async function requireProof(
  { headers }: Pick<HttpRequest, 'headers'>,
  expected: ProvenRequest,
  { config, now, services: { proofs, usedProofs }, store }: ProofContext,
): Promise<DpopProof> {
  const proof = proofs.verify(headers.dpop, expected, now)
  if (proofs.hasClaimed(headers, proof)) return proof
  const { iat, jkt, jti } = proof
  const isNew =
    config.dpopProofs.replays === 'process'
      ? usedProofs.claim(jkt, jti, now)
      : await store.oneTime.claim(
          {
            kind: 'dpop_proof',
            id: sha256(JSON.stringify([jkt, jti])),
            expiresAt: Math.ceil(iat * 1000) + PROOF_AGE_MS + SKEW_MS,
            data: { jkt },
          },
          randomId(16),
        )
  if (!isNew) throw usedProof()
  proofs.noteClaim(headers, proof)
  return proof
}

/** The URL of one of our own routes, as clients know it: by the options, and never by a header of the request. */
export function ownUrl(path: string, { mountPath, origin }: Pick<Config<never>, 'mountPath' | 'origin'>): string {
  return `${origin}${mountPath}${path}`
}

/** The header with which an answer replaces the nonce of a proof; undefined where the proof had the newest. */
export function nextNonce(
  proof: DpopProof,
  { now, services: { proofs } }: Pick<Context, 'now' | 'services'>,
): Readonly<Record<string, string>> | undefined {
  const nonce = proofs.nextNonce(proof, now)
  return nonce === undefined ? undefined : nonceHeader(nonce)
}
