import type { Log } from '../base/log.ts'
import { InsufficientScope } from '../errors/insufficient-scope.ts'
import { OAuthError, TargetedError } from '../errors/oauth-error.ts'
import { RateLimitError } from '../errors/rate-limit-error.ts'
import { StoreError } from '../errors/store-error.ts'
import { json } from './reply.ts'
import type { HttpResponse } from './types.ts'

/** The facts of a server that its challenges state. */
export interface Challenging {
  readonly issuer: string
  readonly log: Log
  readonly metadata?: string | undefined
  /** The algorithms of proofs, where the challenge is for a token that is bound to a key (RFC 9449 §7.1). Default: a bearer token. */
  readonly proofAlgorithms?: readonly string[] | undefined
}

/**
 * Answers a request that a protected route refuses (RFC 6750 §3). `metadata` is the URL at which its client finds the
 * authorization server (RFC 9728 §5.1); `scopes` are those that the route requires, so that a client asks for them and no others.
 * A 403 names those of the token as well: a client that asks for what it reads there keeps what it had.
 * `thrown: undefined` means that no token was presented: the challenge then has no error code (RFC 6750 §3.1).
 */
export function renderChallenge(
  thrown: unknown,
  scopes: readonly string[],
  { issuer, log, metadata, proofAlgorithms }: Challenging,
): HttpResponse {
  const scheme = proofAlgorithms ? 'DPoP' : 'Bearer'
  const algs = proofAlgorithms ? `, algs="${proofAlgorithms.join(' ')}"` : ''
  const realm = `${scheme} realm="${issuer}"${algs}${metadata === undefined ? '' : `, resource_metadata="${metadata}"`}`
  const wanted = thrown instanceof InsufficientScope ? thrown.wanted : scopes
  const scope = wanted.length > 0 ? `, scope="${wanted.join(' ')}"` : ''
  if (thrown === undefined)
    return json(401, proofAlgorithms ? NO_BOUND_TOKEN : NO_TOKEN, { 'www-authenticate': `${realm}${scope}` })
  const error = toOAuthError(thrown, log)
  const status = PROOF_CODES.has(error.code) ? 401 : error.status
  if (status !== 401 && status !== 403) return asJson(error)
  const challenge = `${realm}, error="${error.code}", error_description="${printable(error.description)}"${scope}`
  return json(status, bodyOf(error), { ...error.headers, 'www-authenticate': challenge })
}

const NO_TOKEN = Object.freeze({
  error: 'invalid_request',
  error_description: 'this needs an access token: Authorization: Bearer',
})
const NO_BOUND_TOKEN = Object.freeze({
  error: 'invalid_request',
  error_description: 'this needs an access token and a proof of its key: Authorization: DPoP, and the header DPoP',
})
/** RFC 9449 §7.1: 400 at the token endpoint, and 401 at a protected route. */
const PROOF_CODES: ReadonlySet<string> = new Set(['invalid_dpop_proof', 'use_dpop_nonce'])

/** Turns any thrown value into an error that can be sent. An unknown error is logged and answered with a fixed description. */
export function toOAuthError(thrown: unknown, log: Log): OAuthError {
  if (thrown instanceof OAuthError) return thrown
  // RFC 6585 §4 has no error code. The registered code for a retry is this one (RFC 6749 §4.1.2.1); the status is that of RFC 9126 §2.3.
  if (thrown instanceof RateLimitError) {
    const { message, retryAfterSeconds } = thrown
    return new OAuthError('temporarily_unavailable', message, { status: 429, retryAfterSeconds })
  }
  if (thrown instanceof StoreError) {
    log.error(thrown.message, thrown.cause)
    return new OAuthError('temporarily_unavailable', 'the server cannot answer at the moment: try again shortly')
  }
  log.error('a request failed', thrown)
  return new OAuthError('server_error', 'the server met an unexpected condition')
}

export function asJson(error: OAuthError, headers?: Readonly<Record<string, string>>): HttpResponse {
  const all = error.headers ? { ...error.headers, ...headers } : headers
  return withRetryAfter(json(error.status, bodyOf(error), all), error.retryAfterSeconds)
}

/** Adds Retry-After if the time of a retry is known; for a 503 it is one second by default. */
export function withRetryAfter(response: HttpResponse, seconds = response.status === 503 ? 1 : undefined): HttpResponse {
  return seconds === undefined ? response : { ...response, headers: { 'retry-after': String(seconds), ...response.headers } }
}

function bodyOf(error: OAuthError): object {
  const state = error instanceof TargetedError ? (error.target.state ?? undefined) : undefined
  return { error: error.code, error_description: printable(error.description), state }
}

/** Replaces every character that RFC 6749 §5.2 does not allow in a description; the rest is safe in a quoted header value. */
export function printable(description: string): string {
  return description.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?')
}
