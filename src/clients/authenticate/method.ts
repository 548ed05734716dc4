import type { IncomingHttpHeaders } from 'node:http'
import type { EpochMs } from '../../base/time.ts'
import type { Params } from '../../http/params.ts'
import type { App, AuthMethod, OneTimeStore } from '../../store/store.ts'

/** The parts of a request that a client authentication method reads. */
export interface ClientRequest {
  readonly headers: IncomingHttpHeaders
  /** Parameters of the body, each once. */
  readonly params: Params
}

/** The credentials that a request presents by one method. None is verified yet. */
export interface Presented {
  readonly clientId: string
  /** The proof, such as a secret; empty if the method needs none. */
  readonly proof: string
}

/** What proving may reach. */
export interface Proving {
  readonly now: EpochMs
  readonly store: { readonly oneTime: Pick<OneTimeStore, 'claim'> }
}

/** A client authentication method (RFC 6749 §2.3). */
export interface ClientAuthentication {
  /** Its name in `App.authMethod`. */
  readonly name: AuthMethod
  /** Its names in `token_endpoint_auth_methods_supported` of the metadata (RFC 7591 §2). */
  readonly wireNames: readonly string[]
  /** The algorithms of its signatures, for `token_endpoint_auth_signing_alg_values_supported`. Absent: it signs nothing. */
  readonly algorithms?: readonly string[]
  /**
   * Reads the credentials that a request presents by this method; undefined if it does not use the method. Throws OAuthError
   * for a malformed use.
   */
  present(request: ClientRequest): Presented | undefined
  /**
   * Whether the proof is the app's. What is wrong with a request whoever its client is may be thrown as OAuthError. `app` is undefined for a client that is unknown or registered for another method: the answer
   * is then false. A method of authmount's takes as long for it; a host's is not asked, so that its time can tell who is known.
   */
  prove(app: App | undefined, presented: Presented, proving: Proving): boolean | Promise<boolean>
}
