import { z } from 'zod'
import { randomId, sha256 } from '../base/crypto.ts'
import { ApiError } from '../errors/api-error.ts'
import { checkQuery } from '../http/check-input.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Connectors } from '../options/connectors.ts'
import type { SignedInContext } from '../options/context.ts'
import { browserCookie } from './browser-cookie.ts'
import { callbackUrl } from './callback-url.ts'
import { requireConnectors } from './credentials.ts'
import { findProvider } from './find-provider.ts'
import type { Provider } from './provider.ts'
import { isOpenId } from './provider.ts'

/** Ten minutes, for the user to sign in at the provider. */
const STATE_SECONDS = 600

export const authorizeConnectorQuery = z.strictObject({
  baseUrl: z.string().max(2048).optional().describe('The front end to return to: one of those the server knows.'),
})

/** GET /connectors/{connectorId}/oauth/authorize: returns the URL to which to send the browser to connect an outside account. */
export async function authorizeConnector(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const { config, now, principal, store } = context
  const { connectors, upstreams } = requireConnectors(context)
  const { baseUrl } = checkQuery(authorizeConnectorQuery, request)
  const returnTo = readBaseUrl(baseUrl, connectors)
  const connectorId = request.params.connectorId ?? ''
  const provider = await providerOf(connectorId, context)

  // The state ends with the connector's id, as documented. The callback reads only the record stored under the state.
  const state = `${randomId(32)}.${Buffer.from(connectorId).toString('base64url')}`
  const codeVerifier = provider.pkce === false ? null : randomId(32)
  const nonce = isOpenId(provider) && provider.nonce !== false ? randomId(16) : null
  const redirectUri = provider.redirectUri ?? callbackUrl(config)
  const codeChallenge = codeVerifier === null ? null : sha256(codeVerifier)
  const authorizationUrl = await upstreams.authorizationUrl(provider, { redirectUri, state, codeChallenge, nonce })
  const binding = connectors.unboundCallbacks ? null : browserCookie(state, STATE_SECONDS, config)

  await context.services.limits.count('screens', [principal.orgId, principal.userId, 'connector'], store)
  const { orgId, userId } = principal
  await store.oneTime.put({
    kind: 'connector_state',
    id: sha256(state),
    expiresAt: now + STATE_SECONDS * 1000,
    data: { connectorId, userId, orgId, redirectUri, codeVerifier, nonce, binding: binding && sha256(binding.value), returnTo },
  })
  return json(200, { success: true, authorizationUrl, state }, binding ? { 'set-cookie': binding.header } : {})
}

async function providerOf(connectorId: string, { config, principal }: SignedInContext): Promise<Provider> {
  const provider = await findProvider(connectorId, principal, config)
  if (provider === null) throw new ApiError('NOT_FOUND', 'there is no such connector')
  if (provider === 'no-oauth') throw new ApiError('VALIDATION_ERROR', 'this connector is not connected by OAuth')
  return provider
}

/** Reads the front end to return to. Throws VALIDATION_ERROR unless it is one of the option `baseUrls`. */
function readBaseUrl(baseUrl: string | undefined, { baseUrls }: Connectors): string {
  if (baseUrl === undefined) return baseUrls[0]
  const known = baseUrls.find(origin => origin === baseUrl.replace(/\/$/, ''))
  if (known === undefined) throw new ApiError('VALIDATION_ERROR', 'baseUrl is not a front end of this server')
  return known
}
