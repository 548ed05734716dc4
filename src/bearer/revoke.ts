import { authenticateClient } from '../clients/authenticate.ts'
import { one, requireForm } from '../http/params.ts'
import { empty } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Context } from '../options/context.ts'
import { tokenRef } from '../tokens/token-ref.ts'

/**
 * POST /oauth/revoke. Answers 200 whether or not the token existed or belongs to the caller (RFC 7009 §2.2).
 * `token_type_hint` is not needed: a token says itself what it is.
 */
export async function revoke(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { store, events, now } = context
  const params = requireForm(request)
  const app = await authenticateClient(request, params, context)
  const ref = tokenRef(one(params, 'token'))
  if (ref?.clientId !== app.id) return empty(200)

  const found = await store.grants.find(ref)
  if (found?.grant.clientId !== app.id || found.token.kind !== ref.kind) return empty(200)

  // RFC 7009 §2.1: revoking a refresh token also revokes the access tokens of its grant. A spent one counts as well:
  // it is what a client that crashed in the middle of a refresh still holds.
  if (ref.kind === 'refresh') await store.grants.revoke(ref.grantId)
  else await store.grants.revokeToken(ref)
  const { id: grantId, clientId, orgId, userId } = found.grant
  events.emit({
    type: 'token_revoked',
    at: now,
    clientId,
    grantId,
    orgId,
    userId,
    tokenType: ref.kind,
    jti: ref.kind === 'access' ? ref.jti : null,
  })
  return empty(200)
}
