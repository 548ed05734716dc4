import { sha256 } from '../base/crypto.ts'
import { callHook, isTrue } from '../base/hooks.ts'
import { wireId } from '../base/ids.ts'
import type { EpochMs } from '../base/time.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { isUnknownOutcome } from '../errors/store-error.ts'
import type { Context, SignedInContext } from '../options/context.ts'
import { announced } from '../store/announced.ts'
import type { AdmissionState, App, Consent, ConsentOwner, Grant } from '../store/store.ts'
import { isSelfRegistered } from './find-client.ts'
import { describeUnknown, keepClientUntil, keptUntil, shownName } from './self-registered.ts'

/*
 * Whether an organisation lets a client in that nobody registered by hand. What its admins have decided, or that its users use
 * the client, is one record of the organisation and the client; its epoch is raised to end what the client holds there. Requests
 * that wait for an admin are records apart, few and soon forgotten.
 */

/** How many requests wait at most: the oldest goes. */
export const MAX_PENDING = { organization: 50, user: 5 }

/** How long a request waits for an admin, in milliseconds. */
const PENDING_MS = 30 * 86_400_000
/** How long the mark of a request that is done stays, in milliseconds. */
const DONE_MS = 60_000

const TRIES = 20

/** Names the owner of the requests of an organisation that wait: longer than the id of any organisation, so that none is named so. */
export function pendingOf(orgId: string): ConsentOwner {
  return { orgId: sha256(JSON.stringify(['pending', orgId])).padEnd(256, '.') }
}

/**
 * Lets a user go on to a client, or not: what their organisation has decided counts, then the option `clients.admission`. An app
 * that was registered by hand needs no admission.
 * Rejects with OAuthError `access_denied` that a page shows, or with StoreError.
 */
export async function requireAdmission(app: App, scopes: readonly string[], context: SignedInContext): Promise<void> {
  if (!isSelfRegistered(app)) return
  const { principal, store } = context
  const record = await store.consents.get({ orgId: principal.orgId }, app.id)
  const state = record?.state
  if (state === 'refused') throw refused(app)
  const { clients } = context.config
  const admission = clients?.admission ?? 'everyone'
  if (admission === 'organization' && state !== 'allowed') {
    await request(app, scopes, context)
    throw notYet(app)
  }
  if (typeof admission === 'function') {
    const ask = () => admission(describeUnknown(app), principal)
    if (!(await callHook('clients.admission', ask, isTrue, context.config))) throw refused(app)
  }
}

function refused(app: App): OAuthError {
  return new OAuthError('access_denied', 'the organisation of this user does not let this client in', {
    status: 403,
    told: { message: 'refusedByOrganization', app: shownName(app) },
  })
}

function notYet(app: App): OAuthError {
  return new OAuthError('access_denied', 'an admin of the organisation of this user must allow this client first', {
    status: 403,
    told: { message: 'awaitsAdmission', app: shownName(app) },
  })
}

/**
 * Notes that a user of this organisation has let the client in, unless there is a record already, so that admins see it. Resolves
 * to the epoch that the grant keeps. Rejects as {@link requireAdmission} does where an admin has refused the client meanwhile.
 */
export async function useAdmission(app: App, scopes: readonly string[], context: SignedInContext): Promise<number> {
  if (!isSelfRegistered(app)) return 0
  const { config, now, principal, store } = context
  const owner = { orgId: principal.orgId }
  for (let tries = 0; tries < TRIES; tries++) {
    const record = await store.consents.get(owner, app.id)
    if (record?.state === 'refused') throw refused(app)
    const { least, next } = keptUntil(now, app, config)
    const hasAll = record !== undefined && scopes.every(name => record.scopes.includes(name))
    const isKept = hasAll && record.lastUsedAt !== undefined && (record.expiresAt ?? Number.POSITIVE_INFINITY) >= least
    if (isKept) return record.epoch ?? 0
    const all = [...new Set([...(record?.scopes ?? []), ...scopes])]
    const first = { owner, appId: app.id, grantedAt: now, firstSeenAt: now, state: 'used', epoch: now, version: 0 } as const
    const known = record ?? first
    const saved: Consent = { ...known, scopes: all, lastUsedAt: now, expiresAt: next, version: known.version + 1 }
    if (await store.consents.save(saved)) return saved.epoch ?? 0
  }
  throw tooMany()
}

/**
 * Tells whether the admission of a grant still stands: an admin has neither refused the client nor ended what it held. Keeps the
 * records of those who have let the client in, because it is in use. Rejects with StoreError.
 */
export async function keepAdmission(
  app: App,
  { context: request, orgId, userId }: Pick<Grant, 'context' | 'orgId' | 'userId'>,
  context: Context,
): Promise<boolean> {
  if (!isSelfRegistered(app)) return true
  const [record] = await Promise.all([
    keepConsent({ orgId }, app, context),
    userId === null ? undefined : keepConsent({ userId }, app, context),
  ])
  return record !== undefined && record.state !== 'refused' && record.epoch === request.admission
}

/** Reads a consent, and moves the end of its record if that is near. */
async function keepConsent(owner: ConsentOwner, app: App, { config, now, store }: Context): Promise<Consent | undefined> {
  for (let tries = 0; tries < TRIES; tries++) {
    const record = await store.consents.get(owner, app.id)
    const { least, next } = keptUntil(now, app, config)
    // A withdrawn consent is not kept.
    if (record?.expiresAt === undefined || record.expiresAt >= least || record.scopes.length === 0) return record
    const used = record.state === undefined ? {} : { lastUsedAt: now }
    if (await store.consents.save({ ...record, ...used, expiresAt: next, version: record.version + 1 })) return record
  }
  throw tooMany()
}

/**
 * Since when consents to an app count. A client that nobody registered begins anew when its record was forgotten, when the host
 * has blocked it or when an admin has ended what it held: its users are then asked again. 0 for any other app.
 */
export async function consentsCountSince(app: App, orgId: string, { store }: Context): Promise<EpochMs> {
  if (!isSelfRegistered(app)) return 0
  return Math.max(app.epoch, (await store.consents.get({ orgId }, app.id))?.epoch ?? 0)
}

/** Leaves a request for the admins, if there is none of this client already, and drops the oldest of too many. */
async function request(app: App, scopes: readonly string[], context: SignedInContext): Promise<void> {
  const { events, now, principal, services, store } = context
  const { orgId, userId } = principal
  const owner = pendingOf(orgId)
  const current = await store.consents.get(owner, app.id)
  if (current && current.scopes.length > 0) return
  await services.limits.count('screens', [orgId, userId, 'admission'], store)
  const version = (current?.version ?? 0) + 1
  const expiresAt = now + PENDING_MS
  const since = { grantedAt: now, firstSeenAt: now, expiresAt }
  const record: Consent = { owner, appId: app.id, scopes, state: 'pending', askedBy: userId, version, ...since }
  // First: an admin can decide about no client whose record is gone.
  await keepClientUntil(app, expiresAt, context)
  const announce = () => events.emit({ type: 'admission_requested', at: now, clientId: wireId(app), orgId, userId })
  if (!(await announced(store.consents.save(record), announce))) return
  const { items } = await store.consents.list(owner, { limit: 2 * MAX_PENDING.organization })
  const oldestFirst = items.toSorted((a, b) => a.grantedAt - b.grantedAt)
  const own = oldestFirst.filter(({ askedBy }) => askedBy === userId)
  const over = [
    ...own.slice(0, Math.max(0, own.length - MAX_PENDING.user)),
    ...oldestFirst.slice(0, Math.max(0, oldestFirst.length - MAX_PENDING.organization)),
  ]
  await Promise.all([...new Set(over)].map(one => drop(one, context)))
}

/** Removes a request that waits. One that another caller is changing stays. */
async function drop(record: Consent, { now, store }: Context): Promise<void> {
  await store.consents.save({ ...record, scopes: [], expiresAt: now + DONE_MS, version: record.version + 1 })
}

/** Who decides for an organisation. */
export interface Decider {
  /** The organisation. 1–255 characters. */
  readonly orgId: string
  /** The admin who decides, for the audit event. 1–255 characters. */
  readonly userId: string
}

/** What an admin decides: the client may come, may not, or may but loses what it holds. */
export type Decision = 'allow' | 'refuse' | 'end'

const STATE_OF: Readonly<Record<Exclude<Decision, 'end'>, AdmissionState>> = { allow: 'allowed', refuse: 'refused' }

/** Reads what an organisation knows of a client: a decision, or a request that waits. */
export async function findAdmission(orgId: string, appId: string, { store }: Context): Promise<Consent | undefined> {
  const [decided, waiting] = await Promise.all([
    store.consents.get({ orgId }, appId),
    store.consents.get(pendingOf(orgId), appId),
  ])
  const pending = waiting && waiting.scopes.length > 0 ? waiting : undefined
  return decided ?? pending
}

/**
 * Records what an admin decides, and ends the client's grants in the organisation unless it is allowed. The record comes first:
 * a code that is redeemed meanwhile sees it. Resolves to how many grants ended.
 * Rejects with OAuthError `temporarily_unavailable` after too many conflicts, or with StoreError; the call can then be retried.
 */
export async function decideAdmission(app: App, decision: Decision, by: Decider, context: Context): Promise<number> {
  const { events, now, store } = context
  const { orgId, userId: actorId } = by
  const owner = { orgId }
  const announce = (revoked: number | null) => {
    const told = { at: now, clientId: wireId(app), orgId, actorId }
    if (decision === 'allow') events.emit({ type: 'admission_allowed', ...told })
    else events.emit({ type: decision === 'refuse' ? 'admission_refused' : 'admission_ended', ...told, revoked })
  }
  let isWritten = false
  try {
    await writeDecision(app, decision, owner, context)
    isWritten = true
    const waiting = await store.consents.get(pendingOf(orgId), app.id)
    if (waiting && waiting.scopes.length > 0 && decision !== 'end') await drop(waiting, context)
    // For the user who asked to come back.
    if (decision === 'allow') await keepClientUntil(app, now + PENDING_MS, context)
    const revoked = decision === 'allow' ? 0 : await store.grants.revokeMany({ appId: app.id, orgId })
    announce(revoked)
    return revoked
  } catch (error) {
    if (isWritten || isUnknownOutcome(error)) announce(null)
    throw error
  }
}

async function writeDecision(app: App, decision: Decision, owner: { readonly orgId: string }, context: Context): Promise<void> {
  const { config, now, store } = context
  for (let tries = 0; tries < TRIES; tries++) {
    const record = await store.consents.get(owner, app.id)
    const state = decision === 'end' ? (record?.state ?? 'used') : STATE_OF[decision]
    const { expiresAt: _, ...kept } = record ?? (await firstDecision(app, owner, context))
    // Raised even within one millisecond, and always to a moment: consents from before it count no more.
    const epoch = decision === 'allow' ? (record?.epoch ?? now) : Math.max(now, (record?.epoch ?? 0) + 1)
    const saved: Consent = {
      ...kept,
      grantedAt: now,
      state,
      epoch,
      version: kept.version + 1,
      // What an admin refuses stays refused.
      ...(state === 'refused' ? {} : { expiresAt: keptUntil(now, app, config).next }),
    }
    if (await store.consents.save(saved)) return
  }
  throw tooMany()
}

/** What a decision begins with where the organisation has no record: all that a client may ask for, since when it waits. */
async function firstDecision(app: App, owner: { readonly orgId: string }, { config, now, store }: Context): Promise<Consent> {
  const waiting = await store.consents.get(pendingOf(owner.orgId), app.id)
  const scopes = config.clients?.scopes ?? ['*']
  return { appId: app.id, owner, scopes, grantedAt: now, firstSeenAt: waiting?.firstSeenAt ?? now, version: 0 }
}

function tooMany(): OAuthError {
  return new OAuthError('temporarily_unavailable', 'the admission of this client is being changed all the time: try again')
}
