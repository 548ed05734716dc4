import { isDeepStrictEqual } from 'node:util'
import { wireId } from '../../base/ids.ts'
import { type Audience, audienceOf } from '../../bearer/audience.ts'
import { endFound } from '../../bearer/end-grant.ts'
import { keepAdmission } from '../../clients/admission.ts'
import { scopesOfRefresh, stillAllowed } from '../../clients/allowed-scopes.ts'
import { provesItself } from '../../clients/client-facts.ts'
import { isSelfRegistered } from '../../clients/find-client.ts'
import { keepClient } from '../../clients/self-registered.ts'
import { OAuthError } from '../../errors/oauth-error.ts'
import { one } from '../../http/params.ts'
import type { Context } from '../../options/context.ts'
import type { App, FoundToken, Grant, Spent, Token } from '../../store/store.ts'
import { openSuccessor, type Successor, sealSuccessor } from '../../tokens/sealed-successor.ts'
import { tokenRef } from '../../tokens/token-ref.ts'
import type { TokenGrant, TokenRequest } from '../grant.ts'
import { invalidGrant } from '../invalid-grant.ts'
import { hasRules, type Issued, makeTokens, requireSigningKeys, secondsLeft } from '../issue.ts'
import { applyRules, type Ruled } from '../rules.ts'

/** Exchanges a refresh token for its successor and a new access token (RFC 6749 §6, RFC 9700 §4.14.2). */
export const refreshToken: TokenGrant = {
  name: 'refresh_token',
  title: 'Refresh token',
  summary: 'It stays connected without asking them again.',
  parameters: { refresh_token: { required: true } },
  byDefault: true,
  provenAppsOnly: false,

  async handle(request, context) {
    const { app, audience: asked, jkt, params } = request
    const value = one(params, 'refresh_token')
    const found = await find(value, app, context)
    const { grant, spent } = found
    requireKey(found.token, app, jkt)
    const allowed = scopesOfRefresh(params.get('scope'), stillAllowed(grant.scopes, app, context.config))
    const audience = audienceOf(grant, asked)
    if (spent) return repeat(value, { ...found, spent }, request, context)
    if (isSelfRegistered(app)) await requireKept(grant, app, context)
    // Before the token is spent: the keys that an ID token needs may not be readable now.
    await requireSigningKeys({ audience, scopes: allowed }, context)
    // Only where the option has been made shorter since: the token would have expired otherwise.
    if (secondsLeft(grant, app, context) < 1) {
      await endGrant(grant, app, context)
      throw invalidGrant()
    }
    let ruled: Ruled | undefined
    if (hasRules(grant.userId, context)) {
      const asked = { app, of: grant, scopes: allowed, audience, grantType: 'refresh_token' }
      ruled = await applyRules('refresh', asked, () => endGrant(grant, app, context), context)
    }

    const scopes = ruled?.scopes ?? allowed
    if (!context.config.rules.rotatesRefreshTokens)
      return renewed(await addTokens({ found, scopes, audience, app, jkt, ruled }, context), context)
    const { issued, tokens } = await makeTokens(
      { app, grant, scopes, audience, jkt, refreshable: true, renewed: true, ruled },
      context,
    )
    // Spending the old token and storing the new ones is one atomic write: exactly one of several concurrent requests succeeds.
    const outcome = await context.store.grants.rotate(found, tokens, sealSuccessor(value, issued))
    if (outcome === 'missing') throw invalidGrant()
    if (outcome === 'reused') {
      const lost = await find(value, app, context)
      if (!lost.spent) throw invalidGrant()
      return repeat(value, { ...lost, spent: lost.spent }, request, context)
    }
    return renewed(issued, context)
  },
}

/**
 * A refresh token that was issued with a proof needs one for ever. A public app must prove the same key, because the token itself
 * is bound to it (RFC 9449 §5); another proves itself, and may have a new key.
 */
function requireKey({ jkt: bound }: Token, app: App, proven: string | undefined): void {
  if (bound === undefined || bound === proven || (proven !== undefined && provesItself(app))) return
  throw new OAuthError('invalid_grant', 'the refresh token is bound to a key, which the request must prove with DPoP')
}

/** Emits that a grant got new tokens. */
function renewed(issued: Issued, { events, now }: Context): Issued {
  const { app, grant, scopes } = issued
  const { id: grantId, orgId, userId } = grant
  events.emit({ type: 'token_refreshed', at: now, clientId: wireId(app), grantId, orgId, userId, scopes })
  return issued
}

interface Addition {
  readonly app: App
  readonly found: FoundToken
  readonly scopes: readonly string[]
  readonly audience: Audience
  readonly jkt: string | undefined
  readonly ruled: Ruled | undefined
}

/** Issues an access token beside a refresh token that stays (FAPI 2.0 §5.3.2.1: no rotation), and that it does not outlive. */
async function addTokens({ app, audience, found, jkt, ruled, scopes }: Addition, context: Context): Promise<Issued> {
  const { grant, token } = found
  const accessTokenSeconds = Math.max(1, Math.floor((token.expiresAt - context.now) / 1000))
  const wanted = { app, grant, scopes, audience, jkt, refreshable: false, renewed: true, ruled, accessTokenSeconds }
  const { issued, tokens } = await makeTokens(wanted, context)
  if ((await context.store.grants.add(found, tokens)) === 'missing') throw invalidGrant()
  return issued
}

/** Ends a grant that is not to go on, so that its access tokens end as well. */
async function endGrant(grant: Grant, app: App, context: Context): Promise<void> {
  const { id: grantId, orgId, userId } = grant
  const { events, now } = context
  await endFound({ grantId }, grant, context, () =>
    events.emit({
      type: 'token_revoked',
      at: now,
      clientId: wireId(app),
      grantId,
      orgId,
      userId,
      tokenType: 'refresh',
      jti: null,
    }),
  )
}

/** Keeps a client that nobody registered, because it is in use. Ends a grant whose admission does not stand any more. */
async function requireKept(grant: Grant, app: App, context: Context): Promise<void> {
  if (await keepAdmission(app, grant, context)) return keepClient(app, context)
  await context.store.grants.revoke(grant.id)
  throw invalidGrant()
}

/** Finds a refresh token of this app, spent or not. Rejects with `invalid_grant` for any other text. */
async function find(value: string, app: App, { store }: Context): Promise<FoundToken> {
  const ref = tokenRef(value)
  if (ref?.kind !== 'refresh' || ref.appId !== app.id) throw invalidGrant()
  const found = await store.grants.find(ref)
  if (found?.token.kind !== 'refresh' || found.grant.appId !== app.id || found.grant.epoch !== app.epoch) throw invalidGrant()
  return found
}

/**
 * Answers a spent refresh token. Within the grace period it returns the same successor again if that is still unused: a retry.
 * Otherwise it revokes the grant: a theft. (RFC 9700 §4.14.2 leaves to the server how to tell the two apart.)
 */
async function repeat(
  value: string,
  { grant, spent }: { readonly grant: Grant; readonly spent: Spent },
  { app, audience: asked, jkt }: TokenRequest,
  context: Context,
): Promise<Issued> {
  const { config, events, now } = context
  const graceMs = config.rotationGraceSeconds * 1000
  // Read the clock again: one that was read before a concurrent spend would give a negative age.
  if (graceMs > 0 && config.now() - spent.at <= graceMs) {
    const successor = openSuccessor(value, spent.replay)
    const answered = successor && (await answerAgain(successor, { grant, app, asked, jkt }, context))
    if (answered) return answered
    if (!successor)
      config.log.error(
        'the successor of a refresh token cannot be opened: another version of authmount sealed it, or it is damaged',
      )
  }
  const { id: grantId, orgId, userId } = grant
  await endFound({ grantId }, grant, context, ended => {
    if (ended) events.emit({ type: 'refresh_reuse', at: now, clientId: wireId(app), grantId, orgId, userId })
  })
  throw invalidGrant()
}

/**
 * Returns the tokens that a refresh was answered with; undefined if its refresh token has been used since. Rejects with
 * `invalid_grant` if they were revoked or are bound to another key, or with `invalid_target` if the retry is for another resource.
 */
async function answerAgain(
  { accessToken, refreshToken }: Successor,
  { app, asked, grant, jkt }: Pick<TokenRequest, 'app' | 'jkt'> & { readonly asked: Audience; readonly grant: Grant },
  context: Context,
): Promise<Issued | undefined> {
  const [refresh, access] = await Promise.all([findToken(refreshToken, context), findToken(accessToken, context)])
  // An absent successor was revoked since: there is nothing to return, and no grant to revoke.
  if (!refresh || (!refresh.spent && !access)) throw invalidGrant()
  if (refresh.spent || !access) return undefined
  if (access.token.jkt !== jkt)
    throw new OAuthError('invalid_grant', 'this refresh has been answered with tokens for another key: prove that one')
  // The access token has been issued, so its audience cannot change any more.
  if (asked && !isDeepStrictEqual(access.token.audience, audienceOf(grant, asked)))
    throw new OAuthError('invalid_target', 'this refresh has been answered for another resource: use its refresh token')
  const expiresInSeconds = Math.ceil((access.token.expiresAt - context.config.now()) / 1000)
  const { scopes } = access.token
  return { app, grant, accessToken, refreshToken, scopes, expiresInSeconds, jkt, renewed: true, userClaims: undefined }
}

async function findToken(token: string | undefined, { store }: Context): Promise<FoundToken | undefined> {
  const ref = token === undefined ? undefined : tokenRef(token)
  return ref && store.grants.find(ref)
}
