import type { AuthmountEvent } from '../base/events.ts'
import type { EpochMs } from '../base/time.ts'
import { TtlCache } from '../base/ttl-cache.ts'
import type { TokenInfo } from '../tokens/token-guard.ts'

/** No access token lives longer than a day. */
const KEPT_MS = 86_400_000 + 60_000
/** Of each sort, the last ones. */
const MAX_REVOCATIONS = 100_000

/** What a token says that can be revoked. */
export interface Revocable extends Pick<TokenInfo, 'clientId' | 'grantId' | 'userId'> {
  readonly jti: string
  /** In whole seconds. */
  readonly issuedAt: EpochMs
}

/** What has been revoked, as far as the events told. */
export class Revocations {
  /** Tokens and grants: they are over for good. */
  readonly #over = new TtlCache<true>(MAX_REVOCATIONS)
  /** Users and apps: everything that was issued until then. Apart, so that an app that revokes much drives none of them out. */
  readonly #until = new TtlCache<EpochMs>(MAX_REVOCATIONS)

  /** Throws TypeError for what is no event: it would otherwise revoke nothing in silence. */
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
   * Whether a token has been revoked. One that was issued in the very second in which everything of its user or app was revoked
   * counts as issued before.
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
