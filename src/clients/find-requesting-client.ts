import { OAuthError } from '../errors/oauth-error.ts'
import type { Context } from '../options/context.ts'
import type { App } from '../store/store.ts'
import { findClient } from './find-client.ts'
import { isDocumentUrl, readDocument } from './metadata-document.ts'

/** Thrown for a client whose document is read only once somebody has signed in: strangers make this server call nobody. */
export class SignInFirst extends OAuthError {}

/**
 * Finds the client of an authorization request. One that is known by a document (OAuth Client ID Metadata Document) is read where
 * it is new or its record is old, if `mayRead`. Undefined for a client that is unknown, or that the options no longer let in.
 *
 * Rejects with OAuthError `invalid_client` for a document that cannot be used, with {@link SignInFirst}, RateLimitError or
 * StoreError.
 */
export async function findRequestingClient(clientId: string, mayRead: boolean, context: Context): Promise<App | undefined> {
  const { config, now, principal, services, store } = context
  const { clients } = config
  const app = await findClient(clientId, store)
  if (app?.origin === 'registered') return clients?.registration ? app : undefined
  if (app && app.origin !== 'metadata') return app
  if (!clients?.documents || !services.documents || !(app || isDocumentUrl(clientId))) return undefined
  const mustRead = mayRead && (!app || (app.status === 'active' && now >= (app.freshUntil ?? 0)))
  if (!mustRead) return app
  // An old record serves until somebody has signed in.
  if (!principal && app) return app
  if (!principal)
    throw new SignInFirst('login_required', 'nobody is signed in, and this client is not known yet', { status: 400 })
  return readDocument(clientId, app, services.documents, { ...context, principal })
}
