import { randomId, sha256 } from '../base/crypto.ts'
import { TargetedError } from '../errors/oauth-error.ts'
import { redirect } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import type { Context } from '../options/context.ts'
import type { Principal } from '../options/options.ts'
import { pageSettingFor } from '../pages/page-setting.ts'
import { authorizationResponse } from './authorization-response.ts'
import { issueCode } from './issue-code.ts'
import { needsLogin, toNewLogin } from './login.ts'
import { isClaimedUri } from './redirect-uri.ts'
import { type AuthorizeRequest, authorizeParams, readAuthorizeRequest, trustTarget } from './request.ts'

/** GET /oauth/authorize: to the login, to the consent page, or straight back with a code (RFC 6749 §4.1.1). */
export async function authorize(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config, principal, services, store } = context
  const target = await trustTarget(request.query, context)
  const asked = readAuthorizeRequest(request.query, target, context)

  if ((await needsLogin(asked, request.query, context)) || !principal) return toNewLogin(asked, request.query, context)

  const consent = await store.consents.get(principal.userId, asked.app.id)
  const agreed = asked.scopes.every(scope => consent?.scopes.includes(scope))
  // RFC 8252 §8.6: a public app on a loopback or private-scheme address can be anyone, so its user is always asked.
  if (agreed && !asked.prompt.has('consent') && (asked.app.confidential || isClaimedUri(asked.redirectUri))) {
    return authorizationResponse(302, asked, await issueCode(asked, { ...context, principal }), pageSettingFor(request, services))
  }
  if (asked.prompt.has('none'))
    throw new TargetedError(asked, 'consent_required', 'the user must agree, and the request does not allow it to ask')

  const consentId = await openConsent(asked, request.query, principal, context)
  if (config.consentUrl === null) return redirect(302, withParams(`${config.mountPath}/oauth/consent`, { consent_id: consentId }))
  return redirect(302, withParams(config.consentUrl, { ...authorizeParams(request.query), consent_id: consentId }))
}

/** The id under which a waiting consent is found by the parameters of its request. */
export function consentLookupId(userId: string, params: URLSearchParams): string {
  return sha256(JSON.stringify([userId, params.get('client_id'), params.get('redirect_uri'), params.get('state')]))
}

/** Keeps the whole request until the user decides, so that nothing that is posted later can change it. */
async function openConsent(
  asked: AuthorizeRequest,
  query: URLSearchParams,
  principal: Principal,
  { config, now, store }: Context,
): Promise<string> {
  const consentId = randomId(32)
  const id = sha256(consentId)
  const expiresAt = now + config.consentSeconds * 1000
  await store.oneTime.put({
    kind: 'consent',
    id,
    expiresAt,
    data: {
      userId: principal.userId,
      sessionId: principal.sessionId ?? null,
      clientId: asked.app.id,
      params: authorizeParams(query),
    },
  })
  await store.oneTime.put({
    kind: 'consent_lookup',
    id: consentLookupId(principal.userId, query),
    expiresAt,
    data: { consentId: id },
  })
  return consentId
}
