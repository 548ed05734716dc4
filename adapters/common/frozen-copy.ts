import type { Json, JsonObject } from '../../src/base/json.ts'

/**
 * A copy that nobody can change, so that it may be handed out as often as it is asked for.
 * A frozen list of strings is shared: thousands of tokens then hold their app's scopes once.
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
