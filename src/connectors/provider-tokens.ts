import { decodeJwt } from 'jose'
import type { TokenEndpointResponse } from 'oauth4webapi'
import type { Json, JsonObject } from '../base/json.ts'
import { ConnectorError } from '../errors/connector-error.ts'
import type { Provider } from './provider.ts'

/** What a provider issued. Undefined stands for what the provider does not say. */
export interface ProviderTokens {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly idToken: string | undefined
  /** Who the account belongs to, by the ID token. */
  readonly identity: Identity | undefined
  readonly tokenType: string
  readonly expiresInSeconds: number | undefined
  readonly scopes: readonly string[] | undefined
  /** The fields of the answer that `keep` of the provider names. */
  readonly details: JsonObject
}

/** An account at a provider: `sub` is unique for its issuer (OpenID Connect Core §2). */
export interface Identity {
  readonly iss: string
  readonly sub: string
}

/** Ten years: a longer `expires_in` is a mistake, and no clock can be set by it. */
const MAX_EXPIRES_IN = 315_360_000

/** The answer of a token endpoint in our own terms. Throws ConnectorError `invalid_response` for one that cannot be used. */
export function readTokens(tokens: TokenEndpointResponse, { keep = [] }: Provider): ProviderTokens {
  const details = Object.fromEntries(keep.flatMap(name => (tokens[name] === undefined ? [] : [[name, tokens[name] as Json]])))
  const { access_token, expires_in, id_token, refresh_token, scope, token_type } = tokens
  if (expires_in !== undefined && !(expires_in >= 0 && expires_in <= MAX_EXPIRES_IN))
    throw new ConnectorError('invalid_response', 'the provider answered with an impossible expires_in')
  // RFC 9449 §5: a token of another type needs a proof with every use, and none is ever sent.
  if (token_type !== 'bearer')
    throw new ConnectorError('invalid_response', 'the provider issued a token of another type than Bearer')
  return {
    accessToken: access_token,
    refreshToken: refresh_token,
    idToken: id_token,
    identity: identityOf(id_token),
    tokenType: 'Bearer',
    expiresInSeconds: expires_in,
    scopes: scope?.split(' ').filter(name => name !== ''),
    details,
  }
}

/** The account that an ID token names. Verifies nothing; undefined for what cannot be read. */
export function identityOf(idToken: unknown): Identity | undefined {
  const { iss, sub } = unverifiedClaims(idToken) ?? {}
  return typeof iss === 'string' && typeof sub === 'string' ? { iss, sub } : undefined
}

export type UnverifiedClaims = { readonly [name: string]: unknown; readonly nonce?: string }

/** What an ID token says before it is verified: enough to know what to verify it against. */
export function unverifiedClaims(idToken: unknown): UnverifiedClaims | undefined {
  try {
    return typeof idToken === 'string' ? (decodeJwt(idToken) as UnverifiedClaims) : undefined
  } catch {
    return undefined
  }
}
