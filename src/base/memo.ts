/** Remembers what was made of a text: of the last ones, of at most a few thousand characters. */
export class Memo<Value> {
  readonly #values = new Map<string, Value>()
  readonly #limit: number

  constructor(limit = 1000) {
    this.#limit = limit
  }

  get(text: string): Value | undefined {
    return this.#values.get(text)
  }

  set(text: string, value: Value): Value {
    if (text.length > 4096) return value
    if (this.#values.size >= this.#limit) this.#values.clear()
    this.#values.set(text, value)
    return value
  }
}
