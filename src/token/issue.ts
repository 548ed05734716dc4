import { sha256 } from '../base/crypto.ts'
import { wireId } from '../base/ids.ts'
import type { JsonObject } from '../base/json.ts'
import type { EpochMs } from '../base/time.ts'
import { withTimeout } from '../base/timeout.ts'
import { type Audience, audienceClaim, formatFor, secondsFor } from '../bearer/audience.ts'
import { findClient } from '../clients/find-client.ts'
import type { Context } from '../options/context.ts'
import type { App, Grant, Token } from '../store/store.ts'
import { currentKeys } from '../tokens/current-keys.ts'
import { mintAccessToken } from '../tokens/jwt-access-token.ts'
import { type NewToken, newToken } from '../tokens/opaque.ts'
import { invalidGrant } from './invalid-grant.ts'
import type { Ruled } from './rules.ts'

const DAY_MS = 86_400_000

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
  /** The user's claims for the ID token; undefined: the host has not been asked for them. */
  readonly userClaims: JsonObject | undefined
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
  /** What the host's rules make of it; undefined: it has none, or was asked about nothing. */
  readonly ruled?: Ruled | undefined
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
export async function requireSigningKeys(
  { audience, scopes }: Pick<WantedTokens, 'audience' | 'scopes'>,
  context: Context,
): Promise<void> {
  const { config, services } = context
  if (formatFor(audience, config) === 'jwt' || (services.keys && scopes.includes('openid'))) await currentKeys(context)
}

/** Tells whether the host has a rule for such tokens. Where it has none, nothing is asked and nothing waits. */
export function hasRules(userId: string | null, { config }: Pick<Context, 'config'>): boolean {
  return config.policy !== null || config.accessTokenClaims !== null || (userId !== null && config.claims !== null)
}

/**
 * Returns how many whole seconds a grant has left until its absolute end: `lifetimes.grantDays`, or the app's own `grantDays` if
 * that is sooner. Infinity if it has no such end; 0 once it is over. No token of the grant may live longer.
 */
export function secondsLeft({ createdAt }: Pick<Grant, 'createdAt'>, app: Pick<App, 'grantDays'>, context: Context): number {
  const { config, now } = context
  if (config.grantDays === null && (app.grantDays ?? null) === null) return Number.POSITIVE_INFINITY
  const days = Math.min(config.grantDays ?? Number.POSITIVE_INFINITY, app.grantDays ?? Number.POSITIVE_INFINITY)
  const end: EpochMs = createdAt + days * DAY_MS
  return Math.max(0, Math.floor((end - now) / 1000))
}

/** Makes the tokens of a grant, in the format the host has chosen. Synchronous for opaque tokens. */
export function makeTokens(wanted: WantedTokens, context: Context): MadeTokens | Promise<MadeTokens> {
  const { app, audience, grant, jkt, refreshable, renewed, ruled, scopes } = wanted
  const { config, now: issuedAt } = context
  const left = secondsLeft(grant, app, context)
  const accessTokenSeconds = Math.min(
    app.accessTokenSeconds,
    wanted.accessTokenSeconds ?? left,
    ruled?.accessTokenSeconds ?? left,
    config.resourceSettings === null ? left : secondsFor(audience, config),
    left,
  )
  const refreshTokenSeconds = Math.min(
    app.refreshTokenSeconds,
    wanted.refreshTokenSeconds ?? left,
    ruled?.refreshTokenSeconds ?? left,
    left,
  )
  const refresh = refreshable && app.grantTypes.includes('refresh_token') ? newToken('refresh', grant.id) : undefined
  // RFC 7009 §2.1: revoking the refresh token ends the access token too, so the refresh token must not expire first.
  const expiresInSeconds = refresh ? Math.min(accessTokenSeconds, refreshTokenSeconds) : accessTokenSeconds
  const expiresAt = issuedAt + expiresInSeconds * 1000
  const made = ({ id, value }: NewToken): MadeTokens => {
    // Written out: members beside a spread cost every token request 0.5 µs.
    const access: Token = audience
      ? { id, kind: 'access', scopes, audience, issuedAt, expiresAt }
      : { id, kind: 'access', scopes, issuedAt, expiresAt }
    const bound: Token = jkt === undefined ? access : { ...access, jkt }
    const tokens: Token[] = [ruled?.claims ? { ...bound, claims: ruled.claims } : bound]
    // RFC 6749 §6: a refresh token keeps the granted scopes, even if this access token has fewer.
    if (refresh) {
      const expiresAt = issuedAt + refreshTokenSeconds * 1000
      const token: Token = { id: refresh.id, kind: 'refresh', scopes: grant.scopes, issuedAt, expiresAt }
      tokens.push(jkt === undefined ? token : { ...token, jkt })
    }
    const userClaims = ruled?.userClaims
    const accessToken = value
    const refreshToken = refresh?.value
    const issued = { app, grant, accessToken, refreshToken, scopes, expiresInSeconds, jkt, renewed, userClaims }
    return { issued, tokens }
  }
  return formatFor(audience, config) === 'opaque'
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
  { app, audience: asked, grant, jkt, ruled, scopes }: WantedTokens,
  { expiresAt, issuedAt }: Pick<Token, 'expiresAt' | 'issuedAt'>,
  context: Context,
): Promise<NewToken> {
  const { issuer } = context.config
  const { signing } = await currentKeys(context)
  const audience = audienceClaim(asked, context.config)
  const contents = { scopes, issuedAt, expiresAt, issuer, audience, clientId: wireId(app), grant, jkt, claims: ruled?.claims }
  const value = await mintAccessToken(contents, signing)
  return { value, id: sha256(value) }
}
