import { wireId } from '../base/ids.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { Context } from '../options/context.ts'
import type { App, Grant } from '../store/store.ts'
import { currentKeys } from '../tokens/current-keys.ts'
import { mintIdToken } from '../tokens/id-token.ts'
import type { SigningKey } from '../tokens/signing-key.ts'
import { claimsOf, claimsOfScopes } from './claims.ts'
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

/**
 * Makes the ID token that goes with an access token; undefined if the app did not ask for one (OpenID Connect Core §3.1.3.3,
 * §12.2). Rejects with `invalid_grant` if the user no longer exists, even if there is no ID token to make.
 */
export async function idTokenFor(
  { accessToken, app, grant, renewed, scopes }: TokensForIdToken,
  context: Context,
): Promise<string | undefined> {
  const { config, now } = context
  const { userId } = grant
  const clientId = wireId(app)
  if (userId === null) return undefined
  if (!context.services.keys || !scopes.includes('openid')) {
    if (!(await claimsOf(userId, { clientId, scopes, names: [] }, config))) throw userGone()
    return undefined
  }
  const { authTime, idTokenClaims, nonce, sid } = grantContext(grant.context)
  const names = config.claimsInIdToken ? [...new Set([...claimsOfScopes(scopes, config), ...idTokenClaims])] : idTokenClaims
  const [{ signers, signing }, claims] = await Promise.all([
    currentKeys(context),
    claimsOf(userId, { clientId, scopes, names }, config),
  ])
  if (!claims) throw userGone()
  const contents = { issuer: config.issuer, clientId, userId, accessToken, issuedAt: now, lifetimeSeconds: config.idTokenSeconds }
  const key = keyFor(app, signers) ?? signing
  return mintIdToken({ ...contents, authTime, nonce: renewed ? null : nonce, sid, claims }, key)
}

/**
 * Finds the key of the algorithm that an app has asked for (OpenID Connect Dynamic Client Registration §2). Undefined if it has asked
 * for none, or if the server has changed its algorithms since.
 */
function keyFor({ idTokenSignedResponseAlg: wanted }: App, signers: readonly SigningKey[]): SigningKey | undefined {
  return wanted === undefined ? undefined : signers.find(({ alg }) => alg === wanted)
}

function userGone(): OAuthError {
  return new OAuthError('invalid_grant', 'the user no longer exists')
}
