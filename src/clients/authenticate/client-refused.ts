import { OAuthError } from '../../errors/oauth-error.ts'

/** Makes the one error for every client that fails to authenticate: a caller must not learn which of the reasons it was. */
export function clientRefused(): OAuthError {
  return new OAuthError(
    'invalid_client',
    'client authentication failed: the app is not known, is not active, is registered for another way to authenticate, or the credentials do not fit it',
  )
}
