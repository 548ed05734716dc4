import { InsufficientScope } from '../errors/insufficient-scope.ts'
import type { Context } from '../options/context.ts'
import { askPolicy } from '../rules/policy.ts'
import { type BearerRequirements, type BearerToken, findBearer } from './bearer.ts'

type UseContext = Pick<Context, 'config' | 'events' | 'now' | 'store'>

/**
 * Finds an access token that is presented to this server: as {@link findBearer} does, and with `policyAtUse` only if the host's
 * policy allows it, with the scopes that the policy leaves.
 */
export function findUsable(token: string, required: BearerRequirements, context: UseContext): Promise<BearerToken> {
  return context.config.policyAtUse ? findAllowed(token, required, context) : findBearer(token, required, context)
}

async function findAllowed(value: string, required: BearerRequirements, context: UseContext): Promise<BearerToken> {
  const found = await findBearer(value, required, context)
  const scopes = await scopesAtUse(found, context)
  for (const name of required.scopes) if (!scopes.includes(name)) throw new InsufficientScope(required.scopes, scopes)
  return { ...found, token: { ...found.token, scopes } }
}

/** Asks the host's policy about the use of a token. Rejects with OAuthError `invalid_token` if it is denied. */
export async function scopesAtUse(
  { app, grant, token }: BearerToken,
  context: Pick<Context, 'config' | 'events' | 'now'>,
): Promise<readonly string[]> {
  const { audience = null, scopes } = token
  return (await askPolicy('use', { app, of: grant, scopes, audience, grantType: null }, context)).scopes
}
