import type { NewApp } from './apps/app-input.ts'
import type { AppOwner, RegisteredApp } from './apps/register-app.ts'
import type { JsonObject } from './base/json.ts'
import type { Log } from './base/log.ts'
import type { ConnectorStatus, ConnectorToken } from './connectors/connector-tokens.ts'
import type { ConnectorOwner } from './connectors/options.ts'
import type { AppsConsole } from './console/console.ts'
import type { HttpRequest, HttpResponse } from './http/types.ts'
import type { Endpoint, FoundEndpoint } from './server/routes.ts'
import type { Guarding, TokenGuard, TokenInfo, TokenRequirements } from './tokens/token-guard.ts'

/** An authorization server, ready to be mounted. `Native` is the request type of the framework it will be mounted on. */
export interface Authmount<Native = unknown> extends Guarding {
  /** Every path it serves. */
  readonly endpoints: readonly Endpoint[]
  readonly mountPath: string
  readonly log: Log
  /** The endpoint of a path, and the path's parameters, if it is one of ours. */
  find(path: string): FoundEndpoint | undefined
  /** Answers a request to one of our endpoints. Never rejects. */
  dispatch(endpoint: Endpoint, request: HttpRequest<Native>): Promise<HttpResponse>
  /**
   * Checks an access token (without the word `Bearer`).
   * Rejects with OAuthError `invalid_token` or `insufficient_scope`, or with StoreError when the store does not answer.
   */
  checkToken(token: string, requirements?: TokenRequirements): Promise<TokenInfo>
  /** A guard for a protected route. Throws TypeError, where the route is defined, for a requirement that makes no sense. */
  guard(requirements?: TokenRequirements): TokenGuard
  /**
   * Registers an app from the host's own code, as a set-up script would.
   * Rejects with ApiError VALIDATION_ERROR that names every problem, or with StoreError.
   */
  registerApp(app: NewApp, owner: AppOwner): Promise<RegisteredApp>
  /**
   * Publishes a new signing key, which will sign when every client can know it (`keyRotation.publishSeconds`); the old one
   * stays published until the last token it signed has expired. All processes follow by themselves.
   * Rejects where you keep the keys yourself (`signingKeys`) or there are none, and with StoreError.
   */
  rotateKeys(): Promise<void>
  /**
   * Ends every authorization of a user, or those of one app: when an account is closed, or a password was stolen.
   * Resolves to how many grants ended. Rejects with TypeError for an id that is none, and with StoreError; it may then have happened in part, and can be repeated.
   */
  endUserGrants(userId: string, clientId?: string): Promise<number>
  /**
   * An access token of an outside account that the user has connected, good for `connectors.marginSeconds` at least: refreshed when
   * it is due, or where the provider has just answered 401 to `refused`, once for all processes. Takes up to 35 s where the provider does.
   * Rejects with ConnectorError (`not_connected`, `needs_reconnect`, `provider_unavailable`, …) or StoreError.
   */
  connectorToken(
    connectorId: string,
    owner: ConnectorOwner,
    options?: { readonly refused?: string | undefined },
  ): Promise<ConnectorToken>
  /** Whether the user has connected it, and whether it still works. Rejects with ConnectorError `not_configured` for what cannot be opened, or with StoreError. */
  connectorStatus(connectorId: string, owner: ConnectorOwner): Promise<ConnectorStatus>
  /**
   * Forgets an outside account, and ends its tokens at the provider where that can be done (`revoked`).
   * Rejects with StoreError; the provider's failures are logged.
   */
  disconnect(connectorId: string, owner: ConnectorOwner): Promise<{ readonly disconnected: boolean; readonly revoked: boolean }>
  /** The page on which admins manage their apps: `authmountConsole` of an adapter serves it. */
  console(): AppsConsole
  /** The OpenAPI 3.1 document of every route it serves. */
  openapi(): JsonObject
}
