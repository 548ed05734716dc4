import type { Events } from '../base/events.ts'
import { ApiError } from '../errors/api-error.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { isPreflight } from '../http/preflight.ts'
import { empty, json } from '../http/reply.ts'
import type { Body, HttpRequest, HttpResponse } from '../http/types.ts'
import type { Config } from '../options/config.ts'
import type { Context, Services } from '../options/context.ts'
import { DeadlineStore } from '../store/deadline-store.ts'
import type { Deadlines } from '../store/deadlines.ts'
import { cookieHoldsToken } from '../tokens/carries-token.ts'
import { type Cors, preflight, withCors } from './cors.ts'
import { resolvePrincipal } from './principal.ts'
import { renderError } from './render-error.ts'
import type { Endpoint, Route } from './routes.ts'

export interface Runtime<Native> {
  readonly config: Config<Native>
  readonly services: Services
  readonly events: Events
  readonly deadlines: Deadlines
}

/** Answers requests to the endpoints of one server. */
export type Dispatch<Native> = (endpoint: Endpoint, request: HttpRequest<Native>) => Promise<HttpResponse>

export function createDispatch<Native>(runtime: Runtime<Native>): Dispatch<Native> {
  return (endpoint, request) => answer(endpoint, request, runtime)
}

/**
 * Answers one request: access, flow, error boundary. Never rejects: whatever happens, there is an answer with nothing of the
 * inside in it. In one function, since each that waits costs every request.
 */
async function answer<Native>(endpoint: Endpoint, request: HttpRequest<Native>, runtime: Runtime<Native>): Promise<HttpResponse> {
  const { config, deadlines, events, services } = runtime
  const store = new DeadlineStore(config.store, deadlines)
  try {
    const route = routeOf(endpoint, request.method)
    if (!route) return otherMethod(endpoint, request)
    const context: Context = { config, services, events, store, principal: null, now: config.now() }
    let response: HttpResponse
    try {
      // The host's parser failed at a body that the route does not read, and with it every middleware after that was skipped.
      if (request.body.kind === 'unreadable' && !endpoint.bodyLimits.get(request.method)) throw unreadable(request.body)
      response = await (route.access === 'none' ? route.flow(request, context) : answerSomeone(route, request, context, runtime))
    } catch (error) {
      response = renderError(error, request, {
        style: route.errors,
        issuer: config.issuer,
        log: config.log,
        theme: services.theme,
        proofAlgorithms: services.proofs.algorithms,
        redirectStatus: config.rules.redirectStatus,
        shown: ({ code, description }, reference) =>
          events.emit({ type: 'error_shown', at: context.now, reference, error: code, description }),
      })
    }
    return route.cors && isShared(request, route.cors) ? await withCors(request, response, route.cors, context) : response
  } catch (cause) {
    config.log.error('a request could not even be refused', cause)
    return json(500, { error: 'server_error', error_description: 'the server met an unexpected condition' })
  } finally {
    store.release()
  }
}

/** Asks the host who is calling, and keeps out those whom the route is not for. */
async function answerSomeone<Native>(
  route: Route,
  request: HttpRequest<Native>,
  context: Context,
  { config, services }: Runtime<Native>,
): Promise<HttpResponse> {
  const principal = await resolvePrincipal(request, config)
  // Sent to the login, such a browser would come back with the same cookie, again and again.
  if (!principal && route.errors === 'browser' && cookieHoldsToken(request, config.issuer)) {
    const told = 'a cookie of this request holds an access token of this server, which is no login: keep tokens out of cookies'
    throw new OAuthError('access_denied', told, { status: 403 })
  }
  if (route.access === 'none' || route.access === 'session') return route.flow(request, { ...context, principal })

  if (!principal) throw new ApiError('UNAUTHORIZED', 'sign in first')
  if (route.access === 'admin' && !principal.isAdmin)
    throw new ApiError('FORBIDDEN', 'only an admin of the organisation may do this')
  if (route.method !== 'GET') {
    const isForm = route.errors !== 'api'
    if (isCrossSite(request) || (!isForm && isForeign(request, config)))
      throw new ApiError('FORBIDDEN', 'a page of another site may not do this')
    if (!isForm) refuseForms(request)
  }
  if (!route.limit) return route.flow(request, { ...context, principal })
  const headers = await services.limits.count(route.limit, [principal.orgId, principal.userId], context.store)
  try {
    const response = await route.flow(request, { ...context, principal })
    return { ...response, headers: { ...response.headers, ...headers } }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const { cause, code, details, message, status } = error
    throw new ApiError(code, message, details, { cause, status, headers: { ...headers, ...error.headers } })
  }
}

/**
 * Whether another site's page made a browser send this, with its user's cookies (Fetch Metadata).
 * A request with an Authorization header is its sender's own doing: no page can add one without being let in first.
 */
function isCrossSite({ headers }: HttpRequest): boolean {
  return headers['sec-fetch-site'] === 'cross-site' && headers.authorization === undefined
}

/**
 * The same by the `Origin`, which is neither this server's nor that of a front end of the host's. Not for forms: from a page that
 * sends no referrer a form has the origin `null`, and what proves a form of ours is in it.
 */
function isForeign({ headers }: HttpRequest, { connectors, origin: own }: Config<never>): boolean {
  const { authorization, host, origin } = headers
  if (authorization !== undefined || origin === undefined) return false
  if (origin === own || connectors?.baseUrls.includes(origin)) return false
  // No page can choose the Host header of a request to another site.
  return !URL.canParse(origin) || new URL(origin).host !== host
}

/** Refuses a body that an HTML form can send: pages of other sites can send no JSON without being let in first. */
function refuseForms({ body }: HttpRequest): void {
  if (body.kind === 'unreadable') throw new ApiError('VALIDATION_ERROR', body.reason, [], { status: body.status })
  if (body.kind === 'form' && body.form.size > 0)
    throw new ApiError('VALIDATION_ERROR', 'the body must be application/json', [], { status: 415 })
}

function unreadable({ reason, status }: Extract<Body, { kind: 'unreadable' }>): OAuthError {
  return new OAuthError('invalid_request', reason, { status })
}

/** HEAD is answered only where it is harmless: a document. Everywhere else it would run a flow and hide its answer. */
function routeOf({ routes }: Endpoint, method: string): Route | undefined {
  const asked = routes.get(method)
  if (asked || method !== 'HEAD') return asked
  const get = routes.get('GET')
  return get?.cors === 'any' ? get : undefined
}

/**
 * Whether a response has something to say to pages. What everyone may read says so even where no origin was sent: a cache may
 * keep it for someone who sends one.
 */
function isShared({ headers }: HttpRequest, cors: Cors): boolean {
  return cors === 'any' || headers.origin !== undefined
}

function otherMethod({ routes }: Endpoint, request: HttpRequest): HttpResponse {
  const allow = [...routes.keys()].join(', ')
  const cors = [...routes.values()].find(route => route.cors)?.cors
  if (cors && isPreflight(request)) return preflight(request, cors, allow)
  if (request.method === 'HEAD') return empty(405, { allow })
  const message = `use ${allow} here`
  const [style] = [...routes.values()].map(({ errors }) => errors)
  if (style === 'account')
    return json(405, { error: 'Method Not Allowed', message, code: 'METHOD_NOT_ALLOWED', statusCode: 405 }, { allow })
  const isApi = style === 'api' || style === 'api or page'
  if (isApi) return json(405, { error: { code: 'METHOD_NOT_ALLOWED', message } }, { allow })
  return json(405, { error: 'invalid_request', error_description: message }, { allow })
}
