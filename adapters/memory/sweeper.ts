import type { EpochMs } from '../../src/base/time.ts'

/** How long a slice may block the event loop, how soon the next slice follows, and how often a pass over all records begins. Milliseconds. */
const SLICE_MS = 4
const NEXT_SLICE_MS = 1
const PASS_EVERY_MS = 30_000
/** How long a full store refuses writes before it looks for expired records again. Milliseconds. */
const HOPELESS_MS = 100
/** The clock is read once for this many records, because reading it costs more than checking a record. */
const RECORDS_PER_LOOK = 64

export interface Expiring {
  readonly expiresAt: EpochMs
}
interface Sweepable {
  /** Removes expired records, checking one record per step. */
  sweep(now: () => EpochMs): Iterable<void>
}

/**
 * Bounds the number of records of several maps together, and removes expired ones in slices, so that no sweep blocks requests.
 * The timer exists only while there are records, and never keeps the process alive.
 */
export class Sweeper {
  readonly now: () => EpochMs
  readonly #maxRecords: number
  readonly #passEveryMs: number
  readonly #maps: Sweepable[] = []
  #used = 0
  #timer: NodeJS.Timeout | undefined
  #pass: Iterator<void> | undefined
  #hopelessUntil = 0
  #sliceBeganAt: EpochMs = 0

  constructor(maxRecords: number, now: () => EpochMs, passEveryMs = PASS_EVERY_MS) {
    this.#maxRecords = maxRecords
    this.#passEveryMs = passEveryMs
    this.now = now
  }

  add(map: Sweepable): void {
    this.#maps.push(map)
  }

  /** Reserves room for `records` more. Throws if the store is full. */
  reserve(records: number): void {
    if (this.#used + records > this.#maxRecords && performance.now() >= this.#hopelessUntil) {
      // After a slice that frees nothing, wait: a slice for every refused write would slow down reads too.
      if (this.#slice() && this.#used + records > this.#maxRecords) this.#hopelessUntil = performance.now() + HOPELESS_MS
    }
    if (this.#used + records > this.#maxRecords)
      throw new Error(`the memory store is full: it holds maxRecords (${this.#maxRecords})`)
    this.#used += records
    this.#schedule(this.#passEveryMs)
  }

  /** Releases room. A caller that changes the size of a value inside a map reserves and releases the difference. */
  release(records: number): void {
    this.#used -= records
  }

  #schedule(inMs: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const finished = this.#slice()
      if (this.#used > 0) this.#schedule(finished ? this.#passEveryMs : NEXT_SLICE_MS)
    }, inMs).unref()
  }

  /** Sweeps for one slice of time. True if that ended a pass. */
  #slice(): boolean {
    this.#pass ??= this.#sweepAll()
    const until = performance.now() + SLICE_MS
    this.#sliceBeganAt = this.now()
    for (let looked = 1; !this.#pass.next().done; looked++) {
      if (looked % RECORDS_PER_LOOK === 0 && performance.now() > until) return false
    }
    this.#pass = undefined
    return true
  }

  *#sweepAll(): Generator<void, undefined> {
    for (const map of this.#maps) yield* map.sweep(() => this.#sliceBeganAt)
    return undefined
  }
}

/** A map whose records expire. It returns expired records until they are swept, so callers must compare `expiresAt`. */
export class ExpiringMap<Value extends Expiring> {
  readonly #sweeper: Sweeper
  readonly #removed: (value: Value) => void
  readonly #values = new Map<string, Value>()

  /** `removed` is called with every value that is replaced, deleted or swept, to keep an index up to date. */
  constructor(sweeper: Sweeper, removed: (value: Value) => void = () => {}) {
    this.#sweeper = sweeper
    this.#removed = removed
    sweeper.add(this)
  }

  get(key: string): Value | undefined {
    return this.#values.get(key)
  }

  /** Adds or replaces a value. Throws, and changes nothing, if there is no room for a new one. */
  set(key: string, value: Value): void {
    const replaced = this.#values.get(key)
    if (replaced === undefined) this.#sweeper.reserve(1)
    else this.#removed(replaced)
    this.#values.set(key, value)
  }

  delete(key: string): void {
    const value = this.#values.get(key)
    if (value === undefined) return
    this.#values.delete(key)
    this.#sweeper.release(1)
    this.#removed(value)
  }

  *sweep(now: () => EpochMs): Generator<void, undefined> {
    for (const [key, value] of this.#values) {
      if (value.expiresAt <= now()) this.delete(key)
      yield
    }
    return undefined
  }
}
