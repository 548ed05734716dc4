import { OAuthError } from '../errors/oauth-error.ts'

/** The one description for every invalid code or refresh token: a caller must not learn which of the reasons it was. */
export const INVALID_GRANT =
  'the code or refresh token is not valid (any more), was issued to another app, or does not fit this request'

export function invalidGrant(): OAuthError {
  return new OAuthError('invalid_grant', INVALID_GRANT)
}
