import { StoreError } from './errors/store-error.ts'
import type { Store } from './store.ts'

/**
 * The host's store as one request sees it: every failure is a StoreError, and all calls together end by the deadline.
 *
 * A call that is late is abandoned, not undone: it may still take effect, which every write of ours must survive.
 * Call `release` when the request is over.
 */
export class GuardedStore implements Store {
  readonly #inner: Store
  readonly #timeoutMs: number
  readonly #parts: { -readonly [Part in keyof Store]?: Store[Part] } = {}
  /** What to call if the deadline passes, by the promise that is waited for. */
  readonly #waiting = new Set<() => void>()
  #timer: NodeJS.Timeout | undefined
  #expired = false

  /** The deadline is `timeoutMs` milliseconds after the first call. */
  constructor(inner: Store, timeoutMs: number) {
    this.#inner = inner
    this.#timeoutMs = timeoutMs
  }

  get apps(): Store['apps'] {
    return this.#part('apps')
  }
  get oneTime(): Store['oneTime'] {
    return this.#part('oneTime')
  }
  get grants(): Store['grants'] {
    return this.#part('grants')
  }
  get consents(): Store['consents'] {
    return this.#part('consents')
  }
  get credentials(): Store['credentials'] {
    return this.#part('credentials')
  }
  get keys(): Store['keys'] {
    return this.#part('keys')
  }

  release(): void {
    clearTimeout(this.#timer)
  }

  #part<Part extends keyof Store>(name: Part): Store[Part] {
    const known = this.#parts[name]
    if (known) return known
    const part: Store[Part] = new Proxy(this.#inner[name], {
      get: (target, method) => {
        const operation: unknown = Reflect.get(target, method, target)
        if (typeof operation !== 'function') return operation
        return (...args: unknown[]) => this.#call(`${name}.${String(method)}`, () => Reflect.apply(operation, target, args))
      },
    })
    this.#parts[name] = part
    return part
  }

  /** Written out rather than raced: this is on the way of every request, several times. */
  #call(operation: string, run: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new StoreError(operation, { cause: new Error(`no answer within ${this.#timeoutMs} ms`) }))
      if (this.#expired) return late()
      this.#timer ??= setTimeout(() => this.#expire(), this.#timeoutMs)
      this.#waiting.add(late)
      const failed = (cause: unknown) => {
        this.#waiting.delete(late)
        reject(new StoreError(operation, { cause }))
      }
      try {
        run().then(answer => {
          this.#waiting.delete(late)
          resolve(answer)
        }, failed)
      } catch (cause) {
        failed(cause)
      }
    })
  }

  #expire(): void {
    this.#expired = true
    for (const late of this.#waiting) late()
  }
}
