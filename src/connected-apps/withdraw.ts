import { withdrawnUntil } from '../authorize/record-consent.ts'
import { wireId } from '../base/ids.ts'
import { markUserEnd } from '../bearer/end-grant.ts'
import { ApiError } from '../errors/api-error.ts'
import { isUnknownOutcome } from '../errors/store-error.ts'
import type { Context } from '../options/context.ts'
import type { Consent, ConsentOwner } from '../store/store.ts'

/** The outcome of a withdrawal. */
export interface Withdrawal {
  /** Whether there was a consent, or one that was withdrawn a moment ago, so that a retry after a lost answer gets the same. */
  readonly agreed: boolean
  /** How many grants ended now; null if the answer of the store was lost. */
  readonly revoked: number | null
  /** The `client_id` of the app. */
  readonly clientId: string
}

const PAGE = 500

/** Reads every consent of an owner. Rejects with StoreError. */
export async function consentsOf(owner: ConsentOwner, { store }: Pick<Context, 'store'>): Promise<readonly Consent[]> {
  const consents: Consent[] = []
  let after: string | null | undefined
  while (after !== null) {
    const page = await store.consents.list(owner, { limit: PAGE, ...(after === undefined ? {} : { after }) })
    consents.push(...page.items)
    after = page.next
  }
  return consents
}

/**
 * Withdraws a user's consent to an app, and ends every grant of theirs with it. The consent goes first: a pending code cannot be
 * redeemed without it, so no grant is created after the others have ended.
 *
 * `announce` is called when something has ended, and also when that is unknown, so that the event is emitted at least once.
 * Rejects with StoreError; some of it may then have happened, and the call can be retried.
 */
export async function withdraw(
  userId: string,
  appId: string,
  context: Context,
  announce: (withdrawal: Withdrawal) => void,
): Promise<Withdrawal> {
  const { store } = context
  const app = await store.apps.get(appId)
  const clientId = app ? wireId(app) : appId
  try {
    // A grant of the host's own needs no consent, hence the mark.
    const [agreed] = await Promise.all([withdrawConsent({ userId }, appId, context), markUserEnd(userId, context)])
    const revoked = await store.grants.revokeMany({ appId, userId })
    if (agreed || revoked > 0) announce({ agreed, revoked, clientId })
    return { agreed, revoked, clientId }
  } catch (error) {
    if (isUnknownOutcome(error)) announce({ agreed: true, revoked: null, clientId })
    throw error
  }
}

/** How many times a withdrawal is tried when consent screens are answered concurrently. */
const TRIES = 60

/** Withdraws a consent. The record stays for a while, without scopes: a late answer must not restore it. */
async function withdrawConsent(owner: ConsentOwner, appId: string, { config, now, store }: Context): Promise<boolean> {
  const expiresAt = withdrawnUntil(now, config)
  for (let tries = 0; tries < TRIES; tries++) {
    const current = await store.consents.get(owner, appId)
    if (!current) return false
    if (current.scopes.length === 0) return true
    if (await store.consents.save({ ...current, scopes: [], expiresAt, version: current.version + 1 })) return true
  }
  throw new ApiError('CONFLICT', 'the user is answering a consent screen of this app at the same time: try again')
}
