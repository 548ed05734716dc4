import type { EpochMs } from '../base/time.ts'
import { ApiError } from '../errors/api-error.ts'
import type { Consent, SignedOut, Store } from '../store/store.ts'

/*
 * In which of the host's sessions an app has signed a user in. It is kept with the user's consent, because grants vanish with
 * their last token, and the user may stay signed in at the app for longer.
 */

/** An app's part of a session of the host. */
export interface AppSession {
  readonly userId: string
  readonly appId: string
  readonly sid: string
}

type Consents = Pick<Store, 'consents'>

/** How many sessions are kept for a user and an app; the oldest go first. */
const MAX_SESSIONS = 30

/** How many times a change is tried when consent screens of the user are answered concurrently. */
const TRIES = 60

/** Records that an app signs the user in in this session. Rejects with StoreError. */
export async function keepAppSession({ appId, sid, userId }: AppSession, store: Consents): Promise<void> {
  await change({ userId }, appId, store, ({ sessions = [] }) =>
    sessions.includes(sid) ? undefined : { sessions: [...sessions, sid].slice(-MAX_SESSIONS) },
  )
}

/** Records that an app has been told of the end of these sessions. Rejects with StoreError. */
export async function forgetAppSessions(
  { appId, userId }: Omit<AppSession, 'sid'>,
  sids: readonly string[],
  store: Consents,
): Promise<void> {
  await change({ userId }, appId, store, ({ sessions }) =>
    sessions?.some(sid => sids.includes(sid)) ? { sessions: sessions.filter(sid => !sids.includes(sid)) } : undefined,
  )
}

/** How long the end of a session is kept: longer than the life of a code (600 s at most) and a request together, in milliseconds. */
const SIGNED_OUT_MS = 900_000

/** How many ends are kept for a user and an app; the oldest go first. */
const MAX_SIGNED_OUT = 30

/** Records that a session has ended, so that no code of it becomes a grant any more. Rejects with StoreError. */
export async function markSignedOut({ appId, owner }: Consent, { at, sid }: SignedOut, store: Consents): Promise<void> {
  await change(owner, appId, store, ({ signedOut = [] }) => {
    const others = signedOut.filter(ended => ended.sid !== sid && ended.at > at - SIGNED_OUT_MS)
    return { signedOut: [...others, { sid, at }].slice(-MAX_SIGNED_OUT) }
  })
}

/** Tells whether a session has ended at this instant or after it. A session without a name ends with all of its user's. */
export function endedSince(instant: EpochMs, sid: string | null, signedOut: readonly SignedOut[]): boolean {
  return signedOut.some(ended => ended.at >= instant && (ended.sid === null || ended.sid === sid))
}

/** Changes a consent that is there and not withdrawn. `changes` returns undefined where nothing is to be changed. */
async function change(
  owner: Consent['owner'],
  appId: string,
  { consents }: Consents,
  changes: (consent: Consent) => Partial<Consent> | undefined,
): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    const current = await consents.get(owner, appId)
    if (!current || current.scopes.length === 0) return
    const changed = changes(current)
    if (!changed || (await consents.save({ ...current, ...changed, version: current.version + 1 }))) return
  }
  throw new ApiError('CONFLICT', 'the user is answering consent screens of this app at the same time: try again')
}
