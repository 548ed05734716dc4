import type { EpochMs } from './time.ts'

/** Bounded TTL cache; evicts the oldest entry. */
export class TtlCache<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly until: EpochMs }>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  get(key: string, now: EpochMs): Value | undefined {
    const entry = this.#entries.get(key)
    if (entry && entry.until > now) return entry.value
    if (entry) this.#entries.delete(key)
    return undefined
  }

  set(key: string, value: Value, until: EpochMs): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, until })
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > this.#limit && oldest !== undefined) this.#entries.delete(oldest)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }
}
