import { setImmediate } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { appOfGrant } from '../../src/base/ids.ts'
import type { EpochMs } from '../../src/base/time.ts'
import type { Grant, GrantStore, RevokeQuery, Spent, Token, TokenRef } from '../../src/store/store.ts'
import { frozenCopy } from '../common/frozen-copy.ts'
import { formatCursor, NewestTokens, newerFirst, parseCursor } from '../common/newest-tokens.ts'
import { lastExpiry } from '../common/records.ts'
import { LiveCount } from './live-count.ts'
import type { Sweeper } from './sweeper.ts'

/** A grant and every token descended from it. */
interface Family {
  readonly grant: Grant
  tokens: Token[]
  /** The tokens by id, once there are more than `INDEX_ABOVE`. */
  index: Map<string, Token> | undefined
  /** How refresh tokens were spent, by token id. Not a field of each token: most grants never spend one. */
  spent: Map<string, Spent> | undefined
  /** When its last token expires. */
  expiresAt: EpochMs
  /** Above this many tokens, a rotation first removes those that have expired. */
  pruneAbove: number
}

interface AppGrants {
  /** Grants by their id. */
  readonly families: Map<string, Family>
  /** The number of live tokens by epoch. */
  readonly live: Map<number, LiveCount>
}

/** The most grants that `revokeMany` visits in one turn of the event loop: a few milliseconds. */
const GRANTS_PER_TURN = 2000

/** The first `pruneAbove` of a grant. It is doubled while most tokens are live, so that pruning costs O(1) per rotation. */
const PRUNE_ABOVE = 64

/** Stores grants and their tokens: each grant with its tokens is one object, found by its app and its id. */
export function memoryGrants(sweeper: Sweeper): GrantStore {
  const { now } = sweeper
  const byApp = new Map<string, AppGrants>()
  const byUser = new Map<string, Set<Family>>()
  const familyOf = (grantId: string): Family | undefined => byApp.get(appOfGrant(grantId))?.families.get(grantId)
  const countOf = ({ appId, epoch }: Pick<Grant, 'appId' | 'epoch'>): LiveCount | undefined => byApp.get(appId)?.live.get(epoch)
  /** Adds a grant. Throws, and changes nothing, if the store is full. */
  const remember = (family: Family): void => {
    const { appId, epoch, id, userId } = family.grant
    sweeper.reserve(family.tokens.length)
    const ofApp = getOrSet(byApp, appId, () => ({ families: new Map(), live: new Map() }))
    ofApp.families.set(id, family)
    if (userId !== null) getOrSet(byUser, userId, () => new Set()).add(family)
    const live = getOrSet(ofApp.live, epoch, () => new LiveCount())
    for (const { expiresAt } of family.tokens) live.add(expiresAt)
  }
  const forget = (family: Family): void => {
    const { appId, epoch, id, userId } = family.grant
    const ofApp = byApp.get(appId)
    if (!ofApp?.families.delete(id)) return
    sweeper.release(family.tokens.length)
    const own = userId === null ? undefined : byUser.get(userId)
    own?.delete(family)
    if (userId !== null && own?.size === 0) byUser.delete(userId)
    const live = ofApp.live.get(epoch)
    for (const { expiresAt, id } of family.tokens) if (!family.spent?.has(id)) live?.remove(expiresAt)
    if (live?.empty) ofApp.live.delete(epoch)
    if (ofApp.families.size === 0) byApp.delete(appId)
  }
  sweeper.add({
    *sweep(at) {
      for (const { families } of byApp.values()) {
        for (const family of families.values()) {
          if (family.expiresAt <= at()) forget(family)
          yield
        }
      }
    },
  })

  const live = (grantId: string): Family | undefined => {
    const family = familyOf(grantId)
    return family && family.expiresAt > now() ? family : undefined
  }
  const liveToken = (ref: TokenRef): { readonly family: Family; readonly token: Token } | undefined => {
    const family = live(ref.grantId)
    const token = family && tokenOf(family, ref.tokenId)
    return family && token && token.expiresAt > now() ? { family, token } : undefined
  }
  const prune = (family: Family): void => {
    if (family.tokens.length <= family.pruneAbove) return
    keep(family, ({ expiresAt }) => expiresAt > now())
    family.pruneAbove = Math.max(PRUNE_ABOVE, 2 * family.tokens.length)
  }
  const keep = (family: Family, wanted: (token: Token) => boolean): void => {
    const kept: Token[] = []
    const live = countOf(family.grant)
    for (const token of family.tokens) {
      if (wanted(token)) kept.push(token)
      else if (!family.spent?.delete(token.id)) live?.remove(token.expiresAt)
    }
    sweeper.release(family.tokens.length - kept.length)
    family.tokens = kept
    family.index = indexOf(kept)
  }
  /** Adds tokens, and prolongs the grant. Throws, and changes nothing, if the store is full. */
  const append = (family: Family, tokens: readonly Token[]): void => {
    prune(family)
    sweeper.reserve(tokens.length)
    const count = countOf(family.grant)
    for (const token of tokens.map(copyOfToken)) {
      family.tokens.push(token)
      family.index?.set(token.id, token)
      count?.add(token.expiresAt)
    }
    family.index ??= indexOf(family.tokens)
    family.expiresAt = Math.max(family.expiresAt, lastExpiry(tokens))
  }

  /** Returns the grants that a query may match. Organisations have no index, because ending one is rare: every grant is visited. */
  const candidates = ({ appId, orgId, userId }: RevokeQuery): Iterable<Family> => {
    if (userId !== undefined) return byUser.get(userId) ?? []
    if (appId !== undefined) return byApp.get(appId)?.families.values() ?? []
    return orgId === undefined ? [] : allFamilies()
  }
  function* allFamilies(): Generator<Family> {
    for (const { families } of byApp.values()) yield* families.values()
  }

  return {
    async create(grant, tokens) {
      const known = byApp.get(grant.appId)?.families.get(grant.id)
      if (known && known.expiresAt > now())
        return isDeepStrictEqual(known.grant, grant) && tokens.every(token => isDeepStrictEqual(tokenOf(known, token.id), token))
      if (known) forget(known)
      const copies = tokens.map(copyOfToken)
      const family: Family = {
        grant: copyOfGrant(grant),
        tokens: copies,
        index: indexOf(copies),
        spent: undefined,
        expiresAt: lastExpiry(tokens),
        pruneAbove: PRUNE_ABOVE,
      }
      remember(family)
      return true
    },

    async find(ref) {
      const found = liveToken(ref)
      return found && { grant: found.family.grant, token: found.token, spent: found.family.spent?.get(ref.tokenId) ?? null }
    },

    async rotate({ grant, token }, next, replay) {
      const found = liveToken({ grantId: grant.id, tokenId: token.id })
      if (found?.token.kind !== 'refresh') return 'missing'
      const { family } = found
      const spent = family.spent?.get(token.id)
      if (spent) return spent.replay === replay ? 'rotated' : 'reused'
      append(family, next)
      countOf(family.grant)?.remove(found.token.expiresAt)
      family.spent = (family.spent ?? new Map()).set(token.id, Object.freeze({ at: now(), replay }))
      return 'rotated'
    },

    async add({ grant, token }, tokens) {
      const found = liveToken({ grantId: grant.id, tokenId: token.id })
      if (found?.token.kind !== 'refresh' || found.family.spent?.has(token.id)) return 'missing'
      const { family } = found
      const fresh = new Map<string, Token>()
      for (const added of tokens) {
        const known = tokenOf(family, added.id) ?? fresh.get(added.id)
        if (!known) fresh.set(added.id, added)
        else if (!isDeepStrictEqual(known, added)) throw new Error('a token of this id is there, with other content')
      }
      if (fresh.size > 0) append(family, [...fresh.values()])
      return 'added'
    },

    async revokeToken(ref) {
      const found = liveToken(ref)
      if (!found) return false
      const { family } = found
      keep(family, ({ id }) => id !== ref.tokenId)
      family.expiresAt = lastExpiry(family.tokens)
      if (family.tokens.length === 0) forget(family)
      return true
    },

    async revoke(grantId) {
      const known = familyOf(grantId)
      if (known) forget(known)
      return known !== undefined && known.expiresAt > now()
    },

    async revokeMany(query) {
      let revoked = 0
      let looked = 0
      for (const family of candidates(query)) {
        if (matches(query, family.grant)) {
          if (family.expiresAt > now()) revoked++
          forget(family)
        }
        if (++looked % GRANTS_PER_TURN === 0) await setImmediate()
      }
      return revoked
    },

    async listTokens(query) {
      const { after, limit } = query
      const at = now()
      const ofUser = 'userId' in query
      const candidates = ofUser ? byUser.get(query.userId) : byApp.get(query.appId)?.families.values()
      let total = ofUser ? 0 : (byApp.get(query.appId)?.live.get(query.epoch)?.at(at) ?? 0)
      if (limit === 0 && !ofUser) return { items: [], total, next: null }
      const cursor = after === undefined ? undefined : parseCursor(after)
      const newest = new NewestTokens(limit + 1)
      for (const { grant, spent, tokens } of candidates ?? []) {
        if (!ofUser && grant.epoch !== query.epoch) continue
        for (const token of tokens) {
          if (token.expiresAt <= at || spent?.has(token.id)) continue
          if (ofUser) total++
          const item = { grant, token }
          if (!cursor || newerFirst(cursor, token) < 0) newest.offer(item)
        }
      }
      const sorted = newest.sorted()
      const items = sorted.slice(0, limit)
      const last = items.at(-1)
      return { items, total, next: sorted.length > limit && last ? formatCursor(last.token) : null }
    },
  }
}

/** Grants with more tokens than this have an index by token id. */
const INDEX_ABOVE = 16

function getOrSet<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key)
  if (known !== undefined) return known
  const value = make()
  map.set(key, value)
  return value
}

function matches({ appId, epochBelow = Number.POSITIVE_INFINITY, orgId, userId }: RevokeQuery, grant: Grant): boolean {
  return (
    (appId === undefined || grant.appId === appId) &&
    (userId === undefined || grant.userId === userId) &&
    (orgId === undefined || grant.orgId === orgId) &&
    grant.epoch < epochBelow
  )
}

function tokenOf({ index, tokens }: Family, tokenId: string): Token | undefined {
  return index ? index.get(tokenId) : tokens.find(({ id }) => id === tokenId)
}

function indexOf(tokens: readonly Token[]): Map<string, Token> | undefined {
  return tokens.length > INDEX_ABOVE ? new Map(tokens.map(token => [token.id, token])) : undefined
}

/** The number of fields that every grant and every token has: a record with more has optional fields, or unknown ones. */
const GRANT_FIELDS = 8
const TOKEN_FIELDS = 5

/** Copies a grant. The usual fields are written out: a spread costs 0.6 µs more, for each token request. */
function copyOfGrant(grant: Grant): Grant {
  if (!hasFields(grant, GRANT_FIELDS)) return frozenCopy(grant)
  const { appId, context, createdAt, epoch, id, orgId, scopes, userId } = grant
  return Object.freeze({
    id,
    appId,
    orgId,
    userId,
    scopes: frozenCopy(scopes),
    createdAt,
    epoch,
    context: frozenCopy(context),
  })
}

/** Copies a token, as {@link copyOfGrant} copies a grant. */
function copyOfToken(token: Token): Token {
  if (!hasFields(token, TOKEN_FIELDS)) return frozenCopy(token)
  const { expiresAt, id, issuedAt, kind, scopes } = token
  return Object.freeze({ id, kind, scopes: frozenCopy(scopes), issuedAt, expiresAt })
}

function hasFields(record: object, count: number): boolean {
  let fields = 0
  for (const _ in record) fields++
  return fields === count
}
