import type { Test } from 'tap'
import type { TestApp } from './client.ts'
import type { TestHost } from './host.ts'

/** What every grant of a test says of its tokens. */
export const OF_ANNA = { userId: 'anna', orgId: 'org-1', refreshable: true } as const

export const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

/** Rejections without a listener, which would end the process of a host, from now until the test ends. */
export function unhandledRejections(t: Test): readonly unknown[] {
  const unhandled: unknown[] = []
  const listen = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', listen)
  t.teardown(() => process.off('unhandledRejection', listen))
  return unhandled
}

/** Asserts that an app has no live token, and that none was announced. */
export async function issuedNothing(t: Test, host: TestHost, app: TestApp, what: string): Promise<void> {
  const { total } = await host.store.grants.listTokens({ appId: app.clientId, epoch: 1, limit: 0 })
  t.equal(total, 0, `${what}: no live token`)
  t.notOk(
    host.events.some(({ type }) => type === 'token_issued'),
    `${what}: no event`,
  )
}
