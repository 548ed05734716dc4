import { OAuthError } from '../../errors/oauth-error.ts'

/** One answer for every client that is not authenticated: which of the reasons it was is not the caller's business. */
export function clientRefused(): OAuthError {
  return new OAuthError(
    'invalid_client',
    'client authentication failed: the app is not known, is not active, is registered for another way to authenticate, or the credentials do not fit it',
  )
}
