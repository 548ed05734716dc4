import { randomId, sha256 } from '../base/crypto.ts'
import { wireId } from '../base/ids.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { StoreError } from '../errors/store-error.ts'
import { one, optional, type Params, requireForm } from '../http/params.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import type { Context } from '../options/context.ts'
import type { Principal } from '../options/options.ts'
import { pageSettingFor } from '../pages/page-setting.ts'
import type { OneTime } from '../store/store.ts'
import { type AnswerParams, authorizationResponse } from './authorization-response.ts'
import { consentLookupId } from './endpoint.ts'
import { issueCode } from './issue-code.ts'
import { recordConsent } from './record-consent.ts'
import { reopen } from './reopen.ts'
import { type AuthorizationRequest, type RequestSource, readAuthorizationRequest, requestSource } from './request.ts'

/**
 * POST /oauth/authorize: the user's decision. A form gets 303 to the app; JSON gets 200 with the same address.
 *
 * The decision is about the request that GET stored, found by `consent_id` or by the request's own parameters. The POST may
 * repeat these parameters, but a different value is refused.
 */
export async function decideConsent(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config, events, now, principal, services, store } = context
  const params = requireForm(request)
  if (!principal) throw new OAuthError('access_denied', 'nobody is signed in', { status: 401 })
  const granted = readDecision(params)

  const { source, screen } = await findRequest(request, params, principal, context)
  const asked = await readAuthorizationRequest(source, context, { status: 403 })
  if (screen) await take(screen, store)
  const by = { at: now, clientId: wireId(asked.app), orgId: principal.orgId, userId: principal.userId, scopes: asked.scopes }
  if (!granted) {
    events.emit({ type: 'consent_denied', ...by })
    const error_description = 'the user did not agree'
    return answer(request, asked, { error: 'access_denied', error_description, state: asked.state, iss: config.issuer }, services)
  }

  try {
    await recordConsent({ userId: principal.userId }, asked, context)
    const params = await issueCode(asked, { ...context, principal })
    events.emit({ type: 'consent_granted', ...by })
    return answer(request, asked, params, services)
  } catch (error) {
    // The user agreed and our store failed: reopen the screen, so that the same click can be retried.
    if (screen && error instanceof StoreError) await reopen(screen, config)
    throw error
  }
}

interface FoundRequest {
  readonly source: RequestSource
  /** The open consent screen; undefined for JSON that spells out the request itself. */
  readonly screen: OneTime<'consent'> | undefined
}

/** Finds the authorization request that this POST answers: the one that GET stored, or the one that JSON spells out. */
async function findRequest(
  request: HttpRequest,
  params: Params,
  principal: Principal,
  { store }: Context,
): Promise<FoundRequest> {
  const consentId = optional(params, 'consent_id')
  // CSRF: without the id of a screen, the request must carry a credential that browsers never add by themselves.
  const ownCredential = request.body.kind === 'json' && request.headers.authorization !== undefined
  if (consentId === undefined && !ownCredential) throw notOpen()

  const screen = await findScreen(consentId, params, principal, store)
  if (!screen) {
    if (consentId !== undefined) throw notOpen()
    const repeated = [...params].filter(([name]) => REQUEST_PARAMS.has(name))
    return { source: requestSource(repeated.concat([['response_type', 'code']])), screen }
  }

  const { data } = screen
  if (data.userId !== principal.userId || (data.sessionId !== null && data.sessionId !== (principal.sessionId ?? null))) {
    throw new OAuthError('access_denied', 'this consent screen was opened by someone else', { status: 403 })
  }
  for (const [name, value] of params) {
    if (REQUEST_PARAMS.has(name) && name !== 'nonce' && data.params[name] !== value) {
      throw new OAuthError('invalid_request', `${name} is not what the authorization request said`)
    }
  }
  return { source: requestSource(Object.entries(data.params as Record<string, string>)), screen }
}

/** Closes a consent screen, so that a second POST cannot answer it. */
async function take({ id }: OneTime<'consent'>, store: Context['store']): Promise<void> {
  const taken = await store.oneTime.consume('consent', id, randomId(16))
  if (!taken?.first)
    throw new OAuthError('invalid_request', 'this consent screen has already been answered: start again from the app', {
      expired: true,
    })
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
  if (asked.responseMode === 'query') return json(200, { redirect_uri: withParams(asked.redirectUri, params) })
  const fields = Object.entries(params).filter(([, value]) => value !== null)
  return json(200, { redirect_uri: asked.redirectUri, form_post: Object.fromEntries(fields) })
}
