import type { Context } from '../options/context.ts'
import type { App } from '../store/store.ts'

/**
 * Removes the grants that a new epoch has ended, after the answer has been sent, so that no request waits for it.
 * If it fails, the grants stay dead by their epoch, and their records are removed when they expire.
 */
export function sweepRevoked(app: App, { config }: Pick<Context, 'config'>): void {
  const query = { appId: app.id, epochBelow: app.epoch }
  setImmediate(() => {
    // Bypass the request's deadline: this may take longer than a request.
    Promise.resolve()
      .then(() => config.store.grants.revokeMany(query))
      .catch(cause => config.log.error(`revoked grants of app ${app.id} could not be swept; they are dead all the same`, cause))
  }).unref()
}
