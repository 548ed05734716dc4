import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type {
  FastifyContentTypeParser,
  FastifyInstance,
  FastifyRequest,
  FastifySchema,
  HTTPMethods,
  onSendAsyncHookHandler,
  RouteOptions,
} from 'fastify'
import fp from 'fastify-plugin'
import { NO_BODY, readBody, unreadableFrom } from '../src/http/body.ts'
import { closing, readHeaders, splitUrl } from '../src/http/node-message.ts'
import type { Body, HttpResponse } from '../src/http/types.ts'
import type { Authmount } from '../src/public.ts'
import type { Endpoint } from '../src/server/routes.ts'
import type { Guarding, TokenInfo, TokenRequirements } from '../src/tokens/token-guard.ts'

/** What `requireToken` adds to a request. */
export interface RequestWithToken {
  /** The contents of the request's access token. Set by `requireToken`; null on routes without it. */
  oauth: TokenInfo | null
}

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Calls {@link requireToken} for the server that was registered first. The compiler does not know which server that is: it
     * checks the names of scopes in the function `requireToken` alone.
     */
    requireToken(requirements?: TokenRequirements): TokenPreHandler
  }
  // By inheritance, because a host may then declare `oauth` itself: without null, or with members of its own.
  interface FastifyRequest extends RequestWithToken {}
}

/** Options of the plugin. */
export interface AuthmountPluginOptions {
  /** The authorization server, from `createAuthmount`. */
  readonly authmount: Authmount<FastifyRequest>
  /** Refused with an error: the option `mountPath` sets the path, which the metadata must name too. */
  readonly prefix?: string
}

/**
 * Adds every route of an authorization server: `app.register(authmountPlugin, { authmount })`, at the root of the app. The
 * option `mountPath` sets the path of the routes. Body parsers are added for these routes alone.
 */
export default fp<AuthmountPluginOptions>(mount, { name: 'authmount', fastify: '5.x' })

async function mount(app: FastifyInstance, { authmount, prefix = app.prefix }: AuthmountPluginOptions): Promise<void> {
  if (!authmount?.endpoints) throw new TypeError('register the plugin with what createAuthmount returned: { authmount }')
  if (prefix !== '') {
    throw new Error(
      `authmount must be registered at the root of the app, not below ${prefix}: set mountPath in its options instead`,
    )
  }
  // With two servers in one app, the first gets the decorator; for the other, use the function `requireToken`.
  if (!app.hasRequestDecorator('oauth')) app.decorateRequest('oauth', null)
  if (!app.hasDecorator('requireToken')) app.decorate('requireToken', requirements => requireToken(authmount, requirements))
  // A child context keeps the host's body parsers and ours apart.
  app.register(async child => {
    child.removeAllContentTypeParsers()
    // The parser leaves the stream unread: the route reads it with its own limit and errors. A preParsing hook of the host may
    // have replaced the message's own stream.
    const unread: FastifyContentTypeParser = (_request, payload, done) => done(null, payload)
    // Name the two media types that are read: Fastify finds exact names faster than the wildcard.
    child.addContentTypeParser(['application/x-www-form-urlencoded', 'application/json'], unread)
    child.addContentTypeParser('*', unread)
    for (const endpoint of authmount.endpoints) {
      if (!isShared(endpoint)) {
        child.route(routeOf(authmount, endpoint, METHODS))
        continue
      }
      const others = METHODS.filter(method => method !== 'OPTIONS')
      child.route(routeOf(authmount, endpoint, others))
      child.route({ ...routeOf(authmount, endpoint, ['OPTIONS']), onSend: ownPreflight(authmount, endpoint) })
    }
  })
}

/** All methods that Fastify routes, so that a method an endpoint does not have gets our 405, not the framework's 404. */
const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']

function routeOf(authmount: Authmount<FastifyRequest>, endpoint: Endpoint, method: HTTPMethods[]): RouteOptions {
  const answer = async (request: FastifyRequest, body: Body): Promise<HttpResponse> => {
    const { ip, method, raw } = request
    const { query } = splitUrl(raw.url ?? '')
    const params = request.params as Record<string, string>
    const headers = readHeaders(raw)
    const answered = await authmount.dispatch(endpoint, { method, params, query, headers, body, ip, native: request })
    return raw.complete ? answered : { ...answered, headers: { ...answered.headers, ...closing(raw) } }
  }
  return {
    method,
    url: endpoint.path,
    exposeHeadRoute: false,
    // Hidden from @fastify/swagger, which would document eight methods of every path; `authmount.openapi()` describes our routes.
    schema: { hide: true } as FastifySchema,
    handler: async (request, reply) => {
      const limit = endpoint.bodyLimits.get(request.method) ?? 0
      const body = limit === 0 ? NO_BODY : await readBody(request.raw, streamOf(request), limit)
      return payloadOf(await answer(request, body), reply)
    },
    // Fastify itself refuses some media types, before it looks for a parser. Any other error is the host's.
    errorHandler: async (error, request, reply) => {
      if (!error.code?.startsWith('FST_ERR_CTP_')) throw error
      return send(reply, await answer(request, unreadableFrom(error.statusCode ?? 400)))
    },
  }
}

/** Tells whether pages of other origins may read answers of an endpoint. */
function isShared({ routes }: Endpoint): boolean {
  return [...routes.values()].some(({ cors }) => cors !== undefined)
}

/**
 * Replaces the answer that a CORS hook of the host's gave to a preflight of ours: it knows the origins of the host, not those of
 * the apps. Such a hook runs first and ends the request, so our handler never sees it.
 */
function ownPreflight(authmount: Authmount<FastifyRequest>, endpoint: Endpoint): onSendAsyncHookHandler {
  return async (request, reply, payload) => {
    const { headers } = request
    if (headers.origin === undefined || headers['access-control-request-method'] === undefined) return payload
    const answer = await authmount.dispatch(endpoint, {
      method: 'OPTIONS',
      params: {},
      query: new URLSearchParams(),
      headers: readHeaders(request.raw),
      body: NO_BODY,
      ip: request.ip,
      native: request,
    })
    for (const name of Object.keys(reply.getHeaders()))
      if (name.startsWith('access-control-') || name === 'content-length') reply.removeHeader(name)
    return payloadOf(answer, reply)
  }
}

function streamOf({ body, raw }: FastifyRequest): Readable {
  return body instanceof Readable ? body : raw
}

/** The parts of a reply that a guard uses, independent of the host's logger, server and type provider. */
interface GuardedReply {
  code(status: number): unknown
  headers(values: Record<string, string>): unknown
  removeHeader?(name: string): unknown
  /** `never`, because a host may have narrowed what its own replies carry. */
  send(body: never): unknown
}

/** A preHandler of any Fastify instance. */
export type TokenPreHandler = (
  request: {
    /** Node's message. */
    readonly raw: Pick<IncomingMessage, 'headers' | 'method' | 'rawHeaders' | 'url'>
    /** Set to the contents of the access token. */
    oauth: TokenInfo | null
  },
  reply: GuardedReply,
) => Promise<unknown>

/**
 * Makes a preHandler that lets a request pass only with an access token that has all of `scopes`; `request.oauth` then has the
 * contents of the token. Answers 401 or 403 with a `WWW-Authenticate` challenge (RFC 6750 §3), or 503 if the store does not answer.
 */
export function requireToken<Scope extends string>(
  authmount: Guarding<Scope>,
  requirements: TokenRequirements<NoInfer<Scope>> = {},
): TokenPreHandler {
  requireServer(authmount)
  const guard = authmount.guard(requirements)
  return (request, reply) => {
    const { method = '', url = '' } = request.raw
    return guard({ method, url, headers: readHeaders(request.raw) }).then(result => {
      if ('refusal' in result) return send(reply, result.refusal)
      request.oauth = result.oauth
      if (result.headers) reply.headers(result.headers)
      return undefined
    })
  }
}

/**
 * Serves the page on which your organisations' admins manage their apps:
 * `app.register(authmountConsole, { authmount, prefix: '/admin/oauth' })`.
 * It calls the routes of the plugin above with your own login; you can guard it with your own hook.
 */
export async function authmountConsole(
  app: FastifyInstance,
  {
    authmount,
  }: {
    /** The authorization server, from `createAuthmount`. */
    readonly authmount: Pick<Authmount, 'console'>
  },
): Promise<void> {
  const appsConsole = authmount.console()
  for (const path of appsConsole.paths) {
    app.get(path, { schema: { hide: true } as FastifySchema }, async ({ headers, raw }, reply) => {
      const { path: fullPath } = splitUrl(raw.url ?? '')
      const answer = appsConsole.answer({ path, fullPath, headers })
      return answer ? send(reply, answer) : reply.callNotFound()
    })
  }
}

function requireServer(authmount: Guarding): void {
  if (typeof authmount?.guard !== 'function')
    throw new TypeError("requireToken takes the server first: requireToken(authmount, { scopes: ['read:records'] })")
}

function send(reply: GuardedReply, response: HttpResponse): unknown {
  return reply.send(payloadOf(response, reply) as never)
}

/** Sets status and headers, and returns the payload, to send or to return from an async handler. */
function payloadOf({ status, headers, body }: HttpResponse, reply: GuardedReply): string | undefined {
  reply.code(status)
  // What the host's CORS has set goes with an origin of its own.
  if ('access-control-allow-origin' in headers) reply.removeHeader?.('access-control-allow-credentials')
  reply.headers(headers)
  return status === 304 ? undefined : body
}
