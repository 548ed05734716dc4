/** A sorted list. Writes find their place by binary search, so that a page is read without sorting. */
export class SortedList<Value> {
  readonly #items: Value[] = []
  readonly #compare: (a: Value, b: Value) => number

  /** `compare` returns 0 for two values in the same place, such as two versions of a record. */
  constructor(compare: (a: Value, b: Value) => number) {
    this.#compare = compare
  }

  get size(): number {
    return this.#items.length
  }

  /** Inserts a value, or replaces the one in its place. */
  set(value: Value): void {
    const index = this.#indexOf(value)
    this.#items.splice(index, this.#isAt(index, value) ? 1 : 0, value)
  }

  delete(value: Value): void {
    const index = this.#indexOf(value)
    if (this.#isAt(index, value)) this.#items.splice(index, 1)
  }

  /** Yields the values from the first that does not come before `value`. */
  *from(value?: Value): Generator<Value, void> {
    for (let index = value === undefined ? 0 : this.#indexOf(value); index < this.#items.length; index++) {
      const item = this.#items[index]
      if (item !== undefined) yield item
    }
  }

  #isAt(index: number, value: Value): boolean {
    const item = this.#items[index]
    return item !== undefined && this.#compare(item, value) === 0
  }

  #indexOf(value: Value): number {
    let [low, high] = [0, this.#items.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const item = this.#items[middle]
      if (item !== undefined && this.#compare(item, value) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
