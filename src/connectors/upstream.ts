import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import type { Json, JsonObject } from '../base/json.ts'
import type { EpochMs } from '../base/time.ts'
import { ConnectorError } from '../errors/connector-error.ts'
import type { Outbound } from '../outbound/outbound.ts'
import { checkOutboundUrl } from '../outbound/outbound-url.ts'
import { isOpenId, type Provider, type ProviderCall, type SignInProvider } from './provider.ts'
import { ProviderMetadata, type RequestOptions } from './provider-metadata.ts'
import { idTokenUnasked, mendAnswer, mendRequest, nullsForAbsent, scopeLists } from './quirks.ts'
import { Busy, guarded } from './upstream-errors.ts'

/** What a provider issued. */
export interface ProviderTokens {
  readonly accessToken: string
  /** Undefined where the provider gave none (again). */
  readonly refreshToken: string | undefined
  readonly idToken: string | undefined
  readonly tokenType: string
  /** Undefined where the provider does not say; so is the next. */
  readonly expiresInSeconds: number | undefined
  readonly scopes: readonly string[] | undefined
  /** What else of the answer the host wants to keep. */
  readonly details: JsonObject
}

export interface CodeExchange {
  readonly code: string
  readonly redirectUri: string
  /** null: the flow was begun without PKCE. */
  readonly codeVerifier: string | null
  /** null: the flow was begun without, and the ID token must have none. `unknown`: a front end began it. */
  readonly nonce: string | null | 'unknown'
  /** `iss` of the callback (RFC 9207). `unknown`: a front end received it. */
  readonly iss: string | null | 'unknown'
}

export interface RefreshRequest {
  readonly refreshToken: string
  /** What the user was asked for when the account was connected. */
  readonly scopes: readonly string[]
}

export interface AuthorizationRequest {
  readonly redirectUri: string
  readonly state: string
  readonly codeChallenge: string | null
  readonly nonce: string | null
}

export interface UpstreamsOptions {
  readonly allowLoopback: boolean
  readonly now: () => EpochMs
  /** Default: one that vets every address. */
  readonly outbound?: Outbound
}

/** Everything that is asked of providers: the protocol is oauth4webapi's, the connections are vetted. */
export class Upstreams {
  /** Loaded when the first provider is called: a server that calls none needs nothing of it. */
  #outbound: Promise<Outbound> | undefined
  readonly #allowLoopback: boolean
  readonly #metadata: ProviderMetadata

  constructor({ allowLoopback, now, outbound }: UpstreamsOptions) {
    this.#outbound = outbound && Promise.resolve(outbound)
    this.#allowLoopback = allowLoopback
    this.#metadata = new ProviderMetadata({ allowLoopback, now, requestOptions: () => this.#options() })
  }

  /** Where to send the browser (RFC 6749 §4.1.1). */
  async authorizationUrl(provider: Provider, asked: AuthorizationRequest): Promise<string> {
    const { authorization_endpoint } = await this.#metadata.of(provider)
    if (!authorization_endpoint) throw new ConnectorError('not_configured', 'the provider has no authorization endpoint')
    const url = await guarded(async () => {
      if (typeof authorization_endpoint !== 'string') throw new TypeError('authorization_endpoint')
      return checkOutboundUrl(authorization_endpoint, { allowLoopback: this.#allowLoopback })
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

  /** Redeems a code (RFC 6749 §4.1.3). An ID token that comes with it has been verified whole, its signature included. */
  async exchangeCode(provider: Provider, { code, codeVerifier, iss, nonce, redirectUri }: CodeExchange): Promise<ProviderTokens> {
    const as = await this.#metadata.of(provider)
    const client = clientOf(provider)
    return this.#answer(provider, async () => {
      // Where the host names no issuer, there is nothing to compare with.
      const named = iss === 'unknown' || provider.issuer === undefined ? as.issuer : iss
      const answered = new URLSearchParams(iss === null || named === null ? { code } : { code, iss: named })
      // Only what the provider promises about `iss` is checked here (RFC 9207 §2.4); the state is the flow's.
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
      const claims = await unverifiedClaims(response)
      const expectedNonce = nonce === 'unknown' ? (claims?.nonce ?? oauth.expectNoNonce) : (nonce ?? oauth.expectNoNonce)
      const requireIdToken = isOpenId(provider)
      const tokens = await oauth.processAuthorizationCodeResponse(issuing(as, provider, claims), client, response, {
        expectedNonce,
        requireIdToken,
      })
      if (tokens.id_token !== undefined) await oauth.validateApplicationLevelSignature(as, response, options)
      return tokens
    })
  }

  /** RFC 6749 §6. Rejects with ConnectorError `needs_reconnect` where the provider says `invalid_grant`. */
  async refresh(provider: Provider, { refreshToken, scopes }: RefreshRequest, signal: AbortSignal): Promise<ProviderTokens> {
    const found = await this.#metadata.of(provider)
    const as = { ...found, ...(provider.endpoints?.refresh && { token_endpoint: provider.endpoints.refresh }) }
    const additionalParameters = provider.scopeOnRefresh ? { scope: scopes.join(provider.scopeSeparator ?? ' ') } : {}
    const client = clientOf(provider)
    return this.#answer(
      provider,
      async () => {
        // Nothing needs the ID token of a refresh, and one that cannot be verified now must not cost the refresh token.
        const quirks = [...(provider.quirks ?? []), idTokenUnasked]
        const options = { ...this.#tokenOptions({ ...provider, quirks }), additionalParameters, signal }
        const response = await oauth.refreshTokenGrantRequest(as, client, authOf(provider, as), refreshToken, options)
        return oauth.processRefreshTokenResponse(as, client, response)
      },
      'needs_reconnect',
    )
  }

  /** Ends what was issued, where the provider can. False: it cannot. */
  async revoke(
    provider: Provider,
    tokens: { readonly accessToken: string; readonly refreshToken: string | undefined },
  ): Promise<boolean> {
    const { clientId, clientSecret } = provider
    return guarded(async () => {
      if (provider.revoke) {
        await provider.revoke({ ...tokens, clientId, clientSecret }, this.#call)
        return true
      }
      const as = await this.#metadata.of(provider)
      if (!as.revocation_endpoint) return false
      const token = tokens.refreshToken ?? tokens.accessToken
      const response = await oauth.revocationRequest(as, clientOf(provider), authOf(provider, as), token, this.#options())
      if (!response.ok) await oauth.processRevocationResponse(await mendAnswer(response, [])).catch(ignoreDeadToken)
      return true
    })
  }

  /** The addresses that the provider says are the user's and verified, in lower case. */
  async verifiedEmails(provider: SignInProvider, { accessToken, idToken }: ProviderTokens): Promise<readonly string[]> {
    const { verifiedEmails } = provider
    if (verifiedEmails) {
      const emails = await guarded(() => verifiedEmails(accessToken, this.#call))
      return emails.map(asciiLowerCase)
    }
    const told = idToken === undefined ? {} : decodeJwt(idToken)
    const claims = told.email === undefined ? await this.#userinfo(provider, accessToken, told.sub) : told
    // Exactly true: providers have said "false", and people have been signed in by it.
    return typeof claims.email === 'string' && claims.email_verified === true ? [asciiLowerCase(claims.email)] : []
  }

  async #userinfo(
    provider: Provider,
    accessToken: string,
    subject: string | undefined,
  ): Promise<Readonly<Record<string, unknown>>> {
    const as = await this.#metadata.of(provider)
    if (!as.userinfo_endpoint) return {}
    return guarded(async () => {
      const client = clientOf(provider)
      const response = await oauth.userInfoRequest(as, client, accessToken, this.#options())
      return oauth.processUserInfoResponse(as, client, subject ?? oauth.skipSubjectCheck, response)
    })
  }

  async #answer(
    { keep }: Provider,
    ask: () => Promise<oauth.TokenEndpointResponse>,
    refusal: 'provider_refused' | 'needs_reconnect' = 'provider_refused',
  ): Promise<ProviderTokens> {
    const tokens = await guarded(ask, refusal)
    const details = Object.fromEntries(
      (keep ?? []).flatMap(name => (tokens[name] === undefined ? [] : [[name, tokens[name] as Json]])),
    )
    const { access_token, expires_in, id_token, refresh_token, scope, token_type } = tokens
    // Negative, NaN, or centuries: nothing that a clock could be set by.
    if (expires_in !== undefined && !(expires_in >= 0 && expires_in <= MAX_EXPIRES_IN))
      throw new ConnectorError('invalid_response', 'the provider says an expires_in that cannot be')
    // No proof is ever sent, so nothing else could be used (RFC 9449 §5).
    if (token_type !== 'bearer')
      throw new ConnectorError('invalid_response', 'the provider issues tokens of another type than Bearer')
    return {
      accessToken: access_token,
      refreshToken: refresh_token,
      idToken: id_token,
      tokenType: 'Bearer',
      expiresInSeconds: expires_in,
      scopes: scope?.split(' ').filter(name => name !== ''),
      details,
    }
  }

  #options(): RequestOptions {
    // Whether plain http is allowed, and where, the outbound rules decide.
    return { [oauth.customFetch]: this.#call, [oauth.allowInsecureRequests]: this.#allowLoopback }
  }

  /** The provider's quirks apply to its token endpoint. */
  #tokenOptions(provider: Provider) {
    const quirks = [...(provider.quirks ?? []), nullsForAbsent, scopeLists, ...(isOpenId(provider) ? [] : [idTokenUnasked])]
    const call: ProviderCall = async (url, init) => {
      if (init.method !== 'POST') return this.#call(url, init)
      const { body, headers } = mendRequest({ headers: init.headers ?? {}, body: init.body as URLSearchParams }, quirks)
      return mendAnswer(await this.#call(url, { ...init, headers, body }), quirks)
    }
    return { ...this.#options(), [oauth.customFetch]: call, [oauth.jwksCache]: this.#metadata.keysOf(provider) }
  }

  readonly #call: ProviderCall = async (url, init) => {
    const allowLoopback = this.#allowLoopback
    this.#outbound ??= import('../outbound/outbound.ts').then(({ createOutbound }) => createOutbound({ allowLoopback }))
    const response = await (await this.#outbound).fetch(url, init)
    // RFC 6585 §4, RFC 9110 §15.6: nothing about the request; worth trying again.
    if (response.status === 429 || response.status >= 500) throw new Busy(response)
    return response
  }
}

/** Ten years. */
const MAX_EXPIRES_IN = 315_360_000

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

/** RFC 7009 §2.2: a token that is over already has what it needed; some providers call that an error. */
function ignoreDeadToken(error: unknown): void {
  if (!(error instanceof oauth.ResponseBodyError && error.error === 'invalid_token')) throw error
}

/** The provider as the issuer that its ID token must name. */
function issuing(
  as: oauth.AuthorizationServer,
  { expectedIssuer }: Provider,
  claims: UnverifiedClaims,
): oauth.AuthorizationServer {
  return expectedIssuer && claims ? { ...as, issuer: expectedIssuer(claims) } : as
}

type UnverifiedClaims = { readonly [name: string]: unknown; readonly nonce?: string } | undefined

/** What an ID token says before it is verified: enough to know what to verify it against. */
async function unverifiedClaims(response: Response): Promise<UnverifiedClaims> {
  try {
    const { id_token } = (await response.clone().json()) as { readonly id_token?: unknown }
    return typeof id_token === 'string' ? (decodeJwt(id_token) as UnverifiedClaims) : undefined
  } catch {
    return undefined
  }
}

/** An address as it is compared. Of ASCII only: elsewhere, letters that look apart become one. */
export function asciiLowerCase(email: string): string {
  return email.replace(/[A-Z]/g, letter => letter.toLowerCase())
}
