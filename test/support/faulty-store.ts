import type { Store } from 'authmount'

/**
 * How a store call goes wrong: it throws at once, rejects without having done anything, rejects although it was done,
 * never answers, or answers too late.
 */
export const faults = ['throws', 'rejects before', 'rejects after', 'never answers', 'answers late'] as const
export type Fault = (typeof faults)[number]

export class FaultyStore {
  readonly store: Store
  /** Which call from now on goes wrong, counted from 1; 0: none. */
  failAt = 0
  fault: Fault = 'throws'
  calls: string[] = []
  #late: Promise<unknown>[] = []

  /** A late answer takes `lateMs` milliseconds. */
  constructor(
    inner: Store,
    readonly lateMs: number,
  ) {
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

  /** Lets `run` meet a fault at its call number `failAt`, and waits until whatever is late has happened. */
  async during<T>(failAt: number, fault: Fault, run: () => Promise<T>): Promise<T> {
    this.calls = []
    this.failAt = failAt
    this.fault = fault
    try {
      return await run()
    } finally {
      this.failAt = 0
      await Promise.all(this.#late)
      this.#late = []
    }
  }

  #call(name: string, operation: () => Promise<unknown>): Promise<unknown> {
    this.calls.push(name)
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
        return new Promise(() => {})
      case 'answers late': {
        const late = operation().then(answer => new Promise(resolve => setTimeout(resolve, this.lateMs, answer)))
        this.#late.push(late)
        return late
      }
    }
  }
}
