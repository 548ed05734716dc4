import { resourceMetadataUrl } from '../http/resource-metadata-url.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Config } from '../options/config.ts'
import type { Context } from '../options/context.ts'
import { scopesOfResources } from '../options/scopes.ts'

/** Lists the protected-resource documents of this server: the resources on its own origin, by the path of their document. */
export function resourceDocuments({
  origin,
  resources,
}: Pick<Config<never>, 'origin' | 'resources'>): ReadonlyMap<string, string> {
  const known = resources.filter(resource => new URL(resource).origin === origin)
  // Clients also look at the root of an origin, so the origin itself has a document too.
  const own = new Set(known.length > 0 ? [origin, ...known] : [])
  return new Map([...own].map(resource => [new URL(resourceMetadataUrl(resource)).pathname, resource]))
}

/** GET /.well-known/oauth-protected-resource…: names the server that issues tokens for a resource; a 401 links here (RFC 9728 §2). */
export function resourceMetadata(resource: string): (request: HttpRequest, context: Context) => Promise<HttpResponse> {
  return async (_request, { config, services }) => ({
    status: 200,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'public, max-age=300' },
    body: JSON.stringify({
      resource,
      authorization_servers: [config.issuer],
      // Without the scopes of OpenID Connect: they are for the app itself, and clients often ask for every scope of this list.
      scopes_supported: scopesOfResources(config.scopes),
      bearer_methods_supported: ['header'],
      dpop_signing_alg_values_supported: config.dpop === 'off' ? undefined : services.proofs.algorithms,
      dpop_bound_access_tokens_required: config.dpop === 'required' ? true : undefined,
    }),
  })
}
