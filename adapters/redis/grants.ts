import { appOfGrant, isGrantId } from '../../src/base/ids.ts'
import type { FoundToken, GrantStore, RevokeQuery, Token, TokenRef } from '../../src/store/store.ts'
import { lastExpiry } from '../common/records.ts'
import { type RedisContext, ttl } from './context.ts'
import { formatGrant, formatTokens, GRANT_FIELDS, type Placed, parseGrant, parsePlaced, parseToken } from './packed-grants.ts'
import { keyOf } from './records.ts'
import { addTokens, createGrant, revokeGrant, revokeToken, rotateToken } from './scripts/grants.ts'
import { isRefusal } from './scripts/script.ts'
import { indexThenRecord, parseMember, TokenIndex } from './token-index.ts'
import { pairs, tokenLists } from './token-lists.ts'

/** The number of grants that `revokeMany` revokes at a time. */
const BATCH = 200
/** The number of index members that the server filters at a time, in less than a millisecond. */
const SCANNED = 1000

/**
 * Stores a grant and its tokens in one hash, and indexes on slots of their own ({@link TokenIndex}).
 *
 * An index is written just before the record ({@link indexThenRecord}). For a moment, or after a crash, it may have members
 * without a record, so readers compare with the record. A call succeeds only once both are written, so every token that was
 * handed out is in the indexes.
 */
export function redisGrants(context: RedisContext): GrantStore {
  const { now, prefix, redis, wait } = context
  const index = new TokenIndex(context)
  // An id of our own shape is not hashed, so that the key of a grant fits into 64 bytes. Any other id is hashed, so that a caller
  // cannot choose its key or slot.
  const grantKey = (grantId: string) => (isGrantId(grantId) ? `${prefix}:g:${grantId}` : keyOf(prefix, 'g', grantId))

  const read = async (grantId: string, tokenIds: readonly string[]): Promise<readonly FoundToken[]> => {
    const fields = await redis.hmget(grantKey(grantId), ...GRANT_FIELDS, ...tokenIds.map(id => `t:${id}`))
    if (fields.every(isNull)) return []
    const grant = parseGrant(grantId, fields)
    const at = now()
    return tokenIds.flatMap((id, position) => {
      const text = fields[GRANT_FIELDS.length + position]
      if (text == null) return []
      const { spent, token } = parseToken(id, text, grant)
      return token.expiresAt > at ? [{ grant, token, spent }] : []
    })
  }

  /** Like `read`, for one token. Written out: it runs on every request. */
  const find = ({ grantId, tokenId }: TokenRef): Promise<FoundToken | undefined> =>
    redis.hmget(grantKey(grantId), ...GRANT_FIELDS, `t:${tokenId}`).then(fields => {
      if (fields.every(isNull)) return undefined
      const grant = parseGrant(grantId, fields)
      const text = fields[GRANT_FIELDS.length]
      if (text == null) return undefined
      const { spent, token } = parseToken(tokenId, text, grant)
      return token.expiresAt > now() ? { grant, token, spent } : undefined
    })

  /**
   * Corrects the index entries of tokens by the record. Needed if a write was refused or repeated, because its entries were
   * written before; and if `written` is not the stored grant.
   */
  const correct = async (written: Placed, tokenIds: readonly string[]): Promise<void> => {
    const found = await read(written.id, tokenIds)
    const live = found.filter(({ spent }) => !spent).map(({ token }) => token)
    const ids = new Set(live.map(({ id }) => id))
    const gone = tokenIds.filter(id => !ids.has(id))
    const stored = found[0]?.grant
    if (!stored || samePlace(stored, written)) {
      await index.change(written, { add: live, remove: gone })
      return
    }
    await Promise.all(index.add(stored, live, gone))
    await index.remove(written, tokenIds)
    if (written.userId !== stored.userId) await index.removeFromUser(written)
  }

  const revoke = async (grantId: string, conditions: readonly string[] = ['', '', '']): Promise<boolean> => {
    const revoked = await revokeGrant.decide(redis, [grantKey(grantId)], [now(), ...conditions], wait)
    if (!revoked) return false
    const [g, o, u, ...tokenIds] = revoked
    const grant = parsePlaced(grantId, [g, o, u])
    // Record first: readers skip an index entry without a record.
    await Promise.all([index.remove(grant, tokenIds), index.removeFromUser(grant)])
    return true
  }
  /** Revokes grants, and rejects only afterwards for those that this version cannot read, so that they do not keep the others alive. */
  const revokeEach = async (grantIds: Iterable<string>, conditions: readonly string[], refused: unknown[]): Promise<number> => {
    const ids = [...new Set(grantIds)]
    let revoked = 0
    for (let start = 0; start < ids.length; start += BATCH) {
      const batch = ids.slice(start, start + BATCH).map(async id => {
        try {
          if (await revoke(id, conditions)) revoked++
        } catch (error) {
          if (!isRefusal(error)) throw error
          refused.push(error)
        }
      })
      await Promise.all(batch)
    }
    return revoked
  }
  const revokeOfApp = async (
    appId: string,
    { orgId, epochBelow }: RevokeQuery,
    conditions: readonly string[],
    refused: unknown[],
  ) => {
    let revoked = 0
    const pattern = orgId === undefined ? '*' : `${index.tagOf(orgId)}*`
    for (const epoch of await redis.smembers(index.epochsKey(appId))) {
      if (Number(epoch) >= (epochBelow ?? Number.POSITIVE_INFINITY)) continue
      const [issued] = index.tokenKeys(appId, epoch)
      let cursor = '0'
      do {
        const [next, members] = await redis.zscan(issued, cursor, 'MATCH', pattern, 'COUNT', SCANNED)
        const grantIds = pairs(members).map(([member]) => parseMember(appId, member).grantId)
        revoked += await revokeEach(grantIds, conditions, refused)
        cursor = next
      } while (cursor !== '0')
    }
    return revoked
  }
  const membersOf = (key: string) => redis.zrangebyscore(key, `(${now()}`, '+inf')

  return {
    find,
    revoke: grantId => revoke(grantId),

    async create(grant, tokens) {
      const at = now()
      const own = formatGrant(grant)
      const args = [at, ttl(lastExpiry(tokens), at), own.length / 2, ...own, ...formatTokens(grant, tokens)]
      const created = await indexThenRecord(context, index.add(grant, tokens), () =>
        createGrant.decide(redis, [grantKey(grant.id)], args, wait),
      )
      if (created !== 1) await correct(grant, idsOf(tokens))
      return created !== 0
    },

    async rotate({ grant, token }, next, replay) {
      const at = now()
      const written = ofOwnApp(grant)
      const args = [at, token.id, `${at} `, replay, ttl(lastExpiry(next), at), ...formatTokens(grant, next)]
      const [outcome, repeated, ...own] = await indexThenRecord(context, index.add(written, next, [token.id]), () =>
        rotateToken.decide(redis, [grantKey(grant.id)], args, wait),
      ).catch(async error => {
        // It is unknown whether the token was spent. Add it again; a list that finds it spent removes it.
        await index.change(written, { add: [token] }).catch(() => {})
        throw error
      })
      if (outcome !== 'rotated' || repeated || !samePlace(parsePlaced(grant.id, own), written))
        await correct(written, [token.id, ...idsOf(next)])
      return outcome
    },

    async add({ grant, token }, tokens) {
      const at = now()
      const written = ofOwnApp(grant)
      const args = [at, token.id, ttl(lastExpiry(tokens), at), ...formatTokens(grant, tokens)]
      const [outcome, repeated, ...own] = await indexThenRecord(context, index.add(written, tokens), () =>
        addTokens.decide(redis, [grantKey(grant.id)], args, wait),
      )
      if (outcome !== 'added' || repeated || !samePlace(parsePlaced(grant.id, own), written))
        await correct(written, idsOf(tokens))
      if (outcome === 'conflict') throw new Error('a token of this id is there, with other content')
      return outcome
    },

    async revokeToken({ grantId, tokenId }) {
      const revoked = await revokeToken.decide(redis, [grantKey(grantId)], [now(), tokenId], wait)
      if (!revoked) return false
      const [last, ...stored] = revoked
      const grant = parsePlaced(grantId, stored)
      await Promise.all([index.remove(grant, [tokenId]), last ? index.removeFromUser(grant) : undefined])
      return true
    },

    async revokeMany(query) {
      const { appId, epochBelow, orgId, userId } = query
      const conditions = [
        orgId === undefined ? '' : `=${orgId}`,
        userId === undefined ? '' : `=${userId}`,
        epochBelow === undefined || epochBelow === Number.POSITIVE_INFINITY ? '' : String(epochBelow),
      ]
      const refused: unknown[] = []
      let revoked = 0
      if (userId !== undefined) {
        const ids = await membersOf(index.userKey(userId))
        const chosen = appId === undefined ? ids : ids.filter(id => appOfGrant(id) === appId)
        revoked = await revokeEach(chosen, conditions, refused)
      } else if (appId !== undefined) {
        revoked = await revokeOfApp(appId, query, conditions, refused)
      } else if (orgId !== undefined) {
        for (const id of await membersOf(index.orgKey(orgId))) revoked += await revokeOfApp(id, query, conditions, refused)
      }
      if (refused.length > 0) throw refused[0]
      return revoked
    },

    listTokens: tokenLists(context, { find, grantKey, index }),
  }
}

function isNull(field: string | null): boolean {
  return field === null
}

function idsOf(tokens: readonly Token[]): readonly string[] {
  return tokens.map(({ id }) => id)
}

/** Takes the app's id from the grant's id, because the caller's copy of the grant may be wrong. */
function ofOwnApp<G extends Placed>(grant: G): G {
  const appId = appOfGrant(grant.id)
  return grant.appId === appId ? grant : { ...grant, appId }
}

function samePlace(a: Placed, b: Placed): boolean {
  return a.epoch === b.epoch && a.orgId === b.orgId && a.userId === b.userId
}
