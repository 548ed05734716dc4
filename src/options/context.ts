import type { Events } from '../base/events.ts'
import type { DeadlineStore } from '../store/deadline-store.ts'
import type { EpochMs } from '../store/store.ts'
import type { Config } from './config.ts'
import type { Principal } from './options.ts'

/** What a flow may reach while it answers one request. */
export interface Context {
  readonly config: Config<never>
  /** Rejects with StoreError only, and always by the request's deadline. */
  readonly store: DeadlineStore
  readonly events: Events
  /** The signed-in user; null when there is none, or when the route does not ask. */
  readonly principal: Principal | null
  /** When the request arrived. */
  readonly now: EpochMs
}

/** The same, on a route that answers nobody but a signed-in user. */
export interface SignedInContext extends Context {
  readonly principal: Principal
}
