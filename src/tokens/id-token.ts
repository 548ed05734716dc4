import { hash } from 'node:crypto'
import type { JsonObject } from '../base/json.ts'
import type { EpochMs } from '../base/time.ts'
import type { AuthenticationClaims } from './authentication.ts'
import { signJwt } from './sign-jwt.ts'
import type { SigningKey } from './signing-key.ts'

/** The contents of an ID token. */
export interface IdTokenContents {
  readonly issuer: string
  readonly clientId: string
  readonly userId: string
  readonly accessToken: string
  readonly issuedAt: EpochMs
  readonly lifetimeSeconds: number
  /** How and when the user signed in; undefined if the host does not report it. */
  readonly authentication: AuthenticationClaims | undefined
  /** The nonce of the authorization request; null on a refresh (OpenID Connect Core §12.2). */
  readonly nonce: string | null
  readonly sid: string | null
  /** Further claims, for which the `claims` parameter asked. */
  readonly claims: JsonObject
}

/** Signs an ID token (OpenID Connect Core §2, §3.1.3.6). */
export function mintIdToken(contents: IdTokenContents, key: SigningKey): Promise<string> {
  const { accessToken, authentication, claims, clientId, issuedAt, issuer, lifetimeSeconds, nonce, sid, userId } = contents
  const at = Math.floor(issuedAt / 1000)
  // Ours last, so that the host's claims cannot replace `sub`, `aud` and the like.
  const payload = {
    ...claims,
    ...authentication,
    ...(nonce === null ? {} : { nonce }),
    ...(sid === null ? {} : { sid }),
    at_hash: tokenHash(accessToken, key),
    iss: issuer,
    sub: userId,
    aud: clientId,
    iat: at,
    exp: at + lifetimeSeconds,
  }
  return signJwt(payload, undefined, key)
}

/** Computes `at_hash`: the left half of the hash of the algorithm, SHA-512 for Ed25519 (OpenID Connect Core §3.1.3.6). */
function tokenHash(token: string, { alg }: SigningKey): string {
  const digest = hash(alg === 'EdDSA' ? 'sha512' : 'sha256', token, 'buffer')
  return digest.subarray(0, digest.length / 2).toString('base64url')
}
