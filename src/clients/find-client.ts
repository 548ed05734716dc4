import { appIdOf, isAppId, isClientId, wireId } from '../base/ids.ts'
import type { App, AppStore } from '../store/store.ts'

/**
 * The app that a `client_id` on the wire means, whatever its status; undefined where there is none. The only way from the
 * wire to an app. The stored name is compared byte for byte: two names with one digest never stand for each other, and an
 * app that has another name is not found by its id. Rejects with StoreError.
 */
export function findClient(clientId: string, { apps }: { readonly apps: Pick<AppStore, 'get'> }): Promise<App | undefined> {
  if (!isAppId(clientId) && !isClientId(clientId)) return Promise.resolve(undefined)
  return apps.get(appIdOf(clientId)).then(app => (app && wireId(app) === clientId ? app : undefined))
}
