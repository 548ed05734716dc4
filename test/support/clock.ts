/** A clock that goes on by itself, until it is stopped, and can be moved. */
export class Clock {
  #aheadMs = 0
  #stoppedAt: number | null = null
  readonly now = (): number => (this.#stoppedAt ?? Date.now()) + this.#aheadMs

  advance(seconds: number): void {
    this.#aheadMs += Math.round(seconds * 1000)
  }

  /** From now on only `advance` moves it. */
  stop(): void {
    this.#stoppedAt = Date.now()
  }
}
