import { sameBytes, sha256 } from '../base/crypto.ts'
import type { EpochMs } from '../base/time.ts'
import type { App, AppSecret } from '../store/store.ts'
import { newClientSecret } from '../tokens/opaque.ts'

/** A client secret that was just made: `value` is shown once, `stored` is what is kept. */
export interface NewSecret {
  readonly value: string
  readonly stored: AppSecret
}

export function makeSecret(now: EpochMs): NewSecret {
  const value = newClientSecret()
  return { value, stored: { hash: sha256(value), createdAt: now, usableUntil: null } }
}

/** Whether `secret` is one of the app's live secrets. Takes the same time for an app that does not exist. */
export function verifySecret(app: App | undefined, secret: string, now: EpochMs): boolean {
  const hash = sha256(secret)
  let matched = false
  for (const candidate of app && app.secrets.length > 0 ? app.secrets : NOBODY) {
    const live = candidate.usableUntil === null || now < candidate.usableUntil
    if (sameBytes(hash, candidate.hash) && live) matched = true
  }
  return matched
}

const NOBODY: readonly AppSecret[] = [makeSecret(0).stored]
