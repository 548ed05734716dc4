import type { IncomingHttpHeaders } from 'node:http'
import type { Audience } from '../bearer/audience.ts'
import type { Params } from '../http/params.ts'
import type { Context } from '../options/context.ts'
import type { App } from '../store/store.ts'
import type { Issued } from './issue.ts'

/** What a grant says of itself: read by the token endpoint, the metadata, the OpenAPI document, the apps API and the console. */
export interface GrantDescription {
  /** `grant_type` on the wire. */
  readonly name: string
  /** What people who choose grants for an app read: a title, and a sentence whose subject is the app. */
  readonly title: string
  readonly summary: string
  /** The parameters it reads beside `grant_type`, `scope`, `resource` and what authenticates the client. */
  readonly parameters: Readonly<Record<string, { readonly required: boolean }>>
  /** Whether a new app may use it unless its registration says otherwise. */
  readonly byDefault: boolean
  /** Whether only an app that proves who it is may use it. */
  readonly provenAppsOnly: boolean
}

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
