import type { Events } from '../base/events.ts'
import type { EpochMs } from '../base/time.ts'
import type { ClientAuthentication } from '../clients/authenticate/method.ts'
import type { DocumentReader } from '../clients/document-reader.ts'
import type { Upstreams } from '../connectors/upstream.ts'
import type { Limits } from '../http/limits.ts'
import type { Theme } from '../pages/theme.ts'
import type { DeadlineStore } from '../store/deadline-store.ts'
import type { KeySource } from '../tokens/keys.ts'
import type { ProofCheck } from '../tokens/proof-check.ts'
import type { UsedProofs } from '../tokens/used-proofs.ts'
import type { Config } from './config.ts'
import type { GrantDescription } from './grants.ts'
import type { Principal } from './principal.ts'

/** Services that are built once from the options, and used by every request. */
export interface Services {
  /** The ways in which clients prove who they are. */
  readonly clientAuthentication: readonly ClientAuthentication[]
  /** Fetches the documents of clients. Null where none are read. */
  readonly documents: DocumentReader | null
  /** The grants of the token endpoint, by name. */
  readonly grants: ReadonlyMap<string, GrantDescription>
  /** Null where there is no OpenID Connect. */
  readonly keys: KeySource | null
  readonly limits: Limits
  /** Checks proofs of keys. */
  readonly proofs: ProofCheck
  readonly theme: Theme
  /** Calls outside providers. Null where there are none. */
  readonly upstreams: Upstreams | null
  /** The proofs that this process has seen. */
  readonly usedProofs: UsedProofs
}

/** Everything that a flow may reach while it answers one request. */
export interface Context {
  readonly config: Config<never>
  readonly services: Services
  readonly events: Events
  /** Rejects with StoreError only, and always by the request's deadline. */
  readonly store: DeadlineStore
  /** The signed-in user; null when there is none, or when the route does not ask. */
  readonly principal: Principal | null
  /** When the request arrived. */
  readonly now: EpochMs
}

/** The context of a route that answers only signed-in users. */
export interface SignedInContext extends Context {
  readonly principal: Principal
}
