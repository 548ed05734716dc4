import type { Collection } from 'mongodb'
import type { EpochMs } from '../../src/base/time.ts'
import { damaged } from '../common/records.ts'
import type { CollectionName, MongoContext } from './context.ts'
import { checkFormat, checkLive, type ExpiringDocument, expiryFields, FORMAT, parseJson } from './documents.ts'
import { insertIfAbsent, RETRY, retry } from './retry.ts'

/** A record that is written whole, one version after the other. */
export interface VersionedDocument extends ExpiringDocument {
  readonly version: number
  /** The record as JSON text. */
  readonly record: string
}

export interface VersionedRecords<Value> {
  read(_id: string): Promise<Value | undefined>
  /** Writes iff the stored version is one less; an absent or expired record counts as version 0. A repeat is a success. */
  write(_id: string, value: Value, options?: WriteOptions): Promise<boolean>
  /** False if there was nothing to delete. */
  remove(_id: string): Promise<boolean>
  parse(document: VersionedDocument): Value
}

interface WriteOptions {
  /** Absent: the record is permanent. */
  readonly expiresAt?: EpochMs | undefined
  /** Fields beside the record, for queries. */
  readonly indexed?: object
}

/** Reads and writes the versioned records of one collection. `what` names a record in errors. */
export function versionedRecords<Value extends { readonly version: number }>(
  { collection, now }: MongoContext,
  { name, what }: { readonly name: CollectionName; readonly what: string },
): VersionedRecords<Value> {
  const parse = (document: VersionedDocument) => parseJson<Value>(what, checkFormat(what, document)?.record)

  /** True if `next` is now stored in place of its predecessor: one operation, or two where version 1 finds its id taken. */
  const replacePredecessor = async (documents: Collection<VersionedDocument>, next: VersionedDocument) => {
    const { _id, version } = next
    if (version === 1 && (await insertIfAbsent(() => documents.insertOne(next)))) return true
    const predecessor = version === 1 ? { expiresAt: { $lte: now() } } : { version: version - 1, expiresAt: { $gt: now() } }
    const { matchedCount } = await documents.replaceOne({ _id, format: FORMAT, ...predecessor }, next)
    return matchedCount === 1
  }

  return {
    parse,

    async read(_id) {
      const documents = await collection<VersionedDocument>(name)
      const document = checkLive(what, await documents.findOne({ _id }), now())
      return document && parse(document)
    },

    async write(_id, value, { expiresAt, indexed } = {}) {
      const documents = await collection<VersionedDocument>(name)
      const { version } = value
      const record = JSON.stringify(value)
      const next = { _id, format: FORMAT, version, ...expiryFields(expiresAt), ...indexed, record }
      return retry(async () => {
        if (await replacePredecessor(documents, next)) return true
        const stored = checkLive(what, await documents.findOne({ _id }), now())
        if (stored && typeof stored.version !== 'number') throw damaged(what)
        if ((stored?.version ?? 0) === version - 1) return RETRY
        return stored?.version === version && stored.record === record
      })
    },

    async remove(_id) {
      const documents = await collection<VersionedDocument>(name)
      const { deletedCount } = await documents.deleteOne({ _id, format: FORMAT })
      if (deletedCount === 1) return true
      checkFormat(what, await documents.findOne({ _id }, { projection: { format: 1 } }))
      return false
    },
  }
}
