import { randomInt } from 'node:crypto'
import { randomId, sha256 } from '../base/crypto.ts'
import type { Context } from '../options/context.ts'
import type { Grant, OneTime, OneTimeData, TokenRef } from '../store/store.ts'

/*
 * Ending a grant must be idempotent. A store's reply can be lost after the grant has ended; the client then retries, and the
 * store reports that there is nothing to end. So each end first stores a mark, which lives long enough for every retry to find
 * it, and for a concurrent creation of the same grant to see it.
 *
 * A mark does not prove that the end was stored: code that finds a mark ends the grant again.
 */

/** 15 minutes: more than the life of a code (600 s at most), the duration of a request and the clock skew together. */
const MARK_MS = 900_000

/** The target of an end: a grant, or one token of it. */
export type Ended = Pick<TokenRef, 'grantId'> & Partial<Pick<TokenRef, 'tokenId'>>

/** The outcome of an end. */
export interface End {
  /** Whether something was ended by this call, or by the one that it repeats. */
  readonly ended: boolean
  /** The app, organisation and user of the grant; undefined if nothing was found. */
  readonly of: OneTimeData['ended'] | undefined
}

/** Finds the mark of a grant's end; undefined if there is none, or it is older than `MARK_MS`. Rejects with StoreError. */
export async function findEndMark(ended: Ended, { store }: Pick<Context, 'store'>): Promise<OneTimeData['ended'] | undefined> {
  return (await store.oneTime.peek('ended', markId(ended)))?.data
}

/**
 * Ends a grant or a token that was found. `announce` is called once the end was stored, and also if the store's answer was
 * lost, so that the event is emitted at least once. Rejects with StoreError.
 */
export async function endFound(
  ended: Ended,
  { appId, orgId, userId }: Pick<Grant, 'appId' | 'orgId' | 'userId'>,
  context: Context,
  announce: (ended: boolean) => void,
): Promise<void> {
  const { now, store } = context
  const mark: OneTime<'ended'> = {
    kind: 'ended',
    id: markId(ended),
    expiresAt: now + MARK_MS,
    data: { appId, orgId, userId },
  }
  await store.oneTime.claim(mark, randomId(16))
  await end(ended, context, announce)
}

/**
 * Retries an end that has left a mark: the first call may have failed between its mark and its end. Without a mark it writes
 * nothing, so that made-up tokens cause no writes.
 */
export async function endAgain(
  ended: Ended,
  appId: string,
  context: Context,
  announce: (of: OneTimeData['ended']) => void,
): Promise<void> {
  const of = await findEndMark(ended, context)
  if (of?.appId === appId) await end(ended, context, () => announce(of))
}

/**
 * Leaves a mark that the grants of a user are being ended. Call it before they are revoked: a grant that a revocation of many
 * has just missed is then ended by the request that creates it. Rejects with StoreError.
 */
export async function markUserEnd(userId: string, { config, store }: Context): Promise<void> {
  // The random part tells apart two ends of one millisecond.
  const expiresAt = config.now() + MARK_MS + randomInt(60_000)
  await store.oneTime.put({ kind: 'ended', id: userMarkId(userId), expiresAt, data: { appId: '', orgId: '', userId } })
}

/**
 * Which mark the last end of a user's grants has left; undefined where that is long ago. One that is read before a grant is
 * created, and differs from the one read after, says that an end came in between, whatever the clocks of two processes say.
 */
export async function findUserEnd(userId: string, { store }: Pick<Context, 'store'>): Promise<number | undefined> {
  return (await store.oneTime.peek('ended', userMarkId(userId)))?.expiresAt
}

async function end({ grantId, tokenId }: Ended, { store }: Context, announce: (ended: boolean) => void): Promise<void> {
  let ended = true
  try {
    ended = await (tokenId === undefined ? store.grants.revoke(grantId) : store.grants.revokeToken({ grantId, tokenId }))
  } finally {
    announce(ended)
  }
}

function userMarkId(userId: string): string {
  return sha256(JSON.stringify(['user', userId]))
}

function markId({ grantId, tokenId }: Ended): string {
  return sha256(JSON.stringify(tokenId === undefined ? [grantId] : [grantId, tokenId]))
}
