import assert, { AssertionError } from 'node:assert/strict'
import type { EpochMs } from '../base/time.ts'
import type { Store } from '../store/store.ts'

/**
 * Makes the stores of one case. It is called once per case, with the clock that they must use. Several stores must share one
 * database, each with its own connections; concurrent calls are spread over them.
 */
export type MakeStores = (
  now: () => EpochMs,
) => Store | readonly [Store, ...Store[]] | Promise<Store | readonly [Store, ...Store[]]>

/** One rule of the storage contract, and the code that checks it. */
export interface StoreCase {
  /** The rule. */
  readonly name: string
  /**
   * Rejects with an AssertionError if the store breaks the rule; its `cause` is the store's own error.
   * Leaves its records behind, under random ids.
   */
  run(makeStores: MakeStores): Promise<void>
}

/** The clock of a case. It stands still until the case moves it. */
export interface CaseClock {
  readonly now: () => EpochMs
  readonly moveTo: (at: EpochMs) => void
}

/** The parts of the first store, all stores, and the clock, for one case. */
export interface CaseKit extends Store {
  readonly clock: CaseClock
  readonly stores: readonly Store[]
  /** Runs `run` many times concurrently, spread over the stores. Settles once all calls have settled. */
  race<T>(run: (store: Store, index: number) => Promise<T>, count?: number): Promise<T[]>
}

/** The number of concurrent calls: enough to hit a gap between two statements of a store. */
export const PARALLEL = 50

export function defineCase(name: string, check: (kit: CaseKit) => Promise<void>): StoreCase {
  return {
    name,
    async run(makeStores) {
      const clock = newClock()
      const made = await makeStores(clock.now)
      const [store, ...peers] = ('apps' in made ? [made] : made).map(explained)
      assert.ok(store, 'makeStores made no store')
      const stores = [store, ...peers]
      await check({
        ...store,
        clock,
        stores,
        race: (run, count = PARALLEL) => settled(times(count, index => run(stores[index % stores.length] ?? store, index))),
      })
    },
  }
}

/** Asserts that exactly one of several concurrent calls won. */
export function assertOneWon(won: readonly boolean[], what: string): void {
  const count = won.filter(Boolean).length
  assert.equal(count, 1, `${count} of ${won.length} concurrent ${what}, instead of exactly one: ${ONE_STEP}`)
}

/** The advice in the message of every lost race. */
export const ONE_STEP = 'read and write must be one step against other connections'

export function times(count: number): readonly number[]
export function times<T>(count: number, make: (index: number) => T): readonly T[]
export function times(count: number, make: (index: number) => unknown = index => index): readonly unknown[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

/** Like `Promise.all`, but on failure waits for all: a case must not end while its calls are under way. */
async function settled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises)
  return Promise.all(promises)
}

/** Makes a clock that starts at the real time, so that a database that sweeps by its own clock does not sweep early. */
function newClock(): CaseClock {
  let present = Date.now()
  return {
    now: () => present,
    moveTo: at => {
      present = at
    },
  }
}

/** Wraps the store so that a rejection names the method, with the store's own error as its cause. */
function explained(store: Store): Store {
  return {
    apps: explainedPart('apps', store.apps),
    oneTime: explainedPart('oneTime', store.oneTime),
    grants: explainedPart('grants', store.grants),
    consents: explainedPart('consents', store.consents),
    credentials: explainedPart('credentials', store.credentials),
    keys: explainedPart('keys', store.keys),
  }
}

function explainedPart<Part extends object>(name: string, part: Part): Part {
  return new Proxy(part, {
    get(target, method) {
      const found: unknown = Reflect.get(target, method)
      const called = `${name}.${String(method)}`
      return async (...args: readonly unknown[]) => {
        if (typeof found !== 'function') throw new AssertionError({ message: `the store has no method ${called}` })
        try {
          return await Reflect.apply(found, target, args)
        } catch (cause) {
          const error = new AssertionError({
            message: `${called} rejected, which is for a database that fails: ${cause instanceof Error ? cause.message : String(cause)}`,
          })
          error.cause = cause
          throw error
        }
      }
    },
  })
}
