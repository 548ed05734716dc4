import { Memo } from '../../src/base/memo.ts'
import type { EpochMs } from '../../src/base/time.ts'
import { TtlCache } from '../../src/base/ttl-cache.ts'
import type { Grant, Token, TokenRef } from '../../src/store/store.ts'
import { digest, lastExpiry } from '../common/records.ts'
import { type RedisContext, ttl } from './context.ts'
import type { Placed } from './packed-grants.ts'
import { keyOf } from './records.ts'
import { indexTokens, indexUntil } from './scripts/indexes.ts'

/** The number of members that one command removes, because the number of its arguments is limited. */
const BATCH = 200

/** One index write in `LOOK_EVERY` also removes up to `LOOK_FOR` expired members, which is more than eight writes add. */
const LOOK_EVERY = 8
const LOOK_FOR = 50

/** How long a process relies on having indexed an app for an organisation. A failover may have lost that write. */
const RELY_MS = 60_000
/** The most pairs of an app and an organisation in the cache of a process. */
const PAIRS = 5000

/**
 * Keeps three indexes, each on a slot of its own: the live tokens of each app and epoch; the grants of each user by expiry; the
 * apps with grants of each organisation by expiry.
 *
 * The third has a member for an app, not for a grant: it costs no memory for a token, and a process writes it once a minute
 * for a pair of app and organisation, in the round trip of the others. From there, the grants of an organisation are found in
 * the tokens of its apps: a member begins with eight digits of the organisation's digest, by which the server filters.
 */
export class TokenIndex {
  readonly #context: RedisContext
  readonly #bases = new Memo<string>()
  readonly #tags = new Memo<string>()
  readonly #indexed = new TtlCache<EpochMs>(PAIRS)

  constructor(context: RedisContext) {
    this.#context = context
  }

  userKey(userId: string): string {
    return keyOf(this.#context.prefix, 'user', userId)
  }

  orgKey(orgId: string): string {
    return keyOf(this.#context.prefix, 'org', orgId)
  }

  epochsKey(appId: string): string {
    return `${this.#baseOf(appId)}:epochs`
  }

  tokenKeys(appId: string, epoch: number | string): readonly [issued: string, expires: string, epochs: string] {
    const base = this.#baseOf(appId)
    return [`${base}:${epoch}:issued`, `${base}:${epoch}:expires`, `${base}:epochs`]
  }

  /** Returns the prefix of all members of an organisation. */
  tagOf(orgId: string): string {
    return this.#tags.get(orgId) ?? this.#tags.set(orgId, digest([orgId]).slice(0, 8))
  }

  /** Formats a member: "<tag of the organisation><length>:<the grant's id without its app's><the token's id>". The app is in the key. */
  memberOf({ appId, id, orgId }: Pick<Grant, 'appId' | 'id' | 'orgId'>, tokenId: string): string {
    return `${this.tagOf(orgId)}${id.length - appId.length}:${id.slice(appId.length)}${tokenId}`
  }

  /** Adds tokens of a grant to all three indexes, and removes some from that of its app. Returns the pending writes. */
  add(grant: Placed, tokens: readonly Token[], remove: readonly string[] = []): readonly Promise<unknown>[] {
    const writes = [this.change(grant, { add: tokens, remove })]
    if (tokens.length === 0) return writes
    const [at, until] = [this.#context.now(), lastExpiry(tokens)]
    const { appId, id, orgId, userId } = grant
    if (userId !== null) writes.push(this.#addUntil(this.userKey(userId), id, { at, until }))
    const pair = appId + orgId
    if ((this.#indexed.get(pair, at) ?? 0) < until) {
      // Outlives the token, so that the entry also covers tokens of the next minute.
      const later = until + 2 * RELY_MS
      const written = this.#addUntil(this.orgKey(orgId), appId, { at, until: later })
      writes.push(written.then(() => this.#indexed.set(pair, later, at + RELY_MS)))
    }
    return writes
  }

  /** Changes the index of the app's tokens alone. */
  change(
    grant: Placed,
    { add = [], remove = [] }: { readonly add?: readonly Token[]; readonly remove?: readonly string[] },
  ): Promise<unknown> {
    if (add.length + remove.length === 0) return Promise.resolve()
    const { now, redis } = this.#context
    const at = now()
    const expired = Math.random() * LOOK_EVERY < 1 ? LOOK_FOR : 0
    const args: (string | number)[] = [at, grant.epoch, ttl(lastExpiry(add), at), expired, remove.length]
    for (const id of remove) args.push(this.memberOf(grant, id))
    for (const { id, issuedAt, expiresAt } of add) args.push(issuedAt, expiresAt, this.memberOf(grant, id))
    return indexTokens.run(redis, this.tokenKeys(grant.appId, grant.epoch), args)
  }

  /** Removes tokens, however many, from the index of the app. */
  remove(grant: Placed, tokenIds: readonly string[]): Promise<void> {
    const members = tokenIds.map(id => this.memberOf(grant, id))
    return this.removeMembers(grant, members)
  }

  async removeMembers({ appId, epoch }: Pick<Placed, 'appId' | 'epoch'>, members: readonly string[]): Promise<void> {
    const { now, redis } = this.#context
    for (let start = 0; start < members.length; start += BATCH) {
      const batch = members.slice(start, start + BATCH)
      await indexTokens.run(redis, this.tokenKeys(appId, epoch), [now(), epoch, 0, 0, batch.length, ...batch])
    }
  }

  async removeFromUser({ id, userId }: Pick<Grant, 'id' | 'userId'>): Promise<void> {
    if (userId !== null) await this.#context.redis.zrem(this.userKey(userId), id)
  }

  #addUntil(key: string, member: string, { at, until }: { readonly at: EpochMs; readonly until: EpochMs }): Promise<unknown> {
    return indexUntil.run(this.#context.redis, [key], [at, ttl(until, at), until, member])
  }

  #baseOf(appId: string): string {
    return this.#bases.get(appId) ?? this.#bases.set(appId, `${this.#context.prefix}:tokens:{${digest([appId])}}`)
  }
}

export function parseMember(appId: string, member: string): TokenRef {
  const colon = member.indexOf(':', 8)
  const end = colon + 1 + Number(member.slice(8, colon))
  return { grantId: appId + member.slice(colon + 1, end), tokenId: member.slice(end) }
}

/**
 * Writes the indexes and then the record. One connection keeps the order of what is sent, so that all of it takes one round trip. In a
 * cluster they are on several: an index entry could come after another process has ended the grant and removed its entries.
 * On failure waits for all writes: an index entry must not be added after we removed it. Resolves to the record's answer.
 */
export async function indexThenRecord<Answer>(
  { redis }: Pick<RedisContext, 'redis'>,
  indexes: readonly Promise<unknown>[],
  record: () => Promise<Answer>,
): Promise<Answer> {
  const answer = redis.isCluster ? Promise.all(indexes).then(record) : record()
  try {
    await Promise.all([...indexes, answer])
    return answer
  } catch (error) {
    await Promise.allSettled([...indexes, answer])
    throw error
  }
}
