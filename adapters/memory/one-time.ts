import type { EpochMs } from '../../src/base/time.ts'
import type { OneTime, OneTimeKind, OneTimeStore } from '../../src/store/store.ts'
import { frozenCopy } from '../common/frozen-copy.ts'
import { ExpiringMap, type Sweeper } from './sweeper.ts'
import { pairKey } from './versions.ts'

interface OneTimeRecord {
  readonly entry: OneTime
  readonly expiresAt: EpochMs
  /** The attempt that claimed the entry; undefined if it was put. */
  readonly claimedBy: string | undefined
  consumedBy: string | undefined
}

export function memoryOneTime(sweeper: Sweeper): OneTimeStore {
  const entries = new ExpiringMap<OneTimeRecord>(sweeper)
  const live = <K extends OneTimeKind>(kind: K, id: string): (OneTimeRecord & { readonly entry: OneTime<K> }) | undefined => {
    const record = entries.get(pairKey(kind, id))
    return record && record.expiresAt > sweeper.now() && isKind(record, kind) ? record : undefined
  }
  const write = (entry: OneTime, claimedBy: string | undefined): void => {
    const { expiresAt, id, kind } = entry
    entries.set(pairKey(kind, id), { entry: frozenCopy(entry), expiresAt, claimedBy, consumedBy: undefined })
  }
  return {
    async put(entry) {
      write(entry, undefined)
    },
    peek: async (kind, id) => live(kind, id)?.entry,
    async consume(kind, id, attempt) {
      const record = live(kind, id)
      if (!record) return undefined
      record.consumedBy ??= attempt
      return { entry: record.entry, first: record.consumedBy === attempt }
    },
    async claim(entry, attempt) {
      const record = live(entry.kind, entry.id)
      if (record) return record.claimedBy === attempt
      write(entry, attempt)
      return true
    },
    async forget(kind, id, attempt) {
      if (live(kind, id)?.claimedBy === attempt) entries.delete(pairKey(kind, id))
    },
  }
}

function isKind<K extends OneTimeKind>(record: OneTimeRecord, kind: K): record is OneTimeRecord & { readonly entry: OneTime<K> } {
  return record.entry.kind === kind
}
