import { sha256 } from '../base/crypto.ts'
import { type Audience, audienceClaim } from '../bearer/audience.ts'
import type { Context } from '../options/context.ts'
import type { App, Grant, Token } from '../store/store.ts'
import { currentKeys } from '../tokens/current-keys.ts'
import { mintAccessToken } from '../tokens/jwt-access-token.ts'
import { type NewToken, newToken } from '../tokens/opaque.ts'

/** What a token request ends with. */
export interface Issued {
  readonly grant: Grant
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly scopes: readonly string[]
  readonly expiresInSeconds: number
}

export interface WantedTokens {
  readonly scopes: readonly string[]
  readonly audience: Audience
  /** Whether a refresh token goes with it, if the app may use one. */
  readonly refreshable: boolean
}

/** What the client is given, and what the store keeps of it. */
export interface MadeTokens {
  readonly issued: Issued
  readonly tokens: readonly Token[]
}

/** The tokens of a grant, in the format the host has chosen; opaque ones need not be waited for. */
export function makeTokens(
  grant: Grant,
  { audience, refreshable, scopes }: WantedTokens,
  app: Pick<App, 'accessTokenSeconds' | 'grantTypes' | 'refreshTokenSeconds'>,
  context: Context,
): MadeTokens | Promise<MadeTokens> {
  const { now: issuedAt } = context
  const { accessTokenSeconds, grantTypes, refreshTokenSeconds } = app
  const refresh = refreshable && grantTypes.includes('refresh_token') ? newToken('refresh', grant.id) : undefined
  // No access token outlives the refresh token by whose revocation it must end (RFC 7009 §2.1).
  const expiresInSeconds = refresh ? Math.min(accessTokenSeconds, refreshTokenSeconds) : accessTokenSeconds
  const limits = { scopes, ...(audience && { audience }), issuedAt, expiresAt: issuedAt + expiresInSeconds * 1000 }
  const made = (access: NewToken): MadeTokens => {
    const tokens: Token[] = [{ id: access.id, kind: 'access', ...limits }]
    // RFC 6749 §6: a refresh token keeps what was granted, however little one access token asked for.
    if (refresh) {
      const expiresAt = issuedAt + refreshTokenSeconds * 1000
      tokens.push({ id: refresh.id, kind: 'refresh', scopes: grant.scopes, issuedAt, expiresAt })
    }
    return { issued: { grant, accessToken: access.value, refreshToken: refresh?.value, scopes, expiresInSeconds }, tokens }
  }
  return context.config.accessTokenFormat === 'opaque'
    ? made(newToken('access', grant.id))
    : newJwt(grant, limits, context).then(made)
}

async function newJwt(grant: Grant, limits: Omit<Token, 'id' | 'kind'>, context: Context): Promise<NewToken> {
  const { config } = context
  const { signing } = await currentKeys(context)
  const audience = audienceClaim(limits.audience ?? null, config)
  const value = await mintAccessToken({ ...limits, issuer: config.issuer, audience, grant }, signing)
  return { value, id: sha256(value) }
}
