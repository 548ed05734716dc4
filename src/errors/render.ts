import { escapeHtml, page, pagePolicy } from '../http/page.ts'
import { html, json } from '../http/reply.ts'
import { sendBack } from '../http/send-back.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Log } from '../options.ts'
import { ApiError } from './api-error.ts'
import { OAuthError, TargetedError } from './oauth-error.ts'
import { StoreError } from './store-error.ts'

/**
 * How a route shows its errors: as JSON (RFC 6749 §5.2), to someone in a browser (§4.1.2.1), as a challenge (RFC 6750 §3),
 * or as the management API does.
 */
export type ErrorStyle = 'oauth' | 'browser' | 'bearer' | 'api'

interface Rendering {
  readonly style: ErrorStyle
  readonly issuer: string
  readonly log: Log
}

/** Any thrown value as a response: the only place where one becomes bytes. What is not ours is logged and said in fixed words. */
export function renderError(thrown: unknown, request: HttpRequest, { style, issuer, log }: Rendering): HttpResponse {
  if (style === 'api') return forApi(thrown, log)
  if (style === 'bearer') return renderChallenge(thrown, [], { issuer, log })
  const error = known(thrown, log)
  if (style === 'browser') return forBrowser(error, request, issuer)
  // RFC 6749 §5.2: a client that tried HTTP Basic is told so in kind.
  const triedBasic = error.status === 401 && request.headers.authorization !== undefined
  return asJson(error, triedBasic ? BASIC : undefined)
}

/**
 * The answer of a protected route to a request that may not pass (RFC 6750 §3); `metadata` is where its client learns who
 * issues tokens for it (RFC 9728 §5.1).
 * `thrown: undefined` means that no token was presented, which is no error and gets no error code.
 */
export function renderChallenge(
  thrown: unknown,
  scopes: readonly string[],
  { issuer, log, metadata }: Omit<Rendering, 'style'> & { readonly metadata?: string },
): HttpResponse {
  const realm = `Bearer realm="${issuer}"${metadata === undefined ? '' : `, resource_metadata="${metadata}"`}`
  if (thrown === undefined) return json(401, NO_TOKEN, { 'www-authenticate': realm })
  const error = known(thrown, log)
  if (error.status !== 401 && error.status !== 403) return asJson(error)
  const scope = error.code === 'insufficient_scope' && scopes.length > 0 ? `, scope="${scopes.join(' ')}"` : ''
  const challenge = `${realm}, error="${error.code}", error_description="${printable(error.description)}"${scope}`
  return json(error.status, bodyOf(error), { 'www-authenticate': challenge })
}

const NO_TOKEN = Object.freeze({
  error: 'invalid_request',
  error_description: 'this needs an access token: Authorization: Bearer',
})

function known(thrown: unknown, log: Log): OAuthError {
  if (thrown instanceof OAuthError) return thrown
  if (thrown instanceof StoreError) {
    log.error(thrown.message, thrown.cause)
    return new OAuthError('temporarily_unavailable', 'the server cannot answer at the moment: try again shortly')
  }
  log.error('a request failed', thrown)
  return new OAuthError('server_error', 'the server met an unexpected condition')
}

function forApi(thrown: unknown, log: Log): HttpResponse {
  const error = thrown instanceof ApiError ? thrown : apiErrorOf(known(thrown, log))
  const { code, details, headers, message, status } = error
  const challenge = status === 401 ? { 'www-authenticate': 'Bearer realm="management API"' } : {}
  return withRetryAfter(
    json(status, { error: { code, message, details: details.length > 0 ? details : undefined } }, { ...challenge, ...headers }),
  )
}

function apiErrorOf({ code, description, status }: OAuthError): ApiError {
  if (code === 'temporarily_unavailable') return new ApiError('UNAVAILABLE', description)
  return status >= 500 ? new ApiError('INTERNAL', description) : new ApiError('VALIDATION_ERROR', description, [], { status })
}

function forBrowser(error: OAuthError, request: HttpRequest, issuer: string): HttpResponse {
  const isJson = request.body.kind === 'json'
  if (error instanceof TargetedError && !isJson) {
    const params = { error: error.code, error_description: printable(error.description), state: error.target.state, iss: issuer }
    return sendBack(request.method === 'POST' ? 303 : 302, error.target, params)
  }
  if (isJson || !request.headers.accept?.includes('text/html')) return asJson(error)
  const body = `<h1>This did not work</h1>\n<p>${escapeHtml(error.description)}</p>\n<p><code>${escapeHtml(error.code)}</code></p>`
  return withRetryAfter(html(error.status, page('This did not work', body), pagePolicy()))
}

const BASIC = Object.freeze({ 'www-authenticate': 'Basic realm="OAuth client"' })

function asJson(error: OAuthError, headers?: Readonly<Record<string, string>>): HttpResponse {
  return withRetryAfter(json(error.status, bodyOf(error), headers))
}

function withRetryAfter(response: HttpResponse): HttpResponse {
  return response.status === 503 ? { ...response, headers: { ...response.headers, 'retry-after': '1' } } : response
}

function bodyOf(error: OAuthError): object {
  const state = error instanceof TargetedError ? (error.target.state ?? undefined) : undefined
  return { error: error.code, error_description: printable(error.description), state }
}

/** The characters RFC 6749 §5.2 leaves to a description. They also keep it inside a quoted header value. */
function printable(description: string): string {
  return description.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?')
}
