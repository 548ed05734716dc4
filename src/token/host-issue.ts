import { newGrantId } from '../base/ids.ts'
import { withTimeout } from '../base/timeout.ts'
import { findUserEnd } from '../bearer/end-grant.ts'
import { narrow, scopesForItself, scopesForUser, scopesOfApp, scopesWithoutUser } from '../clients/allowed-scopes.ts'
import { mayActForItself } from '../clients/client-facts.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { one } from '../http/params.ts'
import type { Context } from '../options/context.ts'
import type { IssueOrder } from '../options/grants.ts'
import type { App } from '../store/store.ts'
import type { TokenRequest } from './grant.ts'
import { invalidGrant } from './invalid-grant.ts'
import {
  hasRules,
  type Issued,
  isNamedLikeApp,
  makeTokens,
  requireSigningKeys,
  revokeUnanswered,
  storeGrant,
  type WantedTokens,
} from './issue.ts'
import { applyRules, type Ruled, spendNothing } from './rules.ts'

/** The tokens that a host's grant asks for, with the lifetimes that a class for the engine may shorten. */
export interface HostOrder extends IssueOrder {
  readonly refreshTokenSeconds?: number | undefined
}

/**
 * Issues what `order` resolves to: once, and only while the request waits for its grant. Its rejection needs no listener: a grant
 * may do something else before it awaits the tokens.
 */
export type Issue = (order: () => Promise<HostOrder>) => Promise<Issued>

/**
 * Runs a grant of the host's for at most `hookTimeoutMs`, and resolves to the tokens that it has had issued. One that fails, or is
 * late, leaves none: those it has had issued are revoked before the request is answered.
 */
export async function runForHost(
  name: string,
  judge: (issue: Issue) => Promise<unknown>,
  request: TokenRequest,
  context: Context,
): Promise<Issued> {
  let over = false
  let issuing: Promise<Issued> | undefined
  let storing: Promise<Issued> | undefined

  const requireTime = () => {
    if (over) throw new Error(`the grant ${name} wants tokens after its request has been answered`)
  }
  const issueFirst = async (ordered: () => Promise<HostOrder>): Promise<Issued> => {
    requireTime()
    const order = readOrder(name, await ordered(), request.app)
    const { userId } = order
    const before = userId === null ? undefined : await findUserEnd(userId, context)
    const made = await makeTokens(await wantedFor(order, request, context), context)
    // The last moment: what is stored from here on is revoked below if the time is over meanwhile.
    requireTime()
    storing = storeGrant(made, context)
    const issued = await storing
    // An end of the user's grants leaves its mark first and revokes then: whichever comes second sees the other.
    const after = userId === null ? undefined : await findUserEnd(userId, context)
    if (after !== undefined && after !== before) throw invalidGrant()
    return issued
  }
  const issue: Issue = order => {
    const issued = issuing ? Promise.reject(new TypeError(`the grant ${name} may issue tokens once`)) : issueFirst(order)
    issuing ??= issued
    return heard(issued)
  }

  try {
    const run = async () => {
      await judge(issue)
      if (!issuing) throw new TypeError(`the grant ${name} returned without issuing tokens`)
      return issuing
    }
    return await withTimeout(run, context.config.hookTimeoutMs, `the grant ${name}`)
  } catch (error) {
    over = true
    await storing?.then(
      issued => revokeUnanswered(issued, context),
      () => {},
    )
    throw error
  }
}

/** The same promise, whose rejection does not end the process where nobody listens. */
export function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/** Checks an order, and takes a copy that does not change. Throws TypeError for one that makes no sense. */
function readOrder(name: string, order: HostOrder, app: App): HostOrder {
  const { orgId, refreshable = false, scopes, userId } = order
  if (!isOwnerId(orgId) || !(userId === null || isOwnerId(userId)))
    throw new TypeError(`the grant ${name} must say whose it is: { userId, orgId }, each 1 to 255 characters, or userId null`)
  if (userId === null && orgId !== app.orgId)
    throw new TypeError(`the grant ${name} must name the app's own organisation where the app acts for itself`)
  if (scopes !== undefined && !(Array.isArray(scopes) && scopes.every(scope => typeof scope === 'string')))
    throw new TypeError(`the grant ${name} must order scopes as an array of strings`)
  return {
    orgId,
    userId,
    scopes: scopes && [...scopes],
    refreshable,
    accessTokenSeconds: lifetime(name, order.accessTokenSeconds),
    refreshTokenSeconds: lifetime(name, order.refreshTokenSeconds),
  }
}

/**
 * Makes the wanted tokens of an order. The host is trusted to say who the user is and nothing else: scopes and user are checked here,
 * whatever the grant has checked before. Rejects with OAuthError, or with StoreError.
 */
async function wantedFor(
  order: HostOrder,
  { app, audience, jkt, params }: TokenRequest,
  context: Context,
): Promise<WantedTokens> {
  const { accessTokenSeconds, orgId, refreshable, refreshTokenSeconds, userId } = order
  if (userId === null && !mayActForItself(app)) throw new OAuthError('unauthorized_client', 'this app acts for its users alone')
  if (userId !== null && (await isNamedLikeApp(userId, app, context)))
    throw new OAuthError('access_denied', 'this user cannot authorize apps')

  const { config, now: createdAt } = context
  const allowed = scopesOf(order, params.get('scope'), app, config)
  await requireSigningKeys({ audience, scopes: allowed }, context)
  const { epoch, id: appId } = app
  const carried = audience === null ? {} : { audience }
  let ruled: Ruled | undefined
  if (hasRules(userId, context)) {
    const of = { id: null, orgId, userId, createdAt: null, context: carried }
    const asked = { app, of, scopes: allowed, audience, grantType: one(params, 'grant_type') }
    ruled = await applyRules('token', asked, spendNothing, context)
  }
  const scopes = ruled?.scopes ?? allowed
  return {
    app,
    grant: { id: newGrantId(appId), appId, orgId, userId, scopes, createdAt, epoch, context: carried },
    scopes,
    audience,
    jkt,
    refreshable: refreshable === true && userId !== null,
    renewed: false,
    ruled,
    ...(accessTokenSeconds !== undefined && { accessTokenSeconds }),
    ...(refreshTokenSeconds !== undefined && { refreshTokenSeconds }),
  }
}

function scopesOf({ scopes, userId }: HostOrder, asked: string | undefined, app: App, config: Context['config']) {
  if (scopes === undefined) return userId === null ? scopesForItself(asked, app, config) : scopesForUser(asked, app, config)
  const allowed = userId === null ? scopesWithoutUser(app, config) : scopesOfApp(app, config)
  const ordered = [...new Set(scopes)]
  if (ordered.length === 0 || narrow(ordered, allowed).length < ordered.length)
    throw new OAuthError('invalid_scope', 'the grant orders scopes that this app may not have')
  return ordered
}

function lifetime(name: string, seconds: number | undefined): number | undefined {
  if (seconds === undefined) return undefined
  if (!(Number.isFinite(seconds) && seconds >= 1)) throw new TypeError(`the grant ${name} wants a token that has expired already`)
  return Math.floor(seconds)
}

function isOwnerId(id: unknown): id is string {
  return typeof id === 'string' && id.length > 0 && id.length <= 255
}
