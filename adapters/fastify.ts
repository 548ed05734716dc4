import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyContentTypeParser, FastifyInstance, FastifyRequest, FastifySchema, HTTPMethods, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { NO_BODY, readBody, unreadableFrom } from '../src/http/body.ts'
import { readHeaders, splitUrl } from '../src/http/node-message.ts'
import type { Body, HttpResponse } from '../src/http/types.ts'
import type { Authmount } from '../src/public.ts'
import type { Endpoint } from '../src/server/routes.ts'
import type { Guarding, TokenInfo, TokenRequirements } from '../src/tokens/token-guard.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** {@link requireToken} for the server that was registered first. */
    requireToken(requirements?: TokenRequirements): TokenPreHandler
  }
  interface FastifyRequest {
    /** What the access token of this request says. Set by `requireToken`; null on routes without it. */
    oauth: TokenInfo | null
  }
}

export interface AuthmountPluginOptions {
  readonly authmount: Authmount<FastifyRequest>
  /** Refused: where the routes live is `mountPath`, so that what is advertised follows. */
  readonly prefix?: string
}

/**
 * Every route of an authorization server, as a Fastify plugin: `app.register(authmountPlugin, { authmount })`, at the root
 * of the app; where the routes live is `mountPath` in the options. Body parsers are added for these routes alone.
 */
export default fp<AuthmountPluginOptions>(mount, { name: 'authmount', fastify: '5.x' })

async function mount(app: FastifyInstance, { authmount, prefix = app.prefix }: AuthmountPluginOptions): Promise<void> {
  if (!authmount?.endpoints) throw new TypeError('register the plugin with what createAuthmount returned: { authmount }')
  if (prefix !== '') {
    throw new Error(
      `authmount must be registered at the root of the app, not below ${prefix}: set mountPath in its options instead`,
    )
  }
  // Two servers in one app: the decorator is the first one's, the other is guarded by the function.
  if (!app.hasRequestDecorator('oauth')) app.decorateRequest('oauth', null)
  if (!app.hasDecorator('requireToken')) app.decorate('requireToken', requirements => requireToken(authmount, requirements))
  // A child of its own: the host's parsers are not touched, and ours do not leak.
  app.register(async child => {
    child.removeAllContentTypeParsers()
    // Left unread: the route reads the stream itself, with its own limit and its own errors. It need not be the message's
    // own, which a hook of the host's may have read and replaced.
    const unread: FastifyContentTypeParser = (_request, payload, done) => done(null, payload)
    // The two that are read are named as well: the others are looked for longer.
    child.addContentTypeParser(['application/x-www-form-urlencoded', 'application/json'], unread)
    child.addContentTypeParser('*', unread)
    for (const endpoint of authmount.endpoints) child.route(routeOf(authmount, endpoint))
  })
}

/** All that Fastify routes: what an endpoint does not answer to is its 405, not the framework's 404. */
const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']

function routeOf(authmount: Authmount<FastifyRequest>, endpoint: Endpoint): RouteOptions {
  const answer = (request: FastifyRequest, body: Body): Promise<HttpResponse> => {
    const { ip, method, raw } = request
    const { query } = splitUrl(raw.url ?? '')
    const params = request.params as Record<string, string>
    return authmount.dispatch(endpoint, { method, params, query, headers: readHeaders(raw), body, ip, native: request })
  }
  return {
    method: METHODS,
    url: endpoint.path,
    exposeHeadRoute: false,
    // @fastify/swagger would put eight methods of every path into the host's own document: authmount.openapi() describes ours.
    schema: { hide: true } as FastifySchema,
    handler: async (request, reply) => {
      const limit = endpoint.bodyLimits.get(request.method) ?? 0
      const body = limit === 0 ? NO_BODY : await readBody(request.raw, streamOf(request), limit)
      return payloadOf(await answer(request, body), reply)
    },
    // Fastify judges a media type before it looks for a parser; any other error is the host's.
    errorHandler: async (error, request, reply) => {
      if (!error.code?.startsWith('FST_ERR_CTP_')) throw error
      return send(reply, await answer(request, unreadableFrom(error.statusCode ?? 400)))
    },
  }
}

function streamOf({ body, raw }: FastifyRequest): Readable {
  return body instanceof Readable ? body : raw
}

/** As much of a reply as a guard needs, whatever logger, server or type provider the host has chosen. */
interface GuardedReply {
  code(status: number): unknown
  headers(values: Record<string, string>): unknown
  /** `never`, because a host may have narrowed what its own replies carry. */
  send(body: never): unknown
}

/** A preHandler of any Fastify instance. */
export type TokenPreHandler = (
  request: { readonly raw: Pick<IncomingMessage, 'headers' | 'method' | 'rawHeaders' | 'url'>; oauth: TokenInfo | null },
  reply: GuardedReply,
) => Promise<unknown>

/**
 * A preHandler that lets a request pass only with an access token that has all of `scopes`; `request.oauth` then says
 * whose it is. Answers 401 or 403 with a `WWW-Authenticate` challenge (RFC 6750 §3), or 503 when the store does not answer.
 */
export function requireToken(authmount: Guarding, requirements: TokenRequirements = {}): TokenPreHandler {
  requireServer(authmount)
  const guard = authmount.guard(requirements)
  return (request, reply) => {
    const { method = '', url = '' } = request.raw
    return guard({ method, url, headers: readHeaders(request.raw) }).then(result => {
      if ('refusal' in result) return send(reply, result.refusal)
      request.oauth = result.oauth
      return undefined
    })
  }
}

/**
 * The page on which your organisations' admins manage their apps: `app.register(authmountConsole, { authmount, prefix: '/admin/oauth' })`.
 * It works with the routes of the plugin above, over your own login; a hook of yours may guard it.
 */
export async function authmountConsole(
  app: FastifyInstance,
  { authmount }: { readonly authmount: Pick<Authmount, 'console'> },
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

/** Sets status and headers; the payload is left to be sent, or returned from an async handler. */
function payloadOf({ status, headers, body }: HttpResponse, reply: GuardedReply): string | undefined {
  reply.code(status)
  reply.headers(headers)
  return status === 304 ? undefined : body
}
