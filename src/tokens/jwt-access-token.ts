import { randomId } from '../base/crypto.ts'
import { GRANT_ID_SOURCE } from '../base/ids.ts'
import type { Grant, Token } from '../store/store.ts'
import { signJwt } from './sign-jwt.ts'
import type { SigningKey } from './signing-key.ts'

/** The contents of an access token. */
export interface AccessTokenContents extends Pick<Token, 'scopes' | 'issuedAt' | 'expiresAt'> {
  readonly issuer: string
  readonly audience: string | string[]
  /** The `client_id` of the app. */
  readonly clientId: string
  readonly grant: Pick<Grant, 'id' | 'orgId' | 'userId'>
  /** The thumbprint of the key that it is bound to; undefined: a bearer token. */
  readonly jkt: string | undefined
}

/** Signs a JWT access token, which resource servers verify by themselves (RFC 9068 §2). Its `jti` begins with its grant's id. */
export function mintAccessToken(contents: AccessTokenContents, key: SigningKey): Promise<string> {
  const { audience, clientId, expiresAt, grant, issuedAt, issuer, jkt, scopes } = contents
  const claims = {
    client_id: clientId,
    scope: scopes.join(' '),
    org_id: grant.orgId,
    iss: issuer,
    sub: grant.userId ?? clientId,
    aud: audience,
    iat: Math.floor(issuedAt / 1000),
    exp: Math.floor(expiresAt / 1000),
    jti: `${grant.id}.${randomId(16)}`,
    // RFC 9449 §6.1
    ...(jkt !== undefined && { cnf: { jkt } }),
  }
  return signJwt(claims, JWT_TYPE, key)
}

/**
 * Reads the grant id of a JWT access token; undefined for any other text. The signature is not verified: the store finds a
 * token by the hash of all its bytes, so a forged or altered one is absent.
 */
export function readJwt(value: string): { readonly kind: 'access'; readonly grantId: string; readonly jti: string } | undefined {
  const [header, payload] = value.length > MAX_LENGTH ? [] : value.split('.', 2)
  if (!payload || decode(header)?.typ !== JWT_TYPE) return undefined
  const jti = decode(payload)?.jti
  const [text = '', grantId] = typeof jti === 'string' ? (JTI.exec(jti) ?? []) : []
  return grantId === undefined ? undefined : { kind: 'access', grantId, jti: text }
}

/** Tells whether a text contains an access token or ID token with this issuer. The signature is not verified. */
export function holdsJwt(text: string, issuer: string): boolean {
  if (!text.includes('.eyJ')) return false
  return text.split(/[^\w-]/).some(part => {
    const claims = part.startsWith('eyJ') && part.length >= SHORTEST ? decode(part) : undefined
    // The host may sign its own tokens with the same issuer: only ours have `at_hash`, or a `jti` of this form.
    return claims?.iss === issuer && (claims.at_hash !== undefined || JTI.test(String(claims.jti)))
  })
}

/** RFC 9068 §2.1 */
const JWT_TYPE = 'at+jwt'
const MAX_LENGTH = 16_384
/** Shorter parts cannot have an issuer and one of these claims, and are not decoded. */
const SHORTEST = 80
const JTI = new RegExp(`^(${GRANT_ID_SOURCE})\\.[\\w-]{22}$`)

function decode(part: string | undefined): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
