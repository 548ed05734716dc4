import type { OAuthErrorCode } from '../errors/oauth-error.ts'

/** The errors with which a class for the engine may refuse a token request (RFC 6749 §5.2). */
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
 * The OAuth error that an error stands for, by its `name`, `code` or `error`: a class may come with a copy of the engine of its
 * own, whose errors `instanceof` does not know. Undefined for any other error, an `OAuthError` of authmount's among them.
 */
export function engineErrorCode(thrown: unknown): OAuthErrorCode | undefined {
  if (!(thrown instanceof Error)) return undefined
  const { code, error, name } = thrown as Error & { readonly code?: unknown; readonly error?: unknown }
  return CODES.find(known => known === name || known === code || known === error)
}
