/** Remembers what was made of a text: at most a thousand of the last ones, of at most a few thousand characters. */
export class Recent<Value> {
  readonly #values = new Map<string, Value>()

  get(text: string): Value | undefined {
    return this.#values.get(text)
  }

  set(text: string, value: Value): Value {
    if (text.length > 4096) return value
    if (this.#values.size >= 1000) this.#values.clear()
    this.#values.set(text, value)
    return value
  }
}
