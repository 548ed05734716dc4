import { escapeHtml, page, pagePolicy } from '../http/page.ts'
import { html, json } from '../http/reply.ts'
import { sendBack } from '../http/send-back.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Log } from '../options.ts'
import { ApiError } from './api-error.ts'
import { asJson, known, printable, renderChallenge, withRetryAfter } from './challenge.ts'
import { type OAuthError, TargetedError } from './oauth-error.ts'

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
