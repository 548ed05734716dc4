import { setTimeout } from 'node:timers/promises'
import type { Collection } from 'mongodb'
import type { EpochMs } from '../../src/base/time.ts'
import { damaged } from '../common/records.ts'

/*
 * Every document begins with its format. What a later version of authmount wrote, or something else damaged, is refused:
 * read as if it were absent it could be overwritten, or a revocation could be forgotten.
 *
 * Ids are digests and records are JSON text, so no text of a client's is ever an operator, a pattern or the name of a field.
 */

export const FORMAT = 1

export interface Stored {
  /** A digest of the record's ids, of any text and length. */
  readonly _id: string
  readonly format: number
}

/** What expires is decided by `expiresAt` and our clock. */
export interface Expiring extends Stored {
  readonly expiresAt: EpochMs
  /** When the server may delete it, by its own clock. */
  readonly sweepAt: Date
}

export interface RecordDocument extends Stored {
  readonly version: number
  readonly record: string
}

/** The server sweeps by its own clock, which may be ahead of ours. */
const SWEEP_AFTER_MS = 600_000
const LAST_DATE: EpochMs = 8.64e15

export function sweepAt(expiresAt: EpochMs): Date {
  return new Date(Math.min(expiresAt + SWEEP_AFTER_MS, LAST_DATE))
}

/** The document, if there is one and it is of our format. */
export function known<D extends Stored>(what: string, document: D | null | undefined): D | undefined {
  if (!document) return undefined
  if (document.format !== FORMAT) throw damaged(what)
  return document
}

export function parseJson<T>(what: string, json: unknown): T {
  if (typeof json !== 'string') throw damaged(what)
  try {
    return JSON.parse(json)
  } catch {
    // The parser's words would quote the record.
    throw damaged(what)
  }
}

export async function readRecord<T>(records: Collection<RecordDocument>, what: string, _id: string): Promise<T | undefined> {
  const document = known(what, await records.findOne({ _id }))
  return document && parseJson<T>(what, document.record)
}

/** Writes iff the stored version is one less; a repeat of what is stored counts as that write. */
export function saveRecord<D extends RecordDocument>(records: Collection<D>, what: string, next: D): Promise<boolean> {
  const documents = records as unknown as Collection<RecordDocument>
  const { _id, version } = next
  return settle(async () => {
    if (version === 1) {
      if (await inserted(() => documents.insertOne(next))) return true
    } else {
      const { matchedCount } = await documents.replaceOne({ _id, format: FORMAT, version: version - 1 }, next)
      if (matchedCount === 1) return true
    }
    const stored = known(what, await documents.findOne({ _id }))
    if (stored && typeof stored.version !== 'number') throw damaged(what)
    if ((stored?.version ?? 0) === version - 1) return AGAIN
    return stored?.version === version && stored.record === next.record
  })
}

/** Writes over any earlier one of our format. */
export function putRecord<D extends Stored>(records: Collection<D>, what: string, next: D): Promise<void> {
  const documents = records as unknown as Collection<Stored>
  const { _id } = next
  return settle(async () => {
    if (await inserted(() => documents.replaceOne({ _id, format: FORMAT }, next, { upsert: true }))) return undefined
    // Somebody has just put the same; or it is not ours to write over.
    known(what, await documents.findOne({ _id }, { projection: { format: 1 } }))
    return AGAIN
  })
}

export async function deleteRecord(records: Collection<RecordDocument>, what: string, _id: string): Promise<boolean> {
  const { deletedCount } = await records.deleteOne({ _id, format: FORMAT })
  if (deletedCount === 1) return true
  known(what, await records.findOne({ _id }, { projection: { format: 1 } }))
  return false
}

/** False if the id is taken. */
export async function inserted(insert: () => Promise<unknown>): Promise<boolean> {
  try {
    await insert()
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === DUPLICATE_KEY) return false
    throw error
  }
}

const DUPLICATE_KEY = 11_000

/** What was read contradicts what a write has just been told: it changed in between, or most servers do not have it yet. */
export const AGAIN = Symbol('again')

const MAX_TRIES = 40
const MAX_PAUSE_MS = 50

/** Tries until there is an answer. */
export async function settle<T>(attempt: () => Promise<T | typeof AGAIN>): Promise<T> {
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const answer = await attempt()
    if (answer !== AGAIN) return answer
    await setTimeout(Math.random() * Math.min(2 ** tries, MAX_PAUSE_MS))
  }
  throw new Error('a record kept changing while it was being written, or most servers of the replica set are behind')
}
