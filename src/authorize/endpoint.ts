import { randomId, sha256 } from '../base/crypto.ts'
import { sessionName } from '../base/session.ts'
import { consentsCountSince, requireAdmission } from '../clients/admission.ts'
import { provesItself } from '../clients/client-facts.ts'
import { SignInFirst } from '../clients/find-requesting-client.ts'
import { OAuthError, TargetedError } from '../errors/oauth-error.ts'
import type { Params } from '../http/params.ts'
import { redirect } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import type { Context, SignedInContext } from '../options/context.ts'
import { pageSettingFor } from '../pages/page-setting.ts'
import type { Consent } from '../store/store.ts'
import { agreedScopes, isAllowed, isOptional } from './agreed-scopes.ts'
import { authorizationResponse } from './authorization-response.ts'
import { countScreen } from './count-screen.ts'
import { issueCode } from './issue-code.ts'
import { keptDevice } from './kept-device.ts'
import { afterLogin, LOGIN_PROOF, needsLogin, toLogin, toNewLogin, wayOn } from './login.ts'
import { answerPushed, findPushed, isPushed, requireSameEpoch } from './pushed-request.ts'
import { isClaimedUri } from './redirect-uri.ts'
import {
  type AuthorizationRequest,
  clientSeen,
  isSilent,
  type RequestSource,
  readAuthorizationRequest,
  requestJson,
  requestSource,
} from './request.ts'

/** GET /oauth/authorize: redirects to the login, to the consent page, or back to the app with a code (RFC 6749 §4.1.1). */
export function authorize(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const source = requestSource(request.query)
  return isPushed(source) ? authorizePushed(source, request, context) : answer(source, request, context)
}

/** Answers a request that was pushed. A refusal that travels to the app is an answer as well, after which it cannot be used again. */
async function authorizePushed(source: RequestSource, request: HttpRequest, context: Context): Promise<HttpResponse> {
  const found = await findPushed(source, request.query, context)
  try {
    return await answer(found, request, context)
  } catch (error) {
    if (error instanceof TargetedError) await answerPushed(found.pushed, context, async () => {})
    throw error
  }
}

async function answer(source: RequestSource, request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config, now, principal, services, store } = context
  const asked = await readAuthorizationRequest(source, context).catch(error => {
    if (principal || !(error instanceof TargetedError || error instanceof SignInFirst) || isSilent(source)) throw error
    return null
  })
  // RFC 9700 §4.11.2: a faulty request sends nobody to the address of an app before they have signed in, and nobody who has not
  // signed in makes this server read the document of a client.
  if (!asked) return toLogin(context, '/oauth/authorize', afterLogin(source))
  if (asked.pushed) requireSameEpoch(asked.pushed.entry, asked.app)

  if ((await needsLogin(asked, request.query.get(LOGIN_PROOF), context)) || !principal) return toNewLogin(asked, request, context)

  await admit(asked, { ...context, principal })
  const [consent, since] = await Promise.all([
    store.consents.get({ userId: principal.userId }, asked.app.id),
    consentsCountSince(asked.app, principal.orgId, context),
  ])
  const earlier = consent && consent.grantedAt >= since ? consent : undefined
  const silent = asked.prompt.has('none')
  const agreed = earlier ? agreedScopes(asked.scopes, earlier, { config, now, silent }) : null
  // RFC 8252 §8.6: any program on the device can pose as a public app on a loopback or private-scheme address: always ask.
  const vouchedFor = provesItself(asked.app) || isClaimedUri(asked.redirectUri)
  if (agreed && !asked.prompt.has('consent') && vouchedFor) {
    await services.limits.count('codes', [principal.orgId, principal.userId, asked.app.id], store)
    const device = config.describeDevice && (await keptDevice(request, context))
    // The usual request is issued as it is: a copy of it takes half a microsecond.
    const granted = agreed === asked.scopes ? asked : { ...asked, scopes: agreed }
    const params = asked.pushed
      ? await answerPushed(asked.pushed, context, () => issueCode(granted, { ...context, principal, device }))
      : await issueCode(granted, { ...context, principal, device })
    return authorizationResponse(config.rules.redirectStatus, asked, params, pageSettingFor(request, services), wayOn(request))
  }
  if (silent) throw new TargetedError(asked, 'consent_required', 'the user must agree, and the request does not allow it to ask')

  await countScreen(['consent', asked.app.id], { ...context, principal })
  const consentId = await openConsent(asked, ticked(asked, earlier, context), { ...context, principal })
  if (config.consentUrl === null) {
    const requestUri = asked.pushed?.url.get('request_uri') ?? null
    return redirect(302, withParams(`${config.mountPath}/oauth/consent`, { consent_id: consentId, request_uri: requestUri }))
  }
  return redirect(302, withParams(config.consentUrl, { ...requestJson(asked), consent_id: consentId }))
}

/** Rejects with OAuthError where the user's organisation does not let the client in: shown here, unless no page may be shown. */
async function admit(asked: AuthorizationRequest, context: SignedInContext): Promise<void> {
  await requireAdmission(asked.app, asked.scopes, context).catch(error => {
    if (!(error instanceof OAuthError) || error.code !== 'access_denied' || !asked.prompt.has('none')) throw error
    throw new TargetedError(asked, 'access_denied', error.description)
  })
}

/** Returns the id under which a waiting consent is found by the parameters of its request. */
export function consentLookupId(userId: string, params: Params): string {
  return sha256(JSON.stringify([userId, params.get('client_id'), params.get('redirect_uri'), params.get('state') ?? null]))
}

/** Returns the optional scopes that the user has allowed before: their boxes are ticked, and can be unticked. */
function ticked({ scopes }: AuthorizationRequest, earlier: Consent | undefined, { config, now }: Context): readonly string[] {
  return earlier ? scopes.filter(name => isOptional(name, config) && isAllowed(name, earlier, config, now)) : []
}

/** Stores the whole request until the user decides, so that a later POST cannot change it. */
async function openConsent(
  asked: AuthorizationRequest,
  ticked: readonly string[],
  { config, now, principal, store }: SignedInContext,
): Promise<string> {
  const consentId = randomId(32)
  const id = sha256(consentId)
  const expiresAt = now + config.consentSeconds * 1000
  const { sessionId, userId } = principal
  const data = {
    userId,
    session: sessionName(sessionId),
    appId: asked.app.id,
    params: requestJson(asked),
    scopes: asked.scopes,
    ...(ticked.length > 0 && { ticked }),
    clientSeen: clientSeen(asked.app),
    ...(asked.pushed ? { pushed: asked.pushed.entry.id } : {}),
    codeSalt: randomId(32),
  }
  const lookupId = consentLookupId(userId, asked.params)
  await Promise.all([
    store.oneTime.put({ kind: 'consent', id, expiresAt, data }),
    store.oneTime.put({ kind: 'consent_lookup', id: lookupId, expiresAt, data: { consentId: id } }),
  ])
  return consentId
}
