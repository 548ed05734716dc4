/** A request that waits for the store. Linked into its queue from the first wait until it is over. */
export interface Waiting {
  expire(): void
  /** Owned by the queue. */
  readonly link: Link
}

/** A place in a queue; `due` is when it expires, by the process's own clock in milliseconds, and 0 while it is in none. */
export interface Link {
  due: number
  next: Waiting | undefined
  previous: Waiting | undefined
}

/** How often the queue is looked at: a deadline is met to an eighth of the timeout, early rather than late. */
const LOOKS_PER_TIMEOUT = 8

/**
 * One deadline for each request, and one timer for all of them: a timer for each would cost a busy server more than
 * all the rest of checking a token. All wait equally long, so the first to come is the first to expire.
 * The timer runs only while somebody waits or lately did, and never keeps the process alive.
 */
export class Deadlines {
  readonly timeoutMs: number
  readonly #everyMs: number
  #timer: NodeJS.Timeout | undefined
  #first: Waiting | undefined
  #last: Waiting | undefined
  #idle = false

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs
    this.#everyMs = timeoutMs / LOOKS_PER_TIMEOUT
  }

  add(waiting: Waiting): void {
    waiting.link.due = performance.now() + this.timeoutMs - this.#everyMs
    waiting.link.previous = this.#last
    if (this.#last) this.#last.link.next = waiting
    else this.#first = waiting
    this.#last = waiting
    this.#idle = false
    this.#timer ??= setInterval(() => this.#look(), this.#everyMs).unref()
  }

  remove({ link }: Waiting): void {
    if (link.due === 0) return
    const { next, previous } = link
    if (previous) previous.link.next = next
    else this.#first = next
    if (next) next.link.previous = previous
    else this.#last = previous
    link.due = 0
    link.next = undefined
    link.previous = undefined
  }

  #look(): void {
    const now = performance.now()
    for (let waiting = this.#first; waiting && waiting.link.due <= now; waiting = this.#first) {
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
