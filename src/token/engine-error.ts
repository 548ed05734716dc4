import type { OAuthErrorCode } from '../errors/oauth-error.ts'

/** Error codes with which a class for the engine may refuse a token request (RFC 6749 §5.2). */
const CODES: readonly OAuthErrorCode[] = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'access_denied',
]

/**
 * The OAuth error that an error of any copy of the engine stands for, by its `name`: a class may come with a copy of its own, whose
 * errors `instanceof` does not know. Undefined for any other error. A `code` or `error` says nothing: drivers and clients of
 * other servers put those on errors whose words are not for an app.
 */
export function engineErrorCode(thrown: unknown): OAuthErrorCode | undefined {
  return thrown instanceof Error ? CODES.find(known => known === thrown.name) : undefined
}
