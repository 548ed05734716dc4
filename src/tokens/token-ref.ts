import { sha256 } from '../base/crypto.ts'
import { appOfGrant } from '../base/ids.ts'
import { Memo } from '../base/memo.ts'
import type { TokenRef } from '../store/store.ts'
import { holdsJwt, readJwt } from './jwt-access-token.ts'
import { holdsOpaque, readOpaque } from './opaque.ts'

/** Where a presented token is found in the store, and what it says of itself. */
export interface PresentedToken extends TokenRef {
  readonly kind: 'access' | 'refresh'
  /** The app's id in the store; what the token was issued to is read from its record. */
  readonly appId: string
  /** Names the token without being of any use (RFC 7519 §4.1.7). */
  readonly jti: string
}

/** Where a presented token would be found; undefined for anything that cannot be a token of ours. */
export function tokenRef(value: string): PresentedToken | undefined {
  const opaque = readOpaque(value)
  if (!opaque && !value.startsWith('eyJ')) return undefined
  const tokenId = sha256(value)
  if (opaque) return refOf(opaque, tokenId, `${opaque.grantId}.${tokenId.slice(0, 22)}`)
  const known = JWTS.get(tokenId)
  if (known) return known
  const jwt = readJwt(value)
  return jwt && JWTS.set(tokenId, refOf(jwt, tokenId, jwt.jti))
}

/** What is in a JWT costs more to read than all the rest of checking it, and most are presented many times. */
const JWTS = new Memo<PresentedToken>(10_000)

function refOf({ grantId, kind }: Pick<PresentedToken, 'grantId' | 'kind'>, tokenId: string, jti: string): PresentedToken {
  return { kind, grantId, appId: appOfGrant(grantId), tokenId, jti }
}

/** Whether a text holds a token that authmount issued in this issuer's name. */
export function holdsToken(text: string, issuer: string): boolean {
  return holdsOpaque(text) || holdsJwt(text, issuer)
}
