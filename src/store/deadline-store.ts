import { StoreError } from '../errors/store-error.ts'
import { type Deadlines, Waiting } from './deadlines.ts'
import type {
  App,
  AppQuery,
  AppStore,
  Consent,
  ConsentOwner,
  ConsentQuery,
  ConsentStore,
  Credential,
  CredentialStore,
  FoundToken,
  Grant,
  GrantedToken,
  GrantStore,
  KeyRing,
  KeyRingStore,
  OneTime,
  OneTimeKind,
  OneTimeStore,
  RevokeQuery,
  Store,
  Token,
  TokenQuery,
  TokenRef,
} from './store.ts'

/**
 * Wraps the host's store for one request: every failure is a StoreError, and the request waits for the store at most
 * `storeTimeoutMs` in all. Time between calls (a provider, a hook, making a key) does not count.
 *
 * A late call is abandoned, not undone: it may still take effect, so every write of ours must be safe to happen late.
 * Call `release` when the request is over. Methods are written out rather than proxied: they run on every request.
 */
export class DeadlineStore implements Store {
  readonly #inner: Store
  readonly #deadline: Deadline

  constructor(inner: Store, deadlines: Deadlines) {
    this.#inner = inner
    this.#deadline = new Deadline(deadlines)
  }

  get apps(): AppStore {
    return new DeadlineApps(this.#inner.apps, this.#deadline)
  }
  get oneTime(): OneTimeStore {
    return new DeadlineOneTime(this.#inner.oneTime, this.#deadline)
  }
  get grants(): GrantStore {
    return new DeadlineGrants(this.#inner.grants, this.#deadline)
  }
  get consents(): ConsentStore {
    return new DeadlineConsents(this.#inner.consents, this.#deadline)
  }
  get credentials(): CredentialStore {
    return new DeadlineCredentials(this.#inner.credentials, this.#deadline)
  }
  get keys(): KeyRingStore {
    return new DeadlineKeys(this.#inner.keys, this.#deadline)
  }

  /**
   * Reads an app and a token concurrently, and resolves to `make(app, found)`; rejects if that throws. A hand-written
   * `Promise.all`: it runs before every guarded host route, and halves the promises of a check.
   */
  appAndToken<T>(appId: string, ref: TokenRef, make: (app: App | undefined, found: FoundToken | undefined) => T): Promise<T> {
    const { apps, grants } = this.#inner
    return this.#deadline.callBoth('apps.get and grants.find', [() => apps.get(appId), () => grants.find(ref)], make)
  }

  /** Runs another call within the same deadline. Rejects with StoreError if it fails, or the time is over. */
  wait<T>(operation: string, run: () => Promise<T>): Promise<T> {
    return this.#deadline.call(operation, run)
  }

  /** Whether the deadline is over, so that every further call is refused. */
  get isOver(): boolean {
    return this.#deadline.isOver
  }

  release(): void {
    this.#deadline.cancel()
  }
}

/** The deadline of one request. It runs only while a call is pending, and stands still between calls. */
class Deadline extends Waiting {
  readonly #deadlines: Deadlines
  #pending = 0
  /** The newest call of a linked list. Rejecting an answered call does nothing, so calls are never taken out. */
  #last: Call | undefined
  #expired = false
  #cancelled = false

  constructor(deadlines: Deadlines) {
    super()
    this.#deadlines = deadlines
  }

  /** Resolves as `run` does. Rejects with StoreError if the store fails or throws, or the time is over. */
  call<T>(operation: string, run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#began(operation, reject)) return
      const answered = (value: T) => {
        this.#ended()
        resolve(value)
      }
      const failed = (cause: unknown) => {
        this.#ended()
        reject(new StoreError(operation, { cause }))
      }
      try {
        run().then(answered, failed)
      } catch (cause) {
        failed(cause)
      }
    })
  }

  /** Like `call`, for two concurrent calls: resolves to `make` of both results, and rejects with what that throws. */
  callBoth<First, Second, T>(
    operation: string,
    [first, second]: readonly [() => Promise<First>, () => Promise<Second>],
    make: (first: First, second: Second) => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#began(operation, reject)) return
      let firstValue: First
      let secondValue: Second
      let missing = 2
      const arrived = () => {
        if (missing < 0 || --missing > 0) return
        this.#ended()
        try {
          resolve(make(firstValue, secondValue))
        } catch (error) {
          reject(error)
        }
      }
      // Both may fail, and the call ends once.
      const failed = (cause: unknown) => {
        if (missing < 0) return
        missing = -1
        this.#ended()
        reject(new StoreError(operation, { cause }))
      }
      try {
        first().then(value => {
          firstValue = value
          arrived()
        }, failed)
        second().then(value => {
          secondValue = value
          arrived()
        }, failed)
      } catch (cause) {
        failed(cause)
      }
    })
  }

  get isOver(): boolean {
    return this.#expired
  }

  cancel(): void {
    this.#cancelled = true
    this.#deadlines.remove(this)
  }

  expire(): void {
    this.#expired = true
    for (let call = this.#last; call; call = call.before) this.#reject(call)
  }

  /** False, and the call is rejected, if the time is over already. */
  #began(operation: string, reject: Call['reject']): boolean {
    const call: Call = { operation, reject, before: this.#last }
    if (this.#expired) {
      this.#reject(call)
      return false
    }
    if (this.due === 0) this.#deadlines.add(this)
    else if (this.#pending === 0) this.#deadlines.resume(this)
    this.#pending++
    this.#last = call
    return true
  }

  #ended(): void {
    this.#pending--
    if (this.#pending > 0 || this.#expired) return
    // A call that begins after the request is over leaves nothing in the queue.
    if (this.#cancelled) this.#deadlines.remove(this)
    else this.#deadlines.pause(this)
    this.#last = undefined
  }

  #reject({ operation, reject }: Call): void {
    reject(new StoreError(operation, { cause: new Error(`no answer within ${this.#deadlines.timeoutMs} ms`) }))
  }
}

interface Call {
  readonly operation: string
  readonly reject: (error: StoreError) => void
  readonly before: Call | undefined
}

class Deadlined<Part> {
  protected readonly inner: Part
  protected readonly deadline: Deadline

  constructor(inner: Part, deadline: Deadline) {
    this.inner = inner
    this.deadline = deadline
  }
}

class DeadlineApps extends Deadlined<AppStore> implements AppStore {
  get(id: string) {
    return this.deadline.call('apps.get', () => this.inner.get(id))
  }
  save(app: App) {
    return this.deadline.call('apps.save', () => this.inner.save(app))
  }
  list(query: AppQuery) {
    return this.deadline.call('apps.list', () => this.inner.list(query))
  }
}

class DeadlineOneTime extends Deadlined<OneTimeStore> implements OneTimeStore {
  put<K extends OneTimeKind>(entry: OneTime<K>) {
    return this.deadline.call('oneTime.put', () => this.inner.put(entry))
  }
  peek<K extends OneTimeKind>(kind: K, id: string) {
    return this.deadline.call('oneTime.peek', () => this.inner.peek(kind, id))
  }
  consume<K extends OneTimeKind>(kind: K, id: string, attempt: string) {
    return this.deadline.call('oneTime.consume', () => this.inner.consume(kind, id, attempt))
  }
  claim<K extends OneTimeKind>(entry: OneTime<K>, attempt: string) {
    return this.deadline.call('oneTime.claim', () => this.inner.claim(entry, attempt))
  }
  forget(kind: OneTimeKind, id: string, attempt: string) {
    return this.deadline.call('oneTime.forget', () => this.inner.forget(kind, id, attempt))
  }
}

class DeadlineGrants extends Deadlined<GrantStore> implements GrantStore {
  create(grant: Grant, tokens: readonly Token[]) {
    return this.deadline.call('grants.create', () => this.inner.create(grant, tokens))
  }
  find(ref: TokenRef) {
    return this.deadline.call('grants.find', () => this.inner.find(ref))
  }
  rotate(found: GrantedToken, next: readonly Token[], replay: string) {
    return this.deadline.call('grants.rotate', () => this.inner.rotate(found, next, replay))
  }
  add(found: GrantedToken, tokens: readonly Token[]) {
    return this.deadline.call('grants.add', () => this.inner.add(found, tokens))
  }
  revokeToken(ref: TokenRef) {
    return this.deadline.call('grants.revokeToken', () => this.inner.revokeToken(ref))
  }
  revoke(grantId: string) {
    return this.deadline.call('grants.revoke', () => this.inner.revoke(grantId))
  }
  revokeMany(query: RevokeQuery) {
    return this.deadline.call('grants.revokeMany', () => this.inner.revokeMany(query))
  }
  listTokens(query: TokenQuery) {
    return this.deadline.call('grants.listTokens', () => this.inner.listTokens(query))
  }
}

class DeadlineConsents extends Deadlined<ConsentStore> implements ConsentStore {
  get(owner: ConsentOwner, appId: string) {
    return this.deadline.call('consents.get', () => this.inner.get(owner, appId))
  }
  list(owner: ConsentOwner, query: ConsentQuery) {
    return this.deadline.call('consents.list', () => this.inner.list(owner, query))
  }
  save(consent: Consent) {
    return this.deadline.call('consents.save', () => this.inner.save(consent))
  }
}

class DeadlineCredentials extends Deadlined<CredentialStore> implements CredentialStore {
  get(connectorId: string, ownerId: string) {
    return this.deadline.call('credentials.get', () => this.inner.get(connectorId, ownerId))
  }
  save(credential: Credential) {
    return this.deadline.call('credentials.save', () => this.inner.save(credential))
  }
  delete(connectorId: string, ownerId: string) {
    return this.deadline.call('credentials.delete', () => this.inner.delete(connectorId, ownerId))
  }
}

class DeadlineKeys extends Deadlined<KeyRingStore> implements KeyRingStore {
  get() {
    return this.deadline.call('keys.get', () => this.inner.get())
  }
  save(ring: KeyRing) {
    return this.deadline.call('keys.save', () => this.inner.save(ring))
  }
}
