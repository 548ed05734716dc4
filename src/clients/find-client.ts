import { appIdOf, isAppId, isClientId, wireId } from '../base/ids.ts'
import type { App, AppStore } from '../store/store.ts'

/**
 * Finds the app with a `client_id`, whatever its status; undefined if there is none. Every lookup by `client_id` goes through
 * here. The stored `client_id` is compared byte for byte, because two of them may have the same digest, and an app that has a
 * `client_id` of its own must not be found by its id. Rejects with StoreError.
 */
export function findClient(clientId: string, { apps }: { readonly apps: Pick<AppStore, 'get'> }): Promise<App | undefined> {
  const id = isAppId(clientId) ? clientId : isClientId(clientId) ? appIdOf(clientId) : undefined
  if (id === undefined) return Promise.resolve(undefined)
  return apps.get(id).then(app => (app && wireId(app) === clientId ? app : undefined))
}

/** Tells whether nobody here registered the app: it registered itself, or is known by a document of its own. */
export function isSelfRegistered({ origin }: Pick<App, 'origin'>): boolean {
  return origin === 'registered' || origin === 'metadata'
}
