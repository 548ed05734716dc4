import { decodeProtectedHeader, jwtVerify } from 'jose'
import type { Context } from '../options/context.ts'
import { currentKeys } from '../tokens/current-keys.ts'

/** The user an ID token is about, and the app it was issued to. */
export interface IdTokenHint {
  readonly userId: string
  readonly clientId: string
}

/**
 * Verifies an `id_token_hint` (OpenID Connect Core §3.1.2.1), which may have expired. Resolves to `unknown key` if its key has
 * been retired or is not ours: the hint then proves nothing.
 */
export async function readIdTokenHint(token: string, context: Context): Promise<IdTokenHint | 'unknown key' | 'invalid'> {
  const header = headerOf(token)
  const { published } = await currentKeys(context)
  const key = published.find(({ kid }) => kid === header?.kid)
  if (!key) return 'unknown key'
  // RFC 8725 §3.11: access tokens are signed with the same keys, and must not pass as ID tokens.
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
