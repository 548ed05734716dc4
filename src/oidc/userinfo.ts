import { wireId } from '../base/ids.ts'
import { findBound } from '../bearer/bound.ts'
import { ownUrl } from '../bearer/proof.ts'
import { findUsable } from '../bearer/use.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { type Challenging, renderChallenge } from '../http/challenge.ts'
import { optional, readParams } from '../http/params.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Context } from '../options/context.ts'
import { deny } from '../rules/deny.ts'
import { bearerToken, boundToken } from '../tokens/token-guard.ts'
import { claimsOf, claimsOfScopes } from './claims.ts'
import { grantContext } from './grant-context.ts'
import { USER_GONE } from './id-token.ts'

/** GET and POST /oauth/userinfo (OpenID Connect Core §5.3): the claims of the user that the app may see. */
export async function userinfo(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config } = context
  const token = presentedToken(request)
  const bound = boundToken(request.headers.authorization)
  if (token === undefined && bound === undefined) return renderChallenge(undefined, [], challenging(context))
  const { found: presented, headers } =
    token === undefined
      ? await findBound(bound ?? '', request, { scopes: SCOPES, urls: [ownUrl('/oauth/userinfo', config)] }, context)
      : { found: await findUsable(token, { scopes: SCOPES }, context), headers: undefined }
  const { app, grant, token: found } = presented
  if (grant.userId === null) throw new OAuthError('invalid_token', 'the access token has no user')
  // A resource server of another origin that received a token for itself must not use it here as the app.
  const ours = found.audience?.some(resource => new URL(resource).origin === config.origin) ?? true
  if (!ours) throw new OAuthError('invalid_token', 'the access token is for another resource')
  const { scopes } = found
  const names = new Set([...claimsOfScopes(scopes, config), ...grantContext(grant.context).userinfoClaims])
  const claims = await claimsOf(grant.userId, { clientId: wireId(app), scopes, names: [...names] }, config)
  if (!claims) {
    const told = { code: 'invalid_token', description: USER_GONE } as const
    throw deny({ app, of: grant }, { during: 'use', by: 'claims' }, told, context)
  }
  // Ours last: a host cannot change who this is (§5.3.2).
  return json(200, { ...claims, sub: grant.userId }, headers)
}

const SCOPES = ['openid']

function challenging({ config: { dpop, issuer, log }, services }: Context): Challenging {
  return { issuer, log, proofAlgorithms: dpop === 'required' ? services.proofs.algorithms : undefined }
}

/**
 * Reads the access token from the header, or from the form of a POST (RFC 6750 §2.2), which this endpoint alone accepts because
 * OpenID Connect Core §5.3 demands all of RFC 6750. Throws `invalid_request` if it is in both (§2) or given more than once.
 */
function presentedToken({ body, headers, method }: HttpRequest): string | undefined {
  if (method !== 'POST' || body.kind !== 'form' || !body.form.has('access_token')) return bearerToken(headers.authorization)
  if (headers.authorization !== undefined)
    throw new OAuthError('invalid_request', 'access_token must not be sent in the body and in the Authorization header')
  return optional(readParams(body.form), 'access_token')
}
