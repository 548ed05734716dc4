import { wireId } from '../base/ids.ts'
import { readAudience } from '../bearer/audience.ts'
import { nextNonce } from '../bearer/proof.ts'
import { scopeText } from '../clients/allowed-scopes.ts'
import { authenticateClient } from '../clients/authenticate/authenticate.ts'
import { provesItself } from '../clients/client-facts.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { one, optional, type Params, requireForm } from '../http/params.ts'
import { jsonText } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { idTokenFor } from '../oidc/id-token.ts'
import type { Context } from '../options/context.ts'
import type { App } from '../store/store.ts'
import { proofOf } from './dpop.ts'
import { runGrant } from './engine.ts'
import type { TokenGrant } from './grant.ts'
import { announceGrant, type Issued, revokeUnanswered } from './issue.ts'
import type { GrantRegistry } from './registry.ts'

/** POST /oauth/token: authenticates the client and runs the grant (RFC 6749 §3.2). */
export function tokenEndpoint(grants: GrantRegistry): (request: HttpRequest, context: Context) => Promise<HttpResponse> {
  return (request, context) => answer(request, grants, context)
}

async function answer(request: HttpRequest, grants: GrantRegistry, context: Context): Promise<HttpResponse> {
  const params = requireForm(request)
  const grant = findGrant(one(params, 'grant_type'), grants)
  // Read the app and what the client presents concurrently: the request itself has both keys.
  const prefetched = grant.prefetch?.(params, context)
  prefetched?.catch(() => {})
  const app = await authenticateClient(request, params, context)
  const resource = optional(params, 'resource')
  const audience = resource === undefined ? null : readAudience([resource], context.config)

  requireGrant(grant, app, params)
  const proof = concernsKey(request, app, context) ? await proofOf(request, '/oauth/token', context) : undefined
  const asked = { params, headers: request.headers, app, audience, prefetched, jkt: proof?.jkt }
  const issued = await runGrant(grant, asked, context)
  const signed = needsHost(issued, context) ? await idToken(issued, context) : undefined
  // Nothing fails any more: a grant that is announced is one whose tokens are answered.
  if (!issued.renewed) announceGrant(issued, grant.name, context)
  const answered = jsonText(200, tokenAnswer(issued, signed))
  const nonce = proof && nextNonce(proof, context)
  return nonce ? { ...answered, headers: { ...answered.headers, ...nonce } } : answered
}

/**
 * Writes the answer (RFC 6749 §5.1). By hand, because `JSON.stringify` of an object takes 0.8 µs more: no character of a token of
 * ours is escaped in JSON, whereas a scope is what the host calls it.
 */
function tokenAnswer({ accessToken, expiresInSeconds, jkt, refreshToken, scopes }: Issued, idToken: string | undefined): string {
  const refresh = refreshToken === undefined ? '' : `,"refresh_token":"${refreshToken}"`
  const id = idToken === undefined ? '' : `,"id_token":"${idToken}"`
  const scope = JSON.stringify(scopeText(scopes))
  // RFC 9449 §5
  const type = jkt === undefined ? 'Bearer' : 'DPoP'
  return `{"access_token":"${accessToken}","token_type":"${type}","expires_in":${expiresInSeconds}${refresh},"scope":${scope}${id}}`
}

/** Tells whether to make an ID token, or to ask the host whether the user still exists. */
function needsHost({ grant, scopes }: Issued, { config }: Context): boolean {
  return grant.userId !== null && (config.claims !== null || scopes.includes('openid'))
}

/** Tells whether the proof of a token request matters: there is one, or there must be (RFC 9449 §5, §5.2). */
function concernsKey({ headers }: HttpRequest, app: App, { config }: Pick<Context, 'config'>): boolean {
  return headers.dpop === undefined ? app.dpopBoundAccessTokens === true || config.dpop === 'required' : config.dpop !== 'off'
}

function findGrant(name: string, grants: GrantRegistry): TokenGrant {
  const grant = grants.get(name)
  if (grant) return grant
  throw new OAuthError('unsupported_grant_type', `grant_type must be one of ${[...grants.keys()].join(', ')}`)
}

/** Checks that the app may use the grant, and that the grant's required parameters are there. */
function requireGrant({ name, parameters, provenAppsOnly }: TokenGrant, app: App, params: Params): void {
  if (!app.grantTypes.includes(name)) throw new OAuthError('unauthorized_client', `this app may not use the ${name} grant`)
  if (provenAppsOnly && !provesItself(app))
    throw new OAuthError('unauthorized_client', 'a public app has no credentials to act with')
  for (const parameter in parameters) if (parameters[parameter]?.required) one(params, parameter)
}

/**
 * Makes the ID token. If that fails for a new grant, or the user no longer exists, the grant is revoked, so that no token is left
 * behind. A refresh answers without an ID token (OpenID Connect Core §12.2): its old token is spent, and a failed hook must not
 * log the user out.
 */
async function idToken(issued: Issued, context: Context): Promise<string | undefined> {
  try {
    return await idTokenFor(issued, context)
  } catch (error) {
    if (issued.renewed && !(error instanceof OAuthError)) {
      context.config.log.error(
        'the option claims, or the signing of an ID token, failed: the refresh was answered without an ID token',
        error,
      )
      return undefined
    }
    await revokeUnanswered(issued, context)
    if (issued.renewed) announceEnd(issued, context)
    throw error
  }
}

/** Emits the end of a renewed grant, which an earlier event has announced. */
function announceEnd({ app, grant }: Issued, { events, now }: Context): void {
  const of = { at: now, clientId: wireId(app), grantId: grant.id, orgId: grant.orgId, userId: grant.userId }
  events.emit({ type: 'token_revoked', ...of, tokenType: 'refresh', jti: null })
}
