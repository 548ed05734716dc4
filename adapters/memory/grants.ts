import { appOfGrant } from '../../src/base/ids.ts'
import { setImmediate } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { EpochMs } from '../../src/base/time.ts'
import type { Grant, GrantStore, Spent, Token, TokenRef } from '../../src/store/store.ts'
import { frozenCopy } from '../common/frozen-copy.ts'
import { formatCursor, NewestTokens, newerFirst, parseCursor } from '../common/newest-tokens.ts'
import { lastExpiry } from '../common/records.ts'
import { LiveCount } from './live-count.ts'
import type { Sweeper } from './sweeper.ts'

interface Entry {
  readonly token: Token
  spent: Spent | null
}

/** A grant and every token descended from it. */
interface Family {
  readonly grant: Grant
  entries: Entry[]
  /** By token id, once there are too many to look through. */
  index: Map<string, Entry> | undefined
  /** When its last token expires. */
  expiresAt: EpochMs
  /** Past this many tokens a rotation first drops those that have expired. */
  pruneAbove: number
}

interface ClientGrants {
  /** By grant id. */
  readonly families: Map<string, Family>
  /** By epoch. */
  readonly live: Map<number, LiveCount>
}

/** How many grants one turn of the event loop may revoke: a few milliseconds' worth. */
const GRANTS_PER_TURN = 2000

/** Few enough to be looked through at once; doubled while most are alive, so that pruning costs each rotation the same. */
const PRUNE_ABOVE = 64

/** Grants and their tokens, each family in one object found by its client and its id. */
export function memoryGrants(sweeper: Sweeper): GrantStore {
  const { now } = sweeper
  const byClient = new Map<string, ClientGrants>()
  const byUser = new Map<string, Set<Family>>()
  const familyOf = (grantId: string): Family | undefined => byClient.get(appOfGrant(grantId))?.families.get(grantId)
  const countOf = ({ clientId, epoch }: Pick<Grant, 'clientId' | 'epoch'>): LiveCount | undefined =>
    byClient.get(clientId)?.live.get(epoch)
  /** Throws, and changes nothing, when there is no room. */
  const remember = (family: Family): void => {
    const { clientId, epoch, id, userId } = family.grant
    sweeper.reserve(family.entries.length)
    const client = getOrSet(byClient, clientId, () => ({ families: new Map(), live: new Map() }))
    client.families.set(id, family)
    if (userId !== null) getOrSet(byUser, userId, () => new Set()).add(family)
    const live = getOrSet(client.live, epoch, () => new LiveCount())
    for (const { token } of family.entries) live.add(token.expiresAt)
  }
  const forget = (family: Family): void => {
    const { clientId, epoch, id, userId } = family.grant
    const client = byClient.get(clientId)
    if (!client?.families.delete(id)) return
    sweeper.release(family.entries.length)
    const own = userId === null ? undefined : byUser.get(userId)
    own?.delete(family)
    if (userId !== null && own?.size === 0) byUser.delete(userId)
    const live = client.live.get(epoch)
    for (const { spent, token } of family.entries) if (!spent) live?.remove(token.expiresAt)
    if (live?.empty) client.live.delete(epoch)
    if (client.families.size === 0) byClient.delete(clientId)
  }
  sweeper.add({
    *sweep(at) {
      for (const { families } of byClient.values()) {
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
  const liveEntry = (ref: TokenRef): { readonly family: Family; readonly entry: Entry } | undefined => {
    const family = live(ref.grantId)
    const entry = family && entryOf(family, ref.tokenId)
    return family && entry && entry.token.expiresAt > now() ? { family, entry } : undefined
  }
  const prune = (family: Family): void => {
    if (family.entries.length <= family.pruneAbove) return
    keep(family, ({ token }) => token.expiresAt > now())
    family.pruneAbove = Math.max(PRUNE_ABOVE, 2 * family.entries.length)
  }
  const keep = (family: Family, wanted: (entry: Entry) => boolean): void => {
    const kept = family.entries.filter(wanted)
    const live = countOf(family.grant)
    for (const entry of family.entries) if (!entry.spent && !wanted(entry)) live?.remove(entry.token.expiresAt)
    sweeper.release(family.entries.length - kept.length)
    family.entries = kept
    family.index = indexOf(kept)
  }

  return {
    async create(grant, tokens) {
      const known = byClient.get(grant.clientId)?.families.get(grant.id)
      if (known && known.expiresAt > now())
        return isDeepStrictEqual(known.grant, grant) && tokens.every(token => entryOf(known, token.id))
      if (known) forget(known)
      const entries = tokens.map(newEntry)
      const family: Family = {
        grant: frozenGrant(grant),
        entries,
        index: indexOf(entries),
        expiresAt: lastExpiry(tokens),
        pruneAbove: PRUNE_ABOVE,
      }
      remember(family)
      return true
    },

    async find(ref) {
      const found = liveEntry(ref)
      return found && { grant: found.family.grant, token: found.entry.token, spent: found.entry.spent }
    },

    async rotate({ grant, token }, next, replay) {
      const found = liveEntry({ grantId: grant.id, tokenId: token.id })
      if (found?.entry.token.kind !== 'refresh') return 'missing'
      const { entry, family } = found
      if (entry.spent) return entry.spent.replay === replay ? 'rotated' : 'reused'
      prune(family)
      sweeper.reserve(next.length)
      const count = countOf(family.grant)
      count?.remove(entry.token.expiresAt)
      for (const added of next.map(newEntry)) {
        family.entries.push(added)
        count?.add(added.token.expiresAt)
        family.index?.set(added.token.id, added)
      }
      family.index ??= indexOf(family.entries)
      entry.spent = Object.freeze({ at: now(), replay })
      family.expiresAt = Math.max(family.expiresAt, lastExpiry(next))
      return 'rotated'
    },

    async revokeToken(ref) {
      const found = liveEntry(ref)
      if (!found) return false
      keep(found.family, ({ token }) => token.id !== ref.tokenId)
      if (found.family.entries.length === 0) forget(found.family)
      return true
    },

    async revoke(grantId) {
      const known = familyOf(grantId)
      if (known) forget(known)
      return known !== undefined && known.expiresAt > now()
    },

    async revokeMany({ clientId, userId, epochBelow = Number.POSITIVE_INFINITY }) {
      let revoked = 0
      let looked = 0
      const candidates = userId === undefined ? byClient.get(clientId ?? '')?.families.values() : byUser.get(userId)
      for (const family of candidates ?? []) {
        const { grant } = family
        if ((clientId !== undefined && grant.clientId !== clientId) || grant.epoch >= epochBelow) continue
        if (family.expiresAt > now()) revoked++
        forget(family)
        if (++looked % GRANTS_PER_TURN === 0) await setImmediate()
      }
      return revoked
    },

    async listTokens(query) {
      const { after, limit } = query
      const at = now()
      const ofUser = 'userId' in query
      const candidates = ofUser ? byUser.get(query.userId) : byClient.get(query.clientId)?.families.values()
      let total = ofUser ? 0 : (byClient.get(query.clientId)?.live.get(query.epoch)?.at(at) ?? 0)
      if (limit === 0 && !ofUser) return { items: [], total, next: null }
      const cursor = after === undefined ? undefined : parseCursor(after)
      const newest = new NewestTokens(limit + 1)
      for (const { entries, grant } of candidates ?? []) {
        if (!ofUser && grant.epoch !== query.epoch) continue
        for (const { spent, token } of entries) {
          if (token.expiresAt <= at || spent) continue
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

/** More than this many tokens of a grant are found through an index. */
const INDEX_ABOVE = 16

function getOrSet<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key)
  if (known !== undefined) return known
  const value = make()
  map.set(key, value)
  return value
}

function entryOf({ entries, index }: Family, tokenId: string): Entry | undefined {
  return index ? index.get(tokenId) : entries.find(({ token }) => token.id === tokenId)
}

function indexOf(entries: readonly Entry[]): Map<string, Entry> | undefined {
  return entries.length > INDEX_ABOVE ? new Map(entries.map(entry => [entry.token.id, entry])) : undefined
}

function newEntry(token: Token): Entry {
  return { token: frozenToken(token), spent: null }
}

/** Written out, as is the next: one of each is made for every token. */
function frozenGrant({ id, clientId, orgId, userId, scopes, createdAt, epoch, context }: Grant): Grant {
  return Object.freeze({
    id,
    clientId,
    orgId,
    userId,
    scopes: frozenCopy(scopes),
    createdAt,
    epoch,
    context: frozenCopy(context),
  })
}

function frozenToken({ id, kind, scopes, audience, issuedAt, expiresAt }: Token): Token {
  const token = { id, kind, scopes: frozenCopy(scopes), issuedAt, expiresAt }
  return Object.freeze(audience ? { ...token, audience: frozenCopy(audience) } : token)
}
