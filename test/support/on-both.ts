import t, { type Test } from 'tap'
import { frameworks, type HostOptions, startHost, type TestHost } from './host.ts'

/** One test, run on every framework, each time on a fresh host. */
export function onBoth(name: string, run: (t: Test, host: TestHost) => Promise<void>, options: HostOptions = {}): void {
  for (const [framework, mount] of Object.entries(frameworks)) {
    t.test(`${framework}: ${name}`, async t => {
      const host = await startHost(mount, options)
      t.teardown(host.close)
      await run(t, host)
    })
  }
}
