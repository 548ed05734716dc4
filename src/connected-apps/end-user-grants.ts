import { markUserEnd } from '../bearer/end-grant.ts'
import { findClient } from '../clients/find-client.ts'
import type { Context } from '../options/context.ts'
import { consentsOf, withdraw } from './withdraw.ts'

/**
 * Ends every authorization of a user, or those of the app with this `client_id`, for the host. Resolves to how many grants
 * ended. Rejects with StoreError; some grants may then have ended, and the call can be retried.
 */
export async function endUserGrants(userId: string, clientId: string | undefined, context: Context): Promise<number> {
  const { config, events, store } = context
  const appIds =
    clientId === undefined ? (await consentsOf({ userId }, context)).map(({ appId }) => appId) : await appNamed(clientId, store)
  // Read the clock after the end: tokens that were issued meanwhile have ended as well.
  const announce = (revoked: number | null) =>
    events.emit({ type: 'user_grants_ended', at: config.now(), userId, clientId: clientId ?? null, revoked })
  try {
    const ends = await Promise.allSettled(appIds.map(appId => withdraw(userId, appId, context, () => {})))
    const ended = ends.reduce((sum, end) => sum + (end.status === 'fulfilled' ? (end.value.revoked ?? 0) : 0), 0)
    const failed = ends.find(end => end.status === 'rejected')
    if (failed) throw failed.reason
    // Grants without a consent, such as those of a grant of the host's own.
    const revoked = ended + (clientId === undefined ? await endOthers(userId, context) : 0)
    announce(revoked)
    return revoked
  } catch (error) {
    // Some may have ended, whichever call failed.
    announce(null)
    throw error
  }
}

async function endOthers(userId: string, context: Context): Promise<number> {
  await markUserEnd(userId, context)
  return context.store.grants.revokeMany({ userId })
}

async function appNamed(clientId: string, store: Context['store']): Promise<readonly string[]> {
  const app = await findClient(clientId, store)
  return app ? [app.id] : []
}
