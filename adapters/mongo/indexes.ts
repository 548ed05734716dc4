import type { Db, IndexDescription } from 'mongodb'
import type { CollectionName } from './context.ts'

/** Lets the server delete documents some time after they have expired. It keeps those without a `sweepAt`. */
const SWEEP: IndexDescription = { key: { sweepAt: 1 }, expireAfterSeconds: 0 }

/**
 * Uniqueness comes from `_id` alone, so the store is correct without these indexes, and only slower.
 * An `expiresAt` at the end of a key lets the server count live records without reading a document.
 */
const INDEXES: Readonly<Partial<Record<CollectionName, IndexDescription[]>>> = {
  apps: [{ key: { lists: 1, createdAt: -1, _id: -1, expiresAt: 1 } }, SWEEP],
  consents: [{ key: { owner: 1, given: 1, _id: 1 } }, SWEEP],
  one_time: [SWEEP],
  grants: [{ key: { app: 1, epoch: 1 } }, { key: { user: 1 } }, { key: { org: 1 } }, SWEEP],
  tokens: [
    { key: { app: 1, epoch: 1, issuedAt: -1, _id: -1, expiresAt: 1 } },
    { key: { user: 1, issuedAt: -1, _id: -1, expiresAt: 1 } },
    SWEEP,
  ],
}

/** Creates the indexes that do not exist yet. Safe beside other processes that do the same. */
export async function createIndexes(db: Db, prefix: string): Promise<void> {
  await Promise.all(
    Object.entries(INDEXES).map(([name, indexes]) =>
      db.collection(prefix + name, { writeConcern: { w: 'majority' } }).createIndexes(indexes),
    ),
  )
}

/** Makes a function that runs `run` at its first call only. After a failure, the next call retries. */
export function runOnce(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => {
    running ??= run().catch(error => {
      running = undefined
      throw error
    })
    return running
  }
}
