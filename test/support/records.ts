import { randomUUID } from 'node:crypto'
import type { OneTime } from 'authmount'
import { newAppId } from '../../src/testing/records.ts'

export { newApp, newAppId, newGrant, newToken } from '../../src/testing/records.ts'

/** A one-time value on which nothing depends. */
export function newConsent(): OneTime<'consent'> {
  return {
    kind: 'consent',
    id: randomUUID(),
    expiresAt: Date.now() + 60_000,
    data: { userId: 'anna', session: null, appId: newAppId(), params: {}, scopes: ['read:records'], codeSalt: 'salt' },
  }
}
