import { z } from 'zod'
import { ApiError } from '../errors/api-error.ts'
import { ConnectorError } from '../errors/connector-error.ts'
import { checkJson } from '../http/check-input.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { SignedInContext } from '../options/context.ts'
import { callbackUrl } from './callback-url.ts'
import { credentialKey, keepConnected, requireConnectors } from './credentials.ts'
import { findProvider } from './find-provider.ts'

export const workspaceInput = z.strictObject({ code: z.string().min(1).max(4096) })

/**
 * POST /connectors/getTokenFromCode: redeems a code that the front end got from Google Workspace itself.
 * There is no state and no PKCE to check, so only admins may call it.
 */
export async function exchangeWorkspaceCode(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const { config, events, now, principal } = context
  const { connectors, upstreams } = requireConnectors(context)
  const { code } = checkJson(workspaceInput, request)
  const { connectorId, redirectUri } = connectors.googleWorkspace ?? { connectorId: '', redirectUri: null }
  const provider = connectors.googleWorkspace ? await findProvider(connectorId, principal, config) : null
  if (provider === null || provider === 'no-oauth') throw new ApiError('NOT_FOUND', 'Google Workspace is not configured')

  const exchange = {
    code,
    redirectUri: redirectUri ?? callbackUrl(config),
    codeVerifier: null,
    nonce: 'unknown',
    iss: 'unknown',
  } as const
  const tokens = await upstreams.exchangeCode(provider, exchange).catch(error => {
    const refused = error instanceof ConnectorError && error.code === 'provider_refused'
    throw refused ? new ApiError('VALIDATION_ERROR', 'Google refused the code', [], { cause: error }) : error
  })
  await keepConnected(tokens, { key: credentialKey(connectorId, principal, connectors), provider }, context)
  const { orgId, userId } = principal
  events.emit({ type: 'connector_connected', at: now, connectorId, orgId, userId })
  return json(200, { success: true, message: 'Google Workspace is connected' })
}
