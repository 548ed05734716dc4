import { wireId } from '../base/ids.ts'
import type { JsonObject } from '../base/json.ts'
import type { Context } from '../options/context.ts'
import { deny } from '../rules/deny.ts'
import type { App, Grant } from '../store/store.ts'
import { authenticationClaims } from '../tokens/authentication.ts'
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
  /** The user's claims, if they were asked for before the tokens were made. */
  readonly userClaims: JsonObject | undefined
}

/** What a client is told of a grant whose user the host does not know any more. */
export const USER_GONE = 'the user no longer exists'

const NO_USER_CLAIMS: JsonObject = Object.freeze({})

/**
 * Asks the option `claims` what an ID token is to say of the user, and whether there is a user at all, even if there is no ID token
 * to make. Resolves to null if the user no longer exists.
 */
export async function askUserClaims(
  { app, grant, scopes }: Pick<TokensForIdToken, 'app' | 'scopes'> & { readonly grant: Pick<Grant, 'context'> },
  userId: string,
  context: Context,
): Promise<JsonObject | null> {
  const { config } = context
  const { idTokenClaims } = grantContext(grant.context)
  const wanted = config.claimsInIdToken ? [...new Set([...claimsOfScopes(scopes, config), ...idTokenClaims])] : idTokenClaims
  const names = hasIdToken(scopes, context) ? wanted : []
  return (await claimsOf(userId, { clientId: wireId(app), scopes, names }, config)) ?? null
}

/**
 * Makes the ID token that goes with an access token; undefined if the app did not ask for one (OpenID Connect Core §3.1.3.3,
 * §12.2). Rejects with `invalid_grant` if the user no longer exists, even if there is no ID token to make.
 */
export async function idTokenFor(issued: TokensForIdToken, context: Context): Promise<string | undefined> {
  const { accessToken, app, grant, renewed, scopes, userClaims } = issued
  const { config, now } = context
  const { userId } = grant
  if (userId === null) return undefined
  const claims = userClaims ?? (config.claims ? await askUserClaims(issued, userId, context) : NO_USER_CLAIMS)
  if (!claims) {
    const denial = { during: renewed ? 'refresh' : 'token', by: 'claims' } as const
    throw deny({ app, of: grant }, denial, { code: 'invalid_grant', description: USER_GONE }, context)
  }
  if (!hasIdToken(scopes, context)) return undefined
  const { nonce, sid } = grantContext(grant.context)
  const authentication = authenticationClaims(grant.context)
  const { signers, signing } = await currentKeys(context)
  const clientId = wireId(app)
  const contents = { issuer: config.issuer, clientId, userId, accessToken, issuedAt: now, lifetimeSeconds: config.idTokenSeconds }
  const key = keyFor(app, signers) ?? signing
  return mintIdToken({ ...contents, authentication, nonce: renewed ? null : nonce, sid, claims }, key)
}

/**
 * Finds the key of the algorithm that an app has asked for (OpenID Connect Dynamic Client Registration §2). Undefined if it has asked
 * for none, or if the server has changed its algorithms since.
 */
export function keyFor({ idTokenSignedResponseAlg: wanted }: App, signers: readonly SigningKey[]): SigningKey | undefined {
  return wanted === undefined ? undefined : signers.find(({ alg }) => alg === wanted)
}

function hasIdToken(scopes: readonly string[], { services }: Pick<Context, 'services'>): boolean {
  return services.keys !== null && scopes.includes('openid')
}
