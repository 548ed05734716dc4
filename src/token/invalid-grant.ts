import { OAuthError } from '../errors/oauth-error.ts'

/** One sentence for every code or refresh token that is not good: which of the reasons it was is not the caller's business. */
export const INVALID_GRANT =
  'the code or refresh token is not valid (any more), was issued to another app, or does not fit this request'

export function invalidGrant(): OAuthError {
  return new OAuthError('invalid_grant', INVALID_GRANT)
}
