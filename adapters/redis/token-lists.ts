import type { FoundToken, GrantedToken, GrantStore, TokenPage, TokenRef } from '../../src/store/store.ts'
import { formatCursor, NewestTokens, newerFirst, parseCursor } from '../common/newest-tokens.ts'
import type { RedisContext } from './context.ts'
import { GRANT_FIELDS, parseGrant, parseToken } from './packed-grants.ts'
import { pageOfTokens } from './scripts/indexes.ts'
import { parseMember, type TokenIndex } from './token-index.ts'

/** Index entries without a record are removed at this age, in milliseconds: a younger one may belong to a pending write. */
const STALE_AFTER_MS = 60_000

interface Parts {
  readonly find: (ref: TokenRef) => Promise<FoundToken | undefined>
  readonly grantKey: (grantId: string) => string
  readonly index: TokenIndex
}

interface Page {
  readonly after?: string
  readonly limit: number
}

export function tokenLists({ now, redis }: RedisContext, { find, grantKey, index }: Parts): GrantStore['listTokens'] {
  /** Reads every live token of a grant. */
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

  const cursorOf = ({ grant, token }: GrantedToken) => `${token.issuedAt}.${index.memberOf(grant, token.id)}`

  /** Reads a page of the index and its records, and goes on until the page is full or the index ends. */
  const listOfApp = async (appId: string, epoch: number, query: Page): Promise<TokenPage> => {
    const [issued, expires] = index.tokenKeys(appId, epoch)
    const items: GrantedToken[] = []
    let cursor = query.after
    for (;;) {
      const after = cursor === undefined ? undefined : /^(\d{1,16})\.(.+)$/s.exec(cursor)
      // No token follows a text that is not a cursor.
      const wanted = after === null || query.limit === 0 ? 0 : query.limit + 1 - items.length
      const [, at, member] = after ?? []
      const args = [now(), wanted, ...(at === undefined || member === undefined ? [] : [at, member])]
      const [total, ...listed] = await pageOfTokens.run(redis, [issued, expires], args)
      const found = await Promise.all(
        pairs(listed).map(async ([member, issuedAt]) => {
          const item = await find(parseMember(appId, member))
          const right = item && !item.spent && item.grant.epoch === epoch && index.memberOf(item.grant, item.token.id) === member
          return { member, right, item, young: !item && Number(issuedAt) >= now() - STALE_AFTER_MS }
        }),
      )
      for (const { item, right } of found) if (item && right) items.push({ grant: item.grant, token: item.token })
      const wrong = found.filter(({ right, young }) => !right && !young).map(({ member }) => member)
      await index.removeMembers({ appId, epoch }, wrong)
      const [lastMember, lastIssuedAt] = listed.slice(-2)
      cursor = `${lastIssuedAt}.${lastMember}`
      if (items.length > query.limit || listed.length < 2 * wanted || wanted === 0) {
        const page = items.slice(0, query.limit)
        const last = page.at(-1)
        return { items: page, total, next: last && items.length > query.limit ? cursorOf(last) : null }
      }
    }
  }

  /** Reads every grant of the user. */
  const listOfUser = async (userId: string, { after, limit }: Page): Promise<TokenPage> => {
    const grantIds = await redis.zrangebyscore(index.userKey(userId), `(${now()}`, '+inf')
    const live = (await Promise.all(grantIds.map(tokensOf))).flat().filter(({ grant }) => grant.userId === userId)
    const cursor = after === undefined ? undefined : parseCursor(after)
    const newest = new NewestTokens(limit + 1)
    for (const item of live) if (!cursor || newerFirst(cursor, item.token) < 0) newest.offer(item)
    const sorted = limit === 0 ? [] : newest.sorted()
    const items = sorted.slice(0, limit)
    const last = items.at(-1)
    return { items, total: live.length, next: last && sorted.length > limit ? formatCursor(last.token) : null }
  }

  return query => ('userId' in query ? listOfUser(query.userId, query) : listOfApp(query.appId, query.epoch, query))
}

/** Converts alternating members and scores to pairs. */
export function pairs(flat: readonly string[]): readonly (readonly [string, string])[] {
  return flat.flatMap((item, index) => (index % 2 === 0 ? [[item, flat[index + 1] ?? ''] as const] : []))
}
