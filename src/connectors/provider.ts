import { ConnectorError } from '../errors/connector-error.ts'
import type { Outbound } from '../outbound/outbound.ts'
import { checkOutboundUrl, OutboundError, type OutboundRules } from '../outbound/outbound-url.ts'
import type { Quirk } from './quirks.ts'

/** An outside provider, as the host is registered there: any OAuth 2 or OpenID Connect server. */
export interface Provider {
  readonly clientId: string
  /** Absent: the host is a public client there. */
  readonly clientSecret?: string | undefined
  /** What to ask for, as the provider spells it. `openid` makes the provider say who the user is, and that is verified. */
  readonly scopes: readonly string[]
  /** The provider's issuer: what `endpoints` leaves out is discovered (OpenID Connect Discovery §4, RFC 8414 §3). */
  readonly issuer?: string | undefined
  readonly endpoints?: ProviderEndpoints | undefined
  /** How the host authenticates at the token endpoint. Default: as discovered, else `client_secret_post`; `none` without a secret. */
  readonly clientAuthentication?: 'client_secret_basic' | 'client_secret_post' | 'none' | undefined
  /** PKCE with S256 (RFC 7636). Default true: providers that do not know it ignore it. */
  readonly pkce?: boolean | undefined
  /**
   * Whether ID tokens carry the `nonce` of the authorization request (OpenID Connect Core §3.1.3.7). Default true.
   *
   * `false` is weaker, and only for a provider whose ID tokens never have one, such as LinkedIn: without PKCE as well, nothing
   * shows that a code was issued for this flow, so a stolen code can be connected to the thief's own user.
   */
  readonly nonce?: boolean | undefined
  /** Between scopes. Default a space, as RFC 6749 §3.3 has it. */
  readonly scopeSeparator?: string | undefined
  /** Added to every authorization request. */
  readonly authorizationParams?: Readonly<Record<string, string>> | undefined
  /** Where the provider sends the browser. Default: `/connectors/oauth/callback` of this server. */
  readonly redirectUri?: string | undefined
  /**
   * Send the scopes that were asked for at the connection with every refresh, for a provider that requires them. Default false:
   * a refresh without `scope` is for what was granted (RFC 6749 §6).
   */
  readonly scopeOnRefresh?: boolean | undefined
  /** How long an access token lives where the provider does not say, in seconds. Default: until it is refused. */
  readonly accessTokenSeconds?: number | undefined
  /**
   * What else the host needs, such as Salesforce's `instance_url`: fields of the token endpoint's answer, or else parameters of
   * the callback (QuickBooks's `realmId`), of at most 1,024 characters. Sealed, and given as `details` with each token.
   *
   * A parameter of the callback passes through the user's browser, so the user can change it: it is not a proof of anything.
   */
  readonly keep?: readonly string[] | undefined
  /** Where the provider has several sites, and says in the callback which of them has the account. */
  readonly sites?: ProviderSites | undefined
  /** What the provider does otherwise than the standards; in the order in which they mend an answer. */
  readonly quirks?: readonly Quirk[] | undefined
  /** The issuer an ID token must have, where it depends on what the token says (Entra ID). Default: `issuer`. */
  readonly expectedIssuer?: ((claims: Readonly<Record<string, unknown>>) => string) | undefined
  /** Ends a token at the provider where it has no RFC 7009 endpoint. */
  readonly revoke?: ((tokens: RevocableTokens, call: ProviderCall) => Promise<void>) | undefined
}

export interface ProviderEndpoints {
  readonly authorization?: string | undefined
  readonly token?: string | undefined
  /** Where refresh tokens are sent, if not to `token`. */
  readonly refresh?: string | undefined
  readonly revocation?: string | undefined
  readonly userinfo?: string | undefined
  readonly jwks?: string | undefined
}

/**
 * The sites of a provider, such as the data centers of Zoho. A callback chooses one by name; only the addresses declared here
 * are ever called. The choice is kept, and holds for refreshes and revocation too.
 */
export interface ProviderSites {
  /** The parameter of the callback that names the site. Without it, `endpoints` of the provider count; an unknown name is refused. */
  readonly parameter: string
  /** By that name: what the site has in place of the provider's own `endpoints`. */
  readonly endpoints: Readonly<Record<string, ProviderEndpoints>>
}

/** A provider people sign in with, through POST /userAccount/oauth/exchange. */
export interface SignInProvider extends Provider {
  /** Where the front end may have been sent back to; compared byte for byte. */
  readonly redirectUris: readonly string[]
  /** Only addresses of these domains, in lower case: where an organisation has a provider of its own. Default: any. */
  readonly emailDomains?: readonly string[] | undefined
  /** The user's verified addresses, where the provider has no ID token that says so. Default: `email` with `email_verified`. */
  readonly verifiedEmails?: ((accessToken: string, call: ProviderCall) => Promise<readonly string[]>) | undefined
}

export interface RevocableTokens {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly clientId: string
  readonly clientSecret: string | undefined
}

/** Calls the provider under the rules of every outbound request: https, public addresses, no redirects, 10 s, 1 MiB. */
export type ProviderCall = Outbound['fetch']

/** Whether it answers with ID tokens, which are verified. */
export function isOpenId({ issuer, scopes }: Provider): boolean {
  return issuer !== undefined && scopes.includes('openid')
}

/** The provider with the endpoints of one of its sites; null: with its own. Throws ConnectorError `not_configured` for an unknown site. */
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

/** What is wrong with a provider, in words for whoever configures it: every problem, or none. Nothing is called. */
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
