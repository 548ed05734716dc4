import { listScopes } from '../apps/app-scopes.ts'
import { listTokens, revokeAllTokens } from '../apps/app-tokens.ts'
import { activateApp, createApp, getApp, listApps, suspendApp, updateApp } from '../apps/apps.ts'
import { deleteApp } from '../apps/delete-app.ts'
import { regenerateSecret } from '../apps/regenerate-secret.ts'
import { allowUnregistered, endUnregistered, listUnregistered, refuseUnregistered } from '../apps/unregistered.ts'
import { decideConsent } from '../authorize/consent.ts'
import { showConsent } from '../authorize/consent-screen.ts'
import { authorize } from '../authorize/endpoint.ts'
import { pushRequest } from '../authorize/pushed-request.ts'
import { introspect } from '../bearer/introspect.ts'
import { revoke } from '../bearer/revoke.ts'
import { deleteRegistration, readRegistration, registerClient } from '../clients/register.ts'
import { endDevice, endDeviceByForm } from '../connected-apps/devices.ts'
import { disconnectApp, listConnectedApps, removeApp } from '../connected-apps/list.ts'
import { authorizeConnector } from '../connectors/authorize.ts'
import { connectorCallback, postedConnectorCallback } from '../connectors/callback.ts'
import { CALLBACK_PATH } from '../connectors/callback-url.ts'
import { exchangeWorkspaceCode } from '../connectors/workspace-exchange.ts'
import { decideDevice, showDevice } from '../device/approve.ts'
import { authorizeDevice } from '../device/authorization.ts'
import { DEVICE_PATH } from '../device/paths.ts'
import type { LimitName } from '../http/limits.ts'
import type { HttpRequest, HttpResponse, Method } from '../http/types.ts'
import { finishLogout, logout } from '../logout/logout.ts'
import { JWKS_DOCUMENT, metadata, wellKnownPaths } from '../metadata/discovery.ts'
import { resourceDocuments, resourceMetadata } from '../metadata/protected-resource.ts'
import { jwks } from '../oidc/jwks.ts'
import { userinfo } from '../oidc/userinfo.ts'
import type { Config } from '../options/config.ts'
import type { Context, SignedInContext } from '../options/context.ts'
import { exchangeAccountCode } from '../sign-in/account-exchange.ts'
import { tokenEndpoint } from '../token/endpoint.ts'
import type { GrantRegistry } from '../token/registry.ts'
import type { Cors } from './cors.ts'
import type { ErrorStyle } from './render-error.ts'

export type Flow = (request: HttpRequest, context: Context) => Promise<HttpResponse>
/** A flow that is run for signed-in users only. */
export type SignedInFlow = (request: HttpRequest, context: SignedInContext) => Promise<HttpResponse>

interface RouteBase {
  readonly method: Method
  readonly path: string
  readonly errors: ErrorStyle
  readonly cors?: Cors
  /** On a route for signed-in users: counted by organisation and user before the flow runs, and told in the answer's headers. */
  readonly limit?: LimitName
}
/** `session`: the host is asked who is signed in, and the flow decides what nobody means. */
interface OpenRoute extends RouteBase {
  readonly access: 'none' | 'session'
  readonly flow: Flow
}
/** `user`: nobody is 401. `admin`: anyone but an admin is 403. */
interface GuardedRoute extends RouteBase {
  readonly access: 'user' | 'admin'
  readonly flow: SignedInFlow
}
export type Route = OpenRoute | GuardedRoute

/** A path, in which `:name` stands for any one segment, and what it answers to. */
export interface Endpoint {
  /** Below the mount path already; `:name` stands for one segment. */
  readonly path: string
  /** By HTTP method. */
  readonly routes: ReadonlyMap<string, Route>
  /** At most how many bytes of body the flow of each method reads. 0, or no entry: none. */
  readonly bodyLimits: ReadonlyMap<string, number>
}

/** Every path authmount serves, once. Adapters mount this table; nothing else registers a route. */
const ROUTES: readonly Route[] = [
  { method: 'GET', path: '/oauth/authorize', flow: authorize, access: 'session', errors: 'browser' },
  { method: 'POST', path: '/oauth/authorize', flow: decideConsent, access: 'session', errors: 'browser' },
  { method: 'GET', path: '/oauth/consent', flow: showConsent, access: 'session', errors: 'browser' },
  { method: 'POST', path: '/oauth/par', flow: pushRequest, access: 'none', errors: 'oauth', cors: 'app' },
  { method: 'POST', path: '/oauth/revoke', flow: revoke, access: 'none', errors: 'oauth', cors: 'app' },
  { method: 'POST', path: '/oauth/introspect', flow: introspect, access: 'none', errors: 'oauth' },
  { method: 'GET', path: '/oauth/connected-apps', flow: listConnectedApps, access: 'session', errors: 'api or page' },
  { method: 'POST', path: '/oauth/connected-apps/:appId', flow: removeApp, access: 'user', errors: 'browser' },
  { method: 'DELETE', path: '/oauth/connected-apps/:appId', flow: disconnectApp, access: 'user', errors: 'api' },
  {
    method: 'POST',
    path: '/oauth/connected-apps/:appId/devices/:grantId',
    flow: endDeviceByForm,
    access: 'user',
    errors: 'browser',
  },
  { method: 'DELETE', path: '/oauth/connected-apps/:appId/devices/:grantId', flow: endDevice, access: 'user', errors: 'api' },
  management('GET', '', listApps, 'user'),
  management('POST', '', createApp, 'admin'),
  management('GET', '/scopes', listScopes, 'user'),
  management('GET', '/:appId', getApp, 'user'),
  management('PUT', '/:appId', updateApp, 'admin'),
  management('DELETE', '/:appId', deleteApp, 'admin'),
  management('POST', '/:appId/regenerate-secret', regenerateSecret, 'admin'),
  management('POST', '/:appId/suspend', suspendApp, 'admin'),
  management('POST', '/:appId/activate', activateApp, 'admin'),
  management('GET', '/:appId/tokens', listTokens, 'admin'),
  management('POST', '/:appId/revoke-all-tokens', revokeAllTokens, 'admin'),
]

function management(method: Method, path: string, flow: SignedInFlow, access: 'user' | 'admin'): Route {
  const route: Route = { method, path: `/oauth-clients${path}`, flow, access, errors: 'api' }
  return method === 'GET' ? route : { ...route, limit: 'appChanges' }
}

function unlimited({ limit: _, ...route }: Route): Route {
  return route
}

/** Served where there are keys to sign with. */
const SIGN_IN_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/oauth/userinfo', flow: userinfo, access: 'none', errors: 'bearer', cors: 'app' },
  { method: 'POST', path: '/oauth/userinfo', flow: userinfo, access: 'none', errors: 'bearer', cors: 'app' },
]

/** Served where clients may register themselves. No page's cookie counts here, so a page of any origin may ask. */
const REGISTRATION_ROUTES: readonly Route[] = [
  { method: 'POST', path: '/oauth/register', flow: registerClient, access: 'none', errors: 'challenge', cors: 'any' },
  { method: 'GET', path: '/oauth/register/:appId', flow: readRegistration, access: 'none', errors: 'challenge', cors: 'any' },
  {
    method: 'DELETE',
    path: '/oauth/register/:appId',
    flow: deleteRegistration,
    access: 'none',
    errors: 'challenge',
    cors: 'any',
  },
]

/** Served where clients may come by themselves: what admins see of them, and decide. */
const UNKNOWN_CLIENT_ROUTES: readonly Route[] = [
  management('GET', '/unregistered', listUnregistered, 'admin'),
  management('POST', '/unregistered/:appId/allow', allowUnregistered, 'admin'),
  // Never refused for a budget: what must end, ends.
  unlimited(management('POST', '/unregistered/:appId/refuse', refuseUnregistered, 'admin')),
  unlimited(management('POST', '/unregistered/:appId/end', endUnregistered, 'admin')),
]

/** Served where devices may sign users in. */
const DEVICE_ROUTES: readonly Route[] = [
  { method: 'POST', path: '/oauth/device_authorization', flow: authorizeDevice, access: 'none', errors: 'oauth', cors: 'app' },
  { method: 'GET', path: DEVICE_PATH, flow: showDevice, access: 'session', errors: 'browser' },
  { method: 'POST', path: DEVICE_PATH, flow: decideDevice, access: 'user', errors: 'browser' },
]

/** Served where the host has a page that asks whether to sign out. */
const LOGOUT_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/oauth/logout', flow: logout, access: 'session', errors: 'browser' },
  { method: 'POST', path: '/oauth/logout', flow: logout, access: 'none', errors: 'browser' },
  { method: 'GET', path: '/oauth/logout/done', flow: finishLogout, access: 'session', errors: 'browser' },
]

/** Served where the host has outside accounts. */
const CONNECTOR_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/connectors/:connectorId/oauth/authorize', flow: authorizeConnector, access: 'user', errors: 'api' },
  { method: 'GET', path: CALLBACK_PATH, flow: connectorCallback, access: 'session', errors: 'browser' },
  { method: 'POST', path: CALLBACK_PATH, flow: postedConnectorCallback, access: 'none', errors: 'browser' },
  {
    method: 'POST',
    path: '/connectors/getTokenFromCode',
    flow: exchangeWorkspaceCode,
    access: 'admin',
    errors: 'api',
    limit: 'appChanges',
  },
]

/** Served where people sign in with outside providers. */
const ACCOUNT_ROUTES: readonly Route[] = [
  { method: 'POST', path: '/userAccount/oauth/exchange', flow: exchangeAccountCode, access: 'none', errors: 'account' },
]

const DOCUMENTS: readonly { readonly name: string; readonly flow: Flow }[] = [
  { name: 'oauth-authorization-server', flow: metadata },
  { name: 'openid-configuration', flow: metadata },
]

/** The table as one host sees it: routes under its mount path, documents wherever its clients look. */
export function listEndpoints(config: Config<never>, grants: GrantRegistry): readonly Endpoint[] {
  const served: readonly Route[] = [
    ...ROUTES,
    { method: 'POST', path: '/oauth/token', flow: tokenEndpoint(grants), access: 'none', errors: 'oauth', cors: 'app' },
    ...(config.signing ? SIGN_IN_ROUTES : []),
    ...(config.clients?.registration ? REGISTRATION_ROUTES : []),
    ...(config.clients ? UNKNOWN_CLIENT_ROUTES : []),
    ...(config.devices ? DEVICE_ROUTES : []),
    ...(config.logoutUrl === null ? [] : LOGOUT_ROUTES),
    ...(config.connectors ? CONNECTOR_ROUTES : []),
    ...(config.signInProvider ? ACCOUNT_ROUTES : []),
  ]
  const named = config.signing ? [...DOCUMENTS, { name: JWKS_DOCUMENT, flow: jwks }] : DOCUMENTS
  const routes = served.map(route => ({ ...route, path: `${config.servedPath}${route.path}` }))
  const documents = named.flatMap(({ name, flow }) =>
    wellKnownPaths(name, config).map(
      (path): Route => ({ method: 'GET', path, flow, access: 'none', errors: 'oauth', cors: 'any' }),
    ),
  )
  const resources = [...resourceDocuments(config)].map(
    ([path, resource]): Route => ({
      method: 'GET',
      path,
      flow: resourceMetadata(resource),
      access: 'none',
      errors: 'oauth',
      cors: 'any',
    }),
  )
  const byPath = new Map<string, Map<string, Route>>()
  for (const route of [...routes, ...documents, ...resources]) {
    const methods = byPath.get(route.path) ?? new Map<string, Route>()
    byPath.set(route.path, methods.set(route.method, route))
  }
  return [...byPath].map(([path, methods]) => ({
    path,
    routes: methods,
    bodyLimits: new Map([...methods].map(([method, route]) => [method, bodyLimit(route)])),
  }))
}

/** A token request needs a few hundred bytes, the longest app about twenty thousand. */
function bodyLimit(route: Route): number {
  if (route.method !== 'POST' && route.method !== 'PUT') return 0
  return route.errors === 'api' ? 64 * 1024 : 16 * 1024
}

export interface FoundEndpoint {
  readonly endpoint: Endpoint
  readonly params: Readonly<Record<string, string>>
}

/** Finds the endpoint of a path, for frameworks whose router is not used. A path without parameters goes first. */
export function endpointFinder(endpoints: readonly Endpoint[]): (path: string) => FoundEndpoint | undefined {
  const fixed = new Map(endpoints.map(endpoint => [endpoint.path, { endpoint, params: NO_PARAMS }]))
  const patterns = endpoints
    .filter(({ path }) => path.includes(':'))
    .map(endpoint => ({ endpoint, pattern: patternOf(endpoint.path) }))
  return path => {
    const known = fixed.get(path)
    if (known) return known
    for (const { endpoint, pattern } of patterns) {
      const params = pattern.exec(path)?.groups
      if (params) return { endpoint, params: decoded(params) }
    }
    return undefined
  }
}

const NO_PARAMS = Object.freeze({})

function patternOf(path: string): RegExp {
  const source = path
    .split(/:(\w+)/)
    .map((part, index) => (index % 2 === 1 ? `(?<${part}>[^/]+)` : part.replace(/[.~]/g, '\\$&')))
  return new RegExp(`^${source.join('')}$`)
}

/** Leaves a segment that cannot be decoded as it is: it matches no id. */
function decoded(params: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => {
      try {
        return [name, decodeURIComponent(value)]
      } catch {
        return [name, value]
      }
    }),
  )
}
