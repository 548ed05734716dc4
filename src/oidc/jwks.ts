import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Context } from '../options/context.ts'
import { currentKeys } from '../tokens/current-keys.ts'

/** GET /.well-known/jwks.json: the public keys (RFC 7517 §5). Cached for less time than a new key is published before it signs. */
export async function jwks(_request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { maxAgeSeconds, published } = await currentKeys(context)
  return {
    status: 200,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': `public, max-age=${maxAgeSeconds}` },
    body: JSON.stringify({ keys: published.map(({ publicJwk }) => publicJwk) }),
  }
}
