import type { NewApp } from './apps/app-input.ts'
import { type AppOwner, type RegisteredApp, registerApp } from './apps/register-app.ts'
import { createEvents } from './base/events.ts'
import { type BearerRequirements, bearerToken, findBearer, type TokenInfo, tokenInfo } from './bearer/bearer.ts'
import { endGrants } from './connected-apps/list.ts'
import { type ConnectorStatus, type ConnectorToken, ConnectorTokens } from './connectors/connector-tokens.ts'
import type { ConnectorOwner } from './connectors/options.ts'
import { type AppsConsole, createConsole } from './console/console.ts'
import { renderChallenge } from './http/challenge.ts'
import { createLimits } from './http/limits.ts'
import type { HttpRequest, HttpResponse } from './http/types.ts'
import { resourceMetadataUrl } from './metadata/protected-resource.ts'
import { openapiDocument } from './openapi/document.ts'
import { type Config, readConfig } from './options/config.ts'
import type { Context } from './options/context.ts'
import type { AuthmountOptions, Log } from './options/options.ts'
import { dispatch } from './server/dispatch.ts'
import { type Endpoint, endpointFinder, type FoundEndpoint, listEndpoints } from './server/routes.ts'
import { DeadlineStore } from './store/deadline-store.ts'
import { Deadlines } from './store/deadlines.ts'
import type { JsonObject } from './store/store.ts'

/** What a protected route asks of an access token. */
export interface TokenRequirements {
  /** All of these. Default: any valid token will do. */
  readonly scopes?: readonly string[] | undefined
  /** Which of the `resources` of the options the route belongs to: a token for others is refused, and a 401 names it. Default: the first. */
  readonly resource?: string | undefined
}

/** Checks the Authorization header of a request: what its token says, or the answer to send instead (RFC 6750 §3). */
export type TokenGuard = (
  authorization: string | undefined,
) => Promise<{ readonly oauth: TokenInfo } | { readonly refusal: HttpResponse }>

/** What can guard a route: an authorization server, or a verifier of its tokens. */
export interface Guarding {
  guard(requirements?: TokenRequirements): TokenGuard
}

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

/** Builds an authorization server. Throws OptionsError, listing every problem, when the options cannot work. */
export function createAuthmount<Native = unknown>(options: AuthmountOptions<Native>): Authmount<Native> {
  const config = readConfig(options)
  const events = createEvents(options.onEvent, config.log)
  const limits = createLimits(config, events)
  const deadlines = new Deadlines(config.storeTimeoutMs)
  const endpoints = listEndpoints(config)
  const runtime = { config, deadlines, events, limits }

  async function withContext<T>(run: (context: Context) => Promise<T>): Promise<T> {
    const store = new DeadlineStore(config.store, deadlines)
    try {
      return await run({ config, store, events, principal: null, now: config.now() })
    } finally {
      store.release()
    }
  }

  const accounts = config.connectors && new ConnectorTokens(config, withContext)
  const requireAccounts = (connectorId: string, owner: ConnectorOwner): ConnectorTokens => {
    if (!accounts) throw new TypeError('there are no connectors in the options')
    // Without an owner it would be somebody else's.
    const ids = [connectorId, owner?.userId, owner?.orgId]
    if (ids.some(id => typeof id !== 'string' || id === ''))
      throw new TypeError('a connector needs its id, and a userId and orgId')
    return accounts
  }

  return {
    endpoints,
    mountPath: config.mountPath,
    log: config.log,
    find: endpointFinder(endpoints),
    dispatch: (endpoint, request) => dispatch(endpoint, request, runtime),
    checkToken(token, requirements) {
      const required = readRequirements(requirements, config)
      return withContext(async context => tokenInfo(await findBearer(token, required, context)))
    },
    guard(requirements) {
      const required = readRequirements(requirements, config)
      const { scopes } = required
      const challenge = { issuer: config.issuer, log: config.log, metadata: resourceMetadataUrl(required.resource) }
      return authorization => {
        const token = bearerToken(authorization)
        if (token === undefined) return Promise.resolve({ refusal: renderChallenge(undefined, scopes, challenge) })
        // `withContext` written out: it is on the way of every request of the host's.
        const store = new DeadlineStore(config.store, deadlines)
        return findBearer(token, required, { store, now: config.now() }).then(
          found => {
            store.release()
            return { oauth: tokenInfo(found) }
          },
          error => {
            store.release()
            return { refusal: renderChallenge(error, scopes, challenge) }
          },
        )
      }
    },
    async rotateKeys() {
      const { keys } = config
      if (!keys) throw new Error('there are no signing keys: give sealingKeys, or signingKeys')
      await withContext(({ now, store }) => keys.rotate(store.keys, now))
    },
    async endUserGrants(userId, clientId) {
      // Without a user it would be everyone of the app.
      if (typeof userId !== 'string' || userId === '') throw new TypeError('endUserGrants needs the id of a user')
      return withContext(context => endGrants(userId, clientId, context))
    },
    connectorToken: async (connectorId, owner, { refused } = {}) =>
      requireAccounts(connectorId, owner).get(connectorId, owner, refused),
    connectorStatus: async (connectorId, owner) => requireAccounts(connectorId, owner).status(connectorId, owner),
    disconnect: async (connectorId, owner) => requireAccounts(connectorId, owner).disconnect(connectorId, owner),
    console: () => createConsole(config),
    openapi: () => openapiDocument(config, endpoints),
    registerApp: (app, owner) => withContext(context => registerApp(app, owner, context)),
  }
}

/** A guard that misread what it was told would let everyone in. */
function readRequirements(
  requirements: TokenRequirements = {},
  { resources, scopes: catalogue }: Config<never>,
): Required<BearerRequirements> {
  const example = "{ scopes: ['read:records'] }"
  if (typeof requirements !== 'object' || requirements === null || Array.isArray(requirements)) {
    throw new TypeError(`what a route requires of a token must be an object such as ${example}`)
  }
  for (const name of Object.keys(requirements)) {
    if (name !== 'scopes' && name !== 'resource')
      throw new TypeError(`${name} is not something a route can require of a token: use ${example}`)
  }
  const { resource = resources[0], scopes = [] } = requirements
  if (!resources.includes(resource))
    throw new TypeError(`${resource} is not one of this server's resources: ${resources.join(', ')}`)
  if (!Array.isArray(scopes)) throw new TypeError(`scopes must be an array, as in ${example}`)
  for (const scope of scopes) {
    if (!catalogue.has(scope))
      throw new TypeError(`${scope} is not one of this server's scopes: ${[...catalogue.keys()].join(', ')}`)
  }
  return { scopes: [...scopes], resource }
}
