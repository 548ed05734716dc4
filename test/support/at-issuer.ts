import t, { type Test } from 'tap'
import { frameworks, type HostOptions, type Listening, startHost, type TestHost } from './host.ts'
import { startFront } from './https.ts'
import { runsOn } from './places.ts'
import { type Connect, connectMemory } from './stores.ts'

/** Builds the host's app around an authmount whose issuer is known, and listens. */
export type MountAtIssuer = (authmount: TestHost['authmount'], issuer: string) => Promise<Listening>

const MEMORY: Readonly<Record<string, Connect>> = runsOn('memory') ? { memory: connectMemory } : {}

/**
 * One test on each framework, over memory or the given stores, with a host whose issuer is the address at which clients reach it:
 * for clients that discover the server by themselves.
 */
export function atIssuer(
  name: string,
  run: (t: Test, host: TestHost, issuer: string) => Promise<void>,
  options: (issuer: string) => HostOptions = () => ({}),
  mounts: Readonly<Record<string, MountAtIssuer>> = frameworks,
  stores: Readonly<Record<string, Connect>> = MEMORY,
): void {
  for (const [framework, mount] of Object.entries(mounts)) {
    for (const [store, connect] of Object.entries(stores)) {
      t.test(`${framework}, ${store}: ${name}`, async t => {
        const front = await startFront()
        const own = { issuer: front.url, connect, ...options(front.url) }
        const host = await startHost(authmount => mount(authmount, front.url), own)
        front.forwardTo(host.url)
        t.teardown(async () => {
          await front.close()
          await host.close()
        })
        await run(t, host, front.url)
      })
    }
  }
}
