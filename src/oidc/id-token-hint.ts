import { decodeProtectedHeader, jwtVerify } from 'jose'
import type { Context } from '../options/context.ts'
import { currentKeys } from '../tokens/current-keys.ts'

/** Whom an ID token is about, and which app it was made for. */
export interface IdTokenHint {
  readonly userId: string
  readonly clientId: string
}

/**
 * What an `id_token_hint` says (OpenID Connect Core §3.1.2.1): an expired one is still a hint. `unknown key`: of a key that has
 * been retired since, or of somebody else; it tells nothing.
 */
export async function readIdTokenHint(token: string, context: Context): Promise<IdTokenHint | 'unknown key' | 'invalid'> {
  const header = headerOf(token)
  const { published } = await currentKeys(context)
  const key = published.find(({ kid }) => kid === header?.kid)
  if (!key) return 'unknown key'
  // An access token is signed with the same keys (RFC 8725 §3.11).
  if (header?.typ !== undefined && header.typ !== 'JWT') return 'invalid'
  const { issuer } = context.config
  const verified = await jwtVerify(token, key.publicKey, { issuer, algorithms: [key.alg], currentDate: LONG_AGO }).catch(
    () => undefined,
  )
  const { aud, sub } = verified?.payload ?? {}
  return sub === undefined || typeof aud !== 'string' ? 'invalid' : { userId: sub, clientId: aud }
}

const LONG_AGO = new Date(0)

function headerOf(token: string): { readonly kid?: string; readonly typ?: string } | undefined {
  try {
    return decodeProtectedHeader(token)
  } catch {
    return undefined
  }
}
