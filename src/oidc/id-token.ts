import { OAuthError } from '../errors/oauth-error.ts'
import type { Context } from '../options/context.ts'
import type { Grant } from '../store/store.ts'
import { currentKeys } from '../tokens/current-keys.ts'
import { mintIdToken } from '../tokens/id-token.ts'
import { claimsOf } from './claims.ts'
import { grantContext } from './grant-context.ts'

/** The ID token that goes with an access token; undefined where no user signs in with it (OpenID Connect Core §3.1.3.3, §12.2). */
export async function idTokenFor(
  { accessToken, grant, scopes }: { readonly accessToken: string; readonly grant: Grant; readonly scopes: readonly string[] },
  context: Context,
  { refreshed }: { readonly refreshed: boolean },
): Promise<string | undefined> {
  const { config, now } = context
  const { clientId, userId } = grant
  if (!context.services.keys || userId === null || !scopes.includes('openid')) return undefined
  const { authTime, idTokenClaims, nonce, sid } = grantContext(grant.context)
  const [{ signing }, claims] = await Promise.all([
    currentKeys(context),
    claimsOf(userId, { clientId, scopes, names: idTokenClaims }, config),
  ])
  if (!claims) throw new OAuthError('invalid_grant', 'the user is no more')
  const contents = { issuer: config.issuer, clientId, userId, accessToken, issuedAt: now, lifetimeSeconds: config.idTokenSeconds }
  return mintIdToken({ ...contents, authTime, nonce: refreshed ? null : nonce, sid, claims }, signing)
}
