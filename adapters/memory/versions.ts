import { isDeepStrictEqual } from 'node:util'

/**
 * Whether a versioned record may be written: `write` if the stored version is one less (nothing stored counts as 0),
 * `same` if this very record is stored already, `conflict` otherwise.
 */
export function decideVersion<Value extends { readonly version: number }>(
  stored: Value | undefined,
  value: Value,
): 'write' | 'same' | 'conflict' {
  if (stored?.version === value.version) return isDeepStrictEqual(stored, value) ? 'same' : 'conflict'
  return (stored?.version ?? 0) === value.version - 1 ? 'write' : 'conflict'
}

/** Two ids as one key that no other two make. */
export function pairKey(first: string, second: string): string {
  return `${first.length}:${first}${second}`
}
