import type { Config } from '../config.ts'
import type { Context } from '../context.ts'
import type { ErrorStyle } from '../errors/render.ts'
import { authorize } from '../oauth/authorize.ts'
import { decideConsent } from '../oauth/consent.ts'
import { showConsent } from '../oauth/consent-page.ts'
import { metadata, wellKnownPaths } from '../oauth/discovery.ts'
import { introspect } from '../oauth/introspect.ts'
import { revoke } from '../oauth/revoke.ts'
import { token } from '../oauth/token.ts'
import type { Cors } from './cors.ts'
import type { HttpRequest, HttpResponse, Method } from './types.ts'

export type Flow = (request: HttpRequest, context: Context) => Promise<HttpResponse>

export interface Route {
  readonly method: Method
  readonly path: string
  readonly flow: Flow
  /** `session`: the host is asked who is signed in; the flow decides what nobody means. */
  readonly guard: 'none' | 'session'
  readonly errors: ErrorStyle
  readonly cors?: Cors
}

/** A path and what it answers to. */
export interface Endpoint {
  readonly path: string
  readonly routes: ReadonlyMap<string, Route>
  /** Whether a request of this method has a body that its flow reads. */
  readonly takesBody: (method: string) => boolean
}

/** Every path authmount serves, once. Adapters mount this table; nothing else registers a route. */
const ROUTES: readonly Route[] = [
  { method: 'GET', path: '/oauth/authorize', flow: authorize, guard: 'session', errors: 'browser' },
  { method: 'POST', path: '/oauth/authorize', flow: decideConsent, guard: 'session', errors: 'browser' },
  { method: 'GET', path: '/oauth/consent', flow: showConsent, guard: 'session', errors: 'browser' },
  { method: 'POST', path: '/oauth/token', flow: token, guard: 'none', errors: 'oauth', cors: 'app' },
  { method: 'POST', path: '/oauth/revoke', flow: revoke, guard: 'none', errors: 'oauth', cors: 'app' },
  { method: 'POST', path: '/oauth/introspect', flow: introspect, guard: 'none', errors: 'oauth' },
]

const DOCUMENTS: readonly { readonly name: string; readonly flow: Flow }[] = [
  { name: 'oauth-authorization-server', flow: metadata },
  { name: 'openid-configuration', flow: metadata },
]

/** The table as one host sees it: routes under its mount path, documents wherever its clients look. */
export function listEndpoints(config: Config<never>): readonly Endpoint[] {
  const routes = ROUTES.map(route => ({ ...route, path: `${config.mountPath}${route.path}` }))
  const documents = DOCUMENTS.flatMap(({ name, flow }) =>
    wellKnownPaths(name, config).map(
      (path): Route => ({ method: 'GET', path, flow, guard: 'none', errors: 'oauth', cors: 'any' }),
    ),
  )
  const byPath = new Map<string, Map<string, Route>>()
  for (const route of [...routes, ...documents]) {
    const methods = byPath.get(route.path) ?? new Map<string, Route>()
    byPath.set(route.path, methods.set(route.method, route))
  }
  return [...byPath].map(([path, methods]) => ({
    path,
    routes: methods,
    takesBody: method => method !== 'GET' && methods.has(method),
  }))
}

/** Finds the endpoint of a path, for frameworks whose router is not used. */
export function endpointFinder(endpoints: readonly Endpoint[]): (path: string) => Endpoint | undefined {
  const byPath = new Map(endpoints.map(endpoint => [endpoint.path, endpoint]))
  return path => byPath.get(path)
}
