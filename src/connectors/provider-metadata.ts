import * as oauth from 'oauth4webapi'
import type { EpochMs } from '../base/time.ts'
import { TtlCache } from '../base/ttl-cache.ts'
import { ConnectorError } from '../errors/connector-error.ts'
import type { OutboundRules } from '../outbound/outbound-url.ts'
import { checkProvider, isOpenId, type Provider, type ProviderCall } from './provider.ts'
import { withConnectorErrors } from './upstream-errors.ts'

/** How oauth4webapi reaches a provider. */
export interface RequestOptions {
  readonly [oauth.customFetch]: ProviderCall
  readonly [oauth.allowInsecureRequests]: boolean
}

export interface ProviderMetadataOptions extends OutboundRules {
  readonly now: () => EpochMs
  readonly requestOptions: () => RequestOptions
}

/** How long what a provider says of itself is believed, in milliseconds. */
const DISCOVERY_MS = 3_600_000

/** How often the keys of one provider are read again because an ID token did not fit them, in milliseconds. */
const FORGET_MS = 60_000

/** What providers say of themselves (RFC 8414, OpenID Connect Discovery), and the keys that they sign with. */
export class ProviderMetadata {
  readonly #discovered = new TtlCache<oauth.AuthorizationServer>(100)
  readonly #forgotten = new TtlCache<true>(100)
  readonly #keys = new TtlCache<oauth.JWKSCacheInput>(100)
  readonly #now: () => EpochMs
  readonly #requestOptions: () => RequestOptions
  readonly #rules: OutboundRules

  constructor({ now, requestOptions, ...rules }: ProviderMetadataOptions) {
    this.#rules = rules
    this.#now = now
    this.#requestOptions = requestOptions
  }

  /**
   * A provider's own metadata, discovered where there is an issuer, with what the host says itself on top.
   * Rejects with ConnectorError.
   */
  async of(provider: Provider): Promise<oauth.AuthorizationServer> {
    const problems = checkProvider(provider, this.#rules)
    if (problems.length > 0) throw new ConnectorError('not_configured', `the provider cannot work: ${problems.join('; ')}`)
    const { endpoints = {}, issuer } = provider
    const complete = endpoints.authorization && endpoints.token && (endpoints.jwks || !isOpenId(provider))
    const found = issuer === undefined || complete ? undefined : await this.#discover(issuer)
    const token = endpoints.token ?? found?.token_endpoint
    return {
      ...found,
      // What is only compared where the provider names it: without an issuer, the address of its token endpoint stands for it.
      issuer: found?.issuer ?? issuer ?? String(token),
      ...defined({
        authorization_endpoint: endpoints.authorization,
        token_endpoint: endpoints.token,
        revocation_endpoint: endpoints.revocation,
        userinfo_endpoint: endpoints.userinfo,
        jwks_uri: endpoints.jwks,
      }),
    }
  }

  /** Keys that were read are kept: oauth4webapi decides when to read them again. */
  keysOf(provider: Provider): oauth.JWKSCacheInput {
    const id = keySetOf(provider)
    const known = this.#keys.get(id, this.#now()) ?? {}
    this.#keys.set(id, known, this.#now() + DISCOVERY_MS)
    return known
  }

  /**
   * Forgets the keys and the metadata of a provider that seems to have replaced them. False, and nothing forgotten, if that was
   * done less than a minute ago: whoever can make a provider issue bad ID tokens must not make us read its keys without limit.
   */
  forget(provider: Provider): boolean {
    const id = keySetOf(provider)
    if (this.#forgotten.get(id, this.#now())) return false
    this.#forgotten.set(id, true, this.#now() + FORGET_MS)
    this.#keys.delete(id)
    if (provider.issuer !== undefined) this.#discovered.delete(provider.issuer)
    return true
  }

  async #discover(issuer: string): Promise<oauth.AuthorizationServer> {
    const known = this.#discovered.get(issuer, this.#now())
    if (known) return known
    const found = await withConnectorErrors(async () => {
      const url = new URL(issuer)
      for (const algorithm of ['oidc', 'oauth2'] as const) {
        const response = await oauth.discoveryRequest(url, { ...this.#requestOptions(), algorithm })
        if (response.status === 200 || algorithm === 'oauth2') return oauth.processDiscoveryResponse(url, response)
      }
      throw new ConnectorError('invalid_response', 'the provider has no metadata')
    })
    this.#discovered.set(issuer, found, this.#now() + DISCOVERY_MS)
    return found
  }
}

/** Which keys: those at an address, or those that an issuer's metadata name. */
function keySetOf({ endpoints, issuer = '' }: Provider): string {
  return endpoints?.jwks ?? issuer
}

function defined<T extends object>(values: T): { [Name in keyof T]?: NonNullable<T[Name]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never
}
