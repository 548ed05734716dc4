import { randomId, sha256 } from '../base/crypto.ts'
import { wireId } from '../base/ids.ts'
import { sessionName } from '../base/session.ts'
import { OAuthError, TargetedError } from '../errors/oauth-error.ts'
import { StoreError } from '../errors/store-error.ts'
import type { Params } from '../http/params.ts'
import { redirect } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import type { SignedInContext } from '../options/context.ts'
import type { Principal } from '../options/principal.ts'
import type { OneTime, PassedStepData, StepsData } from '../store/store.ts'
import { countScreen } from './count-screen.ts'
import { type CheckedStep, hostSteps, MAX_STEPS, type Stepped } from './host-steps.ts'
import { afterLogin, fingerprint, LOGIN_PROOF, renewProof } from './login.ts'
import { reopen } from './reopen.ts'
import type { AuthorizationRequest } from './request.ts'

/*
 * Pages of the host's between login and consent. What sends a browser to one is an entry, bound to the user, the session and the
 * request; only the host's server passes it (`pass-step.ts`). The browser carries the id of its entry there and back: it says where
 * to look, and proves nothing. Each entry has the steps that were passed before it, and is used once, when the browser comes back.
 */

/** The parameter with the id of a step: for the host's page, and on the way back. */
export const STEP_ID = 'step_id'

/** Long enough to find a phone, or to read terms. */
const STEP_MS = 600_000

/** Pages' hints: parameters of the request that are passed on to a step unchanged. */
const HINTS = ['client_id', 'acr_values', 'max_age', 'login_hint', 'ui_locales'] as const

/** Lists the steps that a request needs, once these were passed. Whoever requires a step adds it to such a list. */
export type WantedSteps = (asked: Stepped, passed: readonly string[], context: SignedInContext) => Promise<readonly CheckedStep[]>

/** A request that may have steps: it leads a browser to them, and takes it back. */
export interface SteppedRequest extends Stepped {
  /** A digest of the request, to which what was passed is bound. */
  readonly digest: string
  /** Where the browser comes back: a path below the mount path, with a query. */
  readonly path: string
  /** What is added to that query where the browser comes back from a step. Null: nothing. */
  readonly proof?: () => Promise<string | null>
  /** Parameters of the request that are passed on to a step. */
  readonly hints: Params
  /** The error in place of a page, where the request allows none. */
  readonly silent: OAuthError | null
}

/** The steps of an authorization request. */
export function steppedRequest(
  asked: AuthorizationRequest,
  request: Pick<HttpRequest, 'ip' | 'query'>,
  context: SignedInContext,
): SteppedRequest {
  const { acrValues, app, audience, params: hints, prompt, scopes } = asked
  return {
    acrValues,
    app,
    audience,
    scopes,
    hints,
    digest: fingerprint(asked),
    path: `/oauth/authorize?${afterLogin(asked)}`,
    proof: () => renewProof(asked, request, context),
    silent: prompt.has('none') ? new TargetedError(asked, 'interaction_required', NO_PAGE) : null,
  }
}

const NO_PAGE = "the user must pass a step of the host's, and the request does not allow it to ask"

/** A request whose steps have all been passed. */
export interface ThroughSteps {
  /** The user as the steps say: perhaps in another organisation, with what they have shown of themselves. */
  readonly principal: Principal
  /** What the steps say; null: there were none. */
  readonly said: StepsData | null
  /** The entry of the last step, which {@link spendSteps} spends; null: every step was remembered. */
  readonly entry: OneTime<'step'> | null
}

/**
 * Goes on where every step of a request was passed; else returns the redirect to the first that was not. `stepId` is what the browser
 * carries.
 * Rejects with `silent` of the request where it allows no page, with RateLimitError, with StoreError, or as the host's function does.
 */
export async function throughSteps(
  asked: SteppedRequest,
  stepId: string | null,
  context: SignedInContext,
  wanted: WantedSteps = hostSteps,
): Promise<ThroughSteps | HttpResponse> {
  const found = await findSteps(asked, stepId, context, wanted)
  const { entry, missing, passed, principal } = found
  if (!missing) return { principal, said: passed.length > 0 ? fold(passed) : null, entry }
  if (asked.silent) throw asked.silent
  return toStep(asked, { ...found, missing }, context)
}

/** The error of a request in JSON whose user must pass a step, for which they need a browser. */
export function stepFirst(path: string): OAuthError {
  return new OAuthError('interaction_required', `the user must pass a step of the host's first: begin with GET ${path}`, {
    status: 403,
  })
}

/** Spends what the steps of a request were passed for. False if another request has: the steps are then to be passed again. */
export async function spendSteps(
  { entry }: Pick<ThroughSteps, 'entry'>,
  { store }: Pick<SignedInContext, 'store'>,
): Promise<boolean> {
  return entry === null || ((await store.oneTime.consume('step', entry.id, randomId(16)))?.first ?? false)
}

/**
 * Settles as `going` does, for which steps were spent. Gives them back first where the store failed, so that the same address can be
 * opened again.
 */
export async function orGiveBack<T>(
  going: Promise<T>,
  { entry }: Pick<ThroughSteps, 'entry'>,
  context: Pick<SignedInContext, 'config' | 'store'>,
): Promise<T> {
  try {
    return await going
  } catch (error) {
    if (entry && error instanceof StoreError) await reopen(entry, context)
    throw error
  }
}

/** Begins a request anew, without the steps that were passed for it. */
export function startOver(asked: AuthorizationRequest, { config }: Pick<SignedInContext, 'config'>): HttpResponse {
  return redirect(302, `${config.mountPath}/oauth/authorize?${afterLogin(asked)}`)
}

/** The user as passed steps say. Who is an admin of one organisation is none of another. */
export function asPassed(principal: Principal, { acr, amr, orgId: chosen }: StepsData): Principal {
  const { accountName, displayName, isAdmin, orgId, orgName, sessionId, authTime, userId } = principal
  const methods = [...new Set([...(principal.amr ?? []), ...amr])]
  return {
    ...principal,
    // An instance of a class may have these as accessors, which a spread does not copy.
    ...{ userId, accountName, displayName, sessionId, authTime },
    orgName: (chosen ?? orgId) === orgId ? orgName : undefined,
    orgId: chosen ?? orgId,
    isAdmin: isAdmin && (chosen ?? orgId) === orgId,
    acr: acr ?? principal.acr,
    amr: methods.length > 0 ? methods : principal.amr,
  }
}

/** The id under which a step is remembered. */
export function rememberedId(userId: string, session: string, name: string): string {
  return sha256(JSON.stringify(['step', userId, session, name]))
}

interface FoundSteps {
  readonly principal: Principal
  readonly passed: readonly PassedStepData[]
  readonly missing: CheckedStep | undefined
  /** The entry with which the browser came back. */
  readonly entry: OneTime<'step'> | null
}

/** Finds out which steps were passed, and the first that was not. */
async function findSteps(
  asked: SteppedRequest,
  stepId: string | null,
  context: SignedInContext,
  wanted: WantedSteps,
): Promise<FoundSteps> {
  const { passed: before, entry } = stepId === null ? NOTHING : await comeBack(asked, stepId, context)
  const passed = [...before]
  const list = async () => {
    const principal = passed.length > 0 ? asPassed(context.principal, fold(passed)) : context.principal
    const names = passed.map(({ name }) => name)
    return { principal, steps: await wanted(asked, names, { ...context, principal }) }
  }
  let { principal, steps } = await list()
  while (passed.length <= MAX_STEPS) {
    const missing = steps.find(({ name }) => !passed.some(one => one.name === name))
    const remembered = missing && (await findRemembered(missing, context))
    if (!remembered) return { principal, passed, missing, entry }
    passed.push(remembered)
    // What is needed next may depend on what was remembered, such as an organisation.
    ;({ principal, steps } = await list())
  }
  throw new TypeError(`steps names more than ${MAX_STEPS} steps for one request`)
}

const NOTHING = Object.freeze({ passed: [], entry: null })

/** Reads the entry with which a browser comes back. Nothing of another user, session or request counts. */
async function comeBack(
  asked: SteppedRequest,
  stepId: string,
  { principal, store }: SignedInContext,
): Promise<{ readonly passed: readonly PassedStepData[]; readonly entry: OneTime<'step'> | null }> {
  const id = sha256(stepId)
  const [entry, passed] = await Promise.all([store.oneTime.peek('step', id), store.oneTime.peek('passed_step', id)])
  if (entry?.data.userId !== principal.userId || entry.data.session !== sessionName(principal.sessionId)) return NOTHING
  if (entry.data.request !== asked.digest) return NOTHING
  return { passed: passed ? [...entry.data.passed, passed.data] : entry.data.passed, entry }
}

async function findRemembered(
  { name, rememberSeconds }: CheckedStep,
  { now, principal, store }: SignedInContext,
): Promise<PassedStepData | undefined> {
  const session = sessionName(principal.sessionId)
  if (rememberSeconds === 0 || session === null) return undefined
  const found = await store.oneTime.peek('passed_step', rememberedId(principal.userId, session, name))
  // The host may want it fresher for this request than for the one for which it was passed.
  return found && now - found.data.at < rememberSeconds * 1000 ? found.data : undefined
}

/** Redirects to a step, with a new entry. */
async function toStep(
  asked: SteppedRequest,
  { entry, missing, passed, principal }: FoundSteps & { readonly missing: CheckedStep },
  context: SignedInContext,
): Promise<HttpResponse> {
  const { config, events, now, store } = context
  await countScreen(['step', asked.app.id], context)
  const proof = (await asked.proof?.()) ?? null
  const back = withParams(asked.path, { [LOGIN_PROOF]: proof })
  if (!(await spendSteps({ entry }, context))) return redirect(302, `${config.mountPath}${asked.path}`)

  const { orgId, userId } = principal
  const { name, page, rememberSeconds } = missing
  const stepId = randomId(32)
  const clientId = wireId(asked.app)
  const data = {
    userId,
    orgId,
    session: sessionName(principal.sessionId),
    clientId,
    request: asked.digest,
    name,
    rememberSeconds,
    back,
    passed,
  }
  const opening = store.oneTime.put({ kind: 'step', id: sha256(stepId), expiresAt: now + STEP_MS, data })
  await orGiveBack(opening, { entry }, context)
  events.emit({ type: 'step_required', at: now, clientId, orgId, userId, step: name })
  const hints = HINTS.map(hint => [hint, asked.hints.get(hint) ?? null] as const)
  return redirect(
    302,
    withParams(page, { [STEP_ID]: stepId, returnTo: returnAddress(back, stepId, config), ...Object.fromEntries(hints) }),
  )
}

/** The address at which a browser comes back from a step: `back` of its entry, with its id. */
export function returnAddress(back: string, stepId: string, { mountPath }: { readonly mountPath: string }): string {
  return `${mountPath}${withParams(back, { [STEP_ID]: stepId })}`
}

/** What several steps say together: the last that says something counts; methods add up. */
function fold(passed: readonly PassedStepData[]): StepsData {
  const last = <Name extends 'orgId' | 'acr'>(name: Name) => passed.findLast(step => step[name] !== null)?.[name] ?? null
  return { orgId: last('orgId'), acr: last('acr'), amr: [...new Set(passed.flatMap(({ amr }) => amr))] }
}
