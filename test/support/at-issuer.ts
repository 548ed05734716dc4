import type { Test } from 'tap'
import { overMemory } from './everywhere.ts'
import { frameworks, type HostOptions, type Listening, startHost, type TestHost } from './host.ts'
import { startFront } from './https.ts'

/** Builds the host's app around an authmount whose issuer is known, and listens. */
export type MountAtIssuer = (authmount: TestHost['authmount'], issuer: string) => Promise<Listening>

/**
 * One test on each framework, over memory, with a host whose issuer is the address at which clients reach it:
 * for clients that discover the server by themselves.
 */
export function atIssuer(
  name: string,
  run: (t: Test, host: TestHost, issuer: string) => Promise<void>,
  options: (issuer: string) => HostOptions = () => ({}),
  mounts: Readonly<Record<string, MountAtIssuer>> = frameworks,
): void {
  for (const [framework, mount] of Object.entries(mounts)) {
    overMemory(`${framework}: ${name}`, async t => {
      const front = await startFront()
      const host = await startHost(authmount => mount(authmount, front.url), { issuer: front.url, ...options(front.url) })
      front.forwardTo(host.url)
      t.teardown(async () => {
        await front.close()
        await host.close()
      })
      await run(t, host, front.url)
    })
  }
}
