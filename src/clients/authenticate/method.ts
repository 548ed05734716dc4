import type { IncomingHttpHeaders } from 'node:http'
import type { EpochMs } from '../../base/time.ts'
import type { Params } from '../../http/params.ts'
import type { App, AuthMethod } from '../../store/store.ts'

/** As much of a request as a way of client authentication reads. */
export interface ClientRequest {
  readonly headers: IncomingHttpHeaders
  /** Parameters of the body, each once. */
  readonly params: Params
}

/** What a request presents by one method. Nothing of it is proven yet. */
export interface Presented {
  readonly clientId: string
  /** What proves it, such as a secret; empty where the method needs nothing more. */
  readonly proof: string
}

/** A way in which a client proves who it is (RFC 6749 §2.3). */
export interface ClientAuthentication {
  /** As apps are registered for it: `App.authMethod`. */
  readonly name: AuthMethod
  /** As metadata lists it: values of `token_endpoint_auth_methods_supported` (RFC 7591 §2). */
  readonly wireNames: readonly string[]
  /**
   * What a request presents by this method; undefined where it does not use it. Throws OAuthError for a request that
   * uses it in a way that cannot be right.
   */
  present(request: ClientRequest): Presented | undefined
  /**
   * Whether the proof is the app's. `app` is undefined for a client that is unknown or registered for another method: the answer
   * is then false. A method of authmount's takes as long for it; a host's is not asked, so that its time can tell who is known.
   */
  prove(app: App | undefined, presented: Presented, now: EpochMs): boolean | Promise<boolean>
}
