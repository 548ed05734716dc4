import { ConnectorError } from '../errors/connector-error.ts'
import type { Outbound } from '../outbound/outbound.ts'
import { checkOutboundUrl, OutboundError, type OutboundRules } from '../outbound/outbound-url.ts'
import type { Quirk } from './quirks.ts'

/** An outside provider, and the host's registration there: any OAuth 2 or OpenID Connect server. */
export interface Provider {
  /** The host's client id there. */
  readonly clientId: string
  /** The host's client secret there. Absent: the host is a public client. */
  readonly clientSecret?: string | undefined
  /** The scopes to ask for, as the provider spells them. With `openid`, the provider issues an ID token, which is verified. */
  readonly scopes: readonly string[]
  /** The provider's issuer, at which the missing `endpoints` are discovered (OpenID Connect Discovery §4, RFC 8414 §3). */
  readonly issuer?: string | undefined
  /** The provider's endpoints. Default: discovered. */
  readonly endpoints?: ProviderEndpoints | undefined
  /** How the host authenticates at the token endpoint. Default: as discovered, else `client_secret_post`; `none` without a secret. */
  readonly clientAuthentication?: 'client_secret_basic' | 'client_secret_post' | 'none' | undefined
  /** Whether to use PKCE with S256 (RFC 7636). Default true: providers without PKCE ignore it. */
  readonly pkce?: boolean | undefined
  /**
   * Whether ID tokens carry the `nonce` of the authorization request (OpenID Connect Core §3.1.3.7). Default true.
   *
   * `false` is weaker, and only for a provider whose ID tokens never have one, such as LinkedIn. Without PKCE as well, nothing
   * binds a code to its flow, so a thief can connect a stolen code to their own user.
   */
  readonly nonce?: boolean | undefined
  /** The separator of scopes. Default: a space (RFC 6749 §3.3). */
  readonly scopeSeparator?: string | undefined
  /** Further parameters of every authorization request. Default: none. */
  readonly authorizationParams?: Readonly<Record<string, string>> | undefined
  /** The redirect URI that is registered there. Default: `/connectors/oauth/callback` of this server. */
  readonly redirectUri?: string | undefined
  /**
   * Whether every refresh sends the scopes that were asked for at the connection, for a provider that requires it. Default
   * false: a refresh without `scope` keeps the granted scopes (RFC 6749 §6).
   */
  readonly scopeOnRefresh?: boolean | undefined
  /** The lifetime of an access token if the provider does not send one, in seconds. Default: until it is refused. */
  readonly accessTokenSeconds?: number | undefined
  /**
   * Names of further values to keep: fields of the token endpoint's answer (Salesforce's `instance_url`), or else parameters of
   * the callback (QuickBooks's `realmId`), of at most 1,024 characters. Sealed, and returned as `details` with each token.
   *
   * A parameter of the callback passes through the user's browser, so the user can change it: it proves nothing.
   */
  readonly keep?: readonly string[] | undefined
  /** The sites of a provider that has several, and names in the callback the one that has the account. Default: none. */
  readonly sites?: ProviderSites | undefined
  /** Departures from the standards that are corrected, in the order in which they apply to an answer. Default: none. */
  readonly quirks?: readonly Quirk[] | undefined
  /** Returns the issuer an ID token must have, if that depends on its claims (Entra ID). Default: `issuer`. */
  readonly expectedIssuer?: ((claims: Readonly<Record<string, unknown>>) => string) | undefined
  /** Revokes tokens at a provider without an RFC 7009 endpoint. Default: the revocation endpoint, if there is one. */
  readonly revoke?: ((tokens: RevocableTokens, call: ProviderCall) => Promise<void>) | undefined
}

/** URLs of a provider. Those that are absent are discovered. */
export interface ProviderEndpoints {
  /** The authorization endpoint. */
  readonly authorization?: string | undefined
  /** The token endpoint. */
  readonly token?: string | undefined
  /** The endpoint for refresh tokens. Default: `token`. */
  readonly refresh?: string | undefined
  /** The revocation endpoint (RFC 7009). */
  readonly revocation?: string | undefined
  /** The userinfo endpoint. */
  readonly userinfo?: string | undefined
  /** The public keys. */
  readonly jwks?: string | undefined
}

/**
 * The sites of a provider, such as the data centers of Zoho. A callback chooses one by name; only the addresses declared here
 * are ever called. The choice is stored, and applies to refreshes and revocation too.
 */
export interface ProviderSites {
  /** The callback's parameter that names the site. Without it, the provider's own `endpoints` are used; an unknown name is refused. */
  readonly parameter: string
  /** By name of the site: the endpoints that replace the provider's own. */
  readonly endpoints: Readonly<Record<string, ProviderEndpoints>>
}

/** A provider with which users sign in, through POST /userAccount/oauth/exchange. */
export interface SignInProvider extends Provider {
  /** The redirect URIs that the front end may have used; compared byte for byte. */
  readonly redirectUris: readonly string[]
  /** The domains whose addresses may sign in, in lower case: for an organisation that has its own provider. Default: any. */
  readonly emailDomains?: readonly string[] | undefined
  /** Reads the user's verified addresses, if the provider's ID tokens lack them. Default: `email` with `email_verified`. */
  readonly verifiedEmails?: ((accessToken: string, call: ProviderCall) => Promise<readonly string[]>) | undefined
}

/** Tokens to revoke at a provider. */
export interface RevocableTokens {
  /** The access token. */
  readonly accessToken: string
  /** The refresh token; undefined if the provider issued none. */
  readonly refreshToken: string | undefined
  /** The host's client id there. */
  readonly clientId: string
  /** The host's client secret there. */
  readonly clientSecret: string | undefined
}

/** Calls the provider under the rules of every outbound request: https, public addresses, no redirects, 10 s, 1 MiB. */
export type ProviderCall = Outbound['fetch']

/** Tells whether the provider issues ID tokens, which are verified. */
export function isOpenId({ issuer, scopes }: Provider): boolean {
  return issuer !== undefined && scopes.includes('openid')
}

/** Returns the provider with the endpoints of one of its sites; null: its own. Throws ConnectorError `not_configured` for an unknown site. */
export function atSite(provider: Provider, site: string | null): Provider {
  if (site === null) return provider
  const { endpoints = {} } = provider.sites ?? {}
  if (!Object.hasOwn(endpoints, site))
    throw new ConnectorError(
      'not_configured',
      'the site of the provider at which the account was connected is not among its sites',
    )
  return { ...provider, endpoints: { ...provider.endpoints, ...endpoints[site] } }
}

/** Lists every problem of a provider's configuration, for the person who configures it; empty if it has none. Makes no requests. */
export function checkProvider(provider: Provider, rules: Partial<OutboundRules> = {}): readonly string[] {
  const problems: string[] = []
  const { clientId, clientSecret, endpoints = {}, issuer, scopes } = provider
  if (typeof clientId !== 'string' || clientId === '') problems.push('clientId must be the id the provider gave you')
  if (clientSecret !== undefined && (typeof clientSecret !== 'string' || clientSecret === ''))
    problems.push('clientSecret must not be empty')
  if (!Array.isArray(scopes) || scopes.some(scope => typeof scope !== 'string'))
    problems.push('scopes must be an array of strings')
  if (provider.clientAuthentication === 'none' && clientSecret !== undefined)
    problems.push('clientAuthentication none goes with no clientSecret')
  for (const name of ['nonce', 'pkce', 'scopeOnRefresh'] as const)
    if (!['boolean', 'undefined'].includes(typeof provider[name])) problems.push(`${name} must be true or false`)
  if (clientSecret === undefined && provider.pkce === false) problems.push('without a clientSecret, pkce must be on')
  if (issuer === undefined && (endpoints.authorization === undefined || endpoints.token === undefined))
    problems.push('issuer, or endpoints.authorization and endpoints.token, must say where the provider is')
  if (scopes?.includes?.('openid') && issuer === undefined) problems.push('the scope openid needs issuer')
  if (provider.sites !== undefined && typeof provider.sites?.parameter !== 'string')
    problems.push('sites must have a parameter, the name of that of the callback')
  const sites = Object.entries(provider.sites?.endpoints ?? {}).flatMap(([site, own]) =>
    Object.entries(own ?? {}).map(([name, url]) => [`sites ${site}: ${name}`, url] as const),
  )
  for (const [name, url] of [...Object.entries({ issuer, ...endpoints }), ...sites]) {
    if (url === undefined) continue
    try {
      checkOutboundUrl(url, { allowLoopback: false, ...rules })
    } catch (error) {
      problems.push(`${name}: ${error instanceof OutboundError ? error.message : 'it is not a URL'}`)
    }
  }
  return problems
}
