import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  HTTPMethods,
  preHandlerAsyncHookHandler,
  RouteOptions,
} from 'fastify'
import fp from 'fastify-plugin'
import type { Authmount, TokenRequirements } from '../src/authmount.ts'
import { NO_BODY, readBody, unreadableFrom } from '../src/http/body.ts'
import { BODY_BYTES, readHeaders, splitUrl } from '../src/http/node.ts'
import type { Endpoint } from '../src/http/routes.ts'
import type { Body, HttpResponse } from '../src/http/types.ts'
import type { TokenInfo } from '../src/oauth/bearer.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** {@link requireToken} for the server that was registered first. */
    requireToken(requirements?: TokenRequirements): preHandlerAsyncHookHandler
  }
  interface FastifyRequest {
    /** What the access token of this request says. Set by `requireToken`; null on routes without it. */
    oauth: TokenInfo | null
  }
}

export interface AuthmountPluginOptions {
  readonly authmount: Authmount<FastifyRequest>
}

/**
 * Every route of an authorization server, as a Fastify plugin: `app.register(authmountPlugin, { authmount })`, at the root
 * of the app; where the routes live is `mountPath` in the options. Body parsers are added for these routes alone.
 */
export default fp<AuthmountPluginOptions>(mount, { name: 'authmount', fastify: '5.x' })

async function mount(app: FastifyInstance, { authmount }: AuthmountPluginOptions): Promise<void> {
  if (app.prefix !== '') {
    throw new Error(
      `authmount must be registered at the root of the app, not below ${app.prefix}: set mountPath in its options instead`,
    )
  }
  // Two servers in one app: the decorator is the first one's, the other is guarded by the function.
  if (!app.hasRequestDecorator('oauth')) app.decorateRequest('oauth', null)
  if (!app.hasDecorator('requireToken')) app.decorate('requireToken', requirements => requireToken(authmount, requirements))
  // A child of its own: the host's parsers are not touched, and ours do not leak.
  app.register(async child => {
    child.removeAllContentTypeParsers()
    // Left unread: the route reads the stream itself, with its own limit and its own errors.
    child.addContentTypeParser('*', (_request, _payload, done) => done(null))
    for (const endpoint of authmount.endpoints) child.route(routeOf(authmount, endpoint))
  })
}

/** All that Fastify routes: what an endpoint does not answer to is its 405, not the framework's 404. */
const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']

function routeOf(authmount: Authmount<FastifyRequest>, endpoint: Endpoint): RouteOptions {
  const answer = async (request: FastifyRequest, reply: FastifyReply, body: Body): Promise<FastifyReply> => {
    const { ip, method, raw } = request
    const { query } = splitUrl(raw.url ?? '')
    return send(
      reply,
      await authmount.dispatch(endpoint, { method, params: {}, query, headers: readHeaders(raw), body, ip, native: request }),
    )
  }
  return {
    method: METHODS,
    url: endpoint.path,
    exposeHeadRoute: false,
    handler: async (request, reply) =>
      answer(request, reply, endpoint.takesBody(request.method) ? await readBody(request.raw, BODY_BYTES) : NO_BODY),
    // Fastify judges a media type before it looks for a parser; any other error is the host's.
    errorHandler: async (error, request, reply) => {
      if (!error.code?.startsWith('FST_ERR_CTP_')) throw error
      return answer(request, reply, unreadableFrom(error.statusCode ?? 400))
    },
  }
}

/**
 * A preHandler that lets a request pass only with an access token that has all of `scopes`; `request.oauth` then says
 * whose it is. Answers 401 or 403 with a `WWW-Authenticate` challenge (RFC 6750 §3), or 503 when the store does not answer.
 */
export function requireToken(authmount: Authmount<never>, requirements: TokenRequirements = {}): preHandlerAsyncHookHandler {
  return async (request, reply) => {
    const result = await authmount.checkRequest(request.headers.authorization, requirements)
    if ('refusal' in result) return send(reply, result.refusal)
    request.oauth = result.oauth
    return undefined
  }
}

function send(reply: FastifyReply, { status, headers, body }: HttpResponse): FastifyReply {
  return reply.code(status).headers(headers).send(body)
}
