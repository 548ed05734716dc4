import { hash } from 'node:crypto'
import { SignJWT } from 'jose'
import type { JsonObject } from '../base/json.ts'
import type { EpochMs } from '../base/time.ts'
import type { SigningKey } from './signing-key.ts'

export interface IdTokenContents {
  readonly issuer: string
  readonly clientId: string
  readonly userId: string
  readonly accessToken: string
  readonly issuedAt: EpochMs
  readonly lifetimeSeconds: number
  /** When the user proved who they are; null: the host does not say. */
  readonly authTime: EpochMs | null
  /** Of the authorization request. Not repeated on a refresh (OpenID Connect Core §12.2). */
  readonly nonce: string | null
  readonly sid: string | null
  /** What else the `claims` parameter asked to have in it. */
  readonly claims: JsonObject
}

/** An ID token (OpenID Connect Core §2, §3.1.3.6). */
export function mintIdToken(contents: IdTokenContents, key: SigningKey): Promise<string> {
  const { accessToken, authTime, claims, clientId, issuedAt, issuer, lifetimeSeconds, nonce, sid, userId } = contents
  const at = Math.floor(issuedAt / 1000)
  // Ours last: nothing a host returns can change who this is, or for whom.
  const payload = {
    ...claims,
    ...(authTime === null ? {} : { auth_time: Math.floor(authTime / 1000) }),
    ...(nonce === null ? {} : { nonce }),
    ...(sid === null ? {} : { sid }),
    at_hash: tokenHash(accessToken, key),
  }
  return new SignJWT(payload)
    .setProtectedHeader({ alg: key.alg, kid: key.kid })
    .setIssuer(issuer)
    .setSubject(userId)
    .setAudience(clientId)
    .setIssuedAt(at)
    .setExpirationTime(at + lifetimeSeconds)
    .sign(key.privateKey)
}

/** OpenID Connect Core §3.1.3.6: the left half of the hash that belongs to the algorithm; SHA-512 for Ed25519. */
function tokenHash(token: string, { alg }: SigningKey): string {
  const digest = hash(alg === 'EdDSA' ? 'sha512' : 'sha256', token, 'buffer')
  return digest.subarray(0, digest.length / 2).toString('base64url')
}
