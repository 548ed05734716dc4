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
 * Returns the OAuth error code of an error by its `name`, `code` or `error`: a class may bring its own copy of the engine, whose
 * errors are no `instanceof` ours. Undefined for any other error, including an `OAuthError` of authmount.
 */
export function engineErrorCode(thrown: unknown): OAuthErrorCode | undefined {
  if (!(thrown instanceof Error)) return undefined
  const { code, error, name } = thrown as Error & { readonly code?: unknown; readonly error?: unknown }
  return CODES.find(known => known === name || known === code || known === error)
}
