import { newGrantId } from '../../base/ids.ts'
import { scopesForItself } from '../../clients/allowed-scopes.ts'
import { mayActForItself } from '../../clients/client-facts.ts'
import { OAuthError } from '../../errors/oauth-error.ts'
import type { TokenGrant } from '../grant.ts'
import { createGrant, hasRules } from '../issue.ts'
import { applyRules, type Ruled, spendNothing } from '../rules.ts'

/** Issues an access token to an app that acts for itself (RFC 6749 §4.4). */
export const clientCredentials: TokenGrant = {
  name: 'client_credentials',
  title: 'Client credentials',
  summary: 'It acts for itself, with its secret.',
  parameters: {},
  byDefault: true,
  provenAppsOnly: true,

  async handle({ app, audience, jkt, params }, context) {
    if (!mayActForItself(app)) throw new OAuthError('unauthorized_client', 'this app may act only for users, not for itself')
    const allowed = scopesForItself(params.get('scope'), app, context.config)

    const { epoch, id: appId, orgId } = app
    const { now } = context
    const id = newGrantId(appId)
    let ruled: Ruled | undefined
    if (hasRules(null, context)) {
      const of = { id: null, orgId, userId: null, createdAt: null, context: NO_CONTEXT }
      const asked = { app, of, scopes: allowed, audience, grantType: 'client_credentials' }
      ruled = await applyRules('token', asked, spendNothing, context)
    }
    const scopes = ruled?.scopes ?? allowed
    const grant = { id, appId, orgId, userId: null, scopes, createdAt: now, epoch, context: NO_CONTEXT }
    return await createGrant({ app, grant, scopes, audience, jkt, refreshable: false, renewed: false, ruled }, context)
  },
}

/** Shared by all grants without a user, so that they cost no object each. */
const NO_CONTEXT = Object.freeze({})
