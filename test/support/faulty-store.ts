import type { Store } from 'authmount'
import type { StoreTimeout } from './store-timeout.ts'

/**
 * How a store call goes wrong: it throws at once, rejects without having done anything, rejects although it was done,
 * never answers, answers only when the request has been given up, or hangs and goes on hanging with every later call.
 */
export const faults = ['throws', 'rejects before', 'rejects after', 'never answers', 'answers late'] as const
/** With the one after which no call answers any more. */
export const lastingFaults = [...faults, 'goes on hanging'] as const
export type Fault = (typeof lastingFaults)[number]

export class FaultyStore {
  readonly store: Store
  /** Which call from now on goes wrong, counted from 1; 0: none. */
  failAt = 0
  fault: Fault = 'throws'
  calls: string[] = []
  readonly #timeout: StoreTimeout
  readonly #late: { readonly answered: Promise<unknown>; readonly answer: () => void }[] = []

  /** `timeout` is that of the host: it runs out as soon as a call hangs. */
  constructor(inner: Store, timeout: StoreTimeout) {
    this.#timeout = timeout
    const parts = Object.entries(inner).map(([part, methods]: [string, object]) => {
      const broken = Object.fromEntries(
        Object.entries(methods).map(([method, operation]) => [
          method,
          (...args: unknown[]) => this.#call(`${part}.${method}`, () => operation.apply(methods, args)),
        ]),
      )
      return [part, broken]
    })
    this.store = Object.fromEntries(parts) as Store
  }

  /** Lets `run` meet a fault at its call number `failAt`. Afterwards gives the answers that are late. */
  async during<T>(failAt: number, fault: Fault, run: () => Promise<T>): Promise<T> {
    this.calls = []
    this.failAt = failAt
    this.fault = fault
    try {
      return await run()
    } finally {
      this.failAt = 0
      for (const { answer, answered } of this.#late.splice(0)) {
        answer()
        await answered
      }
    }
  }

  #call(name: string, operation: () => Promise<unknown>): Promise<unknown> {
    this.calls.push(name)
    if (this.fault === 'goes on hanging' && this.failAt > 0 && this.calls.length > this.failAt) return new Promise(() => {})
    if (this.calls.length !== this.failAt) return operation()
    const secret = new Error(`ECONNREFUSED 10.0.0.3:6379 at ${name}: db-password`)
    switch (this.fault) {
      case 'throws':
        throw secret
      case 'rejects before':
        return Promise.reject(secret)
      case 'rejects after':
        return operation().then(() => Promise.reject(secret))
      case 'never answers':
      case 'goes on hanging':
        setImmediate(() => this.#timeout.runOut())
        return new Promise(() => {})
      case 'answers late': {
        let answer = () => {}
        const given = new Promise<void>(resolve => {
          answer = resolve
        })
        const answered = operation().then(async result => {
          setImmediate(() => this.#timeout.runOut())
          await given
          return result
        })
        this.#late.push({ answered, answer })
        return answered
      }
    }
  }
}
