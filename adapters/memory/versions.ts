import { isDeepStrictEqual } from 'node:util'

/**
 * Decides whether a versioned record can be written: `write` if the stored version is one less (an absent record counts as 0),
 * `same` if this very record is stored already, else `conflict`.
 */
export function decideVersion<Value extends { readonly version: number }>(
  stored: Value | undefined,
  value: Value,
): 'write' | 'same' | 'conflict' {
  if (stored?.version === value.version) return isDeepStrictEqual(stored, value) ? 'same' : 'conflict'
  return (stored?.version ?? 0) === value.version - 1 ? 'write' : 'conflict'
}

/** Joins two ids to one key, unique to the pair. */
export function pairKey(first: string, second: string): string {
  return `${first.length}:${first}${second}`
}
