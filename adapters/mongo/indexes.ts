import type { Db, IndexDescription } from 'mongodb'

/** Deletes what has expired, some time afterwards. */
const SWEEP: IndexDescription = { key: { sweepAt: 1 }, expireAfterSeconds: 0 }

/** What is unique is so by its `_id`, so a store is right without these, and only slower. */
const INDEXES: Readonly<Record<string, IndexDescription[]>> = {
  apps: [{ key: { org: 1, createdAt: -1, _id: -1 } }],
  consents: [{ key: { user: 1 } }],
  one_time: [SWEEP],
  grants: [{ key: { client: 1, epoch: 1 } }, { key: { user: 1 } }, SWEEP],
  // `expiresAt` is for counting, which then never looks at a document.
  tokens: [
    { key: { client: 1, epoch: 1, issuedAt: -1, _id: -1, expiresAt: 1 } },
    { key: { user: 1, issuedAt: -1, _id: -1, expiresAt: 1 } },
    SWEEP,
  ],
}

/** Creating an index that exists does nothing, whoever else does it at the same time. */
export async function createIndexes(db: Db, prefix: string): Promise<void> {
  await Promise.all(
    Object.entries(INDEXES).map(([name, indexes]) =>
      db.collection(prefix + name, { writeConcern: { w: 'majority' } }).createIndexes(indexes),
    ),
  )
}

/** Runs once, and again on the next call if it failed. */
export function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => {
    running ??= run().catch(error => {
      running = undefined
      throw error
    })
    return running
  }
}
