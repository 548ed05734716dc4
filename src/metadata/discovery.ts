import { RESPONSE_MODES } from '../authorize/authorization-response.ts'
import { PROMPTS } from '../authorize/request.ts'
import type { ClientAuthentication } from '../clients/authenticate/method.ts'
import { provesItself } from '../clients/client-facts.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { claimsOfScopes } from '../oidc/claims.ts'
import type { Config } from '../options/config.ts'
import type { Context } from '../options/context.ts'
import { currentKeys } from '../tokens/current-keys.ts'
import type { Keys } from '../tokens/keys.ts'

/** GET /.well-known/oauth-authorization-server and /.well-known/openid-configuration (RFC 8414 §3). */
export async function metadata(_request: HttpRequest, context: Context): Promise<HttpResponse> {
  const keys = context.services.keys ? await currentKeys(context) : null
  return {
    status: 200,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'public, max-age=300' },
    body: JSON.stringify(describe(context, keys)),
  }
}

/** The file name of the public keys, below `/.well-known/`. */
export const JWKS_DOCUMENT = 'jwks.json'

/** Lists only what works, because clients choose by it. */
function describe({ config, services }: Context, keys: Keys | null): object {
  const wireNames = (methods: readonly ClientAuthentication[]) => methods.flatMap(({ wireNames }) => wireNames)
  const methods = services.clientAuthentication
  const proving = methods.filter(({ name }) => provesItself({ authMethod: name }))
  const algorithms = methods.flatMap(({ algorithms }) => algorithms ?? [])
  const at = (path: string) => `${config.origin}${config.mountPath}${path}`
  return {
    issuer: config.issuer,
    authorization_endpoint: at('/oauth/authorize'),
    token_endpoint: at('/oauth/token'),
    device_authorization_endpoint: config.devices ? at('/oauth/device_authorization') : undefined,
    revocation_endpoint: at('/oauth/revoke'),
    introspection_endpoint: at('/oauth/introspect'),
    pushed_authorization_request_endpoint: at('/oauth/par'),
    require_pushed_authorization_requests: config.requirePushedAuthorizationRequests,
    registration_endpoint: config.clients?.registration ? at('/oauth/register') : undefined,
    client_id_metadata_document_supported: config.clients?.documents ? true : undefined,
    scopes_supported: [...config.scopes.keys(), 'offline_access'],
    response_types_supported: ['code'],
    response_modes_supported: RESPONSE_MODES,
    grant_types_supported: [...services.grants.keys()],
    token_endpoint_auth_methods_supported: wireNames(methods),
    token_endpoint_auth_signing_alg_values_supported: algorithms,
    revocation_endpoint_auth_methods_supported: wireNames(methods),
    revocation_endpoint_auth_signing_alg_values_supported: algorithms,
    introspection_endpoint_auth_methods_supported: wireNames(proving),
    // RFC 9449 §5.1
    dpop_signing_alg_values_supported: config.dpop === 'off' ? undefined : services.proofs.algorithms,
    introspection_endpoint_auth_signing_alg_values_supported: algorithms,
    code_challenge_methods_supported: config.allowPlainPkce ? ['S256', 'plain'] : ['S256'],
    authorization_response_iss_parameter_supported: true,
    claims_parameter_supported: keys !== null,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    acr_values_supported: config.acrValues.length > 0 ? config.acrValues : undefined,
    ...(keys && {
      jwks_uri: at(`/.well-known/${JWKS_DOCUMENT}`),
      userinfo_endpoint: at('/oauth/userinfo'),
      backchannel_logout_supported: true,
      backchannel_logout_session_supported: true,
      end_session_endpoint: config.logoutUrl === null ? undefined : at('/oauth/logout'),
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: keys.algorithms,
      claim_types_supported: ['normal'],
      claims_supported: ['sub', ...new Set(config.claims ? claimsOfScopes([...config.scopes.keys()], config) : [])],
      prompt_values_supported: PROMPTS,
    }),
  }
}

/**
 * Lists every path at which clients look for a document (RFC 8414 §3.1, §5; OpenID Connect Discovery §4):
 * at the root, inserted before the issuer's path, and appended to it or to the mount path. Without what a proxy removes.
 */
export function wellKnownPaths(
  name: string,
  { issuer, mountPath, origin, proxyPath }: Pick<Config<never>, 'issuer' | 'origin' | 'mountPath' | 'proxyPath'>,
): readonly string[] {
  const document = `/.well-known/${name}`
  const prefixes = [issuer.slice(origin.length), mountPath].filter(path => path !== '')
  const paths = [document, ...prefixes.flatMap(path => [`${document}${path}`, `${path}${document}`])]
  return [...new Set(paths.map(path => (path.startsWith(`${proxyPath}/`) ? path.slice(proxyPath.length) : path)))]
}
