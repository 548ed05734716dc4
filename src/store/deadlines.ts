/** An entry of the queue of {@link Deadlines}, linked into it from the first time it waits for the store. */
export abstract class Waiting {
  /** The tick at which it expires; 0 while it is not queued, `NEVER` while it is paused. Only the queue writes these four. */
  due = 0
  /** While it is paused: how many ticks are left. */
  left = 0
  next: Waiting | undefined
  previous: Waiting | undefined

  abstract expire(): void
}

/** A tick that is never reached. A small integer, unlike `Infinity`: V8 stores such a field in place. */
const NEVER = 2 ** 30

/** Ticks per timeout: a deadline is accurate to about an eighth of it. */
export const TICKS = 8

/**
 * Runs the deadlines of all requests on one timer: a timer for each request costs more than the rest of a token check.
 *
 * Time is counted in ticks of that timer, not read from the clock, so that a blocked event loop does not make the store look
 * late. The timer runs only while something is queued or was so lately, and never keeps the process alive.
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

  /** Queues an entry, which expires after {@link TICKS} ticks unless it is paused or removed before. */
  add(waiting: Waiting): void {
    waiting.due = this.#ticks + TICKS
    waiting.previous = this.#last
    if (this.#last) this.#last.next = waiting
    else this.#first = waiting
    this.#last = waiting
    this.#idle = false
    this.#timer ??= setInterval(() => this.#tick(), this.timeoutMs / TICKS).unref()
  }

  /** Stops the time of a queued entry. It stays in the queue: two writes in place of eight, for every call of the store. */
  pause(waiting: Waiting): void {
    if (waiting.due === 0) return
    waiting.left = waiting.due - this.#ticks
    waiting.due = NEVER
  }

  /** Lets the time of a paused entry run on. */
  resume(waiting: Waiting): void {
    if (waiting.due === NEVER) waiting.due = this.#ticks + waiting.left
  }

  /** Takes an entry out of the queue, if it is queued. */
  remove(waiting: Waiting): void {
    if (waiting.due === 0) return
    const { next, previous } = waiting
    if (previous) previous.next = next
    else this.#first = next
    if (next) next.previous = previous
    else this.#last = previous
    waiting.due = 0
    waiting.next = undefined
    waiting.previous = undefined
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
