import type { Collection } from 'mongodb'
import type { EpochMs } from '../../src/base/time.ts'
import type { Stored } from './records.ts'

/** What every part of the store works with. */
export interface MongoContext {
  /** A collection, once the indexes are there. */
  readonly open: <D extends Stored>(name: string) => Promise<Collection<D>>
  readonly now: () => EpochMs
}
