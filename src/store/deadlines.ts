/** An entry of the queue of {@link Deadlines}, linked into it while it waits for the store. */
export abstract class Waiting {
  /** The tick at which it expires; 0 while it is not queued. Only the queue writes this and the two neighbours. */
  due = 0
  next: Waiting | undefined
  previous: Waiting | undefined

  abstract expire(): void
}

/** Ticks per timeout: a deadline is accurate to about an eighth of it. */
export const TICKS = 8

/**
 * Runs the deadlines of all requests on one timer: a timer for each request costs more than the rest of a token check.
 *
 * Time is counted in ticks of that timer, not read from the clock, so that a blocked event loop does not make the store look
 * late. The timer runs only while something waits or did so lately, and never keeps the process alive.
 */
export class Deadlines {
  /** How long one request may wait for the store, in milliseconds. */
  readonly timeoutMs: number
  #ticks = 0
  #timer: NodeJS.Timeout | undefined
  #first: Waiting | undefined
  #last: Waiting | undefined
  #idle = false

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs
  }

  /** Queues an entry, which expires after `ticks` ticks unless it is removed before. */
  add(waiting: Waiting, ticks = TICKS): void {
    waiting.due = this.#ticks + ticks
    waiting.previous = this.#last
    if (this.#last) this.#last.next = waiting
    else this.#first = waiting
    this.#last = waiting
    this.#idle = false
    this.#timer ??= setInterval(() => this.#tick(), this.timeoutMs / TICKS).unref()
  }

  /** Takes an entry out of the queue. Returns how many ticks it had left. */
  remove(waiting: Waiting): number {
    if (waiting.due === 0) return 0
    const left = waiting.due - this.#ticks
    const { next, previous } = waiting
    if (previous) previous.next = next
    else this.#first = next
    if (next) next.previous = previous
    else this.#last = previous
    waiting.due = 0
    waiting.next = undefined
    waiting.previous = undefined
    return left
  }

  #tick(): void {
    this.#ticks++
    for (let waiting = this.#first; waiting; ) {
      const { next } = waiting
      if (waiting.due <= this.#ticks) {
        this.remove(waiting)
        waiting.expire()
      }
      waiting = next
    }
    if (this.#first) return
    // Only a second quiet tick stops the timer: starting and stopping it for every request costs as much as a timer for each.
    if (this.#idle) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    this.#idle = true
  }
}
