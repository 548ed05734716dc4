import { randomId, sha256 } from '../../base/crypto.ts'
import { wireId } from '../../base/ids.ts'
import type { EpochMs } from '../../base/time.ts'
import { audienceOf } from '../../bearer/audience.ts'
import { endFound, findEndMark } from '../../bearer/end-grant.ts'
import { keepAdmission } from '../../clients/admission.ts'
import { OFFLINE_ACCESS, stillAllowed } from '../../clients/allowed-scopes.ts'
import { isSelfRegistered } from '../../clients/find-client.ts'
import { keepClient } from '../../clients/self-registered.ts'
import { OAuthError } from '../../errors/oauth-error.ts'
import { optional } from '../../http/params.ts'
import { endedSince } from '../../oidc/app-sessions.ts'
import { grantContext } from '../../oidc/grant-context.ts'
import type { Context } from '../../options/context.ts'
import type { App, OneTime, OneTimeData } from '../../store/store.ts'
import type { TokenGrant, TokenRequest } from '../grant.ts'
import { invalidGrant } from '../invalid-grant.ts'
import { createGrant, hasRules, requireSigningKeys } from '../issue.ts'
import { verifyPkce } from '../pkce.ts'
import { applyRules, type Ruled } from '../rules.ts'

type Code = OneTimeData['code']

/** Exchanges an authorization code for tokens, once (RFC 6749 §4.1.3, RFC 7636 §4.5). */
export const authorizationCode: TokenGrant = {
  name: 'authorization_code',
  title: 'Authorization code',
  summary: 'It acts for users who have signed in and agreed.',
  parameters: { code: { required: true }, redirect_uri: { required: false }, code_verifier: { required: false } },
  byDefault: true,
  provenAppsOnly: false,

  prefetch(params, { store }) {
    const code = optional(params, 'code')
    return code === undefined ? undefined : store.oneTime.peek('code', sha256(code))
  },

  async handle({ app, audience: asked, jkt, params, prefetched }, context) {
    const entry = await find({ app, params, prefetched })
    const { data: code } = entry
    const allowed = stillAllowed(code.scopes, app, context.config)
    const audience = audienceOf(code, asked)
    // RFC 9449 §10. Before the code is spent: whoever has another key must not spend it.
    if (code.context.jkt !== undefined && code.context.jkt !== jkt)
      throw new OAuthError('invalid_grant', 'the code is bound to a key by dpop_jkt: the request must prove it')
    // Before the code is spent: the keys that an ID token needs may not be readable now.
    await requireSigningKeys({ audience, scopes: allowed }, context)

    if (isSelfRegistered(app)) await keepClient(app, context)
    const { appId, context: request, epoch, grantId: id, orgId, userId } = code
    const isProven = verifyPkce(optional(params, 'code_verifier'), code, context.config)
    let ruled: Ruled | undefined
    // Before the code is spent as well: a function of the host's that fails must not cost the client its code.
    if (isProven && hasRules(userId, context)) {
      const of = { id, orgId, userId, createdAt: null, context: request }
      const asked = { app, of, scopes: allowed, audience, grantType: 'authorization_code' }
      ruled = await applyRules('token', asked, () => spend(entry, app, context), context)
    }
    await spend(entry, app, context)
    // After the code is spent, so that a stolen code allows one guess at its verifier.
    if (!isProven) throw invalidGrant()

    const scopes = ruled?.scopes ?? allowed
    const grant = { id, appId, orgId, userId, scopes, createdAt: context.now, epoch, context: request }
    const issued = await createGrant({ app, grant, scopes, audience, jkt, refreshable: true, renewed: false, ruled }, context)
    await requireStillWanted({ code, issuedAt: entry.expiresAt - context.config.codeSeconds * 1000 }, app, context)
    return issued
  },
}

/** Finds the code's entry without spending it: a request of another app, or with a mistyped redirect URI, must not spend it. */
async function find({ app, params, prefetched }: Pick<TokenRequest, 'app' | 'params' | 'prefetched'>): Promise<OneTime<'code'>> {
  const entry = (await prefetched) as OneTime<'code'> | undefined
  if (entry?.data.appId !== app.id || entry.data.epoch !== app.epoch) throw invalidGrant()
  const redirectUri = params.get('redirect_uri')
  // OAuth 2.1 §10.2: redirect_uri may be omitted if the code is bound by PKCE, but a wrong one is refused.
  const mayOmit = entry.data.codeChallenge !== null && redirectUri === undefined
  if (!mayOmit && entry.data.redirectUri !== redirectUri) throw invalidGrant()
  return entry
}

/** Spends a code. If it is spent already, revokes the grant of its first use (RFC 6749 §4.1.2). */
async function spend({ data: code, id }: OneTime<'code'>, app: App, context: Context): Promise<void> {
  const { store } = context
  const consumed = await store.oneTime.consume('code', id, randomId(16))
  if (consumed?.first) return
  if (consumed) await endReplayed(code, app, context)
  throw invalidGrant()
}

async function endReplayed(code: Code, app: App, context: Context): Promise<void> {
  const { events, now } = context
  const { grantId, orgId, userId } = code
  await endFound({ grantId }, code, context, revoked =>
    events.emit({ type: 'code_replay', at: now, clientId: wireId(app), grantId, orgId, userId, revoked }),
  )
}

/**
 * Revokes the new grant if the consent was withdrawn, the code was replayed, the session ended or an admin refused the app
 * meanwhile. Each of these writes a record first and then revokes the grant, and this reads the records after the grant is stored:
 * whichever comes second sees the other.
 */
export async function requireStillWanted(
  {
    code,
    issuedAt,
  }: {
    readonly code: Pick<Code, 'appId' | 'context' | 'grantId' | 'orgId' | 'scopes' | 'userId'>
    readonly issuedAt: EpochMs
  },
  app: App,
  context: Context,
): Promise<void> {
  const { store } = context
  const { appId, grantId, scopes, userId } = code
  const [consent, replayed, admitted] = await Promise.all([
    store.consents.get({ userId }, appId),
    findEndMark({ grantId }, { store }),
    !isSelfRegistered(app) || keepAdmission(app, code, context),
  ])
  const isOver =
    consent?.signedOut !== undefined &&
    !scopes.includes(OFFLINE_ACCESS) &&
    endedSince(issuedAt, grantContext(code.context).sid, consent.signedOut)
  if (!isOver && !replayed && admitted && scopes.every(scope => consent?.scopes.includes(scope))) return
  await store.grants.revoke(grantId)
  throw invalidGrant()
}
