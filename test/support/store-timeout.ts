const LOOKS_PER_TIMEOUT = 8

/** By the period of their looks. */
const timeouts = new Map<number, StoreTimeout>()

/**
 * A `storeTimeoutMs` that runs out when a test says so, and by itself never: what is proved about a silent store does
 * not depend on how busy the machine is, and nobody waits for it.
 *
 * authmount looks at its deadlines with `setInterval`, eight times in a timeout. Each instance has a period of its own, by
 * which its interval is told from all others.
 */
export class StoreTimeout {
  /** For the option `storeTimeoutMs` of one host. */
  readonly ms: number
  look: (() => void) | undefined

  constructor() {
    const period = 701 + timeouts.size
    this.ms = period * LOOKS_PER_TIMEOUT
    timeouts.set(period, this)
  }

  /** Ends the wait of every request of the host that waits for its store. */
  runOut(): void {
    if (!this.look) throw new Error('no request of this host waits for its store')
    for (let looks = 0; looks < LOOKS_PER_TIMEOUT; looks++) this.look()
  }
}

const { setInterval } = globalThis
globalThis.setInterval = ((run: () => void, ms: number, ...args: unknown[]) => {
  const timeout = timeouts.get(ms)
  if (!timeout) return (setInterval as (...args: unknown[]) => NodeJS.Timeout)(run, ms, ...args)
  timeout.look = run
  // What it is stopped with; a day is longer than any test.
  return setInterval(() => {}, 86_400_000)
}) as typeof setInterval
