import { randomId, sha256 } from '../base/crypto.ts'
import type { EpochMs } from '../base/time.ts'
import type { Context } from '../options/context.ts'
import type { Grant, OneTime, OneTimeData, TokenRef } from '../store/store.ts'

/*
 * Ending a grant, so that a repeat is told the truth. The reply of a store can be lost after it has done what it was asked
 * for; a client then repeats, and the store says that there is nothing left to end. So an end first leaves a mark, for long
 * enough that any repeat finds it, and that whoever is creating this very grant sees it.
 *
 * A mark never proves that the end was stored: who finds one ends all the same.
 */

/** Longer than a code lives (600 s at most), a request takes, and clocks of two processes differ. Milliseconds. */
const MARK_MS = 900_000

/** What is ended: a grant, or one token of it. */
export type Ended = Pick<TokenRef, 'grantId'> & Partial<Pick<TokenRef, 'tokenId'>>

/** What an end did. */
export interface End {
  /** Whether something was ended by this call, or by the one that it repeats. */
  readonly ended: boolean
  /** Whose it was; undefined where nothing was found. */
  readonly of: OneTimeData['ended'] | undefined
}

/** The mark of a grant's end, while it is young; undefined where there is none. Rejects with StoreError. */
export async function findEndMark(ended: Ended, { store }: Pick<Context, 'store'>): Promise<OneTimeData['ended'] | undefined> {
  return (await store.oneTime.peek('ended', markId(ended)))?.data
}

/**
 * Ends a grant or a token that was found. `announce` is called once the end was stored, and also where the store's answer was
 * lost: an event that ends something is told at least once. Rejects with StoreError.
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
 * Ends again what was ended a moment ago: the first call may have failed between its mark and its end. Resolves to whose it
 * was, or to undefined where there is no mark; nothing is written then, so that made-up tokens write nothing.
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
 * has just missed is then ended by whoever creates it. Rejects with StoreError.
 */
export async function markUserEnd(userId: string, { config, store }: Context): Promise<void> {
  const expiresAt = config.now() + MARK_MS
  await store.oneTime.put({ kind: 'ended', id: userMarkId(userId), expiresAt, data: { appId: '', orgId: '', userId } })
}

/** When the grants of a user were last ended; undefined where that is long ago. Rejects with StoreError. */
export async function findUserEnd(userId: string, { store }: Pick<Context, 'store'>): Promise<EpochMs | undefined> {
  const mark = await store.oneTime.peek('ended', userMarkId(userId))
  return mark && mark.expiresAt - MARK_MS
}

/**
 * Whether the grants of a user were ended during a request that read `before` and, after its own grant was stored, `after`. A
 * mark that has changed tells it whatever clocks say; its time, where the mark was left before the first reading.
 */
export function endedSince(before: EpochMs | undefined, after: EpochMs | undefined, { now }: Pick<Context, 'now'>): boolean {
  return after !== undefined && (after !== before || after > now)
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
