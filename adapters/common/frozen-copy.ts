import type { Json, JsonObject } from '../../src/base/json.ts'

/**
 * Makes a deeply frozen copy, which can be returned to every caller without another copy.
 * A frozen array of strings is shared instead of copied, so that thousands of tokens hold their app's scopes once.
 */
export function frozenCopy<Value extends object>(value: Value): Value
export function frozenCopy(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    if (Object.isFrozen(value) && value.every(item => typeof item === 'string')) return value
    return Object.freeze(value.map(item => frozenCopy(item)))
  }
  const copy: Record<string, Json> = { ...(value as JsonObject) }
  let empty = true
  for (const name in copy) {
    empty = false
    const item = copy[name]
    if (typeof item === 'object' && item !== null) copy[name] = frozenCopy(item)
  }
  return empty && Object.isFrozen(value) ? value : Object.freeze(copy)
}
