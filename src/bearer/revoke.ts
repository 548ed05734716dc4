import { wireId } from '../base/ids.ts'
import { authenticateClient } from '../clients/authenticate/authenticate.ts'
import { one, requireForm } from '../http/params.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Context } from '../options/context.ts'
import type { App, OneTimeData } from '../store/store.ts'
import { type PresentedToken, tokenRef } from '../tokens/token-ref.ts'
import { type Ended, endAgain, endFound } from './end-grant.ts'

/**
 * POST /oauth/revoke. Answers 200 whether or not the token existed or belongs to the caller (RFC 7009 §2.2). A retry after a
 * lost answer emits the same event as the first call. The body is `{}`, because clients parse every answer as JSON.
 * `token_type_hint` is ignored: a token's prefix tells its type.
 */
export async function revoke(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const params = requireForm(request)
  const app = await authenticateClient(request, params, context)
  const ref = tokenRef(one(params, 'token'))
  if (ref?.appId !== app.id) return json(200, {})

  // RFC 7009 §2.1: revoking a refresh token also revokes the access tokens of its grant. A spent one counts as well, because a
  // client that crashed in the middle of a refresh holds no other.
  const { grantId, tokenId } = ref
  const ended: Ended = ref.kind === 'refresh' ? { grantId } : { grantId, tokenId }
  const announce = (of: OneTimeData['ended']) => announceRevoked(ref, app, of, context)
  const found = await context.store.grants.find(ref)
  if (!found) await endAgain(ended, app.id, context, announce)
  else if (found.grant.appId === app.id && found.token.kind === ref.kind)
    await endFound(ended, found.grant, context, () => announce(found.grant))
  return json(200, {})
}

function announceRevoked(
  { grantId, jti, kind }: PresentedToken,
  app: App,
  { orgId, userId }: OneTimeData['ended'],
  { events, now }: Context,
): void {
  const of = { at: now, clientId: wireId(app), grantId, orgId, userId }
  events.emit({ type: 'token_revoked', ...of, tokenType: kind, jti: kind === 'access' ? jti : null })
}
