import type { EpochMs } from '../../src/base/time.ts'
import { damaged } from '../common/records.ts'

/*
 * Every document has a format number. A document of another format, or a damaged one, is refused with an error and left as
 * it is: treating it as absent could overwrite it, or forget a revocation.
 *
 * Ids are stored as digests and records as JSON text, so text from outside never becomes an operator, a pattern or the name
 * of a field, and fields that this version does not know are kept.
 */

export const FORMAT = 1

export interface StoredDocument {
  /** A digest of the record's ids, which may be any text of any length. The id of an app is its own. */
  readonly _id: string
  readonly format: number
}

export interface ExpiringDocument extends StoredDocument {
  /** When the record becomes absent, by the store's clock. {@link NEVER} if it is permanent. */
  readonly expiresAt: EpochMs
  /** When the server may delete the document, by the server's clock. Absent if the record is permanent. */
  readonly sweepAt?: Date
}

/** The `expiresAt` of a permanent record: the last instant that a `Date` can hold, so that one comparison suits all. */
export const NEVER: EpochMs = 8.64e15

/** The server deletes this long after expiry, in case its clock is ahead of ours. */
const SWEEP_AFTER_MS = 600_000

export function sweepAt(expiresAt: EpochMs): Date {
  return new Date(Math.min(expiresAt + SWEEP_AFTER_MS, NEVER))
}

/** The fields that make a record expire, or permanent if it has no `expiresAt`. */
export function expiryFields(expiresAt: EpochMs | undefined): Pick<ExpiringDocument, 'expiresAt' | 'sweepAt'> {
  return expiresAt === undefined ? { expiresAt: NEVER } : { expiresAt, sweepAt: sweepAt(expiresAt) }
}

/** Returns the document, or undefined if there is none. Throws if it is of another format. `what` names it in the error. */
export function checkFormat<D extends StoredDocument>(what: string, document: D | null | undefined): D | undefined {
  if (!document) return undefined
  if (document.format !== FORMAT) throw damaged(what)
  return document
}

/** Like {@link checkFormat}, but an expired document counts as none. */
export function checkLive<D extends ExpiringDocument>(what: string, document: D | null, now: EpochMs): D | undefined {
  const known = checkFormat(what, document)
  if (known && typeof known.expiresAt !== 'number') throw damaged(what)
  return known && known.expiresAt > now ? known : undefined
}

export function parseJson<T>(what: string, json: unknown): T {
  if (typeof json !== 'string') throw damaged(what)
  try {
    return JSON.parse(json)
  } catch {
    // The parser's message would quote the record.
    throw damaged(what)
  }
}
