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
import { allowRequest } from './allow-request.ts'
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
import { orGiveBack, STEP_ID, spendSteps, startOver, steppedRequest, type ThroughSteps, throughSteps } from './steps.ts'

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
  const read = await readAuthorizationRequest(source, context).catch(error => {
    if (principal || !(error instanceof TargetedError || error instanceof SignInFirst) || isSilent(source)) throw error
    return null
  })
  // RFC 9700 §4.11.2: a faulty request sends nobody to the address of an app before they have signed in, and nobody who has not
  // signed in makes this server read the document of a client.
  if (!read) return toLogin(context, '/oauth/authorize', afterLogin(source))
  if (read.pushed) requireSameEpoch(read.pushed.entry, read.app)

  if ((await needsLogin(read, request.query.get(LOGIN_PROOF), context)) || !principal) return toNewLogin(read, request, context)

  const through = config.steps ? await passSteps(read, request, { ...context, principal }) : null
  if (through && 'status' in through) return through
  const user = through?.principal ?? principal
  const signedIn = { ...context, principal: user }

  const asked = config.policy ? await allowRequest(read, signedIn) : read
  await admit(asked, signedIn)
  const [consent, since] = await Promise.all([
    store.consents.get({ userId: user.userId }, asked.app.id),
    consentsCountSince(asked.app, user.orgId, context),
  ])
  const earlier = consent && consent.grantedAt >= since ? consent : undefined
  const silent = asked.prompt.has('none')
  const agreed = earlier ? agreedScopes(asked.scopes, earlier, { config, now, silent }) : null
  // RFC 8252 §8.6: any program on the device can pose as a public app on a loopback or private-scheme address: always ask.
  const vouchedFor = provesItself(asked.app) || isClaimedUri(asked.redirectUri)
  if (agreed && !asked.prompt.has('consent') && vouchedFor) {
    await services.limits.count('codes', [user.orgId, user.userId, asked.app.id], store)
    const device = config.describeDevice && (await keptDevice(request, context))
    if (through && !(await spendSteps(through, context))) return startOver(asked, context)
    // The usual request is issued as it is: a copy of it takes half a microsecond.
    const granted = agreed === asked.scopes ? asked : { ...asked, scopes: agreed }
    const agreeing = { ...signedIn, device }
    const issuing = asked.pushed
      ? answerPushed(asked.pushed, context, () => issueCode(granted, agreeing))
      : issueCode(granted, agreeing)
    const params = await (through ? orGiveBack(issuing, through, context) : issuing)
    return authorizationResponse(config.rules.redirectStatus, asked, params, pageSettingFor(request, services), wayOn(request))
  }
  if (silent) throw new TargetedError(asked, 'consent_required', 'the user must agree, and the request does not allow it to ask')

  await countScreen(['consent', asked.app.id], signedIn)
  if (through && !(await spendSteps(through, context))) return startOver(asked, context)
  const opened = { principal: user, said: through?.said ?? null, ticked: ticked(asked, earlier, context) }
  const opening = openConsent(asked, opened, context)
  const consentId = await (through ? orGiveBack(opening, through, context) : opening)
  if (config.consentUrl === null) {
    const requestUri = asked.pushed?.url.get('request_uri') ?? null
    return redirect(302, withParams(`${config.mountPath}/oauth/consent`, { consent_id: consentId, request_uri: requestUri }))
  }
  return redirect(302, withParams(config.consentUrl, { ...requestJson(asked), consent_id: consentId }))
}

function passSteps(
  asked: AuthorizationRequest,
  request: HttpRequest,
  context: SignedInContext,
): Promise<ThroughSteps | HttpResponse> {
  return throughSteps(steppedRequest(asked, request, context), request.query.get(STEP_ID), context)
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
  { principal, said, ticked }: Pick<ThroughSteps, 'principal' | 'said'> & { readonly ticked: readonly string[] },
  { config, now, store }: Context,
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
    ...(said && { steps: said }),
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
