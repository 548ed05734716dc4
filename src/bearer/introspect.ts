import { wireId } from '../base/ids.ts'
import { scopeText } from '../clients/allowed-scopes.ts'
import { authenticateClient } from '../clients/authenticate/authenticate.ts'
import { provesItself } from '../clients/client-facts.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { one, requireForm } from '../http/params.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Context } from '../options/context.ts'
import { tokenRef } from '../tokens/token-ref.ts'
import { audienceClaim } from './audience.ts'

/**
 * POST /oauth/introspect (RFC 7662). An app that authenticates may introspect its own tokens, and a resource server access tokens
 * for its resources; every other token is reported as inactive.
 */
export async function introspect(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config, store } = context
  const params = requireForm(request)
  const caller = await authenticateClient(request, params, context)
  // RFC 7662 §2.1: the caller must be authenticated; an app without credentials only names itself.
  if (!provesItself(caller)) throw new OAuthError('invalid_client', 'introspection needs an app that authenticates')

  const ref = tokenRef(one(params, 'token'))
  const served = config.resourceServers.get(wireId(caller)) ?? []
  const own = ref?.appId === caller.id
  if (!ref || (!own && served.length === 0)) return json(200, INACTIVE)
  const { app, found } = own
    ? { app: caller, found: await store.grants.find(ref) }
    : await store.appAndToken(ref.appId, ref, (app, found) => ({ app, found }))
  if (!found || found.spent || found.token.kind !== ref.kind) return json(200, INACTIVE)
  const { grant, token } = found
  if (grant.appId !== app?.id || grant.epoch !== app.epoch || app.status === 'deleted') return json(200, INACTIVE)
  const audience = token.audience ?? config.resources
  if (!own && (token.kind !== 'access' || !audience.some(resource => served.includes(resource)))) return json(200, INACTIVE)

  return json(200, {
    active: true,
    scope: scopeText(token.scopes),
    client_id: wireId(app),
    // A resource server must not take a refresh token for a bearer token.
    token_type: token.kind === 'refresh' ? 'refresh_token' : token.jkt === undefined ? 'Bearer' : 'DPoP',
    // RFC 9449 §6.2
    cnf: token.jkt === undefined ? undefined : { jkt: token.jkt },
    exp: Math.floor(token.expiresAt / 1000),
    iat: Math.floor(token.issuedAt / 1000),
    nbf: Math.floor(token.issuedAt / 1000),
    sub: grant.userId ?? wireId(app),
    aud: token.kind === 'access' ? audienceClaim(audience, config) : config.issuer,
    iss: config.issuer,
    jti: ref.jti,
    // An extension, which RFC 7662 §2.2 allows: a resource server has no other way to learn the organisation.
    org_id: served.length > 0 ? grant.orgId : undefined,
  })
}

const INACTIVE = Object.freeze({ active: false })
