import t, { type Test } from 'tap'
import { frameworks, type HostOptions, type Mount, startHost, type TestHost } from './host.ts'
import { runsOn } from './places.ts'
import { type Connect, connectMemory, stores } from './stores.ts'

/** Every framework over every store of this run. */
export const settings: readonly { readonly name: string; readonly mount: Mount; readonly connect: Connect }[] = Object.entries(
  frameworks,
).flatMap(([framework, mount]) =>
  Object.entries(stores).map(([store, connect]) => ({ name: `${framework}, ${store}`, mount, connect })),
)

/**
 * One test, run on every framework over every store, each time on a fresh host; over one store where the options name one.
 */
export function everywhere(name: string, run: (t: Test, host: TestHost) => Promise<void>, options: HostOptions = {}): void {
  const chosen = options.connect ?? options.store
  for (const setting of chosen ? settings.filter(({ connect }) => connect === stores.memory) : settings) {
    t.test(`${setting.name}: ${name}`, async t => {
      const host = await startHost(setting.mount, { connect: setting.connect, ...options })
      t.teardown(host.close)
      await run(t, host)
    })
  }
}

/** The same over memory alone, for what depends on no store. */
export function everyFramework(name: string, run: (t: Test, host: TestHost) => Promise<void>, options: HostOptions = {}): void {
  everywhere(name, run, { connect: connectMemory, ...options })
}

/** A test that sets up its own hosts over memory, in a suite that also runs on servers. */
export function overMemory(name: string, run: (t: Test) => Promise<void>): void {
  if (runsOn('memory')) t.test(name, run)
}
