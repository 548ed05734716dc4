import { OAuthError, TargetedError } from '../errors/oauth-error.ts'
import type { SignedInContext } from '../options/context.ts'
import { askPolicy } from '../rules/policy.ts'
import type { AuthorizationRequest } from './request.ts'

/**
 * Returns an authorization request with the scopes that the host's policy leaves. Rejects with TargetedError if the host denies it:
 * the app is told, and with `prompt=none` nobody else is.
 */
export async function allowRequest(asked: AuthorizationRequest, context: SignedInContext): Promise<AuthorizationRequest> {
  const { app, audience, scopes } = asked
  const { authTime = null, orgId, userId } = context.principal
  const of = { id: null, createdAt: null, orgId, userId, context: { authTime } }
  try {
    const allowed = await askPolicy('authorize', { app, of, scopes, audience, grantType: null }, context)
    return { ...asked, scopes: allowed.scopes }
  } catch (error) {
    throw error instanceof OAuthError ? new TargetedError(asked, error.code, error.description) : error
  }
}
