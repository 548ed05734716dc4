import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'
import { adoptBody, NO_BODY, readBody, unreadableFrom } from '../src/http/body.ts'
import { closing, readHeaders, splitUrl } from '../src/http/node-message.ts'
import type { Body, HttpResponse } from '../src/http/types.ts'
import type { Authmount } from '../src/public.ts'
import type { Endpoint, FoundEndpoint } from '../src/server/routes.ts'
import type { Guarding, TokenInfo, TokenRequirements } from '../src/tokens/token-guard.ts'

/** What `requireToken` adds to a request. */
export interface RequestWithToken {
  /** The contents of the request's access token. Set by `requireToken`; undefined on routes without it. */
  oauth?: TokenInfo
}

declare global {
  namespace Express {
    // By inheritance, because a host may then declare `oauth` itself: without the `?`, or with members of its own.
    interface Request extends RequestWithToken {}
  }
}

/**
 * Makes Express middleware of every route of an authorization server: `app.use(authmountRouter(authmount))`, before or after
 * the host's own body parsers. Mount it at the root of the app; the option `mountPath` sets the path of the routes.
 * Requests for other paths pass through unchanged.
 */
export function authmountRouter(authmount: Authmount<Request>): (RequestHandler | ErrorRequestHandler)[] {
  if (typeof authmount?.dispatch !== 'function')
    throw new TypeError('authmountRouter needs what createAuthmount returned: app.use(authmountRouter(authmount))')
  const answer = async (request: Request, response: Response, { endpoint, params }: FoundEndpoint, body: Body): Promise<void> => {
    const { query } = splitUrl(request.originalUrl)
    const { ip, method } = request
    const headers = readHeaders(request)
    const answered = await authmount.dispatch(endpoint, { method, params, query, headers, body, ip, native: request })
    if (answered.headers['access-control-allow-origin'] !== undefined) takeOverCors(request, response)
    send(response, request.complete ? answered : { ...answered, headers: { ...answered.headers, ...closing(request) } })
  }
  const find = (request: Request): FoundEndpoint | undefined => authmount.find(splitUrl(request.originalUrl).path)
  const misplaced = warnOnce(authmount)
  const takeOverCors = corsTaker(authmount)

  const route: RequestHandler = (request, response, next) => {
    misplaced(request.baseUrl)
    const found = find(request)
    if (!found) return next()
    bodyOf(request, found.endpoint)
      .then(body => answer(request, response, found, body))
      .catch(next)
  }

  /** Answers the error of the host's body parser on our routes, in the documented format of the route. */
  const unreadable: ErrorRequestHandler = (error, request, response, next) => {
    const found = find(request)
    const status = parserStatus(error)
    if (!found || status === undefined) return next(error)
    answer(request, response, found, unreadableFrom(status)).catch(next)
  }
  return [route, unreadable]
}

/**
 * Makes middleware that lets a request pass only with an access token that has all of `scopes`; `req.oauth` then has the
 * contents of the token. Answers 401 or 403 with a `WWW-Authenticate` challenge (RFC 6750 §3), or 503 if the store does not answer.
 */
export function requireToken<Scope extends string>(
  authmount: Guarding<Scope>,
  requirements: TokenRequirements<NoInfer<Scope>> = {},
): RequestHandler {
  if (typeof authmount?.guard !== 'function')
    throw new TypeError("requireToken takes the server first: requireToken(authmount, { scopes: ['read:records'] })")
  const guard = authmount.guard(requirements)
  return (request, response, next) => {
    guard({ method: request.method, url: request.originalUrl, headers: readHeaders(request) }).then(result => {
      try {
        if ('refusal' in result) return send(response, result.refusal)
        request.oauth = result.oauth
        if (result.headers) for (const [name, value] of Object.entries(result.headers)) response.setHeader(name, value)
        next()
      } catch (error) {
        next(error)
      }
    }, next)
  }
}

/**
 * Serves the page on which your organisations' admins manage their apps: `app.use('/admin/oauth', authmountConsole(authmount))`.
 * It calls the routes of `authmountRouter` with your own login; you can put your own middleware before it.
 */
export function authmountConsole(authmount: Pick<Authmount, 'console'>): RequestHandler {
  const appsConsole = authmount.console()
  return ({ headers, method, originalUrl, path }, response, next) => {
    const { path: fullPath } = splitUrl(originalUrl)
    const answer = method === 'GET' || method === 'HEAD' ? appsConsole.answer({ path, fullPath, headers }) : undefined
    if (answer) send(response, answer)
    else next()
  }
}

async function bodyOf(request: Request, endpoint: Endpoint): Promise<Body> {
  const limit = endpoint.bodyLimits.get(request.method) ?? 0
  if (limit === 0) return NO_BODY
  // Express 4: a parser that does not read the body may leave an empty object and an unread stream.
  const parsed: unknown = request.body
  const adopted = request.readableDidRead || (parsed !== undefined && !isEmptyObject(parsed))
  return adopted ? adoptBody(request, parsed, limit) : readBody(request, request, limit)
}

function send(response: Response, { status, headers, body }: HttpResponse): void {
  response.writeHead(
    status,
    status === 204 || status === 304 ? headers : { ...headers, 'content-length': Buffer.byteLength(body) },
  )
  response.end(body)
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

/** The `type` of the errors of body-parser. Any other error is the host's own. */
const PARSER_ERROR =
  /^(entity\.|encoding\.unsupported$|charset\.unsupported$|parameters\.too\.many$|request\.|stream\.|querystring\.)/

function parserStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error)) return undefined
  const { code, status, type } = error as Readonly<Record<string, unknown>>
  if (typeof status !== 'number') return undefined
  // A body that is not compressed as it says: refused like one that is.
  if (typeof code === 'string' && /^(Z_|ERR_ZLIB_|ERR_BROTLI|ERR__ERROR_FORMAT)/.test(code)) return 415
  return typeof type === 'string' && PARSER_ERROR.test(type) ? status : undefined
}

/**
 * Makes a function that removes the CORS headers that middleware before the router has set on an answer with our own. Warns, once,
 * if that middleware keeps out the page that asks: it also answers the preflights of our routes, which never reach the router.
 */
function corsTaker({ log }: Authmount<Request>): (request: Request, response: Response) => void {
  let said = false
  return (request, response) => {
    const { origin } = request.headers
    const theirs = response.getHeader('access-control-allow-origin')
    // A list of origins sets no header for others, but `Vary`.
    const shutOut =
      theirs === undefined ? /\borigin\b/i.test(String(response.getHeader('vary') ?? '')) : theirs !== '*' && theirs !== origin
    response.removeHeader('access-control-allow-credentials')
    response.removeHeader('access-control-expose-headers')
    if (said || origin === undefined || !shutOut) return
    said = true
    log.warn(
      `cors() before authmountRouter answers the preflights of our routes, and not for ${origin}, which an app may use: put app.use(authmountRouter(authmount)) before app.use(cors(…))`,
    )
  }
}

/** Warns, once, if the router is mounted below a path: it then serves other URLs than the metadata name. */
function warnOnce({ log, mountPath }: Authmount<Request>): (baseUrl: string) => void {
  let said = false
  return baseUrl => {
    if (said || baseUrl === '') return
    said = true
    log.warn(
      baseUrl === mountPath
        ? `mounted below ${baseUrl}: the /.well-known documents are not served at the root, where clients look; use app.use(authmountRouter(authmount)) without a path`
        : `mounted below ${baseUrl}, but mountPath is '${mountPath}': nothing is served; use app.use(authmountRouter(authmount)) without a path, and mountPath: '${baseUrl}' in the options`,
    )
  }
}
