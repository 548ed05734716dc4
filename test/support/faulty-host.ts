import type { Test } from 'tap'
import { FaultyStore } from './faulty-store.ts'
import { type HostOptions, type Mount, startHost, type TestHost } from './host.ts'
import { StoreTimeout } from './store-timeout.ts'

/** A host whose store fails when the test says so. Its `storeTimeoutMs` runs out as soon as a call hangs. */
export async function startFaultyHost(
  t: Test,
  mount: Mount,
  options: HostOptions,
): Promise<{ readonly host: TestHost; readonly store: FaultyStore }> {
  const faulty: FaultyStore[] = []
  const timeout = new StoreTimeout()
  const host = await startHost(mount, {
    ...options,
    wrap: inner => {
      faulty.push(new FaultyStore(inner, timeout))
      return faulty[0]?.store ?? inner
    },
    storeTimeoutMs: timeout.ms,
  })
  t.teardown(host.close)
  const [store] = faulty
  if (!store) throw new Error('the host did not ask for its store')
  return { host, store }
}
