import type { AuthmountEvent } from '../base/events.ts'
import type { EpochMs } from '../base/time.ts'
import { TtlCache } from '../base/ttl-cache.ts'
import type { TokenInfo } from '../tokens/token-guard.ts'

/** A day and a minute: no access token lives longer than a day. */
const KEPT_MS = 86_400_000 + 60_000
/** The most entries of each kind; the oldest are evicted. */
const MAX_REVOCATIONS = 100_000

/** The fields of a token by which it can be revoked. */
export interface Revocable extends Pick<TokenInfo, 'clientId' | 'grantId' | 'userId'> {
  readonly jti: string
  /** In whole seconds. */
  readonly issuedAt: EpochMs
}

/** Cache of the revocations that events have reported. */
export class Revocations {
  /** Revoked tokens and grants. */
  readonly #over = new TtlCache<true>(MAX_REVOCATIONS)
  /** Users and apps, with the instant until which everything is revoked. A second cache, so that many revoked tokens cannot evict these. */
  readonly #until = new TtlCache<EpochMs>(MAX_REVOCATIONS)

  /** Adds an event. Throws TypeError for any other value, which would otherwise silently revoke nothing. */
  add(event: AuthmountEvent, now: EpochMs): void {
    if (typeof event?.type !== 'string' || !Number.isFinite(event.at))
      throw new TypeError('this is not an audit event of authmount')
    const over = overKey(event)
    if (over !== undefined) this.#over.set(over, true, now + KEPT_MS)
    const key = untilKey(event)
    // Events may arrive late, and out of order.
    if (key !== undefined) this.#until.set(key, Math.max(event.at, this.#until.get(key, now) ?? 0), now + KEPT_MS)
  }

  /**
   * Tells whether a token has been revoked. A token that was issued in the same second in which everything of its user or app
   * was revoked counts as revoked, because `iat` has whole seconds.
   */
  has({ clientId, grantId, issuedAt, jti, userId }: Revocable, now: EpochMs): boolean {
    if (this.#over.get(tokenKey(jti), now) || this.#over.get(grantKey(grantId), now)) return true
    const keys = [ofUser(null, clientId), ...(userId === null ? [] : [ofUser(userId, null), ofUser(userId, clientId)])]
    return keys.some(key => issuedAt <= (this.#until.get(key, now) ?? -1))
  }
}

function overKey(event: AuthmountEvent): string | undefined {
  switch (event.type) {
    case 'token_revoked':
      return event.jti === null ? grantKey(event.grantId) : tokenKey(event.jti)
    case 'refresh_reuse':
    case 'code_replay':
      return grantKey(event.grantId)
    default:
      return undefined
  }
}

function untilKey(event: AuthmountEvent): string | undefined {
  switch (event.type) {
    case 'app_tokens_revoked':
    case 'app_deleted':
      return ofUser(null, event.clientId)
    case 'consent_withdrawn':
    case 'user_grants_ended':
      return ofUser(event.userId, event.clientId)
    default:
      return undefined
  }
}

function tokenKey(jti: string): string {
  return `token ${jti}`
}

function grantKey(grantId: string): string {
  return `grant ${grantId}`
}

function ofUser(userId: string | null, clientId: string | null): string {
  return JSON.stringify([userId, clientId])
}
