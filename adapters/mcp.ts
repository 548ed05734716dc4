import type { IncomingMessage, ServerResponse } from 'node:http'
import { adoptBody, readBody } from '../src/http/body.ts'
import { readHeaders } from '../src/http/node-message.ts'
import type { Body, HttpResponse } from '../src/http/types.ts'
import type { McpAuthInfo } from '../src/mcp/auth-info.ts'
import { createMcpGuard, MCP_CORS, type McpOptions } from '../src/mcp/guard.ts'
import { createMcpMetadata, type McpMetadataOptions } from '../src/mcp/metadata.ts'
import type { GuardedRequest, Guarding } from '../src/tokens/token-guard.ts'

export type { McpAuthInfo } from '../src/mcp/auth-info.ts'
export type { McpOptions } from '../src/mcp/guard.ts'
export type { McpMetadataOptions } from '../src/mcp/metadata.ts'
export { type McpErrors, type McpTokenVerifier, mcpTokenVerifier } from '../src/mcp/token-verifier.ts'
export type { Guarding } from '../src/tokens/token-guard.ts'

/** A request of Node's http module, as frameworks extend it. `auth` is unknown, because the SDK may have declared it too. */
export type McpRequest = IncomingMessage & {
  /** The contents of the access token, once it was checked. */
  auth?: unknown
  /** The parsed body, if something has parsed it. */
  body?: unknown
  /** The request target before a router cut it. */
  readonly originalUrl?: string
}

/** Middleware of Express, and of whatever takes the same. */
export type McpMiddleware = (request: McpRequest, response: ServerResponse, next: (error?: unknown) => void) => void

/**
 * Makes Express middleware that lets a request of an MCP client pass only with an access token for `resource`: put it before the
 * server's own handler with `app.all('/mcp', …)`. `request.auth` is then what the SDK's transport hands to tools; {@link authOf}
 * reads it. Answers 401 and 403 with a `WWW-Authenticate` challenge, 503 if the store does not answer, and preflights, so that
 * clients in browsers connect. With `tools` it reads the body, up to 4 MiB of it, into `request.body`.
 */
export function mcpMiddleware<Scope extends string>(server: Guarding<Scope>, options: McpOptions<NoInfer<Scope>>): McpMiddleware {
  const admit = createAdmit(server, options)
  return (request, response, next) => {
    admit(request, response).then(admitted => {
      if (admitted) next()
    }, next)
  }
}

/**
 * Makes a handler for `http.createServer` that runs `handle` for requests with an access token for `resource`, as
 * {@link mcpMiddleware} does. Every path is the MCP server's: choose by `request.url` before, if there are others.
 * The promise rejects with what `handle` throws.
 */
export function mcpHandler<Scope extends string>(
  server: Guarding<Scope>,
  options: McpOptions<NoInfer<Scope>>,
  handle: (
    request: IncomingMessage & {
      /** The contents of the access token. */
      auth: McpAuthInfo
      /** The parsed body, where the options have `tools`; undefined: nothing has read it. */
      body?: unknown
    },
    response: ServerResponse,
  ) => unknown,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const admit = createAdmit(server, options)
  return async (request, response) => {
    const auth = await admit(request, response)
    if (auth) await handle(Object.assign(request, { auth }), response)
  }
}

/** The parts of a Fastify request that the hook uses. */
interface HookedRequest {
  /** Node's message. The contents of the access token become its `auth`, where the SDK's transport looks for them. */
  readonly raw: Pick<IncomingMessage, 'headers' | 'method' | 'rawHeaders' | 'url'>
  /** The parsed body. */
  readonly body?: unknown
}

/** The parts of a Fastify reply that the hook uses. */
interface HookedReply {
  /** Node's response: what the SDK's transport writes to. */
  readonly raw: Pick<ServerResponse, 'setHeader'>
  code(status: number): unknown
  headers(values: Record<string, string>): unknown
  removeHeader(name: string): unknown
  /** `never`, because a host may have narrowed what its own replies carry. */
  send(body: never): unknown
}

/** A hook of any Fastify instance. */
export type McpHook = (request: HookedRequest, reply: HookedReply) => Promise<unknown>

/**
 * Makes a Fastify preHandler that does what {@link mcpMiddleware} does: `app.route({ method: ['GET', 'POST', 'DELETE', 'OPTIONS'],
 * url: '/mcp', preHandler: mcpHook(…), handler })`. OPTIONS is for the preflights, which never reach your handler. The token's
 * contents are in `request.raw.auth`; {@link authOf} reads them.
 */
export function mcpHook<Scope extends string>(server: Guarding<Scope>, options: McpOptions<NoInfer<Scope>>): McpHook {
  const guard = createMcpGuard(server, options)
  return async (request, reply) => {
    const { raw } = request
    const result = await guard(guarded(raw), async () => {
      if (request.body === undefined && hasBody(raw)) throw new TypeError('with tools, mcpHook must be a preHandler of its route')
      return adoptBody(raw, request.body, MAX_BODY)
    })
    if ('answer' in result) return sendReply(reply, { ...result.answer, headers: { ...result.answer.headers, ...MCP_CORS } })
    Object.assign(raw, { auth: result.auth })
    // Twice: the SDK's transport writes past Fastify, and Fastify's own headers win where it does not.
    for (const [name, value] of Object.entries({ ...MCP_CORS, ...result.headers })) reply.raw.setHeader(name, value)
    reply.removeHeader('access-control-allow-credentials')
    reply.headers({ ...MCP_CORS, ...result.headers })
    return undefined
  }
}

/**
 * Reads the contents of the access token that a guard of this module, or the SDK's with our verifier, has put on a request of
 * Express, Fastify or Node. Throws TypeError on a route without guard.
 */
export function authOf(request: {
  /** The headers, which every request has. */
  readonly headers: object
  /** Set by the guard. */
  readonly auth?: unknown
  /** Node's message, of a Fastify request. */
  readonly raw?: object
}): McpAuthInfo {
  const { auth } = (request.raw ?? request) as { readonly auth?: McpAuthInfo }
  if (auth === undefined) throw new TypeError('this route has no guard of authmount/mcp')
  return auth
}

/**
 * Makes Express middleware that serves the metadata of an MCP server (RFC 9728) at its well-known place, for a server in a
 * process of its own: `app.use(mcpMetadata({ … }))`. Where authmount is mounted, its router serves the same. Other requests
 * pass; without `next`, for `http.createServer`, they are answered 404.
 */
export function mcpMetadata(
  options: McpMetadataOptions,
): (request: McpRequest, response: ServerResponse, next?: () => void) => void {
  const answer = createMcpMetadata(options)
  return (request, response, next) => {
    const answered = answer(guarded(request))
    if (answered) send(response, answered)
    else if (next) next()
    else response.writeHead(404).end()
  }
}

/** Makes a Fastify hook that does what {@link mcpMetadata} does: `app.addHook('onRequest', mcpMetadataHook({ … }))`. */
export function mcpMetadataHook(options: McpMetadataOptions): McpHook {
  const answer = createMcpMetadata(options)
  return async ({ raw }, reply) => {
    const answered = answer(guarded(raw))
    return answered ? sendReply(reply, answered) : undefined
  }
}

/** As much as the SDK's own transport reads. */
const MAX_BODY = 4_194_304

/** Makes a function that resolves to the contents of a good token, or answers and resolves to undefined. */
function createAdmit<Scope extends string>(
  server: Guarding<Scope>,
  options: McpOptions<Scope>,
): (request: McpRequest, response: ServerResponse) => Promise<McpAuthInfo | undefined> {
  const guard = createMcpGuard(server, options)
  return async (request, response) => {
    const result = await guard(guarded(request), () => bodyOf(request))
    // After a cors() of the host's: its headers are for its own pages.
    response.removeHeader('access-control-allow-credentials')
    for (const [name, value] of Object.entries(MCP_CORS)) response.setHeader(name, value)
    if ('answer' in result) {
      send(response, result.answer)
      return undefined
    }
    for (const [name, value] of Object.entries(result.headers ?? {})) response.setHeader(name, value)
    request.auth = result.auth
    return result.auth
  }
}

async function bodyOf(request: McpRequest): Promise<Body> {
  if (request.readableDidRead) return adoptBody(request, request.body, MAX_BODY)
  const body = await readBody(request, request, MAX_BODY)
  if (body.kind === 'json') request.body = body.json
  // Tells the body parser of Express 4 that there is nothing left to read.
  return Object.assign(request, { _body: true }) && body
}

function guarded(request: Pick<McpRequest, 'headers' | 'method' | 'originalUrl' | 'rawHeaders' | 'url'>): GuardedRequest {
  const { method = '', originalUrl, url = '' } = request
  return { method, url: originalUrl ?? url, headers: readHeaders(request) }
}

function hasBody({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

function send(response: ServerResponse, { body, headers, status }: HttpResponse): void {
  response.writeHead(status, status === 204 ? headers : { ...headers, 'content-length': Buffer.byteLength(body) })
  response.end(response.req.method === 'HEAD' ? '' : body)
}

function sendReply(reply: HookedReply, { body, headers, status }: HttpResponse): unknown {
  reply.removeHeader('access-control-allow-credentials')
  reply.code(status)
  reply.headers(headers)
  return reply.send(body as never)
}
