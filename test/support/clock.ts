/** A clock that goes on by itself and can be moved. */
export class Clock {
  #aheadMs = 0
  readonly now = (): number => Date.now() + this.#aheadMs

  advance(seconds: number): void {
    this.#aheadMs += seconds * 1000
  }
}
