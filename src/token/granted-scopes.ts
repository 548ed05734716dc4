import type { Audience } from '../bearer/audience.ts'
import { narrowAudience } from '../bearer/audience.ts'
import { narrow, requestedScopes, scopesOfApp } from '../clients/allowed-scopes.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { Params } from '../http/params.ts'
import { grantContext } from '../oidc/grant-context.ts'
import type { Context } from '../options/context.ts'
import type { App, Grant } from '../store/store.ts'

/**
 * What is left of the scopes a user agreed to: an app or a catalogue that has lost one since does not get it back.
 * Throws `invalid_scope` where nothing is left.
 */
export function stillAllowed(granted: readonly string[], app: App, { config }: Context): readonly string[] {
  const scopes = narrow(granted, scopesOfApp(app, config.scopes))
  if (scopes.length === 0)
    throw new OAuthError('invalid_scope', 'this app may no longer have any of the scopes that were granted')
  return scopes
}

/** RFC 6749 §6: as much as was granted, or as little of it as is asked for. Throws `invalid_scope` for more. */
export function scopesOfRefresh(grant: Grant, app: App, params: Params, context: Context): readonly string[] {
  const allowed = stillAllowed(grant.scopes, app, context)
  const scope = params.get('scope')
  return scope === undefined ? allowed : requestedScopes(scope, allowed)
}

/** RFC 8707 §2.2: the resources of the authorization request, or as few of them as this token is asked for. */
export function audienceOf({ context }: Pick<Grant, 'context'>, asked: Audience): Audience {
  return narrowAudience(grantContext(context).audience, asked)
}
