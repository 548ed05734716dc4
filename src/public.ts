import type { NewApp } from './apps/app-input.ts'
import type { AppOwner } from './apps/new-app.ts'
import type { RegisteredApp } from './apps/registered-app.ts'
import type { JsonObject } from './base/json.ts'
import type { Log } from './base/log.ts'
import type { Decider } from './clients/admission.ts'
import type { ConnectorStatus, ConnectorToken } from './connectors/connector-tokens.ts'
import type { ConnectorOwner } from './connectors/options.ts'
import type { AppsConsole } from './console/console.ts'
import type { CheckOptions, Finding } from './doctor/finding.ts'
import type { HttpRequest, HttpResponse } from './http/types.ts'
import type { EndedSession, SessionToEnd } from './logout/end-session.ts'
import type { PassedStep } from './options/steps.ts'
import type { Endpoint, FoundEndpoint } from './server/routes.ts'
import type { Guarding, TokenGuard, TokenInfo, TokenRequirements } from './tokens/token-guard.ts'

/**
 * An authorization server, ready to be mounted. `Native` is the request type of the framework it will be mounted on, `Scope` the
 * names of its scopes.
 */
export interface Authmount<Native = unknown, Scope extends string = string> extends Guarding<Scope> {
  /** Every path it serves. */
  readonly endpoints: readonly Endpoint[]
  /** The path below which its routes are, as in the options; empty at the root. */
  readonly mountPath: string
  /** The log of the options. */
  readonly log: Log
  /** Finds the endpoint of a path and the path's parameters. Undefined for a path that is not served. */
  find(path: string): FoundEndpoint | undefined
  /** Answers a request to one of our endpoints. Never rejects. */
  dispatch(endpoint: Endpoint, request: HttpRequest<Native>): Promise<HttpResponse>
  /**
   * Checks an access token (without the word `Bearer`).
   * Rejects with OAuthError `invalid_token` or `insufficient_scope`, or with StoreError when the store does not answer.
   */
  checkToken(token: string, requirements?: TokenRequirements<Scope>): Promise<TokenInfo>
  /** Makes a guard for a protected route. Throws TypeError, where the route is defined, for a requirement that cannot be met. */
  guard(requirements?: TokenRequirements<Scope>): TokenGuard
  /**
   * Registers an app from the host's own code, as a set-up script would. With a fixed `clientId` the call is idempotent: it
   * creates the app, or sets the fields that are given and differ.
   * Rejects with ApiError VALIDATION_ERROR that names every problem; with CONFLICT if the app with this `clientId` was deleted,
   * is another organisation's or was not registered by the host, or is changed by others all the time; or with StoreError.
   */
  registerApp(app: NewApp, owner: AppOwner): Promise<RegisteredApp>
  /**
   * Publishes a new signing key, which signs once every client's cached key set has it (`keyRotation.publishSeconds`); the old
   * one stays published until the last token it signed has expired. All processes follow without a restart.
   * Rejects if you keep the keys yourself (`signingKeys`) or there are none, and with StoreError.
   */
  rotateKeys(): Promise<void>
  /**
   * Says that a user has passed a step (the option `steps`), once: `id` is the `step_id` of your page's query. Resolves to the
   * address to which the browser goes next, which is also the `returnTo` of the query. Call it from your server, when it has
   * checked what the step is about, and say who passed it.
   * Rejects with ApiError: `NOT_FOUND` (unknown or expired), `FORBIDDEN` (another user's, or of another session) or `CONFLICT`
   * (passed before); with TypeError for what makes no sense; or with StoreError.
   */
  passStep(id: string, passed?: PassedStep): Promise<string>
  /**
   * Ends a login session of yours for the apps: call it wherever you have ended one, and without `sessionId` to sign a user out
   * everywhere. The grants that were made in it end, unless they have `offline_access`, and apps with a `backchannelLogoutUri` are
   * told (OpenID Connect Back-Channel Logout); after two seconds this goes on behind the answer. A call can be repeated.
   * Rejects with TypeError for ids that cannot be any, and with StoreError; some grants may then have ended, and nobody was told.
   */
  endSession(session: SessionToEnd): Promise<EndedSession>
  /**
   * Ends every authorization of a user, or those of one app: when an account is closed, or a password was stolen.
   * Resolves to how many grants ended. Rejects with TypeError for an id that cannot be one, and with StoreError; some grants may
   * then have ended, and the call can be retried.
   */
  endUserGrants(userId: string, clientId?: string): Promise<number>
  /**
   * Blocks a client that came by itself (the option `clients`), for everyone: what it holds ends, and it does not come back. One
   * that is known by a document can be blocked before anyone has used it.
   * Rejects with TypeError for a client that did not come by itself, or with StoreError.
   */
  blockClient(clientId: string): Promise<void>
  /** Lifts a block of `blockClient`: users are asked again. Rejects as it does. */
  unblockClient(clientId: string): Promise<void>
  /**
   * Lets a client that came by itself in for an organisation, as one of its admins would in the console.
   * Rejects as `blockClient` does.
   */
  admitClient(clientId: string, by: Decider): Promise<void>
  /**
   * Refuses a client that came by itself for an organisation, as one of its admins would, and ends what it holds there. Resolves to
   * how many grants ended. Rejects as `blockClient` does; the call can be retried.
   */
  refuseClient(clientId: string, by: Decider): Promise<number>
  /**
   * Returns an access token of an outside account that the user has connected, valid for at least `connectors.marginSeconds`. It
   * is refreshed when it is due, or if the provider has just answered 401 to `refused`; concurrent refreshes are coalesced
   * across processes. Takes up to 35 s if the provider is slow.
   * Rejects with ConnectorError (`not_connected`, `needs_reconnect`, `provider_unavailable`, …) or StoreError.
   */
  connectorToken(
    connectorId: string,
    owner: ConnectorOwner,
    options?: {
      /** The access token to which the provider has just answered 401. */
      readonly refused?: string | undefined
    },
  ): Promise<ConnectorToken>
  /**
   * Tells whether the user has connected the account, and whether it still works. Rejects with ConnectorError `not_configured`
   * if the credential cannot be opened with `sealingKeys`, or with StoreError.
   */
  connectorStatus(connectorId: string, owner: ConnectorOwner): Promise<ConnectorStatus>
  /**
   * Deletes the tokens of an outside account, and revokes them at the provider if it can.
   * Rejects with StoreError; the provider's failures are logged.
   */
  disconnect(
    connectorId: string,
    owner: ConnectorOwner,
  ): Promise<{
    /** Whether the account was connected. */
    readonly disconnected: boolean
    /** Whether the provider revoked the tokens. */
    readonly revoked: boolean
  }>
  /** Makes the page on which admins manage their apps; `authmountConsole` of an adapter serves it. */
  console(): AppsConsole
  /**
   * Examines the running server from outside, as clients do that know nothing but the URL of a guarded route: `npx authmount
   * doctor` as a function, for a test of your own. `url` is the URL of the route, or its path on the issuer's origin. Resolves to
   * what stops clients, with its cure: an empty list if nothing does.
   * Rejects with TypeError for a URL that is none, and with Error if nothing answers there.
   */
  check(url: string, options?: CheckOptions): Promise<readonly Finding[]>
  /** Makes the OpenAPI 3.1 document of every route it serves. */
  openapi(): JsonObject
}
