import { wireId } from '../base/ids.ts'
import { sidOf } from '../base/session.ts'
import { OFFLINE_ACCESS } from '../clients/allowed-scopes.ts'
import { consentsOf } from '../connected-apps/withdraw.ts'
import { isUnknownOutcome } from '../errors/store-error.ts'
import { markSignedOut } from '../oidc/app-sessions.ts'
import { isTold, type Notice, tellApps } from '../oidc/back-channel-logout.ts'
import { grantContext } from '../oidc/grant-context.ts'
import type { Context } from '../options/context.ts'
import { announced } from '../store/announced.ts'
import type { Consent, Grant } from '../store/store.ts'

/** A login session of the host's that has ended. */
export interface SessionToEnd {
  /** The user, as `authenticate` names them. */
  readonly userId: string
  /** The session, as `authenticate` names it. Left out: every session of the user. */
  readonly sessionId?: string
}

/** What the end of a session came to. */
export interface EndedSession {
  /** How many grants ended with it. */
  readonly revoked: number
  /** The apps that have confirmed that the user is signed out, by `client_id`. */
  readonly told: readonly string[]
  /** Those that have not, or not yet: events say what becomes of each. */
  readonly untold: readonly string[]
}

/** A session as grants and apps know it; without `sid`, every session of the user. */
interface Session {
  readonly userId: string
  readonly sid: string | null
}

/** Reads what the host has given. Throws TypeError for ids that cannot be any. */
export function readSession(session: SessionToEnd): Session {
  const { sessionId, userId } = session
  if (typeof userId !== 'string' || userId === '') throw new TypeError('endSession needs the id of a user')
  // An id that the host has lost must not sign the user out everywhere.
  if ('sessionId' in session && (typeof sessionId !== 'string' || sessionId === ''))
    throw new TypeError('sessionId must be the id of a session: leave it out to end every session of the user')
  return { userId, sid: sidOf(sessionId) }
}

/**
 * Ends a session for the apps: no code of it becomes a grant any more, its grants without `offline_access` end, and the apps are
 * told. Rejects with StoreError; some grants may then have ended, nobody has been told, and the call can be repeated.
 */
export async function endSession(session: Session, context: Context): Promise<EndedSession> {
  const { config, events, store } = context
  const { sid, userId } = session
  const announce = (revoked: number | null) => events.emit({ type: 'session_ended', at: config.now(), userId, sid, revoked })
  let grants: SessionGrants
  let notices: readonly Notice[]
  try {
    const consents = await consentsOf({ userId }, context)
    // First what keeps codes from becoming grants, then the sweep of the grants that there are.
    await allOf(consents, consent => markSignedOut(consent, { sid, at: config.now() }, store))
    grants = await endGrants(session, context)
    notices = await noticesOf(session, { consents, grants }, context)
  } catch (error) {
    // Some grants may have ended, whichever call failed.
    if (isUnknownOutcome(error)) announce(null)
    throw error
  }
  const { revoked } = grants
  if (revoked > 0 || notices.length > 0) announce(revoked)
  return { revoked, ...(await tellApps(notices, context)) }
}

interface SessionGrants {
  readonly revoked: number
  /** The grants that were there, with those that live on. */
  readonly all: readonly Grant[]
}

const PAGE = 500

/** A refresh moves its grant to the front of the list while that is read, so it is read until nothing more is found. */
const MAX_PASSES = 5

async function endGrants(session: Session, context: Context): Promise<SessionGrants> {
  const { config, events, store } = context
  const { now } = config
  const all = new Map<string, Grant>()
  let revoked = 0
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const found = (await grantsOf(session, context)).filter(({ id }) => !all.has(id))
    if (found.length === 0) break
    for (const grant of found) all.set(grant.id, grant)
    const ending = found.filter(({ scopes }) => !scopes.includes(OFFLINE_ACCESS))
    const names = await namesOf(ending, context)
    await allOf(ending, async ({ appId, id: grantId, orgId, userId }) => {
      const about = { at: now(), clientId: names.get(appId) ?? appId, grantId, orgId, userId }
      const announce = () => events.emit({ type: 'session_grant_ended', ...about })
      if (await announced(store.grants.revoke(grantId), announce)) revoked++
    })
  }
  return { revoked, all: [...all.values()] }
}

/** The live grants that were made in the session. */
async function grantsOf({ sid, userId }: Session, { store }: Context): Promise<readonly Grant[]> {
  const grants = new Map<string, Grant>()
  let after: string | null | undefined
  while (after !== null) {
    const page = await store.grants.listTokens({ userId, limit: PAGE, ...(after === undefined ? {} : { after }) })
    for (const { grant } of page.items) if (sid === null || grantContext(grant.context).sid === sid) grants.set(grant.id, grant)
    after = page.next
  }
  return [...grants.values()]
}

async function namesOf(grants: readonly Grant[], { store }: Context): Promise<ReadonlyMap<string, string>> {
  const appIds = [...new Set(grants.map(({ appId }) => appId))]
  const apps = await allOf(appIds, appId => store.apps.get(appId))
  return new Map(apps.flatMap(app => (app ? [[app.id, wireId(app)]] : [])))
}

/**
 * Which apps are told of which sessions: those at which the user has signed in with this server. Where no session of an app is
 * recorded at all, it is told of any: it has its `backchannelLogoutUri` only since a moment ago, and may know the session.
 */
async function noticesOf(
  session: Session,
  { consents, grants }: { readonly consents: readonly Consent[]; readonly grants: SessionGrants },
  { services, store }: Context,
): Promise<readonly Notice[]> {
  if (!services.logoutClient) return []
  const { sid, userId } = session
  const notices = await allOf(consents, async (consent): Promise<Notice | undefined> => {
    if (!consent.scopes.includes('openid')) return undefined
    const isConcerned = sid === null || consent.sessions === undefined || consent.sessions.includes(sid)
    const app = isConcerned ? await store.apps.get(consent.appId) : undefined
    if (!app || !isTold(app)) return undefined
    if (sid !== null) return { app, userId, sids: [sid], covered: [sid] }
    const known = sessionsOf(consent, grants)
    if (!app.backchannelLogoutSessionRequired) return { app, userId, sids: [null], covered: known }
    // Each by its name. Where there are none because all have been told, there is nothing to tell.
    if (known.length > 0) return { app, userId, sids: known, covered: [] }
    return consent.sessions === undefined ? { app, userId, sids: [null], covered: [] } : undefined
  })
  return notices.filter(notice => notice !== undefined)
}

/**
 * The sessions in which the app has signed the user in. Where none is recorded, because the app has its `backchannelLogoutUri` only
 * since then, the live grants say some.
 */
function sessionsOf({ appId, sessions }: Consent, { all }: SessionGrants): readonly string[] {
  if (sessions) return sessions
  const own = all.filter(grant => grant.appId === appId && grant.scopes.includes('openid'))
  const sids = own.map(({ context }) => grantContext(context).sid).filter(sid => sid !== null)
  return [...new Set(sids)]
}

/** Like `Promise.all`, but on failure waits for all: nothing may be under way when a caller hears that it failed. */
async function allOf<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<readonly R[]> {
  const ends = await Promise.allSettled(items.map(run))
  const failed = ends.find(end => end.status === 'rejected')
  if (failed) throw failed.reason
  return ends.map(end => (end as PromiseFulfilledResult<R>).value)
}
