import { appOfGrant } from '../../src/base/ids.ts'
import { Memo } from '../../src/base/memo.ts'
import type { FoundToken, Grant, GrantedToken, GrantStore, Token, TokenPage, TokenRef } from '../../src/store/store.ts'
import { formatCursor, NewestTokens, newerFirst, parseCursor } from '../common/newest-tokens.ts'
import { digest, lastExpiry } from '../common/records.ts'
import { type RedisContext, ttl } from './context.ts'
import { formatGrant, formatMember, formatTokens, GRANT_FIELDS, keyOf, parseGrant, parseMember, parseToken } from './records.ts'
import { createGrant, indexGrant, indexTokens, pageOfTokens, revokeGrant, revokeToken, rotateToken } from './scripts.ts'

/** Whoever made it up: longer than a digest, and nothing in it that a key could be steered by. */
const GRANT_ID = /^[\w-]{46}$/

/** How many grants a sweep revokes at a time. */
const BATCH = 200

/** At one write to an index of so many it is looked for what has expired, and for how many: more than as many writes add. */
const LOOK_EVERY = 8
const LOOK_FOR = 50

/** An index entry this old, in milliseconds, without a record is not one in the making. */
const STALE_AFTER_MS = 60_000

/**
 * A grant and its tokens in one hash; its client's tokens, and its user's grants, in indexes on slots of their own.
 *
 * An index is written just before the record, in the same round trip, and may for a moment, or after a crash, hold
 * what is not there: readers look at the record itself. A call succeeds only when both are written, so nobody ever
 * holds a token that is not listed.
 */
export function redisGrants({ redis, prefix, wait, now }: RedisContext): GrantStore {
  // There are as many of these keys as there are grants: an id of ours is not hashed, and with it the key fits into 64 bytes.
  const grantKey = (grantId: string) => (GRANT_ID.test(grantId) ? `${prefix}:g:${grantId}` : keyOf(prefix, 'g', grantId))
  const userKey = (userId: string) => keyOf(prefix, 'user', userId)
  const bases = new Memo<string>()
  const baseOf = (clientId: string) => bases.get(clientId) ?? bases.set(clientId, `${prefix}:tokens:{${digest([clientId])}}`)
  const epochsKey = (clientId: string) => `${baseOf(clientId)}:epochs`
  const indexKeys = (clientId: string, epoch: number | string) => {
    const base = baseOf(clientId)
    return [`${base}:${epoch}:issued`, `${base}:${epoch}:expires`, `${base}:epochs`] as const
  }

  const reindex = (
    { id: grantId, clientId, epoch }: Pick<Grant, 'id' | 'clientId' | 'epoch'>,
    { add = [], remove = [] }: { readonly add?: readonly Token[]; readonly remove?: readonly string[] },
  ): Promise<unknown> => {
    if (add.length + remove.length === 0) return Promise.resolve()
    const at = now()
    const expired = Math.random() * LOOK_EVERY < 1 ? LOOK_FOR : 0
    const args: (string | number)[] = [at, epoch, ttl(lastExpiry(add), at), expired, remove.length]
    for (const tokenId of remove) args.push(formatMember({ grantId, tokenId }))
    for (const { id: tokenId, issuedAt, expiresAt } of add) args.push(issuedAt, expiresAt, formatMember({ grantId, tokenId }))
    return indexTokens.run(redis, indexKeys(clientId, epoch), args)
  }
  /** In parts: a command takes only so many arguments. */
  const unlist = async (grant: Pick<Grant, 'id' | 'clientId' | 'epoch'>, tokenIds: readonly string[]): Promise<void> => {
    for (let start = 0; start < tokenIds.length; start += BATCH)
      await reindex(grant, { remove: tokenIds.slice(start, start + BATCH) })
  }
  const indexForUser = async ({ id, userId }: Grant, tokens: readonly Token[]): Promise<void> => {
    if (userId === null || tokens.length === 0) return
    const [at, expiresAt] = [now(), lastExpiry(tokens)]
    await indexGrant.run(redis, [userKey(userId)], [at, ttl(expiresAt, at), expiresAt, id])
  }
  const forgetForUser = async (grantId: string, user: string | null): Promise<void> => {
    if (user) await redis.zrem(userKey(user.slice(1)), grantId)
  }

  const find = ({ grantId, tokenId }: TokenRef): Promise<FoundToken | undefined> =>
    redis.hmget(grantKey(grantId), ...GRANT_FIELDS, `t:${tokenId}`).then(fields => {
      if (fields.every(isNull)) return undefined
      const grant = parseGrant(grantId, fields)
      const text = fields[GRANT_FIELDS.length]
      if (text == null) return undefined
      const { spent, token } = parseToken(tokenId, text, grant)
      return token.expiresAt > now() ? { grant, token, spent } : undefined
    })

  /** Every live token of a grant. */
  const tokensOf = async (grantId: string): Promise<readonly GrantedToken[]> => {
    const fields = await redis.hgetall(grantKey(grantId))
    if (Object.keys(fields).length === 0) return []
    const grant = parseGrant(
      grantId,
      GRANT_FIELDS.map(name => fields[name]),
    )
    return Object.entries(fields)
      .filter(([name]) => name.startsWith('t:'))
      .map(([name, text]) => parseToken(name.slice(2), text, grant))
      .filter(({ spent, token }) => !spent && token.expiresAt > now())
      .map(({ token }) => ({ grant, token }))
  }

  const revoke = async (grantId: string): Promise<boolean> => {
    const revoked = await revokeGrant.decide(redis, [grantKey(grantId)], [], wait)
    if (!revoked) return false
    const [epoch, user, ...tokenIds] = revoked
    // Record first: an index entry without a record is skipped.
    await Promise.all([
      unlist({ id: grantId, clientId: appOfGrant(grantId), epoch: Number(epoch) }, tokenIds),
      forgetForUser(grantId, user),
    ])
    return true
  }
  const revokeEach = async (grantIds: Iterable<string>): Promise<number> => {
    const ids = [...new Set(grantIds)]
    let revoked = 0
    for (let start = 0; start < ids.length; start += BATCH)
      revoked += (await Promise.all(ids.slice(start, start + BATCH).map(revoke))).filter(Boolean).length
    return revoked
  }
  const grantsOfUser = (userId: string) => redis.zrangebyscore(userKey(userId), `(${now()}`, '+inf')

  const listOfClient = async (clientId: string, epoch: number, query: Page): Promise<TokenPage> => {
    const [issued, expires] = indexKeys(clientId, epoch)
    const items: GrantedToken[] = []
    let cursor = query.after
    for (;;) {
      const after = cursor === undefined ? undefined : /^(\d{1,16})\.(.+)$/s.exec(cursor)
      // A cursor that is none of ours has nothing after it.
      const wanted = after === null ? 0 : query.limit === 0 ? 0 : query.limit + 1 - items.length
      const [, at, member] = after ?? []
      const args = [now(), wanted, ...(at === undefined || member === undefined ? [] : [at, member])]
      const [total, ...listed] = await pageOfTokens.run(redis, [issued, expires], args)
      const found = await Promise.all(
        pairs(listed).map(async ([member, issuedAt]) => {
          const ref = parseMember(clientId, member)
          return { ref, issuedAt: Number(issuedAt), item: await find(ref) }
        }),
      )
      for (const { item, ref, issuedAt } of found) {
        if (item && !item.spent) items.push({ grant: item.grant, token: item.token })
        // What has no record may be about to get one; if it still has none, whoever wrote the entry came no further.
        else if (item || issuedAt < now() - STALE_AFTER_MS)
          await reindex({ id: ref.grantId, clientId, epoch }, { remove: [ref.tokenId] })
      }
      const [lastMember, lastIssuedAt] = listed.slice(-2)
      cursor = `${lastIssuedAt}.${lastMember}`
      if (items.length > query.limit || listed.length < 2 * wanted || wanted === 0) {
        const page = items.slice(0, query.limit)
        const last = page.at(-1)
        return { items: page, total, next: last && items.length > query.limit ? cursorOf(last) : null }
      }
    }
  }

  const listOfUser = async (userId: string, { after, limit }: Page): Promise<TokenPage> => {
    const live = (await Promise.all((await grantsOfUser(userId)).map(tokensOf))).flat()
    const cursor = after === undefined ? undefined : parseCursor(after)
    const newest = new NewestTokens(limit + 1)
    for (const item of live) if (!cursor || newerFirst(cursor, item.token) < 0) newest.offer(item)
    const sorted = limit === 0 ? [] : newest.sorted()
    const items = sorted.slice(0, limit)
    const last = items.at(-1)
    return { items, total: live.length, next: last && sorted.length > limit ? formatCursor(last.token) : null }
  }

  return {
    find,
    revoke,

    async create(grant, tokens) {
      const own = formatGrant(grant)
      const args = [ttl(lastExpiry(tokens), now()), own.length / 2, ...own, ...formatTokens(grant, tokens)]
      const created = await lastOf([
        reindex(grant, { add: tokens }),
        indexForUser(grant, tokens),
        createGrant.decide(redis, [grantKey(grant.id)], args, wait),
      ])
      if (created === 0) await reindex(grant, { remove: tokens.map(({ id }) => id) })
      return created === 1
    },

    async rotate({ grant, token }, next, replay) {
      const at = now()
      const args = [at, token.id, `${at} `, replay, ttl(lastExpiry(next), at), ...formatTokens(grant, next)]
      const outcome = await lastOf([
        reindex(grant, { add: next, remove: token.kind === 'refresh' ? [token.id] : [] }),
        indexForUser(grant, next),
        rotateToken.decide(redis, [grantKey(grant.id)], args, wait),
      ]).catch(async error => {
        // It may live after all: it is listed again, and whoever finds it spent takes it out.
        await reindex(grant, { add: [token] }).catch(() => {})
        throw error
      })
      if (outcome !== 'rotated') await reindex(grant, { remove: next.map(({ id }) => id) })
      return outcome
    },

    async revokeToken({ grantId, tokenId }) {
      const revoked = await revokeToken.decide(redis, [grantKey(grantId)], [now(), tokenId], wait)
      if (!revoked) return false
      const [epoch, user] = revoked
      await Promise.all([
        reindex({ id: grantId, clientId: appOfGrant(grantId), epoch: Number(epoch) }, { remove: [tokenId] }),
        forgetForUser(grantId, user),
      ])
      return true
    },

    async revokeMany({ clientId, userId, epochBelow = Number.POSITIVE_INFINITY }) {
      if (userId !== undefined) {
        const ids = await grantsOfUser(userId)
        const wanted = ids.filter(id => clientId === undefined || appOfGrant(id) === clientId)
        if (epochBelow === Number.POSITIVE_INFINITY) return revokeEach(wanted)
        const grants = await Promise.all(wanted.map(tokensOf))
        return revokeEach(grants.flat().flatMap(({ grant }) => (grant.epoch < epochBelow ? [grant.id] : [])))
      }
      if (clientId === undefined) return 0
      let revoked = 0
      for (const epoch of await redis.smembers(epochsKey(clientId))) {
        if (Number(epoch) >= epochBelow) continue
        const [issued] = indexKeys(clientId, epoch)
        let cursor = '0'
        do {
          const [next, members] = await redis.zscan(issued, cursor, 'COUNT', BATCH)
          revoked += await revokeEach(pairs(members).map(([member]) => parseMember(clientId, member).grantId))
          cursor = next
        } while (cursor !== '0')
      }
      return revoked
    },

    listTokens: query => ('userId' in query ? listOfUser(query.userId, query) : listOfClient(query.clientId, query.epoch, query)),
  }
}

interface Page {
  readonly after?: string
  readonly limit: number
}

function isNull(field: string | null): boolean {
  return field === null
}

function cursorOf({ grant, token }: GrantedToken): string {
  return `${token.issuedAt}.${formatMember({ grantId: grant.id, tokenId: token.id })}`
}

function pairs(flat: readonly string[]): readonly (readonly [string, string])[] {
  return flat.flatMap((item, index) => (index % 2 === 0 ? [[item, flat[index + 1] ?? ''] as const] : []))
}

/** The answer of the last of them; where one fails, once all have ended: what one adds must not arrive after it has been taken back. */
async function lastOf<Last>(started: readonly [...Promise<unknown>[], Promise<Last>]): Promise<Last> {
  try {
    return (await Promise.all(started)).at(-1) as Last
  } catch (error) {
    await Promise.allSettled(started)
    throw error
  }
}
