import { wireId } from '../base/ids.ts'
import { markUserEnd } from '../bearer/end-grant.ts'
import { ApiError } from '../errors/api-error.ts'
import type { Context } from '../options/context.ts'
import type { Consent, ConsentOwner } from '../store/store.ts'

/** What a withdrawal ended. */
export interface Withdrawal {
  /** Whether there was a consent, or one that was withdrawn a moment ago: a repeat after a lost answer is told the same. */
  readonly agreed: boolean
  /** How many grants ended now. */
  readonly revoked: number
  /** What the app is called on the wire. */
  readonly clientId: string
}

const PAGE = 500

/** Every consent of an owner. Rejects with StoreError. */
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
 * Withdraws a user's consent to an app, and ends every grant of theirs with it. The consent first: without it no code that is
 * still out is redeemed, so that nothing can follow the sweep. Rejects with StoreError; it may then have happened in part, and
 * can be repeated.
 */
export async function withdraw(userId: string, appId: string, context: Context): Promise<Withdrawal> {
  const { store } = context
  const [agreed, app] = await Promise.all([
    withdrawConsent({ userId }, appId, context),
    store.apps.get(appId),
    // A grant of the host's own needs no consent.
    markUserEnd(userId, context),
  ])
  const revoked = await store.grants.revokeMany({ appId, userId })
  return { agreed, revoked, clientId: app ? wireId(app) : appId }
}

/** How often a withdrawal is tried again when a screen is answered in between. */
const TRIES = 60

/** A withdrawn consent stays, without scopes, for longer than an answer can be under way: nothing begins again beneath it. */
async function withdrawConsent(owner: ConsentOwner, appId: string, { config, now, store }: Context): Promise<boolean> {
  const expiresAt = now + config.consentSeconds * 1000 + config.storeTimeoutMs + 60_000
  for (let tries = 0; tries < TRIES; tries++) {
    const current = await store.consents.get(owner, appId)
    if (!current) return false
    if (current.scopes.length === 0) return true
    if (await store.consents.save({ ...current, scopes: [], expiresAt, version: current.version + 1 })) return true
  }
  throw new ApiError('CONFLICT', 'this app is being allowed at the same time: try again')
}
