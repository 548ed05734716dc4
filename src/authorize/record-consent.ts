import type { EpochMs } from '../base/time.ts'
import { consentsCountSince } from '../clients/admission.ts'
import { isSelfRegistered } from '../clients/client-facts.ts'
import { keptUntil } from '../clients/self-registered.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { Context, SignedInContext } from '../options/context.ts'
import type { Consent, ConsentOwner } from '../store/store.ts'
import type { AuthorizationRequest } from './request.ts'

/** Enough for forty screens that are answered concurrently: the last of them needs about fifteen tries. */
const TRIES = 60

/**
 * Records that a user allows an app the scopes of a request, beside those allowed before. Concurrent answers are all kept; a
 * withdrawal that comes in between is not undone.
 * Rejects with OAuthError `access_denied` after such a withdrawal, `temporarily_unavailable` after too many conflicts, or with
 * StoreError.
 */
export async function recordConsent(
  asked: Pick<AuthorizationRequest, 'app' | 'scopes'>,
  context: SignedInContext,
): Promise<void> {
  const { principal, store } = context
  const { app } = asked
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
    if (await store.consents.save(nextConsent(owner, asked, current, { ...context, since }))) return
  }
  throw new OAuthError('temporarily_unavailable', 'too many screens of this app are being answered at once: try again')
}

function nextConsent(
  owner: ConsentOwner,
  { app, scopes }: Pick<AuthorizationRequest, 'app' | 'scopes'>,
  current: Consent | undefined,
  { config, now, since }: Pick<Context, 'config' | 'now'> & { readonly since: EpochMs },
): Consent {
  // A withdrawn consent has an `expiresAt`; the new version must not inherit it.
  const { expiresAt: _, ...kept } = current ?? { scopes: [] as readonly string[], grantedAt: now, version: 0 }
  const counting = kept.grantedAt >= since ? kept.scopes : []
  const union = [...new Set([...counting, ...scopes])]
  // Nothing is left of a client that nobody registered when nobody has used it for long.
  const end = isSelfRegistered(app) ? { expiresAt: keptUntil(now, app, config).next } : {}
  return { ...kept, ...end, owner, appId: app.id, scopes: union, grantedAt: now, version: kept.version + 1 }
}
