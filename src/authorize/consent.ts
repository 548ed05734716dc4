import { setTimeout as sleep } from 'node:timers/promises'
import { randomId, sha256 } from '../base/crypto.ts'
import { wireId } from '../base/ids.ts'
import { sessionName } from '../base/session.ts'
import { requireAdmission } from '../clients/admission.ts'
import { narrow } from '../clients/allowed-scopes.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { isUnknownOutcome, StoreError } from '../errors/store-error.ts'
import { one, optional, type Params, requireForm } from '../http/params.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Context, SignedInContext } from '../options/context.ts'
import type { Principal } from '../options/principal.ts'
import { pageSettingFor } from '../pages/page-setting.ts'
import type { OneTime, OneTimeData } from '../store/store.ts'
import { codeOfScreen } from '../tokens/opaque.ts'
import { chosenScopes, isSomething } from './agreed-scopes.ts'
import { allowRequest } from './allow-request.ts'
import { type AnswerParams, answerUri, authorizationResponse } from './authorization-response.ts'
import { consentLookupId } from './endpoint.ts'
import { codeAnswer, issueCode } from './issue-code.ts'
import { keptDevice } from './kept-device.ts'
import { isAuthorizationRequest, toGet } from './posted-request.ts'
import { closePushed, forgetPushed } from './pushed-request.ts'
import { recordConsent } from './record-consent.ts'
import { reopen } from './reopen.ts'
import { type AuthorizationRequest, readAuthorizationRequest, readOpenRequest, requestSource } from './request.ts'
import { asPassed, stepFirst, steppedRequest, throughSteps } from './steps.ts'

/**
 * POST /oauth/authorize: the user's decision. A form gets 303 to the app; JSON gets 200 with the same address.
 *
 * The decision is about the request that GET stored, found by `consent_id` or by the request's own parameters. The POST may
 * repeat these parameters, but a different value is refused.
 */
export async function decideConsent(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config, events, now, services, store } = context
  if (isAuthorizationRequest(request)) return toGet(request, context)
  const params = requireForm(request)
  if (!context.principal) throw new OAuthError('access_denied', 'nobody is signed in', { status: 401 })
  const pressedAllow = readDecision(params)

  const { asked: read, principal, screen } = await findRequest(request, params, { ...context, principal: context.principal })
  const chosen = pressedAllow ? chosenScopes(params, read.scopes, config) : []
  // Before the screen is closed: after a failed hook, the same click can be tried again.
  const asked = pressedAllow && config.policy ? await allowRequest(read, { ...context, principal }) : read
  const scopes = asked === read ? chosen : narrow(chosen, asked.scopes)
  // Where everything is optional, to allow nothing of it is to deny: there is no token without a scope (RFC 6749 §3.3).
  const granted = isSomething(scopes)
  const allowed = { ...asked, scopes }
  const declined = asked.scopes.filter(name => !scopes.includes(name))
  const unticked = pressedAllow ? declined.filter(name => screen?.entry.data.ticked?.includes(name)) : []
  const device = granted ? await keptDevice(request, context) : null
  const code = screen?.consentId === undefined ? undefined : codeOfScreen(screen.consentId, screen.entry.data.codeSalt)
  const by = { at: now, clientId: wireId(asked.app), orgId: principal.orgId, userId: principal.userId, scopes: asked.scopes }
  const taken =
    !screen ||
    (await take(screen.entry, store).catch(error => {
      // The repetition may find the screen answered, and then emits nothing.
      if (!granted && isUnknownOutcome(error)) events.emit({ type: 'consent_denied', ...by })
      throw error
    }))
  if (!taken) return answer(request, asked, await sameAnswer(granted, code, allowed, context), services)
  const record = () => recordConsent({ app: asked.app, scopes, declined, unticked }, { ...context, principal })
  const pushed = screen?.entry.data.pushed
  let closed: OneTime<'pushed'> | undefined
  try {
    if (pushed !== undefined) closed = await closePushed(pushed, asked.app, context)
    if (!granted) {
      if (unticked.length > 0) await record()
      events.emit({ type: 'consent_denied', ...by })
      if (closed) await forgetPushed(closed, context)
      return answer(request, asked, deniedAnswer(asked, config), services)
    }

    await requireAdmission(asked.app, asked.scopes, { ...context, principal })
    // A screen was counted when it was opened.
    if (!screen) await services.limits.count('codes', [principal.orgId, principal.userId, asked.app.id], store)
    await record()
    const params = await issueCode(allowed, { ...context, principal, device }, code)
    events.emit({ type: 'consent_granted', ...by, scopes, declined })
    if (closed) await forgetPushed(closed, context)
    return answer(request, asked, params, services)
  } catch (error) {
    // The user decided and our store failed: reopen the screen, so that the same click can be retried.
    if (screen && error instanceof StoreError) {
      if (closed) await reopen(closed, context)
      await reopen(screen.entry, context)
    }
    throw error
  }
}

interface FoundRequest {
  readonly asked: AuthorizationRequest
  /** The user, as the steps that were passed for this request say. */
  readonly principal: Principal
  /** The open consent screen; undefined for JSON that spells out the request itself. */
  readonly screen: Screen | undefined
}

/** The user of a request in JSON, which leads to no page: every step must be passed, or rejects with OAuthError. */
async function throughAll(asked: AuthorizationRequest, request: HttpRequest, context: SignedInContext): Promise<Principal> {
  const silent = stepFirst('/oauth/authorize')
  const through = await throughSteps({ ...steppedRequest(asked, request, context), silent }, null, context)
  if ('status' in through) throw silent
  return through.principal
}

interface Screen {
  readonly entry: OneTime<'consent'>
  /** Its secret id; undefined if the screen was found by the parameters of its request. */
  readonly consentId: string | undefined
}

/** Finds the authorization request that this POST answers: the one that GET stored, or the one that JSON spells out. */
async function findRequest(request: HttpRequest, params: Params, context: SignedInContext): Promise<FoundRequest> {
  const { principal } = context
  const consentId = optional(params, 'consent_id')
  // CSRF: without the id of a screen, the request must carry a credential that browsers never add by themselves.
  const ownCredential = request.body.kind === 'json' && request.headers.authorization !== undefined
  if (consentId === undefined && !ownCredential) throw notOpen()

  const entry = await findScreen(consentId, params, principal, context.store)
  if (!entry) {
    if (consentId !== undefined) throw notOpen()
    const repeated = [...params].filter(([name]) => REQUEST_PARAMS.has(name))
    const source = requestSource(repeated.concat([['response_type', 'code']]))
    const asked = await readAuthorizationRequest(source, context, { status: 403 })
    return { asked, principal: context.config.steps ? await throughAll(asked, request, context) : principal, screen: undefined }
  }

  const { data } = entry
  if (data.userId !== principal.userId || (data.session !== null && data.session !== sessionName(principal.sessionId))) {
    throw new OAuthError('access_denied', 'this consent screen was opened by someone else', { status: 403 })
  }
  for (const [name, value] of params) {
    if (REQUEST_PARAMS.has(name) && name !== 'nonce' && data.params[name] !== value) {
      throw new OAuthError('invalid_request', `${name} is not what the authorization request said`)
    }
  }
  const asked = await readOpenRequest(entry, context, 403)
  return { asked, principal: data.steps ? asPassed(principal, data.steps) : principal, screen: { entry, consentId } }
}

/** Closes a consent screen, so that a second POST cannot answer it. False if it was answered before. */
async function take({ id }: OneTime<'consent'>, store: Context['store']): Promise<boolean> {
  const taken = await store.oneTime.consume('consent', id, randomId(16))
  if (!taken) throw notOpen()
  return taken.first
}

/** How many times, and at what interval in milliseconds, a second click polls for the code that the first click is still storing. */
const LOOKS = 10
const LOOK_AFTER_MS = 150

/**
 * Repeats the answer for a second click of the same user on the same button, since the browser drops the first answer. Rejects
 * with OAuthError if the first answer was different, or its code has been redeemed or has expired.
 */
async function sameAnswer(
  granted: boolean,
  code: string | undefined,
  asked: AuthorizationRequest,
  { config, store }: Context,
): Promise<AnswerParams> {
  if (code === undefined) throw alreadyAnswered()
  for (let looks = granted ? LOOKS : 1; looks > 0; looks--) {
    const entry = await store.oneTime.peek('code', sha256(code))
    if (entry && (!granted || !isSame(entry.data.scopes, asked.scopes) || (await isRedeemed(entry.data, store))))
      throw alreadyAnswered()
    if (entry) return codeAnswer(code, asked, config)
    if (looks > 1) await sleep(LOOK_AFTER_MS)
  }
  if (granted) throw alreadyAnswered()
  return deniedAnswer(asked, config)
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name, index) => name === others[index])
}

function alreadyAnswered(): OAuthError {
  return new OAuthError('invalid_request', 'this consent screen has already been answered: start again from the app', {
    expired: true,
  })
}

/** Tells whether a code has been redeemed: to return it once more would revoke its grant as a replay. Tokens are listed newest first. */
async function isRedeemed({ grantId, userId }: OneTimeData['code'], store: Context['store']): Promise<boolean> {
  const { items } = await store.grants.listTokens({ userId, limit: 100 })
  return items.some(({ grant }) => grant.id === grantId)
}

function deniedAnswer({ state }: AuthorizationRequest, { issuer }: Context['config']): AnswerParams {
  return { error: 'access_denied', error_description: 'the user did not agree', state, iss: issuer }
}

/** Parameters of the request that a POST may repeat. The nonce of the stored request counts (OpenID Connect Core §3.1.2.1). */
const REQUEST_PARAMS = new Set([
  'client_id',
  'redirect_uri',
  'scope',
  'state',
  'code_challenge',
  'code_challenge_method',
  'resource',
  'nonce',
])

async function findScreen(
  consentId: string | undefined,
  params: Params,
  principal: Principal,
  store: Context['store'],
): Promise<OneTime<'consent'> | undefined> {
  if (consentId !== undefined) return store.oneTime.peek('consent', sha256(consentId))
  const lookup = await store.oneTime.peek('consent_lookup', consentLookupId(principal.userId, params))
  return lookup && store.oneTime.peek('consent', lookup.data.consentId)
}

function notOpen(): OAuthError {
  return new OAuthError('access_denied', 'this consent screen is not open (any more): start again from the app', {
    status: 403,
    expired: true,
  })
}

function readDecision(params: Params): boolean {
  const decision = one(params, 'consent')
  if (decision !== 'granted' && decision !== 'denied')
    throw new OAuthError('invalid_request', 'consent must be granted or denied')
  return decision === 'granted'
}

/** Answers the POST: a redirect for a form; for JSON the address, and with `response_mode=form_post` the fields to post there. */
function answer(
  request: HttpRequest,
  asked: AuthorizationRequest,
  params: AnswerParams,
  services: Context['services'],
): HttpResponse {
  if (request.body.kind !== 'json') return authorizationResponse(303, asked, params, pageSettingFor(request, services))
  if (asked.responseMode !== 'form_post') return json(200, { redirect_uri: answerUri(asked, params) })
  const fields = Object.entries(params).filter(([, value]) => value !== null)
  return json(200, { redirect_uri: asked.redirectUri, form_post: Object.fromEntries(fields) })
}
