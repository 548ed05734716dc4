import { withTimeout } from '../base/timeout.ts'
import type { Context } from '../options/context.ts'
import type { OneTime } from '../store/store.ts'

/**
 * Makes a one-time value good again, because what it was used for has failed: the same click can then be repeated.
 * Past the guard, whose time may be up; if this fails as well, the user starts again from the app.
 */
export async function reopen(entry: OneTime, { log, store, storeTimeoutMs }: Context['config']): Promise<void> {
  const put = async () => store.oneTime.put(entry)
  await withTimeout(put, storeTimeoutMs, 'the store').catch(cause => log.error('a one-time value could not be reopened', cause))
}
