import { sha256 } from '../base/crypto.ts'
import { wireId } from '../base/ids.ts'
import { withTimeout } from '../base/timeout.ts'
import { type Audience, audienceClaim } from '../bearer/audience.ts'
import { findClient } from '../clients/find-client.ts'
import type { Context } from '../options/context.ts'
import type { App, Grant, Token } from '../store/store.ts'
import { currentKeys } from '../tokens/current-keys.ts'
import { mintAccessToken } from '../tokens/jwt-access-token.ts'
import { type NewToken, newToken } from '../tokens/opaque.ts'
import { invalidGrant } from './invalid-grant.ts'

/** The outcome of a token request. */
export interface Issued {
  readonly app: App
  readonly grant: Grant
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly scopes: readonly string[]
  readonly expiresInSeconds: number
  /** The thumbprint of the key that the tokens are bound to; undefined: bearer tokens. */
  readonly jkt: string | undefined
  /** Whether this is a refresh: the client then keeps the grant, whatever else fails. */
  readonly renewed: boolean
}

/** The tokens that a grant asks for. */
export interface WantedTokens {
  readonly app: App
  readonly grant: Grant
  readonly scopes: readonly string[]
  readonly audience: Audience
  /** The thumbprint of the key to bind the tokens to; undefined: bearer tokens. */
  readonly jkt: string | undefined
  /** Whether to issue a refresh token, if the app may use one. */
  readonly refreshable: boolean
  readonly renewed: boolean
  /** The longest life of the access token, in seconds. Default: the app's setting. */
  readonly accessTokenSeconds?: number
  /** The longest life of the refresh token, in seconds. Default: the app's setting. */
  readonly refreshTokenSeconds?: number
}

/** New tokens: for the client, and for the store. */
export interface MadeTokens {
  readonly issued: Issued
  readonly tokens: readonly Token[]
}

/**
 * Rejects if the signing keys that an answer with these scopes needs cannot be read. A grant calls it before it spends the
 * presented code or token; plain OAuth with opaque tokens needs no keys.
 */
export async function requireSigningKeys(scopes: readonly string[], context: Context): Promise<void> {
  const { config, services } = context
  if (config.accessTokenFormat === 'jwt' || (services.keys && scopes.includes('openid'))) await currentKeys(context)
}

/** Makes the tokens of a grant, in the format the host has chosen. Synchronous for opaque tokens. */
export function makeTokens(wanted: WantedTokens, context: Context): MadeTokens | Promise<MadeTokens> {
  const { app, audience, grant, jkt, refreshable, renewed, scopes } = wanted
  const { now: issuedAt } = context
  const accessTokenSeconds = Math.min(app.accessTokenSeconds, wanted.accessTokenSeconds ?? app.accessTokenSeconds)
  const refreshTokenSeconds = Math.min(app.refreshTokenSeconds, wanted.refreshTokenSeconds ?? app.refreshTokenSeconds)
  const refresh = refreshable && app.grantTypes.includes('refresh_token') ? newToken('refresh', grant.id) : undefined
  // RFC 7009 §2.1: revoking the refresh token ends the access token too, so the refresh token must not expire first.
  const expiresInSeconds = refresh ? Math.min(accessTokenSeconds, refreshTokenSeconds) : accessTokenSeconds
  const expiresAt = issuedAt + expiresInSeconds * 1000
  const made = ({ id, value }: NewToken): MadeTokens => {
    // Written out: members beside a spread cost every token request 0.5 µs.
    const access: Token = audience
      ? { id, kind: 'access', scopes, audience, issuedAt, expiresAt }
      : { id, kind: 'access', scopes, issuedAt, expiresAt }
    const tokens = [jkt === undefined ? access : { ...access, jkt }]
    // RFC 6749 §6: a refresh token keeps the granted scopes, even if this access token has fewer.
    if (refresh) {
      const expiresAt = issuedAt + refreshTokenSeconds * 1000
      const token: Token = { id: refresh.id, kind: 'refresh', scopes: grant.scopes, issuedAt, expiresAt }
      tokens.push(jkt === undefined ? token : { ...token, jkt })
    }
    const issued = { app, grant, accessToken: value, refreshToken: refresh?.value, scopes, expiresInSeconds, jkt, renewed }
    return { issued, tokens }
  }
  return context.config.accessTokenFormat === 'opaque'
    ? made(newToken('access', grant.id))
    : newJwt(wanted, { issuedAt, expiresAt }, context).then(made)
}

/**
 * Makes tokens of a new grant and stores both. Rejects with `invalid_grant` where the grant's id is taken, or with StoreError.
 * The caller has checked the user with {@link isNamedLikeApp} before.
 */
export function createGrant(wanted: WantedTokens, context: Context): Promise<Issued> {
  const made = makeTokens(wanted, context)
  return made instanceof Promise ? made.then(made => storeGrant(made, context)) : storeGrant(made, context)
}

/** Stores a new grant and its tokens. Rejects with `invalid_grant` where the grant's id is taken, or with StoreError. */
export async function storeGrant({ issued, tokens }: MadeTokens, { store }: Context): Promise<Issued> {
  if (!(await store.grants.create(issued.grant, tokens))) throw invalidGrant()
  return issued
}

/** Revokes a new grant whose tokens are not answered after all. Never rejects. */
export async function revokeUnanswered({ grant }: Issued, { config }: Context): Promise<void> {
  const { log, store, storeTimeoutMs } = config
  // Not through the request's store, whose time may be up.
  const revoke = async () => store.grants.revoke(grant.id)
  await withTimeout(revoke, storeTimeoutMs, 'the store').catch(cause =>
    log.error('a grant whose tokens were not answered could not be revoked: they live until they expire', cause),
  )
}

/**
 * Whether a user has the `client_id` of an app. A token's `sub` is a `client_id` only where that app acts for itself: nobody may
 * be able to choose a name that is somebody's `sub` (RFC 9700 §4.15). Reads one app: asked where a user authorizes an app, and
 * not again where a code is redeemed.
 */
export async function isNamedLikeApp(userId: string, app: App, { store }: Pick<Context, 'store'>): Promise<boolean> {
  return userId === wireId(app) || (await findClient(userId, store)) !== undefined
}

/** Emits the event of a new grant. */
export function announceGrant({ app, grant, scopes }: Issued, grantType: string, { events, now }: Context): void {
  const { id: grantId, orgId, userId } = grant
  events.emit({ type: 'token_issued', at: now, clientId: wireId(app), grantId, orgId, userId, grantType, scopes })
}

async function newJwt(
  { app, audience: asked, grant, jkt, scopes }: WantedTokens,
  { expiresAt, issuedAt }: Pick<Token, 'expiresAt' | 'issuedAt'>,
  context: Context,
): Promise<NewToken> {
  const { issuer } = context.config
  const { signing } = await currentKeys(context)
  const audience = audienceClaim(asked, context.config)
  const contents = { scopes, issuedAt, expiresAt, issuer, audience, clientId: wireId(app), grant, jkt }
  const value = await mintAccessToken(contents, signing)
  return { value, id: sha256(value) }
}
