import { sha256 } from '../base/crypto.ts'
import { withTimeout } from '../base/timeout.ts'
import { readAudience } from '../bearer/audience.ts'
import { authenticateClient } from '../clients/authenticate.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { one, optional, type Params, requireForm } from '../http/params.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { idTokenFor } from '../oidc/id-token.ts'
import type { Context } from '../options/context.ts'
import type { GrantType } from '../store/store.ts'
import { currentKeys } from '../tokens/current-keys.ts'
import { runGrant } from './engine.ts'
import type { Issued } from './issue.ts'

/** What each grant cannot do without (RFC 6749 §4.1.3, §4.4.2, §6). */
const REQUIRED: Readonly<Record<GrantType, readonly string[]>> = {
  authorization_code: ['code'],
  client_credentials: [],
  refresh_token: ['refresh_token'],
}

/** POST /oauth/token: authenticate the client, run the grant (RFC 6749 §3.2). */
export async function token(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const params = requireForm(request)
  const grantType = readGrantType(params)
  // The client and the code at once: each is found by what the request itself says.
  const code = grantType === 'authorization_code' ? optional(params, 'code') : undefined
  const peeked = code === undefined ? undefined : context.store.oneTime.peek('code', sha256(code))
  peeked?.catch(() => {})
  const app = await authenticateClient(request, params, context)
  const resource = optional(params, 'resource')
  const audience = resource === undefined ? null : readAudience([resource], context.config)

  if (!app.grantTypes.includes(grantType))
    throw new OAuthError('unauthorized_client', `this app may not use the ${grantType} grant`)
  // RFC 6749 §4.4: a secret is the only thing that could prove an app acting for itself.
  if (grantType === 'client_credentials' && !app.confidential) {
    throw new OAuthError('unauthorized_client', 'a public app has no credentials to act with')
  }
  for (const name of REQUIRED[grantType]) one(params, name)

  // Before anything is spent: what a token must be signed with may not be there to be had.
  if (context.services.keys && grantType !== 'client_credentials') await currentKeys(context)
  const issued = await runGrant(grantType, { params, app, audience, peeked }, context)
  return json(200, {
    access_token: issued.accessToken,
    token_type: 'Bearer',
    expires_in: issued.expiresInSeconds,
    refresh_token: issued.refreshToken,
    scope: issued.scopes.join(' '),
    id_token: issued.grant.userId === null ? undefined : await idToken(issued, grantType, context),
  })
}

/**
 * A code whose ID token cannot be made leaves no token behind. A refresh may go without one (OpenID Connect Core §12.2):
 * the old token is spent, and nobody is to be logged out because a host's hook failed.
 */
async function idToken(issued: Issued, grantType: GrantType, context: Context): Promise<string | undefined> {
  try {
    return await idTokenFor(issued, context, { refreshed: grantType === 'refresh_token' })
  } catch (error) {
    const { log, store } = context.config
    if (grantType === 'refresh_token' && !(error instanceof OAuthError)) {
      log.error('an ID token could not be made; the refresh went without', error)
      return undefined
    }
    // Past the guard, whose time may be up.
    const revoke = async () => store.grants.revoke(issued.grant.id)
    await withTimeout(revoke, context.config.storeTimeoutMs, 'the store').catch(() => {})
    throw error
  }
}

function readGrantType(params: Params): GrantType {
  const grantType = one(params, 'grant_type')
  if (!Object.hasOwn(REQUIRED, grantType)) {
    throw new OAuthError('unsupported_grant_type', `grant_type must be one of ${Object.keys(REQUIRED).join(', ')}`)
  }
  return grantType as GrantType
}
