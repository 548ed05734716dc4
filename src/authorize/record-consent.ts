import { OAuthError } from '../errors/oauth-error.ts'
import type { Context } from '../options/context.ts'
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
  owner: ConsentOwner,
  { app, scopes }: Pick<AuthorizationRequest, 'app' | 'scopes'>,
  { now, store }: Context,
): Promise<void> {
  let seenVersion: number | undefined
  for (let tries = 0; tries < TRIES; tries++) {
    const current = await store.consents.get(owner, app.id)
    seenVersion ??= current?.version ?? 0
    if (current && current.scopes.length === 0 && current.version > seenVersion)
      throw new OAuthError('access_denied', 'the user has withdrawn their consent meanwhile: start again from the app', {
        expired: true,
      })
    if (await store.consents.save(nextConsent(owner, app.id, scopes, current, now))) return
  }
  throw new OAuthError('temporarily_unavailable', 'too many screens of this app are being answered at once: try again')
}

function nextConsent(
  owner: ConsentOwner,
  appId: string,
  scopes: readonly string[],
  current: Consent | undefined,
  grantedAt: number,
): Consent {
  // A withdrawn consent has an `expiresAt`; the new version must not inherit it.
  const { expiresAt: _, ...kept } = current ?? { scopes: [] as readonly string[], version: 0 }
  const union = [...new Set([...kept.scopes, ...scopes])]
  return { ...kept, owner, appId, scopes: union, grantedAt, version: kept.version + 1 }
}
