import { decodeJwt } from 'jose'
import type { TokenEndpointResponse } from 'oauth4webapi'
import type { Json, JsonObject } from '../base/json.ts'
import { ConnectorError } from '../errors/connector-error.ts'
import type { Provider } from './provider.ts'

/** The tokens that a provider issued. Undefined where the provider does not say. */
export interface ProviderTokens {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly idToken: string | undefined
  /** The account, from the ID token. */
  readonly identity: Identity | undefined
  readonly tokenType: string
  readonly expiresInSeconds: number | undefined
  readonly scopes: readonly string[] | undefined
  /** The answer's fields that `keep` of the provider names. */
  readonly details: JsonObject
}

/** An account at a provider. `sub` is unique for its issuer (OpenID Connect Core §2). */
export interface Identity {
  readonly iss: string
  readonly sub: string
}

/** Ten years, in seconds: a longer `expires_in` is a fault of the provider. */
const MAX_EXPIRES_IN = 315_360_000

/** Converts the answer of a token endpoint. Throws ConnectorError `invalid_response` for an unusable one. */
export function readTokens(tokens: TokenEndpointResponse, { keep = [] }: Provider): ProviderTokens {
  const details = Object.fromEntries(keep.flatMap(name => (tokens[name] === undefined ? [] : [[name, tokens[name] as Json]])))
  const { access_token, expires_in, id_token, refresh_token, scope, token_type } = tokens
  if (expires_in !== undefined && !(expires_in >= 0 && expires_in <= MAX_EXPIRES_IN))
    throw new ConnectorError('invalid_response', 'the provider answered with an impossible expires_in')
  // RFC 9449 §5: a DPoP token needs a proof with every use, which we do not send.
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

/** Reads the account of an ID token without verifying it; undefined if it is malformed. */
export function identityOf(idToken: unknown): Identity | undefined {
  const { iss, sub } = unverifiedClaims(idToken) ?? {}
  return typeof iss === 'string' && typeof sub === 'string' ? { iss, sub } : undefined
}

export type UnverifiedClaims = { readonly [name: string]: unknown; readonly nonce?: string }

/** Reads the claims of an ID token before it is verified, to find the issuer to verify it against. */
export function unverifiedClaims(idToken: unknown): UnverifiedClaims | undefined {
  try {
    return typeof idToken === 'string' ? (decodeJwt(idToken) as UnverifiedClaims) : undefined
  } catch {
    return undefined
  }
}
