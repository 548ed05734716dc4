import { isDeepStrictEqual } from 'node:util'
import { chosenScopes, isSomething } from '../authorize/agreed-scopes.ts'
import { scopesToAsk } from '../authorize/allow-request.ts'
import { contextOf, keepSession } from '../authorize/issue-code.ts'
import { toLogin } from '../authorize/login.ts'
import { recordConsent } from '../authorize/record-consent.ts'
import { orGiveBack, STEP_ID, type SteppedRequest, spendSteps, stepFirst, throughSteps } from '../authorize/steps.ts'
import { randomId, sha256 } from '../base/crypto.ts'
import { newGrantId, wireId } from '../base/ids.ts'
import { narrow, OFFLINE_ACCESS, stillAllowed } from '../clients/allowed-scopes.ts'
import { isOwnForm, makeForm } from '../connected-apps/form.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { isUnknownOutcome } from '../errors/store-error.ts'
import { one, optional, type Params, readParams, requireForm } from '../http/params.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import { NO_CLAIMS } from '../oidc/claims.ts'
import type { Context, SignedInContext } from '../options/context.ts'
import { type DeviceView, deviceAnsweredPage, deviceCodePage, devicePage } from '../pages/device-page.ts'
import { pageSettingFor } from '../pages/page-setting.ts'
import { type ScopeFacts, scopeFacts } from '../pages/scope-words.ts'
import type { App, OneTime, OneTimeData } from '../store/store.ts'
import { isNamedLikeApp } from '../token/issue.ts'
import { DEVICE_PATH } from './paths.ts'
import { readUserCode, shownUserCode, userCodeId } from './user-code.ts'

/** GET /oauth/device: asks a signed-in user for the code, and then whether the device may act for them (RFC 8628 §3.3). */
export async function showDevice(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config, principal, services } = context
  const typed = optional(readParams(request.query), 'user_code')
  // Only who is signed in can try codes, so that each of them can be counted.
  if (!principal) return toLogin(context, DEVICE_PATH, new URLSearchParams(typed === undefined ? {} : { user_code: typed }))

  const setting = pageSettingFor(request, services)
  const action = `${config.mountPath}${DEVICE_PATH}`
  const asJson = request.headers.accept?.includes('application/json') ?? false
  if (typed === undefined && !asJson) return deviceCodePage({ action, wrong: false }, setting)
  const waiting = await findWaiting(typed ?? '', { ...context, principal })
  if (!waiting && asJson) throw notWaiting()
  if (!waiting) return deviceCodePage({ action, wrong: true }, setting)

  const stepId = request.query.get(STEP_ID)
  const silent = asJson ? stepFirst(DEVICE_PATH) : null
  const through = config.steps ? await throughSteps(steppedDevice(waiting, silent), stepId, { ...context, principal }) : null
  if (through && 'status' in through) return through
  const user = through?.principal ?? principal
  const found = await underPolicy(waiting, { ...context, principal: user })

  const formId = await makeForm({ ...context, principal })
  const scopes = scopeFacts(found.scopes, config.scopes, setting.language)
  if (asJson) return json(200, jsonOf(found, formId, scopes))
  const view: DeviceView = {
    // What was passed is spent by the answer.
    action: withParams(action, { [STEP_ID]: through?.entry ? stepId : null }),
    formId,
    app: found.app,
    code: shownUserCode(found.code),
    user: user.displayName ?? null,
    accountName: user.accountName ?? null,
    orgName: user.orgName ?? null,
    scopes,
    staysConnected: found.scopes.includes(OFFLINE_ACCESS),
    resources: found.entry.data.audience ?? [],
    askedAt: found.entry.data.askedAt,
    ip: found.entry.data.ip,
  }
  return devicePage(view, setting)
}

/** POST /oauth/device: the user's answer. A form gets a page; JSON gets what was answered. */
export async function decideDevice(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const params = requireForm(request)
  if (!(await isOwnForm(one(params, 'form_id'), context)))
    throw new OAuthError('access_denied', 'this page was not shown to you: open it again', { status: 403, expired: true })
  const pressedAllow = readAnswer(params)
  const found = await findWaiting(one(params, 'user_code'), context, 'answered too')
  if (!found) throw notWaiting()
  const { config } = context
  // Whoever does not agree passes no step, and the policy is not asked.
  if (!pressedAllow) return answerDevice(request, found, null, context)
  const chosen = chosenScopes(params, found.scopes, config)
  if (config.steps === null) return answerDevice(request, await underPolicy(found, context), chosen, context)
  const silent = request.body.kind === 'json' ? stepFirst(DEVICE_PATH) : null
  const through = await throughSteps(steppedDevice(found, silent), request.query.get(STEP_ID), context)
  if ('status' in through) return { ...through, status: 303 }
  const signedIn = { ...context, principal: through.principal }
  const allowed = await underPolicy(found, signedIn)
  if (await spendSteps(through, context)) return orGiveBack(answerDevice(request, allowed, chosen, signedIn), through, context)
  const decision = await context.store.oneTime.peek('device_decision', found.entry.id)
  const { granted, scopes } = decisionOf(allowed, chosen)
  requireSame(decision, { granted, scopes, userId: context.principal.userId })
  return answered(request, found, granted, context)
}

/** The steps of a device's request: the browser comes back to the page with its code. */
function steppedDevice({ app, code, entry, scopes }: Waiting, silent: OAuthError | null): SteppedRequest {
  return {
    acrValues: [],
    app,
    audience: entry.data.audience,
    scopes,
    hints: new Map(),
    digest: sha256(JSON.stringify(['device', entry.id])),
    path: withParams(DEVICE_PATH, { user_code: shownUserCode(code) }),
    silent,
  }
}

/** What the user's choice comes to; null: they denied. As on the consent page, to allow nothing of what is optional is to deny. */
function decisionOf(
  found: Waiting,
  chosen: readonly string[] | null,
): Pick<OneTimeData['device_decision'], 'granted' | 'scopes'> {
  if (chosen === null) return { granted: false, scopes: found.scopes }
  const scopes = narrow(chosen, found.scopes)
  return { granted: isSomething(scopes), scopes }
}

/** Stores the answer, once, and says so. */
async function answerDevice(
  request: HttpRequest,
  found: Waiting,
  chosen: readonly string[] | null,
  context: SignedInContext,
): Promise<HttpResponse> {
  const { events, now, principal, services, store } = context
  const { app, entry } = found
  const { granted, scopes } = decisionOf(found, chosen)
  const { orgId, userId } = principal
  const declined = found.scopes.filter(name => !scopes.includes(name))
  const by = { at: now, clientId: wireId(app), orgId, userId }

  // Before the consent is recorded: it must not say more than what the device was given.
  if (found.decision) requireSame(found.decision, { granted, scopes, userId })
  if (granted) {
    if (await isNamedLikeApp(userId, app, context)) throw new OAuthError('access_denied', 'this user cannot authorize apps')
    await services.limits.count('codes', [orgId, userId, app.id], store)
    // No box was ticked beforehand: what was allowed elsewhere is not taken back here.
    await recordConsent({ app, scopes, declined, unticked: [] }, context)
  }
  const kept = contextOf({ audience: entry.data.audience, claims: NO_CLAIMS, nonce: null, scopes }, principal)
  if (granted) await keepSession({ app, scopes }, kept, principal, store)
  const decision: OneTime<'device_decision'> = {
    kind: 'device_decision',
    id: entry.id,
    expiresAt: entry.expiresAt,
    data: {
      granted,
      userId,
      orgId,
      grantId: newGrantId(app.id),
      scopes,
      context: kept,
      epoch: app.epoch,
      answeredAt: now,
    },
  }
  const announce = () =>
    granted
      ? events.emit({ type: 'consent_granted', ...by, scopes, declined })
      : events.emit({ type: 'consent_denied', ...by, scopes: found.scopes })
  const first = await store.oneTime.claim(decision, randomId(16)).catch(error => {
    // The repetition may find the device answered, and then emits nothing.
    if (isUnknownOutcome(error)) announce()
    throw error
  })
  if (first) announce()
  else requireSame(await store.oneTime.peek('device_decision', entry.id), { granted, scopes, userId })
  return answered(request, found, granted, context)
}

function answered(request: HttpRequest, { app }: Waiting, granted: boolean, { services }: Context): HttpResponse {
  if (request.body.kind === 'json') return json(200, { granted })
  return deviceAnsweredPage({ app: app.name, granted }, pageSettingFor(request, services))
}

/** Lets a second click have the answer of the first. Throws OAuthError where somebody has answered otherwise. */
function requireSame(
  decided: OneTime<'device_decision'> | undefined,
  { granted, scopes, userId }: Pick<OneTimeData['device_decision'], 'granted' | 'scopes' | 'userId'>,
): void {
  if (decided?.data.userId !== userId || decided.data.granted !== granted) throw notWaiting()
  if (granted && !isDeepStrictEqual(decided.data.scopes, scopes)) throw notWaiting()
}

interface Waiting {
  readonly code: string
  readonly entry: OneTime<'device'>
  readonly app: App
  /** What the app may still have of what the device asked for. */
  readonly scopes: readonly string[]
  /** The answer that the device has already. */
  readonly decision: OneTime<'device_decision'> | undefined
}

/**
 * Finds the device behind a code, as long as it waits for its user; with `answered too`, also one that has its answer. Each look
 * counts, so that one user can guess a few codes and no more. Rejects with RateLimitError or StoreError.
 */
async function findWaiting(
  typed: string,
  { config, now, principal, services, store }: SignedInContext,
  which?: 'answered too',
): Promise<Waiting | undefined> {
  await services.limits.count('userCodes', [principal.orgId, principal.userId], store)
  const code = readUserCode(typed)
  const index = code === undefined ? undefined : await store.oneTime.peek('device_user', userCodeId(code))
  if (code === undefined || !index) return undefined
  const { deviceId } = index.data
  const [entry, decision] = await Promise.all([
    store.oneTime.peek('device', deviceId),
    store.oneTime.peek('device_decision', deviceId),
  ])
  if (!entry || now >= entry.data.answerUntil || (decision && which === undefined)) return undefined
  const app = await store.apps.get(entry.data.appId)
  if (app?.status !== 'active' || app.epoch !== entry.data.epoch) return undefined
  return { code, entry, app, scopes: stillAllowed(entry.data.scopes, app, config), decision }
}

/** The same with the scopes that the host's policy leaves. Rejects with OAuthError where the host denies them. */
async function underPolicy(waiting: Waiting, context: SignedInContext): Promise<Waiting> {
  if (context.config.policy === null) return waiting
  const { app, entry, scopes } = waiting
  return { ...waiting, scopes: await scopesToAsk({ app, audience: entry.data.audience, scopes }, context) }
}

function notWaiting(): OAuthError {
  return new OAuthError('invalid_request', 'no device waits with this code (any more): start again on the device', {
    expired: true,
  })
}

function readAnswer(params: Params): boolean {
  const answer = one(params, 'consent')
  if (answer !== 'granted' && answer !== 'denied') throw new OAuthError('invalid_request', 'consent must be granted or denied')
  return answer === 'granted'
}

function jsonOf({ app, code, entry, scopes: asked }: Waiting, formId: string, scopes: readonly ScopeFacts[]): object {
  return {
    user_code: shownUserCode(code),
    form_id: formId,
    client: { client_id: wireId(app), name: app.name, description: app.description, ...app.profile },
    scopes,
    offline_access: asked.includes(OFFLINE_ACCESS),
    resources: entry.data.audience ?? [],
    asked_at: new Date(entry.data.askedAt).toISOString(),
    ip: entry.data.ip,
  }
}
