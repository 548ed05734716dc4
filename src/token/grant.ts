import type { IncomingHttpHeaders } from 'node:http'
import type { Audience } from '../bearer/audience.ts'
import type { Params } from '../http/params.ts'
import type { Context } from '../options/context.ts'
import type { GrantDescription } from '../options/grants.ts'
import type { App } from '../store/store.ts'
import type { Issued } from './issue.ts'

/** A token request of an authenticated app that may use the grant, with every required parameter. */
export interface TokenRequest {
  readonly headers: IncomingHttpHeaders
  readonly params: Params
  readonly app: App
  /** The resources for which it asks for an access token (RFC 8707 §2.2). */
  readonly audience: Audience
  /** The thumbprint of the key that the request proves, to which its tokens are bound; undefined: bearer tokens (RFC 9449 §5). */
  readonly jkt: string | undefined
  /** The result of the grant's `prefetch`. */
  readonly prefetched: Promise<unknown> | undefined
}

/** A grant (RFC 6749 §1.3). A new grant needs only one of these, in a file of its own. */
export interface TokenGrant extends GrantDescription {
  /** Starts a read whose key is in the request, concurrently with the authentication of the client. It must not write. */
  prefetch?(params: Params, context: Context): Promise<unknown> | undefined
  /** Spends the presented code or token, and issues tokens. Rejects with OAuthError or StoreError. */
  handle(request: TokenRequest, context: Context): Promise<Issued>
}
