import { wireId } from '../base/ids.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { Context } from '../options/context.ts'
import type { App, Grant } from '../store/store.ts'
import { currentKeys } from '../tokens/current-keys.ts'
import { mintIdToken } from '../tokens/id-token.ts'
import { claimsOf } from './claims.ts'
import { grantContext } from './grant-context.ts'

/** The tokens that are issued with an ID token. */
interface TokensForIdToken {
  readonly accessToken: string
  readonly app: App
  readonly grant: Grant
  readonly scopes: readonly string[]
  /** Whether this is a refresh, which does not repeat the nonce of the authorization request (OpenID Connect Core §12.2). */
  readonly renewed: boolean
}

/** Makes the ID token that goes with an access token; undefined without a user or `openid` (OpenID Connect Core §3.1.3.3, §12.2). */
export async function idTokenFor(
  { accessToken, app, grant, renewed, scopes }: TokensForIdToken,
  context: Context,
): Promise<string | undefined> {
  const { config, now } = context
  const { userId } = grant
  const clientId = wireId(app)
  if (!context.services.keys || userId === null || !scopes.includes('openid')) return undefined
  const { authTime, idTokenClaims, nonce, sid } = grantContext(grant.context)
  const [{ signing }, claims] = await Promise.all([
    currentKeys(context),
    claimsOf(userId, { clientId, scopes, names: idTokenClaims }, config),
  ])
  if (!claims) throw new OAuthError('invalid_grant', 'the user no longer exists')
  const contents = { issuer: config.issuer, clientId, userId, accessToken, issuedAt: now, lifetimeSeconds: config.idTokenSeconds }
  return mintIdToken({ ...contents, authTime, nonce: renewed ? null : nonce, sid, claims }, signing)
}
