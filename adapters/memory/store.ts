import { isDeepStrictEqual } from 'node:util'
import type { EpochMs } from '../../src/base/time.ts'
import type {
  App,
  AppStore,
  Consent,
  ConsentStore,
  Credential,
  CredentialStore,
  KeyRing,
  KeyRingStore,
  OneTime,
  OneTimeKind,
  OneTimeStore,
  Store,
} from '../../src/store/store.ts'
import { frozenCopy } from '../common/frozen-copy.ts'
import { memoryGrants } from './grants.ts'
import { ExpiringMap, Sweeper } from './sweeper.ts'

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
  const entries = new ExpiringMap<OneTimeRecord>(sweeper)
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

function memoryConsents(): ConsentStore {
  /** By user, then by client. */
  const consents = new Map<string, Map<string, Consent>>()
  return {
    get: async (userId, clientId) => consents.get(userId)?.get(clientId),
    list: async userId => [...(consents.get(userId)?.values() ?? [])],
    async put(consent) {
      const own = consents.get(consent.userId) ?? new Map<string, Consent>()
      consents.set(consent.userId, own.set(consent.clientId, frozenCopy(consent)))
    },
    async delete(userId, clientId) {
      const own = consents.get(userId)
      const deleted = own?.delete(clientId) ?? false
      if (own?.size === 0) consents.delete(userId)
      return deleted
    },
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
