/** A request that waits for the store. Linked into its queue from the first wait until it is over. */
export abstract class Waiting {
  /** The look of the queue at which it expires; 0 while it is in none. This, and its neighbours, are the queue's own. */
  due = 0
  next: Waiting | undefined
  previous: Waiting | undefined

  abstract expire(): void
}

/** How often the queue is looked at: a deadline is met to about an eighth of the timeout. */
const LOOKS_PER_TIMEOUT = 8

/**
 * One deadline for each request, and one timer for all of them: a timer for each would cost a busy server more than
 * all the rest of checking a token. All wait equally long, so the first to come is the first to expire.
 * Time is counted in looks, not read from the clock: a process that was held up itself does not blame the store for it.
 * The timer runs only while somebody waits or lately did, and never keeps the process alive.
 */
export class Deadlines {
  readonly timeoutMs: number
  #looks = 0
  #timer: NodeJS.Timeout | undefined
  #first: Waiting | undefined
  #last: Waiting | undefined
  #idle = false

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs
  }

  add(waiting: Waiting): void {
    waiting.due = this.#looks + LOOKS_PER_TIMEOUT
    waiting.previous = this.#last
    if (this.#last) this.#last.next = waiting
    else this.#first = waiting
    this.#last = waiting
    this.#idle = false
    this.#timer ??= setInterval(() => this.#look(), this.timeoutMs / LOOKS_PER_TIMEOUT).unref()
  }

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

  #look(): void {
    this.#looks++
    for (let waiting = this.#first; waiting && waiting.due <= this.#looks; waiting = this.#first) {
      this.remove(waiting)
      waiting.expire()
    }
    if (this.#first) return
    // Not at the first quiet moment: starting and stopping is what is to be saved.
    if (this.#idle) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    this.#idle = true
  }
}
