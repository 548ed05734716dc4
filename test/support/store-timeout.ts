import { TICKS } from '../../src/store/deadlines.ts'

/** By the period of their timers. */
const timeouts = new Map<number, StoreTimeout>()

/**
 * A `storeTimeoutMs` that expires when a test calls `runOut`, and never on its own: no result depends on how busy the
 * machine is, and no test waits.
 *
 * authmount counts its deadlines in ticks of a `setInterval`. Each instance has its own period, which tells its timer
 * from all others.
 */
export class StoreTimeout {
  /** For the option `storeTimeoutMs` of one host. */
  readonly ms: number
  tick: (() => void) | undefined

  constructor() {
    const period = 701 + timeouts.size
    this.ms = period * TICKS
    timeouts.set(period, this)
  }

  /** Expires every request of the host that waits for its store. */
  runOut(): void {
    if (!this.tick) throw new Error('no request of this host waits for its store')
    for (let ticks = 0; ticks < TICKS; ticks++) this.tick()
  }
}

const { setInterval } = globalThis
globalThis.setInterval = ((run: () => void, ms: number, ...args: unknown[]) => {
  const timeout = timeouts.get(ms)
  if (!timeout) return (setInterval as (...args: unknown[]) => NodeJS.Timeout)(run, ms, ...args)
  timeout.tick = run
  // Something for clearInterval; a day is longer than any test.
  return setInterval(() => {}, 86_400_000)
}) as typeof setInterval
