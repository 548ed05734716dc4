import type { EpochMs } from '../../src/base/time.ts'
import { damaged, digest } from '../common/records.ts'
import { type RedisContext, ttl } from './context.ts'
import { saveRecord } from './scripts/records.ts'

/*
 * Every record begins with its format number. A record of another format, or a damaged one, is refused: treating it as absent
 * could overwrite it, or lose a revocation.
 */

/** Makes a key for ids of any text. It is a hash, so that callers can choose neither the key nor its slot. */
export function keyOf(prefix: string, kind: string, ...ids: readonly string[]): string {
  return `${prefix}:${kind}:${digest(ids)}`
}

export function parseJson<T>(what: string, json: string): T {
  try {
    return JSON.parse(json)
  } catch {
    // The parser's message would quote the record.
    throw damaged(what)
  }
}

/** Formats an instant for scripts: whole milliseconds, without an exponent. */
export function formatInstant(at: EpochMs): string {
  return String(Math.min(Math.max(0, Math.ceil(at)), Number.MAX_SAFE_INTEGER))
}

// ── Versioned records: "2 <version> <expiresAt, or -> <JSON>" ────────────────

interface Versioned {
  readonly version: number
  readonly expiresAt?: EpochMs
}

/** Formats the expiry of a record for scripts: `-` for never. */
export function formatExpiry({ expiresAt }: Pick<Versioned, 'expiresAt'>): string {
  return expiresAt === undefined ? '-' : formatInstant(expiresAt)
}

/** Formats a versioned record. Only apps and consents expire. */
export function formatRecord(record: Pick<Versioned, 'version'>, expiry = '-'): string {
  return `2 ${record.version} ${expiry} ${JSON.stringify(record)}`
}

export function parseRecord<T>(what: string, text: string | null | undefined): T | undefined {
  if (text === null || text === undefined) return undefined
  const [form] = /^2 \d+ (?:\d+|-) /.exec(text) ?? []
  if (form === undefined) throw damaged(what)
  return parseJson(what, text.slice(form.length))
}

/** Writes a record under a key of its own, by the version rule of `AppStore.save`. */
export async function saveVersioned(
  { now, redis, wait }: RedisContext,
  key: string,
  record: Versioned,
  expiry = '-',
): Promise<boolean> {
  const at = now()
  const live = expiry === '-' ? 0 : ttl(Number(expiry), at)
  const args = [record.version, formatRecord(record, expiry), at, live]
  return (await saveRecord.decide(redis, [key], args, wait)) === 1
}

// ── One-time entries: "2<claimer><consumer><expiresAt> <JSON>" ───────────────

/** The digest that stands for no attempt. */
const NOBODY = '0'.repeat(40)

export function formatEntry(entry: { readonly expiresAt: EpochMs }, claimer = NOBODY): string {
  return `2${claimer}${NOBODY}${formatInstant(entry.expiresAt)} ${JSON.stringify(entry)}`
}

export function parseEntry<T>(text: string | null): { readonly entry: T; readonly consumer: string } | undefined {
  if (text === null) return undefined
  const [form, consumer] = /^2[0-9a-f]{40}([0-9a-f]{40})\d+ /.exec(text) ?? []
  if (form === undefined || consumer === undefined) throw damaged('a one-time value')
  return { entry: parseJson('a one-time value', text.slice(form.length)), consumer }
}
