import { OAuthError } from '../../errors/oauth-error.ts'
import type { Params } from '../../http/params.ts'
import type { HttpRequest } from '../../http/types.ts'
import type { Context } from '../../options/context.ts'
import type { App } from '../../store/store.ts'
import { findClient } from '../find-client.ts'
import { clientRefused } from './client-refused.ts'
import type { ClientAuthentication, ClientRequest, Presented } from './method.ts'
import { none } from './none.ts'

/**
 * Authenticates the client of a request by exactly one method (RFC 6749 §2.3), the one for which the app is registered.
 * Rejects with OAuthError `invalid_client`, with the same description whether the app is unknown, suspended, deleted,
 * registered for another method or sent a wrong secret; with `invalid_request` for several methods at once; or with StoreError.
 */
export async function authenticateClient(
  { headers }: HttpRequest,
  params: Params,
  { now, services, store }: Pick<Context, 'now' | 'services' | 'store'>,
): Promise<App> {
  const { method, presented } = presentedBy({ headers, params }, services.clientAuthentication)
  const app = await findClient(presented.clientId, store)
  const proven = method.prove(app?.authMethod === method.name ? app : undefined, presented, now)
  // Most methods are synchronous: `await` only a promise, since `await` defers each token request by a microtask.
  if (!(proven === true || (typeof proven !== 'boolean' && (await proven)))) throw clientRefused()
  if (app?.status !== 'active' || app.authMethod !== method.name) throw clientRefused()
  return app
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
    const presented = method.present(request)
    if (!presented) continue
    if (claim) throw new OAuthError('invalid_request', 'the request authenticates the client in more than one way')
    claim = { method, presented }
  }
  if (claim) return claim
  // An Authorization header that no method reads is a wrong credential, not an absent one.
  if (request.headers.authorization !== undefined) throw clientRefused()
  const named = none.present(request)
  if (!named) throw new OAuthError('invalid_client', 'client_id is missing: send it in the body or as HTTP Basic')
  return { method: none, presented: named }
}
