import { countScreen } from '../authorize/count-screen.ts'
import { randomId, sha256 } from '../base/crypto.ts'
import { sidOf } from '../base/session.ts'
import { findClient, isSelfRegistered } from '../clients/find-client.ts'
import { withdraw } from '../connected-apps/withdraw.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { one, optional, type Params, readParams, requireForm } from '../http/params.ts'
import { redirect } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import { readIdTokenHint } from '../oidc/id-token-hint.ts'
import type { Context } from '../options/context.ts'
import { isNavigation, onwardPage } from '../pages/onward-page.ts'
import { escapeHtml, renderPage } from '../pages/page.ts'
import { type PageSetting, pageSettingFor } from '../pages/page-setting.ts'
import type { App, OneTime, OneTimeData } from '../store/store.ts'
import { carriesToken } from '../tokens/carries-token.ts'
import { endSession } from './end-session.ts'

/** Ten minutes, for the user to decide on the host's page. */
const DECISION_MS = 600_000
const MAX_STATE_BYTES = 4096

/** The parameters of a logout request (OpenID Connect RP-Initiated Logout 1.0 §2). */
const LOGOUT_PARAMS = ['id_token_hint', 'logout_hint', 'client_id', 'post_logout_redirect_uri', 'state', 'ui_locales']

/**
 * GET and POST /oauth/logout: an app asks to sign the user out (OpenID Connect RP-Initiated Logout 1.0). The host's page asks
 * the user, ends the session, and sends the browser back here.
 */
export async function logout(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config, now, principal, services, store } = context
  if (request.method === 'POST') {
    // Browsers send SameSite=Lax session cookies from another site only with GET: redirect to it.
    const given = request.body.kind === 'none' ? [] : [...requireForm(request)]
    const params = given.filter(([name]) => LOGOUT_PARAMS.includes(name))
    return redirect(303, withParams(`${config.mountPath}/oauth/logout`, Object.fromEntries(params)))
  }
  const params = readParams(request.query)
  const back = await readReturn(params, context)
  // A request with one of our tokens has no principal either, but its user may well be signed in and would stay so.
  if (!principal && carriesToken(request, config.issuer))
    throw new OAuthError('invalid_request', 'send the browser here without a token: a token is not a login')
  if (!principal) return sendOn(back, pageSettingFor(request, services), signedOutPage)

  await countScreen(['logout'], { ...context, principal })
  const { appId, clientId, redirectUri, state } = back
  const logoutId = randomId(32)
  await store.oneTime.put({
    kind: 'logout',
    id: sha256(logoutId),
    expiresAt: now + DECISION_MS,
    data: { userId: principal.userId, orgId: principal.orgId, appId, redirectUri, state, sid: sidOf(principal.sessionId) },
  })
  const returnTo = withParams(`${config.mountPath}/oauth/logout/done`, { logout_id: logoutId })
  const hints = { logout_hint: optional(params, 'logout_hint') ?? null, ui_locales: optional(params, 'ui_locales') ?? null }
  return redirect(302, withParams(config.logoutUrl ?? '/', { returnTo, client_id: clientId, ...hints }))
}

/**
 * GET /oauth/logout/done: the host has ended the session, which then ends for the apps too. With `end_grants=true` it also
 * withdraws the user's consent to the app and ends its grants. Then the browser goes back to the app, if the request had a
 * `post_logout_redirect_uri`.
 */
export async function finishLogout(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { services, store } = context
  const params = readParams(request.query)
  const entry = await store.oneTime.peek('logout', sha256(one(params, 'logout_id')))
  if (!entry) throw new OAuthError('invalid_request', 'this logout is over: start again from the app', { expired: true })
  await endForApps(entry, context)
  if (optional(params, 'end_grants') === 'true') await endGrantsOfApp(entry, context)
  // The form of the host's logout page may have led here.
  return sendOn(entry.data, pageSettingFor(request, services), isNavigation(request) ? onwardPage : undefined)
}

/**
 * Ends the session for the apps, where the host names its sessions. Where the host still recognises the session, its user has
 * decided to stay signed in.
 */
async function endForApps(entry: OneTime<'logout'>, context: Context): Promise<void> {
  const { principal } = context
  const { sid, userId } = entry.data
  const isSignedIn = principal?.userId === userId && sidOf(principal.sessionId) === sid
  if (typeof sid !== 'string' || isSignedIn) return
  await once('session', entry, context, () => endSession({ userId, sid }, context))
}

/** Withdraws the user's consent to the app that asked, and ends its grants. */
async function endGrantsOfApp(entry: OneTime<'logout'>, context: Context): Promise<void> {
  const { config, events } = context
  const { appId, orgId, userId } = entry.data
  if (appId === null) return
  await once('logout', entry, context, () =>
    withdraw(userId, appId, context, ({ clientId, revoked }) =>
      events.emit({ type: 'consent_withdrawn', at: config.now(), clientId, orgId, userId, revoked }),
    ),
  )
}

/**
 * Ends something once for each logout. The mark that it was done is written afterwards, so that a request that is repeated because
 * its answer was lost cannot find it and end nothing; ending twice does no harm.
 */
async function once(
  what: string,
  { data, expiresAt, id }: OneTime<'logout'>,
  { store }: Context,
  end: () => Promise<unknown>,
): Promise<void> {
  const { appId, orgId, userId } = data
  const markId = sha256(JSON.stringify([what, id]))
  if (await store.oneTime.peek('ended', markId)) return
  await end()
  await store.oneTime.put({ kind: 'ended', id: markId, expiresAt, data: { appId: appId ?? '', orgId, userId } })
}

/** The app that asks, and where the browser goes afterwards. */
interface Return extends Omit<OneTimeData['logout'], 'userId' | 'orgId' | 'sid'> {
  readonly clientId: string | null
}

/** Reads which app asks, and where the browser goes afterwards: only to an address that the app has registered (§3). */
async function readReturn(params: Params, context: Context): Promise<Return> {
  const hint = await hintOf(params, context)
  const named = optional(params, 'client_id')
  if (hint && named !== undefined && named !== hint.clientId)
    throw new OAuthError('invalid_request', 'client_id is not the app that id_token_hint was made for')
  const clientId = hint?.clientId ?? named ?? null
  const redirectUri = optional(params, 'post_logout_redirect_uri') ?? null
  const state = optional(params, 'state') ?? null
  if (state !== null && Buffer.byteLength(state) > MAX_STATE_BYTES)
    throw new OAuthError('invalid_request', `state is longer than ${MAX_STATE_BYTES} bytes`)
  const app = clientId === null ? undefined : await findClient(clientId, context.store)
  if (clientId !== null && !app) throw new OAuthError('invalid_request', 'client_id is not the id of an app')
  const appId = app?.id ?? null
  if (redirectUri === null) return { appId, clientId, redirectUri, state }

  if (clientId === null) throw new OAuthError('invalid_request', 'post_logout_redirect_uri needs id_token_hint, or client_id')
  // §3: a client that anybody may have registered proves by an ID token that the user knows it.
  if (app && isSelfRegistered(app) && !hint)
    throw new OAuthError('invalid_request', 'post_logout_redirect_uri of an app that registered itself needs id_token_hint')
  if (app?.status !== 'active' || !returnsOf(app).includes(redirectUri)) throw new OAuthError('invalid_request', RETURNS)
  return { appId, clientId, redirectUri, state }
}

const RETURNS =
  'post_logout_redirect_uri must be one of the postLogoutRedirectUris of an active app, or of its redirectUris if it has none'

/** Where an app may have the browser after a logout. One that says nothing of that: to its redirect URIs. */
function returnsOf({ postLogoutRedirectUris = [], redirectUris }: App): readonly string[] {
  return postLogoutRedirectUris.length > 0 ? postLogoutRedirectUris : redirectUris
}

async function hintOf(params: Params, context: Context) {
  const token = optional(params, 'id_token_hint')
  const hint = token === undefined ? undefined : await readIdTokenHint(token, context)
  if (hint === 'invalid') throw new OAuthError('invalid_request', 'id_token_hint is not an ID token of this server')
  return hint === 'unknown key' ? undefined : hint
}

function sendOn(
  { redirectUri, state }: Pick<Return, 'redirectUri' | 'state'>,
  setting: PageSetting,
  page?: (uri: string, setting: PageSetting) => HttpResponse,
): HttpResponse {
  if (redirectUri === null) return signedOutPage(null, setting)
  const uri = withParams(redirectUri, { state })
  return page ? page(uri, setting) : redirect(302, uri)
}

/**
 * Tells a person that they are signed out, with a link to where they may go on. No redirect: where nobody was signed in, anyone
 * may have made the link that led here (RFC 9700 §4.11.2).
 */
function signedOutPage(uri: string | null, setting: PageSetting): HttpResponse {
  const { continueButton, signedOut, signedOutTitle } = setting.language.messages
  const onward =
    uri === null
      ? ''
      : `\n<div class="actions"><a class="button main" href="${escapeHtml(uri)}">${escapeHtml(continueButton)}</a></div>`
  return renderPage(200, { ...setting, title: signedOutTitle, body: `<h1>${escapeHtml(signedOut)}</h1>${onward}` })
}
