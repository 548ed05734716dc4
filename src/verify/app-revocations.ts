import type { EpochMs } from '../base/time.ts'
import type { TokenInfo } from '../tokens/token-guard.ts'

/** The fields of a token by which it can be revoked. */
export interface Revocable extends Pick<TokenInfo, 'clientId' | 'grantId' | 'userId'> {
  readonly jti: string
  /** In whole seconds. */
  readonly issuedAt: EpochMs
}

interface Ended {
  /** Everything that was issued up to then is revoked. */
  readonly at: EpochMs
  readonly until: EpochMs
}

/** The revocations of one app. `until` is when an entry expires; all live equally long, so that the oldest expire first. */
export class AppRevocations {
  readonly #tokens = new Map<string, EpochMs>()
  readonly #grants = new Map<string, EpochMs>()
  readonly #users = new Map<string, Ended>()
  #all: Ended | undefined

  get size(): number {
    return this.#tokens.size + this.#grants.size + this.#users.size + (this.#all ? 1 : 0)
  }

  addToken(jti: string, until: EpochMs): void {
    renew(this.#tokens, jti, until)
  }

  addGrant(grantId: string, until: EpochMs): void {
    renew(this.#grants, grantId, until)
  }

  endUser(userId: string, at: EpochMs, until: EpochMs): void {
    renew(this.#users, userId, { at: Math.max(at, this.#users.get(userId)?.at ?? at), until })
  }

  endAll(at: EpochMs, until: EpochMs): void {
    this.#all = { at: Math.max(at, this.#all?.at ?? at), until }
  }

  has({ grantId, issuedAt, jti, userId }: Revocable, now: EpochMs): boolean {
    const ended = (entry: Ended | undefined) => entry !== undefined && entry.until > now && issuedAt <= entry.at
    return (
      (this.#tokens.get(jti) ?? 0) > now ||
      (this.#grants.get(grantId) ?? 0) > now ||
      (userId !== null && ended(this.#users.get(userId))) ||
      ended(this.#all)
    )
  }

  dropExpired(now: EpochMs): void {
    dropWhile(this.#tokens, until => until <= now)
    dropWhile(this.#grants, until => until <= now)
    dropWhile(this.#users, ({ until }) => until <= now)
    if (this.#all && this.#all.until <= now) this.#all = undefined
  }

  /** Drops the oldest entries: tokens before grants, and grants before users, because less depends on them. */
  dropOldest(count: number): void {
    let left = count
    const take = () => left-- > 0
    dropWhile(this.#tokens, take)
    if (left > 0) dropWhile(this.#grants, take)
    if (left > 0) dropWhile(this.#users, take)
    if (left > 0) this.#all = undefined
  }
}

/** Makes an entry the newest of its map. */
function renew<Value>(entries: Map<string, Value>, key: string, value: Value): void {
  entries.delete(key)
  entries.set(key, value)
}

function dropWhile<Value>(entries: Map<string, Value>, drop: (value: Value) => boolean): void {
  for (const [key, value] of entries) {
    if (!drop(value)) return
    entries.delete(key)
  }
}
