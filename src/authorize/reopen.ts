import { withTimeout } from '../base/timeout.ts'
import type { Context } from '../options/context.ts'
import type { OneTime } from '../store/store.ts'

/**
 * Stores a consumed one-time value anew after the step that consumed it has failed, so that the same click can be retried. Waits
 * for that only as long as the request may wait for the store; after its deadline it goes on in the background. If it fails, the
 * user starts again from the app.
 */
export async function reopen(entry: OneTime, { config, store }: Pick<Context, 'config' | 'store'>): Promise<void> {
  const failed = (cause: unknown) => config.log.error('a one-time value could not be reopened', cause)
  if (!store.isOver) return store.oneTime.put(entry).catch(failed)
  // Not awaited: the answer must not be later than the deadline.
  withTimeout(async () => config.store.oneTime.put(entry), config.storeTimeoutMs, 'the store').catch(failed)
}
