import { StoreError } from '../errors/store-error.ts'
import { type Deadlines, Waiting } from './deadlines.ts'
import type {
  App,
  AppQuery,
  AppStore,
  Consent,
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
 * The host's store as one request sees it: every failure is a StoreError, and all calls together end by the deadline.
 *
 * A call that is late is abandoned, not undone: it may still take effect, which every write of ours must survive.
 * Call `release` when the request is over. Each method is written out: they are on the way of every request.
 */
export class DeadlineStore implements Store {
  readonly #inner: Store
  readonly #deadline: Deadline

  /** The deadline is counted from the first call. */
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
   * What `make` makes of an app and a token, read at once; rejects with what it throws. The check of a token stands before
   * each request to the host's own routes: this is `Promise.all` with half the promises.
   */
  appAndToken<T>(clientId: string, ref: TokenRef, make: (app: App | undefined, found: FoundToken | undefined) => T): Promise<T> {
    const { apps, grants } = this.#inner
    let app: App | undefined
    let found: FoundToken | undefined
    let missing = 2
    return this.#deadline.answer('apps.get and grants.find', (resolve, failed, reject) => {
      const arrived = () => {
        missing--
        if (missing > 0) return
        try {
          resolve(make(app, found))
        } catch (error) {
          reject(error)
        }
      }
      apps.get(clientId).then(value => {
        app = value
        arrived()
      }, failed)
      grants.find(ref).then(value => {
        found = value
        arrived()
      }, failed)
    })
  }

  release(): void {
    this.#deadline.cancel()
  }
}

/** The calls of one request. */
class Deadline extends Waiting {
  readonly #deadlines: Deadlines
  /** The last of a chain. Rejecting a call that has been answered does nothing, so none is ever taken out. */
  #last: Call | undefined
  #expired = false

  constructor(deadlines: Deadlines) {
    super()
    this.#deadlines = deadlines
  }

  call<T>(operation: string, run: () => Promise<T>): Promise<T> {
    return this.answer(operation, (resolve, failed) => run().then(resolve, failed))
  }

  /** What `ask` resolves to; a StoreError where it says that the store has failed, throws, or has not answered in time. */
  answer<T>(operation: string, ask: Ask<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const call: Call = { operation, reject, before: this.#last }
      if (this.#expired) return this.#reject(call)
      if (!this.#last) this.#deadlines.add(this)
      this.#last = call
      const failed = (cause: unknown) => reject(new StoreError(operation, { cause }))
      try {
        ask(resolve, failed, reject)
      } catch (cause) {
        failed(cause)
      }
    })
  }

  cancel(): void {
    this.#deadlines.remove(this)
  }

  expire(): void {
    this.#expired = true
    for (let call = this.#last; call; call = call.before) this.#reject(call)
  }

  #reject({ operation, reject }: Call): void {
    reject(new StoreError(operation, { cause: new Error(`no answer within ${this.#deadlines.timeoutMs} ms`) }))
  }
}

type Ask<T> = (resolve: (value: T) => void, failed: (cause: unknown) => void, reject: (error: unknown) => void) => void

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
  get(userId: string, clientId: string) {
    return this.deadline.call('consents.get', () => this.inner.get(userId, clientId))
  }
  list(userId: string) {
    return this.deadline.call('consents.list', () => this.inner.list(userId))
  }
  put(consent: Consent) {
    return this.deadline.call('consents.put', () => this.inner.put(consent))
  }
  delete(userId: string, clientId: string) {
    return this.deadline.call('consents.delete', () => this.inner.delete(userId, clientId))
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
