import { sha256 } from '../crypto.ts'
import type { TokenRef } from '../store.ts'
import { holdsJwt, readJwt } from './jwt-access-token.ts'
import { holdsOpaque, readOpaque } from './opaque.ts'

/** Where a presented token is found in the store, and what it says of itself. */
export interface PresentedToken extends TokenRef {
  readonly kind: 'access' | 'refresh'
  readonly clientId: string
  /** Names the token without being of any use (RFC 7519 §4.1.7). */
  readonly jti: string
}

/** Where a presented token would be found; undefined for anything that cannot be a token of ours. */
export function tokenRef(value: string): PresentedToken | undefined {
  const opaque = readOpaque(value)
  const jwt = opaque ? undefined : readJwt(value)
  const { grantId, kind } = opaque ?? jwt ?? {}
  if (grantId === undefined || kind === undefined) return undefined
  const tokenId = sha256(value)
  const jti = jwt?.jti ?? `${grantId}.${tokenId.slice(0, 22)}`
  return { kind, grantId, clientId: grantId.slice(0, CLIENT_ID_LENGTH), tokenId, jti }
}

/** Whether a text holds a token that authmount issued in this issuer's name. */
export function holdsToken(text: string, issuer: string): boolean {
  return holdsOpaque(text) || holdsJwt(text, issuer)
}

const CLIENT_ID_LENGTH = 24
