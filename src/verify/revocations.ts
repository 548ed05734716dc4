import type { AuthmountEvent } from '../events.ts'
import type { TokenInfo } from '../oauth/bearer.ts'
import type { EpochMs } from '../store.ts'
import { Remembered } from './remembered.ts'

/** No access token lives longer than a day. */
const KEPT_MS = 86_400_000 + 60_000
const MAX_REVOCATIONS = 100_000

/** What has been revoked, as far as the events told. */
export class Revocations {
  readonly #revokedAt = new Remembered<EpochMs>(MAX_REVOCATIONS)

  /** Whether the event revoked anything. */
  add(event: AuthmountEvent, now: EpochMs): boolean {
    const what = subjectOf(event)
    if (what !== undefined) this.#revokedAt.set(what, event.at, now + KEPT_MS)
    return what !== undefined
  }

  /** Whether a token that was issued then has been revoked since. */
  has({ clientId, grantId, userId }: TokenInfo, issuedAt: EpochMs, now: EpochMs): boolean {
    const ofUser = userId === null ? [] : [userKey(userId, null), userKey(userId, clientId)]
    const subjects = [`grant ${grantId}`, `client ${clientId}`, ...ofUser]
    return subjects.some(subject => issuedAt <= (this.#revokedAt.get(subject, now) ?? -1))
  }
}

function subjectOf(event: AuthmountEvent): string | undefined {
  switch (event.type) {
    case 'token_revoked':
    case 'refresh_reuse':
    case 'code_replay':
      return `grant ${event.grantId}`
    case 'app_tokens_revoked':
    case 'app_deleted':
      return `client ${event.clientId}`
    case 'consent_withdrawn':
    case 'user_grants_ended':
      return userKey(event.userId, event.clientId)
    default:
      return undefined
  }
}

function userKey(userId: string, clientId: string | null): string {
  return JSON.stringify([userId, clientId])
}
