import { withTimeout } from '../base/timeout.ts'
import type { Context } from '../options/context.ts'
import type { OneTime } from '../store/store.ts'

/**
 * Stores a consumed one-time value anew after the step that consumed it has failed, so that the same click can be retried.
 * It bypasses the request's deadline, which may be over; if this fails as well, the user starts again from the app.
 */
export async function reopen(entry: OneTime, { log, store, storeTimeoutMs }: Context['config']): Promise<void> {
  const put = async () => store.oneTime.put(entry)
  await withTimeout(put, storeTimeoutMs, 'the store').catch(cause => log.error('a one-time value could not be reopened', cause))
}
