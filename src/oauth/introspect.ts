import type { Context } from '../context.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { one, requireForm } from '../http/params.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Grant } from '../store.ts'
import { tokenRef } from '../tokens/opaque.ts'
import { authenticateClient } from './client-auth.ts'

/** POST /oauth/introspect (RFC 7662). A confidential app may ask about its own tokens; every other token is inactive to it. */
export async function introspect(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config, store } = context
  const params = requireForm(request)
  const app = await authenticateClient(request, params, context)
  // RFC 7662 §2.1: the caller must be authenticated, which an app without a secret cannot be.
  if (!app.confidential) throw new OAuthError('invalid_client', 'introspection needs an app that has a secret')

  const ref = tokenRef(one(params, 'token'))
  if (ref?.clientId !== app.id) return json(200, INACTIVE)
  const found = await store.grants.find(ref)
  if (!found || found.spent || found.token.kind !== ref.kind) return json(200, INACTIVE)
  const { grant, token } = found
  if (grant.clientId !== app.id || grant.epoch !== app.epoch) return json(200, INACTIVE)

  return json(200, {
    active: true,
    scope: token.scopes.join(' '),
    client_id: grant.clientId,
    // A resource server must not take a refresh token for a bearer token.
    token_type: token.kind === 'access' ? 'Bearer' : 'refresh_token',
    exp: Math.floor(token.expiresAt / 1000),
    iat: Math.floor(token.issuedAt / 1000),
    nbf: Math.floor(token.issuedAt / 1000),
    sub: subject(grant),
    aud: config.issuer,
    iss: config.issuer,
    jti: token.id,
  })
}

/** Whom a token speaks for: its user, or the app itself (RFC 9068 §2.2). */
function subject(grant: Grant): string {
  return grant.userId ?? grant.clientId
}

const INACTIVE = Object.freeze({ active: false })
