import type { IncomingHttpHeaders } from 'node:http'
import type { Audience } from '../bearer/audience.ts'
import type { Params } from '../http/params.ts'
import type { Context } from '../options/context.ts'
import type { GrantDescription } from '../options/grants.ts'
import type { App } from '../store/store.ts'
import type { Issued } from './issue.ts'

/** A token request of an authenticated app that may use the grant; every required parameter is there. */
export interface TokenRequest {
  readonly headers: IncomingHttpHeaders
  readonly params: Params
  readonly app: App
  /** The resources that its access token is to be for. */
  readonly audience: Audience
  /** What the grant's own `prefetch` returned. */
  readonly prefetched: Promise<unknown> | undefined
}

/** A grant (RFC 6749 §1.3). One of these, in a file of its own, is all that a new grant needs. */
export interface TokenGrant extends GrantDescription {
  /** Starts to read what the request alone tells, while the client is being authenticated. It must not change anything. */
  prefetch?(params: Params, context: Context): Promise<unknown> | undefined
  /** Spends what is presented, and issues tokens. Rejects with OAuthError or StoreError. */
  handle(request: TokenRequest, context: Context): Promise<Issued>
}
