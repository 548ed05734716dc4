/** Cache of values computed from texts. Emptied when it is full; texts longer than 4,096 characters are not cached. */
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
