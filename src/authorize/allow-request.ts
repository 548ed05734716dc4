import { OAuthError, TargetedError } from '../errors/oauth-error.ts'
import type { SignedInContext } from '../options/context.ts'
import { askPolicy } from '../rules/policy.ts'
import type { AuthorizationRequest } from './request.ts'

/**
 * Returns an authorization request with the scopes that the host's policy leaves. Rejects with TargetedError if the host denies it:
 * the app is told, and with `prompt=none` nobody else is.
 */
export async function allowRequest(asked: AuthorizationRequest, context: SignedInContext): Promise<AuthorizationRequest> {
  try {
    return { ...asked, scopes: await scopesToAsk(asked, context) }
  } catch (error) {
    throw error instanceof OAuthError ? new TargetedError(asked, error.code, error.description) : error
  }
}

/**
 * Returns those of the scopes of a request that the signed-in user may be asked for, as the host's policy says. Rejects with
 * OAuthError if the host denies the request.
 */
export async function scopesToAsk(
  { app, audience, scopes }: Pick<AuthorizationRequest, 'app' | 'audience' | 'scopes'>,
  context: SignedInContext,
): Promise<readonly string[]> {
  const { acr = null, amr = null, authTime = null, orgId, userId } = context.principal
  const of = { id: null, createdAt: null, orgId, userId, context: { acr, amr, authTime } }
  return (await askPolicy('authorize', { app, of, scopes, audience, grantType: null }, context)).scopes
}
