import * as oauth from 'oauth4webapi'
import { ConnectorError } from '../errors/connector-error.ts'
import { OutboundError } from '../outbound/outbound-url.ts'

/** The provider answered 429 or 5xx (RFC 6585 §4, RFC 9110 §15.6): a retry may succeed. */
export class ProviderBusyError extends Error {
  readonly retryAfterSeconds: number | undefined

  constructor({ headers, status }: Response) {
    super(`the provider answered ${status}`)
    const after = headers.get('retry-after') ?? ''
    const seconds = /^\d+$/.test(after) ? Number(after) : Math.ceil((Date.parse(after) - Date.now()) / 1000)
    this.retryAfterSeconds = Number.isFinite(seconds) ? Math.max(0, seconds) : undefined
  }
}

/** Runs a call to a provider; every failure is a ConnectorError with our own text. `refusal` is the code for `invalid_grant`. */
export async function withConnectorErrors<T>(
  run: () => Promise<T>,
  refusal: 'provider_refused' | 'needs_reconnect' = 'provider_refused',
): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw error instanceof ConnectorError ? error : explain(error, refusal)
  }
}

/** Converts any failure of a provider to a ConnectorError, whose text quotes nothing of its answer. */
function explain(error: unknown, refusal: 'provider_refused' | 'needs_reconnect'): ConnectorError {
  if (error instanceof ProviderBusyError) {
    const { message, retryAfterSeconds } = error
    return new ConnectorError('provider_unavailable', message, { retryAfterSeconds })
  }
  if (error instanceof OutboundError) {
    const unusable = error.reason === 'refused' || error.reason === 'redirect' || error.reason === 'too_large'
    return new ConnectorError(unusable ? 'invalid_response' : 'provider_unavailable', error.message)
  }
  if (error instanceof oauth.ResponseBodyError || error instanceof oauth.WWWAuthenticateChallengeError) {
    const code = error instanceof oauth.ResponseBodyError ? error.error : 'invalid_client'
    const known = OAUTH_ERRORS.has(code) ? code : 'an error of its own'
    return new ConnectorError(code === 'invalid_grant' ? refusal : 'provider_refused', `the provider answered ${known}`)
  }
  if (error instanceof DOMException && ['AbortError', 'TimeoutError'].includes(error.name))
    return new ConnectorError('provider_unavailable', 'the provider took too long')
  // The library's errors hold the answer, so only their code gets into the log.
  const words =
    error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError ? error.code : undefined
  return new ConnectorError(
    'invalid_response',
    `the provider's answer is not usable: ${words ?? (error instanceof Error ? error.name : typeof error)}`,
  )
}

/** Error codes that may be quoted (RFC 6749 §5.2). */
const OAUTH_ERRORS = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
])
