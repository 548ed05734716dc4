import { setImmediate } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type {
  App,
  AppStore,
  Consent,
  ConsentStore,
  Credential,
  CredentialStore,
  EpochMs,
  Grant,
  GrantStore,
  Json,
  JsonObject,
  KeyRing,
  KeyRingStore,
  OneTime,
  OneTimeKind,
  OneTimeStore,
  Spent,
  Store,
  Token,
  TokenRef,
} from '../src/store.ts'
import { LiveCount } from './memory-live-count.ts'
import { ExpiringMap, Sweeper } from './memory-sweeper.ts'

export interface MemoryStoreOptions {
  /** At most this many tokens and one-time values together; beyond it writes are refused, which requests see as 503. Default 1,000,000. */
  readonly maxRecords?: number
  /** The clock. Default `Date.now`. */
  readonly now?: () => EpochMs
}

/**
 * Everything in this process's memory: for development, tests, and hosts of one process that may forget on restart.
 * Every method is atomic because none of them waits. Expired records are swept in slices of at most 5 milliseconds.
 */
export function memoryStore({ maxRecords = 1_000_000, now = Date.now }: MemoryStoreOptions = {}): Store {
  const sweeper = new Sweeper(maxRecords, now)
  return {
    apps: memoryApps(),
    oneTime: memoryOneTime(sweeper),
    grants: memoryGrants(sweeper),
    consents: memoryConsents(),
    credentials: memoryCredentials(),
    keys: memoryKeys(),
  }
}

function memoryApps(): AppStore {
  const apps = new Map<string, App>()
  const save = saveByVersion(apps)
  return {
    get: async id => apps.get(id),
    save: async app => save(app.id, app),
    async list({ orgId, createdBy, status, search, offset, limit }) {
      const needle = search?.toLowerCase()
      const found = [...apps.values()].filter(
        app =>
          app.orgId === orgId &&
          (createdBy === undefined || app.createdBy === createdBy) &&
          (status === undefined ? app.status !== 'deleted' : app.status === status) &&
          (needle === undefined || app.name.toLowerCase().includes(needle)),
      )
      found.sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
      return { items: found.slice(offset, offset + limit), total: found.length }
    },
  }
}

interface OneTimeRecord {
  readonly entry: OneTime
  readonly expiresAt: EpochMs
  attempt: string | undefined
}

function memoryOneTime(sweeper: Sweeper): OneTimeStore {
  const entries = new ExpiringMap<OneTimeRecord>(sweeper, () => 1)
  const live = <K extends OneTimeKind>(kind: K, id: string): (OneTimeRecord & { readonly entry: OneTime<K> }) | undefined => {
    const record = entries.get(`${kind}:${id}`)
    return record && record.expiresAt > sweeper.now() && isKind(record, kind) ? record : undefined
  }
  return {
    async put(entry) {
      entries.set(`${entry.kind}:${entry.id}`, { entry: frozenCopy(entry), expiresAt: entry.expiresAt, attempt: undefined })
    },
    peek: async (kind, id) => live(kind, id)?.entry,
    async consume(kind, id, attempt) {
      const record = live(kind, id)
      if (!record) return undefined
      record.attempt ??= attempt
      return { entry: record.entry, first: record.attempt === attempt }
    },
  }
}

function isKind<K extends OneTimeKind>(record: OneTimeRecord, kind: K): record is OneTimeRecord & { readonly entry: OneTime<K> } {
  return record.entry.kind === kind
}

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
  readonly families: Set<Family>
  /** By epoch. */
  readonly live: Map<number, LiveCount>
}

/** How many grants one turn of the event loop may revoke: a few milliseconds' worth. */
const GRANTS_PER_TURN = 2000

/** Few enough to be looked through at once; doubled while most are alive, so that pruning costs each rotation the same. */
const PRUNE_ABOVE = 64

function memoryGrants(sweeper: Sweeper): GrantStore {
  const { now } = sweeper
  const byClient = new Map<string, ClientGrants>()
  const countOf = ({ clientId, epoch }: Pick<Grant, 'clientId' | 'epoch'>): LiveCount | undefined =>
    byClient.get(clientId)?.live.get(epoch)
  const remember = (family: Family): void => {
    const { clientId, epoch } = family.grant
    const client = byClient.get(clientId) ?? { families: new Set(), live: new Map() }
    byClient.set(clientId, client)
    client.families.add(family)
    const live = client.live.get(epoch) ?? new LiveCount()
    client.live.set(epoch, live)
    for (const { token } of family.entries) live.add(token.expiresAt)
  }
  const forget = (family: Family): void => {
    const { clientId } = family.grant
    const live = countOf(family.grant)
    for (const { spent, token } of family.entries) if (!spent) live?.remove(token.expiresAt)
    const client = byClient.get(clientId)
    client?.families.delete(family)
    if (live?.empty) client?.live.delete(family.grant.epoch)
    if (client?.families.size === 0) byClient.delete(clientId)
  }
  const families = new ExpiringMap<Family>(sweeper, family => family.entries.length, forget)

  const live = (grantId: string): Family | undefined => {
    const family = families.get(grantId)
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
      const known = live(grant.id)
      if (known) return isDeepStrictEqual(known.grant, grant) && tokens.every(token => entryOf(known, token.id))
      const entries = tokens.map(newEntry)
      const family: Family = {
        grant: frozenGrant(grant),
        entries,
        index: indexOf(entries),
        expiresAt: lastExpiry(tokens),
        pruneAbove: PRUNE_ABOVE,
      }
      families.set(grant.id, family)
      remember(family)
      return true
    },

    async find(ref) {
      const found = liveEntry(ref)
      return found && { grant: found.family.grant, token: found.entry.token, spent: found.entry.spent }
    },

    async rotate(ref, next, replay) {
      const found = liveEntry(ref)
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
      if (found.family.entries.length === 0) families.delete(ref.grantId)
      return true
    },

    async revoke(grantId) {
      const known = live(grantId)
      families.delete(grantId)
      return known !== undefined
    },

    async revokeByClient({ clientId, userId, epochBelow = Number.POSITIVE_INFINITY }) {
      let revoked = 0
      let looked = 0
      for (const { grant } of byClient.get(clientId)?.families ?? []) {
        if ((userId !== undefined && grant.userId !== userId) || grant.epoch >= epochBelow) continue
        if (live(grant.id)) revoked++
        families.delete(grant.id)
        if (++looked % GRANTS_PER_TURN === 0) await setImmediate()
      }
      return revoked
    },

    async listTokens({ clientId, epoch, after, limit }) {
      const at = now()
      const client = byClient.get(clientId)
      const total = client?.live.get(epoch)?.at(at) ?? 0
      if (limit === 0) return { items: [], total, next: null }
      const cursor = after === undefined ? undefined : parseCursor(after)
      const newest = new Newest(limit + 1)
      for (const { entries, grant } of client?.families ?? []) {
        if (grant.epoch !== epoch) continue
        for (const { spent, token } of entries) {
          if (token.expiresAt <= at || spent) continue
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

function entryOf({ entries, index }: Family, tokenId: string): Entry | undefined {
  return index ? index.get(tokenId) : entries.find(({ token }) => token.id === tokenId)
}

function indexOf(entries: readonly Entry[]): Map<string, Entry> | undefined {
  return entries.length > INDEX_ABOVE ? new Map(entries.map(entry => [entry.token.id, entry])) : undefined
}

function newEntry(token: Token): Entry {
  return { token: frozenToken(token), spent: null }
}

type Listed = { readonly grant: Grant; readonly token: Token }

/** Keeps the `size` newest of the tokens it is offered: a heap whose root is the oldest kept. */
class Newest {
  readonly #size: number
  readonly #heap: Listed[] = []

  constructor(size: number) {
    this.#size = size
  }

  offer(item: Listed): void {
    const heap = this.#heap
    if (heap.length < this.#size) {
      let child = heap.push(item) - 1
      while (child > 0) {
        const parent = (child - 1) >> 1
        if (!this.#swapIfOlder(child, parent)) return
        child = parent
      }
    } else if (heap[0] && newerFirst(item.token, heap[0].token) < 0) {
      heap[0] = item
      this.#sink()
    }
  }

  sorted(): readonly Listed[] {
    return this.#heap.toSorted((a, b) => newerFirst(a.token, b.token))
  }

  #sink(): void {
    const heap = this.#heap
    for (let parent = 0; ; ) {
      const left = heap[2 * parent + 1]
      const right = heap[2 * parent + 2]
      if (!left) return
      const older = right && newerFirst(right.token, left.token) > 0 ? 2 * parent + 2 : 2 * parent + 1
      if (!this.#swapIfOlder(older, parent)) return
      parent = older
    }
  }

  #swapIfOlder(child: number, parent: number): boolean {
    const [below, above] = [this.#heap[child], this.#heap[parent]]
    if (!below || !above || newerFirst(below.token, above.token) <= 0) return false
    this.#heap[child] = above
    this.#heap[parent] = below
    return true
  }
}

/** The order of a listing, made total by the id. */
function newerFirst(a: Pick<Token, 'issuedAt' | 'id'>, b: Pick<Token, 'issuedAt' | 'id'>): number {
  return b.issuedAt - a.issuedAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

function formatCursor({ id, issuedAt }: Token): string {
  return `${issuedAt}.${id}`
}

function parseCursor(cursor: string): Pick<Token, 'issuedAt' | 'id'> {
  const [, issuedAt, id] = /^(\d+)\.(.*)$/.exec(cursor) ?? []
  // A cursor that is none of ours has nothing after it.
  return { issuedAt: Number(issuedAt ?? Number.NEGATIVE_INFINITY), id: id ?? '' }
}

function lastExpiry(tokens: readonly Token[]): EpochMs {
  return tokens.reduce((last, { expiresAt }) => Math.max(last, expiresAt), 0)
}

function memoryConsents(): ConsentStore {
  const consents = new Map<string, Consent>()
  return {
    get: async (userId, clientId) => consents.get(pairKey(userId, clientId)),
    async put(consent) {
      consents.set(pairKey(consent.userId, consent.clientId), frozenCopy(consent))
    },
    delete: async (userId, clientId) => consents.delete(pairKey(userId, clientId)),
  }
}

function memoryCredentials(): CredentialStore {
  const credentials = new Map<string, Credential>()
  const save = saveByVersion(credentials)
  return {
    get: async (connectorId, ownerId) => credentials.get(pairKey(connectorId, ownerId)),
    save: async credential => save(pairKey(credential.connectorId, credential.ownerId), credential),
    delete: async (connectorId, ownerId) => credentials.delete(pairKey(connectorId, ownerId)),
  }
}

function memoryKeys(): KeyRingStore {
  const rings = new Map<string, KeyRing>()
  const save = saveByVersion(rings)
  return {
    get: async () => rings.get(''),
    save: async ring => save('', ring),
  }
}

/** Writes iff the stored version is one less; a repeat of the write that is stored counts as that write. */
function saveByVersion<Value extends { readonly version: number }>(
  values: Map<string, Value>,
): (key: string, value: Value) => boolean {
  return (key, value) => {
    const stored = values.get(key)
    if (stored?.version === value.version) return isDeepStrictEqual(stored, value)
    if ((stored?.version ?? 0) !== value.version - 1) return false
    values.set(key, frozenCopy(value))
    return true
  }
}

/** Two ids as one key that no other two make. */
function pairKey(first: string, second: string): string {
  return `${first.length}:${first}${second}`
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

function frozenToken({ id, kind, scopes, issuedAt, expiresAt }: Token): Token {
  return Object.freeze({ id, kind, scopes: frozenCopy(scopes), issuedAt, expiresAt })
}

/**
 * A copy that nobody can change, so that it may be handed out as often as it is asked for.
 * A frozen list of strings is shared: thousands of tokens then hold their app's scopes once.
 */
function frozenCopy<Value extends object>(value: Value): Value
function frozenCopy(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    if (Object.isFrozen(value) && value.every(item => typeof item === 'string')) return value
    return Object.freeze(value.map(item => frozenCopy(item)))
  }
  const copy: Record<string, Json> = { ...(value as JsonObject) }
  for (const [name, item] of Object.entries(copy)) if (typeof item === 'object' && item !== null) copy[name] = frozenCopy(item)
  return Object.freeze(copy)
}
