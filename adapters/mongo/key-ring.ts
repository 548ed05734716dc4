import type { KeyRing, KeyRingStore } from '../../src/store/store.ts'
import type { MongoContext } from './context.ts'
import { versionedRecords } from './versioned-records.ts'

/** The `_id` of the one document in the collection. */
const RING = 'ring'

export function mongoKeyRing(context: MongoContext): KeyRingStore {
  const records = versionedRecords<KeyRing>(context, { name: 'keys', what: 'the key ring' })
  return {
    get: async () => records.read(RING),
    save: async ring => records.write(RING, ring),
  }
}
