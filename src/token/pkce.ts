import { sameBytes, sameDigest, sha256 } from '../base/crypto.ts'

/** The PKCE challenge of an authorization request. */
export interface StoredChallenge {
  readonly codeChallenge: string | null
  readonly codeChallengeMethod: 'S256' | 'plain' | null
}

/**
 * Tells whether a verifier matches the challenge (RFC 7636 §4.6). Without a challenge a verifier is refused, because somebody may
 * have stripped the challenge from the request (RFC 9700 §4.8.2). `plain` is accepted only if the host allows it.
 */
export function verifyPkce(
  verifier: string | undefined,
  { codeChallenge, codeChallengeMethod }: StoredChallenge,
  { allowPlainPkce }: { readonly allowPlainPkce: boolean },
): boolean {
  if (codeChallenge === null) return verifier === undefined
  if (verifier === undefined || !VERIFIER.test(verifier)) return false
  if (codeChallengeMethod === 'plain') return allowPlainPkce && sameBytes(verifier, codeChallenge)
  return sameDigest(sha256(verifier), codeChallenge)
}

/** RFC 7636 §4.1 */
const VERIFIER = /^[\w.~-]{43,128}$/
