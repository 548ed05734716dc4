import { randomId, sha256 } from '../base/crypto.ts'
import { isUnknownOutcome } from '../errors/store-error.ts'
import type { Context } from '../options/context.ts'
import type { OneTime, OneTimeData } from '../store/store.ts'

/*
 * A deletion whose answer was lost is repeated, and must not be answered that there is no such app. So it leaves a mark until
 * it has been answered; a repetition that finds the app deleted, and the mark, is answered like the first.
 */

const MARK_MS = 900_000

/** The mark of a deletion, by whoever may repeat it. */
export type DeletionMark = OneTime<'ended'>

/** `by` tells who deletes what; `data` is of the app that is deleted. */
export function deletionMark(by: readonly string[], data: OneTimeData['ended'], { now }: Pick<Context, 'now'>): DeletionMark {
  return { kind: 'ended', id: sha256(JSON.stringify(['deletion', ...by])), expiresAt: now + MARK_MS, data }
}

/** Tells whether this deletion was begun and not answered. Rejects with StoreError. */
export async function isUnanswered({ id, kind }: DeletionMark, { store }: Pick<Context, 'store'>): Promise<boolean> {
  return (await store.oneTime.peek(kind, id)) !== undefined
}

/**
 * Runs a deletion under its mark. The mark goes once the outcome is known: the answer that follows is the one that counts. Where it
 * cannot be taken away, a repetition is answered as the first for 15 minutes. Rejects as the deletion does, or with StoreError.
 */
export async function deleteMarked<T>(mark: DeletionMark, run: () => Promise<T>, { config, store }: Context): Promise<T> {
  const attempt = randomId(16)
  await store.oneTime.claim(mark, attempt)
  const forget = () =>
    store.oneTime
      .forget(mark.kind, mark.id, attempt)
      .catch(cause => config.log.error('the mark of a deletion stays for 15 minutes', cause))
  let outcome: T
  try {
    outcome = await run()
  } catch (error) {
    if (!isUnknownOutcome(error)) await forget()
    throw error
  }
  await forget()
  return outcome
}
