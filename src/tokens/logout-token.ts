import { randomId } from '../base/crypto.ts'
import type { EpochMs } from '../base/time.ts'
import { signJwt } from './sign-jwt.ts'
import type { SigningKey } from './signing-key.ts'

/** The contents of a logout token. */
export interface LogoutTokenContents {
  readonly issuer: string
  readonly clientId: string
  readonly userId: string
  /** The session that has ended; null: every session of the user. */
  readonly sid: string | null
  readonly issuedAt: EpochMs
}

/** Two minutes (OpenID Connect Back-Channel Logout 1.0 §2.4 recommends no more). */
const LOGOUT_TOKEN_SECONDS = 120

/**
 * Signs a logout token (OpenID Connect Back-Channel Logout 1.0 §2.4). It names the user beside the session, because two users may
 * have had one session of the host's. Its type keeps it from passing as an ID token, and it never has a `nonce`.
 */
export function mintLogoutToken(
  { clientId, issuedAt, issuer, sid, userId }: LogoutTokenContents,
  key: SigningKey,
): Promise<string> {
  const at = Math.floor(issuedAt / 1000)
  const claims = {
    iss: issuer,
    sub: userId,
    aud: clientId,
    iat: at,
    exp: at + LOGOUT_TOKEN_SECONDS,
    jti: randomId(16),
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    ...(sid === null ? {} : { sid }),
  }
  return signJwt(claims, 'logout+jwt', key)
}
