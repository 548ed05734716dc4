import { sha256 } from '../base/crypto.ts'
import { appOfGrant } from '../base/ids.ts'
import { Memo } from '../base/memo.ts'
import type { TokenRef } from '../store/store.ts'
import { holdsJwt, readJwt } from './jwt-access-token.ts'
import { holdsOpaque, readOpaque } from './opaque.ts'

/** The store's key of a presented token, and the facts that the token itself contains. */
export interface PresentedToken extends TokenRef {
  readonly kind: 'access' | 'refresh'
  /** The app's id in the store. */
  readonly appId: string
  /** The token's id for events and introspection, which is no credential (RFC 7519 §4.1.7). */
  readonly jti: string
}

/** Parses a presented token; undefined for a text that cannot be one of our tokens. */
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

/** Cache of parsed JWTs: parsing costs more than the rest of a check, and most tokens are presented many times. */
const JWTS = new Memo<PresentedToken>(10_000)

function refOf({ grantId, kind }: Pick<PresentedToken, 'grantId' | 'kind'>, tokenId: string, jti: string): PresentedToken {
  return { kind, grantId, appId: appOfGrant(grantId), tokenId, jti }
}

/** Tells whether a text contains a token that authmount issued for this issuer. */
export function holdsToken(text: string, issuer: string): boolean {
  return holdsOpaque(text) || holdsJwt(text, issuer)
}
