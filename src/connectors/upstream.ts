import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import type { EpochMs } from '../base/time.ts'
import { ConnectorError } from '../errors/connector-error.ts'
import type { Outbound } from '../outbound/outbound.ts'
import { checkOutboundUrl, type OutboundRules } from '../outbound/outbound-url.ts'
import type { ProxySetting } from '../outbound/proxy.ts'
import { isOpenId, type Provider, type ProviderCall, type SignInProvider } from './provider.ts'
import { ProviderMetadata, type RequestOptions } from './provider-metadata.ts'
import { identityOf, type ProviderTokens, readTokens, type UnverifiedClaims, unverifiedClaims } from './provider-tokens.ts'
import { idTokenUnasked, mendAnswer, mendRequest, nullsForAbsent, type Quirk, scopeLists } from './quirks.ts'
import { ProviderBusyError, withConnectorErrors } from './upstream-errors.ts'

/** A code to redeem. */
export interface CodeExchange {
  readonly code: string
  readonly redirectUri: string
  /** null: the flow was begun without PKCE. */
  readonly codeVerifier: string | null
  /** null: the flow was begun without a nonce, and the ID token must have none. `unknown`: a front end began it. */
  readonly nonce: string | null | 'unknown'
  /** `iss` of the callback (RFC 9207). `unknown`: a front end received it. */
  readonly iss: string | null | 'unknown'
}

/** A refresh token to redeem. */
export interface RefreshRequest {
  readonly refreshToken: string
  /** The scopes the user was asked for when the account was connected. */
  readonly scopes: readonly string[]
}

export interface AuthorizationRequest {
  readonly redirectUri: string
  readonly state: string
  readonly codeChallenge: string | null
  readonly nonce: string | null
}

export interface UpstreamsOptions extends OutboundRules {
  readonly proxy?: ProxySetting
  readonly now: () => EpochMs
  /** Default: one that vets every address. */
  readonly outbound?: Outbound
}

/** Makes all requests to providers, with oauth4webapi over vetted connections. */
export class Upstreams {
  /** Loaded with the first call of a provider, so that a server without providers loads no HTTP client. */
  #outbound: Promise<Outbound> | undefined
  readonly #options: Omit<UpstreamsOptions, 'outbound'>
  readonly #metadata: ProviderMetadata

  constructor({ outbound, ...options }: UpstreamsOptions) {
    this.#outbound = outbound && Promise.resolve(outbound)
    this.#options = options
    this.#metadata = new ProviderMetadata({ ...options, requestOptions: () => this.#requestOptions() })
  }

  /** Makes the URL to which to send the browser (RFC 6749 §4.1.1). */
  async authorizationUrl(provider: Provider, asked: AuthorizationRequest): Promise<string> {
    const { authorization_endpoint } = await this.#metadata.of(provider)
    if (!authorization_endpoint) throw new ConnectorError('not_configured', 'the provider has no authorization endpoint')
    const url = await withConnectorErrors(async () => {
      if (typeof authorization_endpoint !== 'string') throw new TypeError('authorization_endpoint')
      return checkOutboundUrl(authorization_endpoint, this.#options)
    })
    const params: Readonly<Record<string, string | null>> = {
      ...provider.authorizationParams,
      response_type: 'code',
      client_id: provider.clientId,
      redirect_uri: asked.redirectUri,
      scope: provider.scopes.length > 0 ? provider.scopes.join(provider.scopeSeparator ?? ' ') : null,
      state: asked.state,
      code_challenge: asked.codeChallenge,
      code_challenge_method: asked.codeChallenge === null ? null : 'S256',
      nonce: asked.nonce,
    }
    for (const [name, value] of Object.entries(params)) if (value !== null) url.searchParams.set(name, value)
    return url.href
  }

  /** Redeems a code (RFC 6749 §4.1.3). Verifies an ID token that comes with it, including its signature. */
  async exchangeCode(provider: Provider, { code, codeVerifier, iss, nonce, redirectUri }: CodeExchange): Promise<ProviderTokens> {
    const as = await this.#metadata.of(provider)
    const client = clientOf(provider)
    return withConnectorErrors(async () => {
      // Without an issuer in the host's configuration, there is nothing to compare `iss` with.
      const named = iss === 'unknown' || provider.issuer === undefined ? as.issuer : iss
      const answered = new URLSearchParams(iss === null || named === null ? { code } : { code, iss: named })
      // Only `iss` is checked here (RFC 9207 §2.4): the callback has checked the state.
      const params = oauth.validateAuthResponse(as, client, answered, oauth.skipStateCheck)
      const options = this.#tokenOptions(provider)
      const verifier = codeVerifier ?? oauth.nopkce
      const response = await oauth.authorizationCodeGrantRequest(
        as,
        client,
        authOf(provider, as),
        params,
        redirectUri,
        verifier,
        options,
      )
      const claims = unverifiedClaims(await idTokenOf(response))
      const expectedNonce = nonce === 'unknown' ? (claims?.nonce ?? oauth.expectNoNonce) : (nonce ?? oauth.expectNoNonce)
      const requireIdToken = isOpenId(provider)
      const tokens = await oauth.processAuthorizationCodeResponse(issuing(as, provider, claims), client, response, {
        expectedNonce,
        requireIdToken,
      })
      if (tokens.id_token !== undefined) await this.#verifySignature(provider, as, response)
      return readTokens(tokens, provider)
    })
  }

  /** Refreshes (RFC 6749 §6). Rejects with ConnectorError `needs_reconnect` if the provider answers `invalid_grant`. */
  async refresh(provider: Provider, { refreshToken, scopes }: RefreshRequest, signal: AbortSignal): Promise<ProviderTokens> {
    const found = await this.#metadata.of(provider)
    const as = { ...found, ...(provider.endpoints?.refresh && { token_endpoint: provider.endpoints.refresh }) }
    const additionalParameters = provider.scopeOnRefresh ? { scope: scopes.join(provider.scopeSeparator ?? ' ') } : {}
    const client = clientOf(provider)
    let idToken: unknown
    // Hide the ID token from the protocol library: a failed verification would lose the new refresh token.
    const setAside: Quirk = {
      name: 'ID token of a refresh',
      answer: ({ status, fields: { id_token, ...fields } }) => {
        idToken = id_token
        return { status, fields }
      },
    }
    return withConnectorErrors(async () => {
      const options = { ...this.#tokenOptions(provider, setAside), additionalParameters, signal }
      const response = await oauth.refreshTokenGrantRequest(as, client, authOf(provider, as), refreshToken, options)
      const tokens = readTokens(await oauth.processRefreshTokenResponse(as, client, response), provider)
      // OpenID Connect Core §3.1.3.7, 6: it came from the token endpoint over TLS, so the signature need not be verified.
      return { ...tokens, identity: isOpenId(provider) ? identityOf(idToken) : undefined }
    }, 'needs_reconnect')
  }

  /** Revokes tokens. False if the provider has no way to revoke. */
  async revoke(
    provider: Provider,
    tokens: { readonly accessToken: string; readonly refreshToken: string | undefined },
  ): Promise<boolean> {
    const { clientId, clientSecret } = provider
    return withConnectorErrors(async () => {
      if (provider.revoke) {
        await provider.revoke({ ...tokens, clientId, clientSecret }, this.#call)
        return true
      }
      const as = await this.#metadata.of(provider)
      if (!as.revocation_endpoint) return false
      const token = tokens.refreshToken ?? tokens.accessToken
      const response = await oauth.revocationRequest(as, clientOf(provider), authOf(provider, as), token, this.#requestOptions())
      if (!response.ok) await oauth.processRevocationResponse(await mendAnswer(response, [])).catch(ignoreDeadToken)
      return true
    })
  }

  /** Returns the user's verified e-mail addresses, in lower case. */
  async verifiedEmails(provider: SignInProvider, { accessToken, idToken }: ProviderTokens): Promise<readonly string[]> {
    const { verifiedEmails } = provider
    if (verifiedEmails) {
      const emails = await withConnectorErrors(() => verifiedEmails(accessToken, this.#call))
      return emails.map(asciiLowerCase)
    }
    const told = idToken === undefined ? {} : decodeJwt(idToken)
    const claims = told.email === undefined ? await this.#userinfo(provider, accessToken, told.sub) : told
    // Exactly true: some providers send the string "false".
    return typeof claims.email === 'string' && claims.email_verified === true ? [asciiLowerCase(claims.email)] : []
  }

  async #userinfo(
    provider: Provider,
    accessToken: string,
    subject: string | undefined,
  ): Promise<Readonly<Record<string, unknown>>> {
    const as = await this.#metadata.of(provider)
    if (!as.userinfo_endpoint) return {}
    return withConnectorErrors(async () => {
      const client = clientOf(provider)
      const response = await oauth.userInfoRequest(as, client, accessToken, this.#requestOptions())
      return oauth.processUserInfoResponse(as, client, subject ?? oauth.skipSubjectCheck, response)
    })
  }

  /**
   * Verifies the signature of a response's ID token. If no cached key fits, the provider may have replaced its keys: one retry
   * with a freshly read set, at most once a minute per provider.
   */
  async #verifySignature(provider: Provider, as: oauth.AuthorizationServer, response: Response): Promise<void> {
    const options = { ...this.#requestOptions(), [oauth.jwksCache]: this.#metadata.keysOf(provider) }
    try {
      await oauth.validateApplicationLevelSignature(as, response, options)
    } catch (error) {
      const wrongKey =
        error instanceof oauth.OperationProcessingError &&
        ['OAUTH_KEY_SELECTION_FAILED', 'OAUTH_INVALID_RESPONSE'].includes(String(error.code))
      if (!wrongKey || !this.#metadata.forget(provider)) throw error
      const fresh = { ...options, [oauth.jwksCache]: this.#metadata.keysOf(provider) }
      await oauth.validateApplicationLevelSignature(await this.#metadata.of(provider), response, fresh)
    }
  }

  #requestOptions(): RequestOptions {
    // The outbound rules decide where plain http is allowed.
    return { [oauth.customFetch]: this.#call, [oauth.allowInsecureRequests]: this.#options.allowLoopback }
  }

  /** Returns the options of token requests, to which the provider's quirks apply. */
  #tokenOptions(provider: Provider, ...more: readonly Quirk[]): RequestOptions {
    const standing = [nullsForAbsent, scopeLists, ...(isOpenId(provider) ? [] : [idTokenUnasked])]
    const quirks = [...(provider.quirks ?? []), ...standing, ...more]
    const call: ProviderCall = async (url, init) => {
      const { body, headers } = mendRequest({ headers: init.headers ?? {}, body: init.body as URLSearchParams }, quirks)
      return mendAnswer(await this.#call(url, { ...init, headers, body }), quirks)
    }
    return { ...this.#requestOptions(), [oauth.customFetch]: call }
  }

  readonly #call: ProviderCall = async (url, init) => {
    this.#outbound ??= import('../outbound/outbound.ts').then(({ createOutbound }) => createOutbound(this.#options))
    const response = await (await this.#outbound).fetch(url, init)
    // RFC 6585 §4, RFC 9110 §15.6: no fault of the request, so it can be retried.
    if (response.status === 429 || response.status >= 500) throw new ProviderBusyError(response)
    return response
  }
}

function clientOf({ clientId }: Provider): oauth.Client {
  return { client_id: clientId, [oauth.clockTolerance]: 30 }
}

function authOf({ clientAuthentication, clientSecret }: Provider, as: oauth.AuthorizationServer): oauth.ClientAuth {
  if (clientSecret === undefined) return oauth.None()
  const methods = as.token_endpoint_auth_methods_supported
  const discovered = methods && !methods.includes('client_secret_post') ? 'client_secret_basic' : 'client_secret_post'
  return (clientAuthentication ?? discovered) === 'client_secret_basic'
    ? oauth.ClientSecretBasic(clientSecret)
    : oauth.ClientSecretPost(clientSecret)
}

/** Ignores the error of a provider for a token that has ended already: RFC 7009 §2.2 calls that a success. */
function ignoreDeadToken(error: unknown): void {
  if (!(error instanceof oauth.ResponseBodyError && error.error === 'invalid_token')) throw error
}

/** Returns the metadata with the issuer that the ID token must have. */
function issuing(
  as: oauth.AuthorizationServer,
  { expectedIssuer }: Provider,
  claims: UnverifiedClaims | undefined,
): oauth.AuthorizationServer {
  return expectedIssuer && claims ? { ...as, issuer: expectedIssuer(claims) } : as
}

/** Reads the ID token from a clone of the response, so that its body can be read again. */
async function idTokenOf(response: Response): Promise<unknown> {
  try {
    return ((await response.clone().json()) as { readonly id_token?: unknown } | null)?.id_token
  } catch {
    return undefined
  }
}

/** Lowers an address for comparison, ASCII letters only: full case folding makes some distinct letters equal. */
export function asciiLowerCase(email: string): string {
  return email.replace(/[A-Z]/g, letter => letter.toLowerCase())
}
