import { sameBytes, sha256 } from '../base/crypto.ts'

/** What an authorization request said of PKCE. */
export interface StoredChallenge {
  readonly codeChallenge: string | null
  readonly codeChallengeMethod: 'S256' | 'plain' | null
}

/**
 * Whether a verifier is that of the challenge (RFC 7636 §4.6). Without a challenge no verifier may come (RFC 9700 §4.8.2: a
 * challenge that was stripped from the request would otherwise go unnoticed); with one, `plain` only where the host allows it.
 */
export function verifyPkce(
  verifier: string | undefined,
  { codeChallenge, codeChallengeMethod }: StoredChallenge,
  { allowPlainPkce }: { readonly allowPlainPkce: boolean },
): boolean {
  if (codeChallenge === null) return verifier === undefined
  if (verifier === undefined || !VERIFIER.test(verifier)) return false
  if (codeChallengeMethod === 'plain') return allowPlainPkce && sameBytes(verifier, codeChallenge)
  return sameBytes(sha256(verifier), codeChallenge)
}

/** RFC 7636 §4.1 */
const VERIFIER = /^[\w.~-]{43,128}$/
