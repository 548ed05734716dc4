import type { Config } from '../config.ts'
import type { Context } from '../context.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { renderError } from '../errors/render.ts'
import type { Events } from '../events.ts'
import { GuardedStore } from '../guarded-store.ts'
import { resolvePrincipal } from '../principal.ts'
import { preflight, withCors } from './cors.ts'
import { empty, json } from './reply.ts'
import type { Endpoint, Route } from './routes.ts'
import type { HttpRequest, HttpResponse } from './types.ts'

export interface Runtime<Native> {
  readonly config: Config<Native>
  readonly events: Events
}

/** Answers one request: guard, flow, error boundary. Never rejects. */
export async function dispatch<Native>(
  endpoint: Endpoint,
  request: HttpRequest<Native>,
  { config, events }: Runtime<Native>,
): Promise<HttpResponse> {
  const route = routeOf(endpoint, request.method)
  if (!route) return otherMethod(endpoint, request)

  const store = new GuardedStore(config.store, config.storeTimeoutMs)
  const { cors, errors: style, flow, guard } = route
  const context: Context = { config, store, events, principal: null, now: config.now() }
  try {
    let response: HttpResponse
    try {
      response = await flow(
        request,
        guard === 'none' ? context : { ...context, principal: await resolvePrincipal(request, config) },
      )
    } catch (error) {
      response = renderError(error, request, { style, issuer: config.issuer, log: config.log })
    }
    return cors ? await withCors(request, response, cors, context) : response
  } finally {
    store.release()
  }
}

/** HEAD is answered only where it is harmless: a document. Everywhere else it would run a flow and hide its answer. */
function routeOf({ routes }: Endpoint, method: string): Route | undefined {
  const asked = routes.get(method)
  if (asked || method !== 'HEAD') return asked
  const get = routes.get('GET')
  return get?.cors === 'any' ? get : undefined
}

function otherMethod({ routes }: Endpoint, request: HttpRequest): HttpResponse {
  const allow = [...routes.keys()].join(', ')
  const cors = [...routes.values()].find(route => route.cors)?.cors
  if (request.method === 'OPTIONS' && cors && request.headers['access-control-request-method'])
    return preflight(request, cors, allow)
  if (request.method === 'HEAD') return empty(405, { allow })
  const error = new OAuthError('invalid_request', `use ${allow} here`, { status: 405 })
  return json(405, { error: error.code, error_description: error.description }, { allow })
}
