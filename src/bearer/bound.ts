import { InsufficientScope } from '../errors/insufficient-scope.ts'
import type { HttpRequest } from '../http/types.ts'
import { type BearerRequirements, type BearerToken, findBearer } from './bearer.ts'
import { nextNonce, type ProofContext, requireProof } from './proof.ts'

/** A bound token that was presented with a proof of its key. */
export interface ProvenToken {
  readonly found: BearerToken
  /** Headers for the answer: the next nonce, if it is due. */
  readonly headers: Readonly<Record<string, string>> | undefined
}

/**
 * Finds an access token of the scheme `DPoP` as {@link findBearer} finds a bearer token, and checks the proof beside it
 * (RFC 9449 §7.1). `urls` are those at which clients may have sent the request. The token's scopes are compared last, so that
 * nobody without its key learns them.
 */
export async function findBound(
  token: string,
  { headers, method }: Pick<HttpRequest, 'headers' | 'method'>,
  { resource, scopes, urls }: BearerRequirements & { readonly urls: readonly string[] },
  context: ProofContext,
): Promise<ProvenToken> {
  const found = await findBearer(token, { ...(resource !== undefined && { resource }), scopes: [], bound: true }, context)
  const { jkt = '', scopes: own } = found.token
  const proof = await requireProof({ headers }, { method, urls, bound: { token, jkt } }, context)
  if (!scopes.every(scope => own.includes(scope))) throw new InsufficientScope(scopes, own)
  return { found, headers: nextNonce(proof, context) }
}
