import type { AuthmountEvent } from '../base/events.ts'
import type { EpochMs } from '../base/time.ts'
import { TtlCache } from '../base/ttl-cache.ts'
import { AppRevocations, type Revocable } from './app-revocations.ts'

/** A day and a minute: no access token lives longer than a day. */
const KEPT_MS = 86_400_000 + 60_000
/** The most entries of all apps together, and the most users. */
const MAX_REVOCATIONS = 100_000
/** The entries that are left after an eviction: it looks at every app, so that it must be rare. */
const LEFT_BY_EVICTION = 93_750

/**
 * Cache of the revocations that events have reported. When it is full, the apps with the most entries lose their oldest: an app
 * that revokes many tokens of its own cannot evict what was revoked of another.
 */
export class Revocations {
  readonly #apps = new Map<string, AppRevocations>()
  /** Users whose grants the host has ended, with the instant until which everything is revoked. No app can add to these. */
  readonly #users = new TtlCache<EpochMs>(MAX_REVOCATIONS)
  #size = 0

  /** Adds an event. Throws TypeError for any other value, which would otherwise silently revoke nothing. */
  add(event: AuthmountEvent, now: EpochMs): void {
    if (typeof event?.type !== 'string' || !Number.isFinite(event.at))
      throw new TypeError('this is not an audit event of authmount')
    const until = now + KEPT_MS
    switch (event.type) {
      case 'token_revoked':
        if (event.jti === null) this.#change(event.clientId, now, app => app.addGrant(event.grantId, until))
        else this.#change(event.clientId, now, app => app.addToken(event.jti ?? '', until))
        break
      case 'device_ended':
      case 'refresh_reuse':
      case 'code_replay':
      case 'session_grant_ended':
        this.#change(event.clientId, now, app => app.addGrant(event.grantId, until))
        break
      case 'app_tokens_revoked':
      case 'app_deleted':
        this.#change(event.clientId, now, app => app.endAll(event.at, until))
        break
      case 'consent_withdrawn':
        this.#change(event.clientId, now, app => app.endUser(event.userId, event.at, until))
        break
      case 'user_grants_ended':
        if (event.clientId === null) this.#users.set(event.userId, latest(event.at, this.#users.get(event.userId, now)), until)
        else this.#change(event.clientId, now, app => app.endUser(event.userId, event.at, until))
    }
  }

  /**
   * Tells whether a token has been revoked. A token that was issued in the same second in which everything of its user or app
   * was revoked counts as revoked, because `iat` has whole seconds.
   */
  has(token: Revocable, now: EpochMs): boolean {
    if (this.#apps.get(token.clientId)?.has(token, now)) return true
    return token.userId !== null && token.issuedAt <= (this.#users.get(token.userId, now) ?? Number.NEGATIVE_INFINITY)
  }

  #change(clientId: string, now: EpochMs, change: (app: AppRevocations) => void): void {
    const app = this.#apps.get(clientId) ?? new AppRevocations()
    this.#apps.set(clientId, app)
    const before = app.size
    change(app)
    this.#size += app.size - before
    if (this.#size > MAX_REVOCATIONS) this.#evict(now)
  }

  /** Drops what has expired; if that is not enough, it cuts the largest apps down to one size. */
  #evict(now: EpochMs): void {
    for (const app of this.#apps.values()) app.dropExpired(now)
    const most = cut([...this.#apps.values()].map(({ size }) => size))
    this.#size = 0
    // More apps than entries: the oldest are dropped.
    let surplus = Math.max(0, this.#apps.size - LEFT_BY_EVICTION)
    for (const [clientId, app] of this.#apps) {
      app.dropOldest(surplus-- > 0 ? app.size : app.size - most)
      if (app.size === 0) this.#apps.delete(clientId)
      this.#size += app.size
    }
  }
}

/** Returns the size, 1 at least, to which the larger apps must be cut so that all together have `LEFT_BY_EVICTION` entries. */
function cut(sizes: number[]): number {
  let left = LEFT_BY_EVICTION
  for (const [index, size] of sizes.sort((a, b) => a - b).entries()) {
    const share = left / (sizes.length - index)
    if (size > share) return Math.max(1, Math.floor(share))
    left -= size
  }
  return Number.POSITIVE_INFINITY
}

function latest(at: EpochMs, before: EpochMs | undefined): EpochMs {
  // Events may arrive late, and out of order.
  return Math.max(at, before ?? at)
}
