import { setTimeout as sleep } from 'node:timers/promises'
import { randomId, sha256 } from '../base/crypto.ts'
import { wireId } from '../base/ids.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { StoreError } from '../errors/store-error.ts'
import { one, optional, type Params, requireForm } from '../http/params.ts'
import { json, redirect } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import type { Context } from '../options/context.ts'
import type { Principal } from '../options/options.ts'
import { pageSettingFor } from '../pages/page-setting.ts'
import type { OneTime, OneTimeData } from '../store/store.ts'
import { codeOfScreen } from '../tokens/opaque.ts'
import { type AnswerParams, answerUri, authorizationResponse } from './authorization-response.ts'
import { consentLookupId } from './endpoint.ts'
import { codeAnswer, issueCode } from './issue-code.ts'
import { recordConsent } from './record-consent.ts'
import { reopen } from './reopen.ts'
import { type AuthorizationRequest, readAuthorizationRequest, readOpenRequest, requestJson, requestSource } from './request.ts'

/**
 * POST /oauth/authorize: the user's decision. A form gets 303 to the app; JSON gets 200 with the same address.
 *
 * What is decided is the request that was opened by GET, found by `consent_id` or by the request's own parameters;
 * a POST can repeat it but not change it.
 */
export async function decideConsent(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config, events, now, principal, services, store } = context
  const params = requireForm(request)
  if (isAuthorizationRequest(params))
    return redirect(303, withParams(`${config.mountPath}/oauth/authorize`, requestJson(requestSource(params))))
  if (!principal) throw new OAuthError('access_denied', 'nobody is signed in', { status: 401 })
  const granted = readDecision(params)

  const { asked, screen } = await findRequest(request, params, principal, context)
  const code = screen?.consentId === undefined ? undefined : codeOfScreen(screen.consentId, screen.entry.data.codeSalt)
  if (screen && !(await take(screen.entry, store)))
    return answer(request, asked, await sameAnswer(granted, code, asked, context), services)
  const by = { at: now, clientId: wireId(asked.app), orgId: principal.orgId, userId: principal.userId, scopes: asked.scopes }
  if (!granted) {
    events.emit({ type: 'consent_denied', ...by })
    return answer(request, asked, deniedAnswer(asked, config), services)
  }

  try {
    await recordConsent({ userId: principal.userId }, asked, context)
    const params = await issueCode(asked, { ...context, principal }, code)
    events.emit({ type: 'consent_granted', ...by })
    return answer(request, asked, params, services)
  } catch (error) {
    // The user agreed, and we failed.
    if (screen && error instanceof StoreError) await reopen(screen.entry, config)
    throw error
  }
}

/** OpenID Connect Core §3.1.2.1: a client may post its authorization request. It goes on as the same request by GET. */
function isAuthorizationRequest(params: Params): boolean {
  return params.has('response_type') && !params.has('consent') && !params.has('consent_id')
}

interface FoundRequest {
  readonly asked: AuthorizationRequest
  /** Open until it is taken; absent for JSON that came without one. */
  readonly screen: Screen | undefined
}

interface Screen {
  readonly entry: OneTime<'consent'>
  /** Its secret id; undefined where it was found by the parameters of its request. */
  readonly consentId: string | undefined
}

/** The authorization request this POST answers: the one that was opened by GET, or the one JSON spells out. */
async function findRequest(request: HttpRequest, params: Params, principal: Principal, context: Context): Promise<FoundRequest> {
  const consentId = optional(params, 'consent_id')
  // Without the id of a screen we opened, only a credential that no other site can make a browser send proves intent.
  const ownCredential = request.body.kind === 'json' && request.headers.authorization !== undefined
  if (consentId === undefined && !ownCredential) throw notOpen()

  const entry = await findScreen(consentId, params, principal, context.store)
  if (!entry) {
    if (consentId !== undefined) throw notOpen()
    const repeated = [...params].filter(([name]) => REQUEST_PARAMS.has(name))
    const source = requestSource(repeated.concat([['response_type', 'code']]))
    return { asked: await readAuthorizationRequest(source, context, { status: 403 }), screen: undefined }
  }

  const { data } = entry
  if (data.userId !== principal.userId || (data.sessionId !== null && data.sessionId !== (principal.sessionId ?? null))) {
    throw new OAuthError('access_denied', 'this consent screen was opened by someone else', { status: 403 })
  }
  for (const [name, value] of params) {
    if (REQUEST_PARAMS.has(name) && name !== 'nonce' && data.params[name] !== value) {
      throw new OAuthError('invalid_request', `${name} is not what the authorization request said`)
    }
  }
  return { asked: await readOpenRequest(entry, context, { status: 403 }), screen: { entry, consentId } }
}

/** Closes a screen, so that no second POST can answer it. False where it has been answered before. */
async function take({ id }: OneTime<'consent'>, store: Context['store']): Promise<boolean> {
  const taken = await store.oneTime.consume('consent', id, randomId(16))
  if (!taken) throw notOpen()
  return taken.first
}

/** How often, and after how many milliseconds each, a second click looks for the code that the first is still waiting for. */
const LOOKS = 10
const LOOK_AFTER_MS = 150

/**
 * The answer to a second click of the same user on the same button, while the browser has dropped the first answer: the same
 * again. Rejects with OAuthError where the first answer was another, or where its code has been redeemed or has expired.
 */
async function sameAnswer(
  granted: boolean,
  code: string | undefined,
  asked: AuthorizationRequest,
  { config, store }: Context,
): Promise<AnswerParams> {
  const answered = new OAuthError('invalid_request', 'this consent screen has already been answered: start again from the app', {
    expired: true,
  })
  if (code === undefined) throw answered
  for (let looks = granted ? LOOKS : 1; looks > 0; looks--) {
    const entry = await store.oneTime.peek('code', sha256(code))
    if (entry && (!granted || (await isRedeemed(entry.data, store)))) throw answered
    if (entry) return codeAnswer(code, asked, config)
    if (looks > 1) await sleep(LOOK_AFTER_MS)
  }
  if (granted) throw answered
  return deniedAnswer(asked, config)
}

/** A code that comes back after it was redeemed would end the tokens it became. Tokens are listed newest first. */
async function isRedeemed({ grantId, userId }: OneTimeData['code'], store: Context['store']): Promise<boolean> {
  const { items } = await store.grants.listTokens({ userId, limit: 100 })
  return items.some(({ grant }) => grant.id === grantId)
}

function deniedAnswer({ state }: AuthorizationRequest, { issuer }: Context['config']): AnswerParams {
  return { error: 'access_denied', error_description: 'the user did not agree', state, iss: issuer }
}

/** What a POST may repeat of the request. A nonce is taken from the request alone (OpenID Connect Core §3.1.2.1). */
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

/** JSON is told where to send the browser; with `response_mode=form_post`, what the browser is to post there. */
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
