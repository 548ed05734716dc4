import type { EpochMs } from '../../src/base/time.ts'
import type { Credential, CredentialStore, KeyRing, KeyRingStore, Store } from '../../src/store/store.ts'
import { frozenCopy } from '../common/frozen-copy.ts'
import { memoryApps } from './apps.ts'
import { memoryConsents } from './consents.ts'
import { memoryGrants } from './grants.ts'
import { memoryOneTime } from './one-time.ts'
import { Sweeper } from './sweeper.ts'
import { decideVersion, pairKey } from './versions.ts'

/** Options of the memory store. */
export interface MemoryStoreOptions {
  /**
   * The most records: tokens, one-time values, apps and consents together. A full store rejects every write that adds a record,
   * which requests see as 503; changes of existing records still succeed. Default 1,000,000.
   */
  readonly maxRecords?: number
  /** The clock. Default `Date.now`. */
  readonly now?: () => EpochMs
}

/**
 * Makes a store in this process's memory: for development, tests, and hosts of one process that may lose everything on restart.
 * Every method is atomic because it is synchronous. Expired records are swept in slices of at most 5 milliseconds.
 */
export function memoryStore({ maxRecords = 1_000_000, now = Date.now }: MemoryStoreOptions = {}): Store {
  const sweeper = new Sweeper(maxRecords, now)
  return {
    apps: memoryApps(sweeper),
    oneTime: memoryOneTime(sweeper),
    grants: memoryGrants(sweeper),
    consents: memoryConsents(sweeper),
    credentials: memoryCredentials(),
    keys: memoryKeys(),
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

function saveByVersion<Value extends { readonly version: number }>(
  values: Map<string, Value>,
): (key: string, value: Value) => boolean {
  return (key, value) => {
    const decision = decideVersion(values.get(key), value)
    if (decision === 'write') values.set(key, frozenCopy(value))
    return decision !== 'conflict'
  }
}
