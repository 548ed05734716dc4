import type { SignedInContext } from '../options/context.ts'
import type { App } from '../store/store.ts'

/**
 * Removes what a new epoch has already killed, after the answer has been sent: how long it takes is nobody's wait.
 * When it fails nothing comes back to life; the records go when they expire.
 */
export function sweepRevoked(app: App, { config }: SignedInContext): void {
  const query = { appId: app.id, epochBelow: app.epoch }
  setImmediate(() => {
    // Not through the guarded store: this may take longer than a request.
    Promise.resolve()
      .then(() => config.store.grants.revokeMany(query))
      .catch(cause => config.log.error(`revoked grants of app ${app.id} could not be swept; they are dead all the same`, cause))
  }).unref()
}
