import { hash } from 'node:crypto'
import type { EpochMs } from '../../src/base/time.ts'
import type { Token } from '../../src/store/store.ts'

/** Hashes a list of ids to 40 hexadecimal digits: 160 bits of SHA-256, over a text that is unique to the list. */
export function digest(ids: readonly string[]): string {
  const text = ids.length === 1 ? (ids[0] ?? '') : ids.map(id => `${id.length}:${id}`).join('')
  return hash('sha256', text, 'hex').slice(0, 40)
}

/** Makes the error for an unreadable record. Treating it as absent could overwrite it, or lose a revocation. */
export function damaged(what: string): Error {
  return new Error(`${what} was written by another version of authmount, or is damaged: it is left as it is`)
}

export function lastExpiry(tokens: readonly Token[]): EpochMs {
  let last = 0
  for (const { expiresAt } of tokens) last = Math.max(last, expiresAt)
  return last
}
