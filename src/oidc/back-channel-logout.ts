import { setTimeout as sleep } from 'node:timers/promises'
import type { AuthmountEvent } from '../base/events.ts'
import { wireId } from '../base/ids.ts'
import { withTimeout } from '../base/timeout.ts'
import { isSelfRegistered } from '../clients/find-client.ts'
import type { Context } from '../options/context.ts'
import type { Outbound } from '../outbound/outbound.ts'
import { OutboundError } from '../outbound/outbound-url.ts'
import type { App } from '../store/store.ts'
import { currentKeys } from '../tokens/current-keys.ts'
import { mintLogoutToken } from '../tokens/logout-token.ts'
import type { SigningKey } from '../tokens/signing-key.ts'
import { forgetAppSessions } from './app-sessions.ts'
import { keyFor } from './id-token.ts'

/*
 * OpenID Connect Back-Channel Logout 1.0: apps are told, server to server, that a session of a user has ended. Telling is tried
 * three times and goes on behind the answer of the request that signs out, which waits for it only a moment.
 */

/** The most bytes that an app may answer. They are not looked at. */
export const MAX_TOLD_BYTES = 64 * 1024

/** How long a sign-out waits for the apps at most, in milliseconds. */
const WAIT_MS = 2000
/** The pauses before the second and the third try, in milliseconds. */
const PAUSES = [500, 2000] as const
/** How many apps are told at the same time for one sign-out. */
const LANES = 20

/** An app that is to be told. */
export interface Notice {
  readonly app: App
  readonly userId: string
  /** The sessions that have ended, each told by a token of its own; `null` for every session of the user. */
  readonly sids: readonly (string | null)[]
  /** The sessions that are over for the app once it has been told. */
  readonly covered: readonly string[]
}

/** The apps that were to be told, by `client_id`. */
export interface TellingOutcome {
  readonly told: readonly string[]
  readonly untold: readonly string[]
}

type Failed = Extract<AuthmountEvent, { readonly type: 'logout_failed' }>
type Failure = Pick<Failed, 'reason' | 'status'>
type ToldApp = App & { readonly backchannelLogoutUri: string }

/** Tells whether an app can be told of sign-outs. One that registered itself must not have been blocked since. */
export function isTold(app: App): app is ToldApp {
  if (app.backchannelLogoutUri === undefined || app.status === 'deleted') return false
  return app.status === 'active' || !isSelfRegistered(app)
}

/**
 * Tells apps that sessions have ended. Resolves once each has confirmed it or failed, or after `WAIT_MS`; the others are told
 * afterwards. Each outcome is an event. Rejects if the signing keys cannot be read; nobody has been told then.
 */
export async function tellApps(notices: readonly Notice[], context: Context): Promise<TellingOutcome> {
  const names = notices.map(({ app }) => wireId(app))
  const { logoutClient } = context.services
  if (notices.length === 0 || !logoutClient) return { told: [], untold: names }
  const [{ signers, signing }, client] = await Promise.all([currentKeys(context), logoutClient()])

  const told = new Set<string>()
  const waiting = [...notices]
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift())
      if (await tellApp(next, { client, key: keyFor(next.app, signers) ?? signing }, context)) told.add(wireId(next.app))
  }
  const lanes = Promise.all(Array.from({ length: Math.min(LANES, notices.length) }, lane)).catch(cause =>
    context.config.log.error('the apps could not all be told of a sign-out', cause),
  )
  await Promise.race([lanes, sleep(WAIT_MS, undefined, { ref: false })])
  return { told: names.filter(name => told.has(name)), untold: names.filter(name => !told.has(name)) }
}

interface Sender {
  readonly client: Outbound
  readonly key: SigningKey
}

/** Tells one app of each session, and resolves to whether it has confirmed all of them. */
async function tellApp({ app, covered, sids, userId }: Notice, sender: Sender, context: Context): Promise<boolean> {
  const { config, events } = context
  const confirmed: (string | null)[] = []
  for (const sid of sids) {
    const { failure, tries } = await tellSession(app, { sid, userId }, sender, context)
    const about = { at: config.now(), clientId: wireId(app), userId, sid, tries }
    if (failure) events.emit({ type: 'logout_failed', ...about, ...failure })
    else events.emit({ type: 'logout_delivered', ...about })
    if (!failure) confirmed.push(sid)
  }
  const over = confirmed.includes(null) ? covered : confirmed.filter(sid => sid !== null)
  // Not through the request's store, which may be released by now. Where this fails, the app is told once more at the next sign-out.
  const forget = async () => forgetAppSessions({ appId: app.id, userId }, over, config.store)
  if (over.length > 0) await withTimeout(forget, config.storeTimeoutMs, 'the store').catch(() => {})
  return confirmed.length === sids.length
}

interface EndedSession {
  readonly userId: string
  readonly sid: string | null
}

/** Tells an app of one session, in up to three tries. */
async function tellSession(
  app: App,
  session: EndedSession,
  sender: Sender,
  context: Context,
): Promise<{ readonly failure: Failure | undefined; readonly tries: number }> {
  let current: App | undefined = app
  for (let tries = 0; ; ) {
    if (!current || !isTold(current)) return { failure: { reason: 'app_gone', status: null }, tries }
    // §2.2: an app that identifies sessions by `sid` alone cannot be told of those whose name is not known.
    if (session.sid === null && current.backchannelLogoutSessionRequired)
      return { failure: { reason: 'no_session', status: null }, tries }
    const failure = await tryToTell(current, session, sender, context)
    const pauseMs = PAUSES[tries++]
    if (!failure || pauseMs === undefined || !mayPass(failure)) return { failure, tries }
    await sleep(pauseMs, undefined, { ref: false })
    current = await readAgain(current, context)
  }
}

/** Sends a logout token (§2.5). Resolves to undefined if the app has confirmed it. Each try has a token of its own: apps refuse a `jti` that they know. */
async function tryToTell(
  app: ToldApp,
  session: EndedSession,
  { client, key }: Sender,
  { config }: Context,
): Promise<Failure | undefined> {
  const contents = { issuer: config.issuer, clientId: wireId(app), issuedAt: config.now(), ...session }
  const body = new URLSearchParams({ logout_token: await mintLogoutToken(contents, key) })
  try {
    const { ok, status } = await client.fetch(app.backchannelLogoutUri, { method: 'POST', body })
    return ok ? undefined : { reason: 'answer', status }
  } catch (error) {
    if (error instanceof OutboundError) return { reason: error.reason, status: null }
    throw error
  }
}

/** Whether another try may succeed: §2.8 has an app answer 400 where it refuses the token, and an address that is forbidden stays so. */
function mayPass({ reason, status }: Failure): boolean {
  if (status !== null) return status >= 500 || status === 408 || status === 429
  return reason === 'timeout' || reason === 'network'
}

/** Reads the app before another try: it may have been deleted, or have another address. */
async function readAgain(app: App, { config }: Context): Promise<App | undefined> {
  const read = async () => config.store.apps.get(app.id)
  return withTimeout(read, config.storeTimeoutMs, 'the store').catch(() => app)
}
