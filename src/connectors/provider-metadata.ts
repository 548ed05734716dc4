import * as oauth from 'oauth4webapi'
import type { EpochMs } from '../base/time.ts'
import { TtlCache } from '../base/ttl-cache.ts'
import { ConnectorError } from '../errors/connector-error.ts'
import type { OutboundRules } from '../outbound/outbound-url.ts'
import { checkProvider, isOpenId, type Provider, type ProviderCall } from './provider.ts'
import { withConnectorErrors } from './upstream-errors.ts'

/** Options with which oauth4webapi calls a provider. */
export interface RequestOptions {
  readonly [oauth.customFetch]: ProviderCall
  readonly [oauth.allowInsecureRequests]: boolean
}

export interface ProviderMetadataOptions extends OutboundRules {
  readonly now: () => EpochMs
  readonly requestOptions: () => RequestOptions
}

/** How long a provider's metadata are cached, in milliseconds. */
const DISCOVERY_MS = 3_600_000

/** The shortest time between two rereads of one provider's keys after a failed signature, in milliseconds. */
const FORGET_MS = 60_000

/** Cache of providers' metadata (RFC 8414, OpenID Connect Discovery) and signing keys. */
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
   * Returns a provider's metadata: discovered if it has an issuer, and overridden by the host's own `endpoints`.
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
      // oauth4webapi requires an issuer, and compares it only if the provider sends one: without one, use the token endpoint.
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

  /** Returns the key cache of a provider, whose freshness oauth4webapi manages. */
  keysOf(provider: Provider): oauth.JWKSCacheInput {
    const id = keySetOf(provider)
    const known = this.#keys.get(id, this.#now()) ?? {}
    this.#keys.set(id, known, this.#now() + DISCOVERY_MS)
    return known
  }

  /**
   * Evicts the keys and the metadata of a provider that seems to have replaced them. False, and nothing evicted, if that happened
   * less than a minute ago: bad ID tokens must not cause unlimited reads.
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

/** Returns the cache key of a provider's keys: their address, or the issuer whose metadata name it. */
function keySetOf({ endpoints, issuer = '' }: Provider): string {
  return endpoints?.jwks ?? issuer
}

function defined<T extends object>(values: T): { [Name in keyof T]?: NonNullable<T[Name]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never
}
