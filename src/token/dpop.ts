import { ownUrl, requireProof } from '../bearer/proof.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { optional, type Params } from '../http/params.ts'
import type { HttpRequest } from '../http/types.ts'
import type { Context } from '../options/context.ts'
import { type DpopProof, invalidProof, isThumbprint } from '../tokens/dpop-proof.ts'

/**
 * Checks the proof of a token request: its tokens are bound to the key. Called once the client is authenticated, and before
 * anything is spent. Rejects with OAuthError `invalid_dpop_proof` or `use_dpop_nonce`, or with StoreError.
 */
export async function proofOf(request: HttpRequest, path: string, context: Context): Promise<DpopProof> {
  const { config } = context
  // An app that may have nothing but bound tokens, on a server that binds none: it gets none.
  if (config.dpop === 'off')
    throw new OAuthError('unauthorized_client', 'this app needs bound tokens, which this server does not issue')
  return requireProof(request, { method: 'POST', urls: [ownUrl(path, config)] }, context)
}

/**
 * Reads the key to which an authorization request binds its code (RFC 9449 §10); undefined if it names none. Throws OAuthError
 * `invalid_request`.
 */
export function readCodeKey(params: Params, { config }: Pick<Context, 'config'>): string | undefined {
  const jkt = config.dpop === 'off' ? undefined : optional(params, 'dpop_jkt')
  if (jkt !== undefined && !isThumbprint(jkt))
    throw new OAuthError('invalid_request', 'dpop_jkt must be the SHA-256 thumbprint of a key, in base64url')
  return jkt
}

/**
 * Reads the key to which a pushed authorization request binds its code (RFC 9449 §10.1): that of `dpop_jkt`, or of a proof beside
 * the request, which must agree; undefined if it names none. `path` is that of the route. What it returns belongs into the pushed
 * parameters as `dpop_jkt`. Rejects with OAuthError, or with StoreError.
 */
export async function readPushedKey(
  request: HttpRequest,
  params: Params,
  path: string,
  context: Context,
): Promise<string | undefined> {
  const named = readCodeKey(params, context)
  if (request.headers.dpop === undefined || context.config.dpop === 'off') return named
  const { jkt } = await proofOf(request, path, context)
  if (named !== undefined && named !== jkt) throw invalidProof('is of another key than dpop_jkt names')
  return jkt
}
