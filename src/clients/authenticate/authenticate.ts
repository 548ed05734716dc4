import { OAuthError } from '../../errors/oauth-error.ts'
import { optional, type Params } from '../../http/params.ts'
import type { HttpRequest } from '../../http/types.ts'
import type { Context } from '../../options/context.ts'
import type { App } from '../../store/store.ts'
import { findClient } from '../find-client.ts'
import { clientRefused } from './client-refused.ts'
import { clientSecret } from './client-secret.ts'
import type { ClientAuthentication, ClientRequest, Presented } from './method.ts'
import { none } from './none.ts'

/**
 * Authenticates the client of a request by exactly one method (RFC 6749 §2.3), the one for which the app is registered.
 * Rejects with OAuthError `invalid_client`, with the same description whether the app is unknown, suspended, deleted,
 * registered for another method or sent a wrong secret; with `invalid_request` for several methods at once; with RateLimitError where
 * this client has failed too often from this address; or with StoreError.
 */
export async function authenticateClient(
  { headers, ip }: HttpRequest,
  params: Params,
  context: Pick<Context, 'now' | 'services' | 'store'>,
): Promise<App> {
  const { services, store } = context
  const { method, presented } = presentedBy({ headers, params }, services.clientAuthentication)
  const { clientId } = presented
  const { limits } = services
  if (limits.state.exhausted) limits.checkFailures('clientFailures', [clientId], ip)
  const app = await findClient(presented.clientId, store)
  const proven = method.prove(app?.authMethod === method.name ? app : undefined, presented, context)
  // Most methods are synchronous: `await` only a promise, since `await` defers each token request by a microtask.
  const isProven = proven === true || (typeof proven !== 'boolean' && (await proven))
  if (isProven && app?.status === 'active' && app.authMethod === method.name) return app
  await limits.countFailure('clientFailures', [clientId], ip, store)
  throw clientRefused()
}

interface Claim {
  readonly method: ClientAuthentication
  readonly presented: Presented
}

/** Finds the method that a request uses. `none` counts only if the request uses no other, because every client may name itself. */
function presentedBy(request: ClientRequest, methods: readonly ClientAuthentication[]): Claim {
  let claim: Claim | undefined
  for (const method of methods) {
    if (method === none) continue
    // A method of the host's may read assertions of its own, which look the same.
    if (claim && method.name === 'private_key_jwt') continue
    const presented = method.present(request)
    if (!presented) continue
    if (claim) throw moreThanOneWay()
    claim = { method, presented }
  }
  const claimed = claim ?? nameOnly(request, methods)
  requireNothingElse(claimed, request)
  return claimed
}

function nameOnly(request: ClientRequest, methods: readonly ClientAuthentication[]): Claim {
  // Credentials that no method knows are wrong ones, not none.
  if (request.headers.authorization !== undefined || hasAssertion(request) || !methods.includes(none)) throw clientRefused()
  const presented = none.present(request)
  if (!presented) throw new OAuthError('invalid_client', 'client_id is missing: send it in the body or as HTTP Basic')
  return { method: none, presented }
}

/** RFC 6749 §2.3: beside what one method presents there is nothing of another method, nor of another client. */
function requireNothingElse({ method, presented }: Claim, request: ClientRequest): void {
  const { params } = request
  const clientId = optional(params, 'client_id')
  if (clientId !== undefined && clientId !== presented.clientId)
    throw new OAuthError('invalid_request', 'client_id in the body is not the client that the request authenticates')
  if (method === clientSecret) {
    if (hasAssertion(request)) throw moreThanOneWay()
  } else if (optional(params, 'client_secret') !== undefined) throw moreThanOneWay()
  if (method.name === 'private_key_jwt' && request.headers.authorization !== undefined) throw moreThanOneWay()
}

function hasAssertion({ params }: ClientRequest): boolean {
  return optional(params, 'client_assertion') !== undefined || optional(params, 'client_assertion_type') !== undefined
}

function moreThanOneWay(): OAuthError {
  return new OAuthError('invalid_request', 'the request authenticates the client in more than one way')
}
