import type { Collection } from 'mongodb'
import type { EpochMs } from '../../src/base/time.ts'
import type { StoredDocument } from './documents.ts'

/** The collections and the clock, for every part of the store. */
export interface MongoContext {
  /** Resolves to a collection once the indexes exist. The name is without the prefix. */
  readonly collection: <D extends StoredDocument>(name: CollectionName) => Promise<Collection<D>>
  readonly now: () => EpochMs
}

export type CollectionName = 'apps' | 'consents' | 'credentials' | 'grants' | 'keys' | 'one_time' | 'tokens'
