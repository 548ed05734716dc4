import { STATUS_CODES } from 'node:http'
import { authorizationResponse } from '../authorize/authorization-response.ts'
import { wayOn } from '../authorize/login.ts'
import { randomId } from '../base/crypto.ts'
import type { Log } from '../base/log.ts'
import { ApiError } from '../errors/api-error.ts'
import { ConnectorError } from '../errors/connector-error.ts'
import { OAuthError, TargetedError } from '../errors/oauth-error.ts'
import { RateLimitError } from '../errors/rate-limit-error.ts'
import { asJson, printable, renderChallenge, toOAuthError, withRetryAfter } from '../http/challenge.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { errorPage } from '../pages/error-page.ts'
import { pageSettingFor } from '../pages/page-setting.ts'
import type { Theme } from '../pages/theme.ts'
import { boundToken } from '../tokens/token-guard.ts'

/**
 * How a route shows its errors: as JSON (RFC 6749 §5.2), to someone in a browser (§4.1.2.1), as a challenge (RFC 6750 §3),
 * or a challenge where one is tried (`challenge`); or as the management API does; `api or page` as that API does, but as a page to somebody in a browser.
 */
export type ErrorStyle = 'oauth' | 'browser' | 'bearer' | 'challenge' | 'api' | 'api or page' | 'account'

interface Rendering {
  readonly style: ErrorStyle
  readonly issuer: string
  readonly log: Log
  readonly theme: Theme
  /** The algorithms that a proof of a key may have. */
  readonly proofAlgorithms: readonly string[]
  /** The status with which an error travels to an app. */
  readonly redirectStatus: 302 | 303
  /** Told of every error that a person is shown. */
  readonly shown: (error: OAuthError, reference: string) => void
}

/** Any thrown value as a response: the only place where one becomes bytes. What is not ours is logged and said in fixed words. */
export function renderError(thrown: unknown, request: HttpRequest, rendering: Rendering): HttpResponse {
  const { issuer, log, style } = rendering
  const forPerson = style === 'browser' || (style === 'api or page' && (request.headers.accept?.includes('text/html') ?? false))
  if (style === 'api' || (style === 'api or page' && !forPerson)) return forApi(thrown, log)
  if (style === 'account') return forAccount(thrown, log)
  if (style === 'bearer' || (style === 'challenge' && thrown instanceof OAuthError && thrown.code === 'invalid_token'))
    return renderChallenge(thrown, [], {
      issuer,
      log,
      proofAlgorithms: boundToken(request.headers.authorization) === undefined ? undefined : rendering.proofAlgorithms,
    })
  const error = thrown instanceof ApiError ? oauthErrorOf(thrown) : toOAuthError(thrown, log)
  if (forPerson) return forBrowser(error, request, rendering)
  // RFC 6749 §5.2: a client that tried HTTP Basic is told so in kind.
  const triedBasic = error.status === 401 && request.headers.authorization !== undefined
  return asJson(error, triedBasic ? BASIC : undefined)
}

function forApi(thrown: unknown, log: Log): HttpResponse {
  const { code, details, headers, message, status } = asApiError(thrown, log)
  const challenge = status === 401 ? { 'www-authenticate': 'Bearer realm="management API"' } : {}
  return withRetryAfter(
    json(status, { error: { code, message, details: details.length > 0 ? details : undefined } }, { ...challenge, ...headers }),
  )
}

/** As the account API has them: flat. */
function forAccount(thrown: unknown, log: Log): HttpResponse {
  const { code, headers, message, status } = asApiError(thrown, log)
  const error = STATUS_CODES[status] ?? 'Error'
  return withRetryAfter(json(status, { error, message, code, statusCode: status }, headers))
}

function asApiError(thrown: unknown, log: Log): ApiError {
  if (thrown instanceof ApiError) return thrown
  if (thrown instanceof ConnectorError) return connectorApiError(thrown, log)
  if (thrown instanceof RateLimitError) return limitApiError(thrown)
  return apiErrorOf(toOAuthError(thrown, log))
}

/** Turns the refusal of a route into the error that a page shows. */
function oauthErrorOf({ message, status }: ApiError): OAuthError {
  const code = status === 401 || status === 403 ? 'access_denied' : status === 429 ? 'temporarily_unavailable' : 'invalid_request'
  return new OAuthError(code, message, { status })
}

function limitApiError({ headers, message, retryAfterSeconds }: RateLimitError): ApiError {
  return new ApiError('TOO_MANY_REQUESTS', message, [], { headers: { ...headers, 'retry-after': String(retryAfterSeconds) } })
}

/** Answers 502 or 503 for a failure of an outside provider, which is neither the caller's fault nor this server's. */
function connectorApiError(error: ConnectorError, log: Log): ApiError {
  log.error('an outside provider could not be used', error)
  const { code, retryAfterSeconds } = error
  if (code === 'not_configured') return new ApiError('VALIDATION_ERROR', 'this connector is not set up in a way that can work')
  if (code !== 'provider_unavailable') return new ApiError('BAD_GATEWAY', 'the provider did not give a usable answer')
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(Math.max(1, retryAfterSeconds)) }
  return new ApiError('UNAVAILABLE', 'the provider does not answer at the moment: try again shortly', [], { headers })
}

function apiErrorOf({ code, description, status }: OAuthError): ApiError {
  if (code === 'temporarily_unavailable') return new ApiError('UNAVAILABLE', description)
  return status >= 500 ? new ApiError('INTERNAL', description) : new ApiError('VALIDATION_ERROR', description, [], { status })
}

function forBrowser(error: OAuthError, request: HttpRequest, { issuer, redirectStatus, shown, theme }: Rendering): HttpResponse {
  const setting = pageSettingFor(request, { theme })
  const isJson = request.body.kind === 'json'
  if (error instanceof TargetedError && !isJson) {
    const params = { error: error.code, error_description: printable(error.description), state: error.target.state, iss: issuer }
    return authorizationResponse(request.method === 'POST' ? 303 : redirectStatus, error.target, params, setting, wayOn(request))
  }
  if (isJson || !request.headers.accept?.includes('text/html')) return asJson(error)
  const reference = randomId(9)
  shown(error, reference)
  return withRetryAfter(errorPage(error, reference, setting), error.retryAfterSeconds)
}

const BASIC = Object.freeze({ 'www-authenticate': 'Basic realm="OAuth client"' })
