import type { EpochMs } from '../base/time.ts'
import { consentsCountSince } from '../clients/admission.ts'
import { isSelfRegistered } from '../clients/find-client.ts'
import { keptUntil } from '../clients/self-registered.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { Config } from '../options/config.ts'
import type { Context, SignedInContext } from '../options/context.ts'
import type { App, Consent, ConsentOwner } from '../store/store.ts'
import { isAllowed } from './agreed-scopes.ts'

/** Enough for forty screens that are answered concurrently: the last of them needs about fifteen tries. */
const TRIES = 60

/** What a user has answered to a request. */
export interface ConsentAnswer {
  readonly app: App
  /** The scopes that the user allows. */
  readonly scopes: readonly string[]
  /** The optional ones that the user does not allow. */
  readonly declined: readonly string[]
  /** Those of the declined ones that were shown ticked: what was allowed before is taken back. */
  readonly unticked: readonly string[]
}

/**
 * Records what a user allows an app, beside what was allowed before. Concurrent answers are all kept: a scope that one answer
 * allows and another declines stays allowed, unless the other showed it as allowed. A withdrawal that comes in between is not
 * undone.
 * Rejects with OAuthError `access_denied` after such a withdrawal, `temporarily_unavailable` after too many conflicts, or with
 * StoreError.
 */
export async function recordConsent(answer: ConsentAnswer, context: SignedInContext): Promise<void> {
  const { principal, store } = context
  const { app } = answer
  const owner = { userId: principal.userId }
  const since = await consentsCountSince(app, principal.orgId, context)
  let seenVersion: number | undefined
  for (let tries = 0; tries < TRIES; tries++) {
    const current = await store.consents.get(owner, app.id)
    seenVersion ??= current?.version ?? 0
    if (current && current.scopes.length === 0 && current.version > seenVersion)
      throw new OAuthError('access_denied', 'the user has withdrawn their consent meanwhile: start again from the app', {
        expired: true,
      })
    if (await store.consents.save(nextConsent(owner, answer, current, { ...context, since }))) return
  }
  throw new OAuthError('temporarily_unavailable', 'too many screens of this app are being answered at once: try again')
}

/** Until when a withdrawn consent stays, without scopes: every screen that is open now has expired, and a late answer has come. */
export function withdrawnUntil(now: EpochMs, { consentSeconds, storeTimeoutMs }: Config<never>): EpochMs {
  return now + consentSeconds * 1000 + storeTimeoutMs + 60_000
}

function nextConsent(
  owner: ConsentOwner,
  { app, declined, scopes, unticked }: ConsentAnswer,
  current: Consent | undefined,
  { config, now, since }: Pick<Context, 'config' | 'now'> & { readonly since: EpochMs },
): Consent {
  const version = (current?.version ?? 0) + 1
  // A withdrawn consent has an `expiresAt`, and one that does not count any more has scopes: the new version inherits neither.
  const counting = current && current.grantedAt >= since && current.scopes.length > 0 ? current : undefined
  const { allowedAt: _allowedAt, declined: _declined, expiresAt: _expiresAt, ...kept } = current ?? {}
  // An expired one that is declined is taken back, too: nobody has allowed it meanwhile.
  const isTakenBack = (name: string, before: Consent) =>
    unticked.includes(name) || (declined.includes(name) && !isAllowed(name, before, config, now))
  const stay = counting ? counting.scopes.filter(name => scopes.includes(name) || !isTakenBack(name, counting)) : []
  const union = [...new Set([...stay, ...scopes])]
  const record: Consent = { ...kept, owner, appId: app.id, scopes: union, grantedAt: now, version }
  // Everything that was allowed is taken back, and nothing else is.
  if (record.scopes.length === 0) return { ...record, expiresAt: withdrawnUntil(now, config) }

  const older = stay.filter(name => !scopes.includes(name))
  const firstAllowed = (name: string) => [name, counting?.allowedAt?.[name] ?? counting?.grantedAt ?? now] as const
  const declinedNow = Object.entries({ ...counting?.declined, ...Object.fromEntries(declined.map(name => [name, now])) })
  const stillDeclined = declinedNow.filter(([name]) => !union.includes(name))
  return {
    ...record,
    ...(older.length > 0 && { allowedAt: Object.fromEntries(older.map(firstAllowed)) }),
    ...(stillDeclined.length > 0 && { declined: Object.fromEntries(stillDeclined) }),
    // Nothing is left of a client that nobody registered when nobody has used it for long.
    ...(isSelfRegistered(app) && { expiresAt: keptUntil(now, app, config).next }),
  }
}
