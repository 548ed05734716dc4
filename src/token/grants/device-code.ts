import { randomId, sha256 } from '../../base/crypto.ts'
import { audienceOf } from '../../bearer/audience.ts'
import { stillAllowed } from '../../clients/allowed-scopes.ts'
import { OAuthError } from '../../errors/oauth-error.ts'
import { optional } from '../../http/params.ts'
import type { Context } from '../../options/context.ts'
import type { OneTime } from '../../store/store.ts'
import type { TokenGrant } from '../grant.ts'
import { invalidGrant } from '../invalid-grant.ts'
import { createGrant, hasRules, requireSigningKeys } from '../issue.ts'
import { verifyPkce } from '../pkce.ts'
import { applyRules, type Ruled } from '../rules.ts'
import { requireStillWanted } from './authorization-code.ts'

export const DEVICE_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

/** Answers a device that asks whether its user has agreed, and gives it tokens, once (RFC 8628 §3.4, §3.5). */
export const deviceCode: TokenGrant = {
  name: DEVICE_CODE_GRANT,
  title: 'Device code',
  summary: 'It acts for users who typed its code in a browser, and agreed.',
  parameters: { device_code: { required: true }, code_verifier: { required: false } },
  byDefault: false,
  provenAppsOnly: false,

  prefetch(params, { store }) {
    const code = optional(params, 'device_code')
    return code === undefined ? undefined : store.oneTime.peek('device', sha256(code))
  },

  async handle({ app, audience: asked, jkt, params, prefetched }, context) {
    const { config, now, store } = context
    const waiting = (await prefetched) as OneTime<'device'> | undefined
    if (waiting?.data.appId !== app.id || waiting.data.epoch !== app.epoch) throw invalidGrant()

    const [decision, inTime] = await Promise.all([store.oneTime.peek('device_decision', waiting.id), markPoll(waiting, context)])
    if (!decision) {
      if (now >= waiting.data.answerUntil)
        throw new OAuthError('expired_token', 'the user did not answer in time: ask for a new code')
      if (!inTime) throw new OAuthError('slow_down', 'the device asks too often: wait 5 seconds longer each time')
      throw new OAuthError('authorization_pending', 'the user has not answered yet')
    }
    if (!decision.data.granted) throw new OAuthError('access_denied', 'the user did not agree')

    const { context: request, epoch, grantId: id, orgId, userId } = decision.data
    if (epoch !== app.epoch) throw invalidGrant()
    const allowed = stillAllowed(decision.data.scopes, app, config)
    const audience = audienceOf({ context: request }, asked)
    // Before the code is spent: the keys that an ID token needs may not be readable now.
    await requireSigningKeys({ audience, scopes: allowed }, context)

    const isProven = verifyPkce(optional(params, 'code_verifier'), waiting.data, config)
    const spend = async () => {
      const consumed = await store.oneTime.consume('device', waiting.id, randomId(16))
      if (!consumed?.first) throw invalidGrant()
    }
    let ruled: Ruled | undefined
    // Before the code is spent as well: a function of the host's that fails must not cost the device its code.
    if (isProven && hasRules(userId, context)) {
      const of = { id, orgId, userId, createdAt: null, context: request }
      ruled = await applyRules('token', { app, of, scopes: allowed, audience, grantType: DEVICE_CODE_GRANT }, spend, context)
    }
    await spend()
    // After the code is spent, so that a stolen code allows one guess at its verifier.
    if (!isProven) throw invalidGrant()

    const scopes = ruled?.scopes ?? allowed
    const grant = { id, appId: app.id, orgId, userId, scopes, createdAt: now, epoch, context: request }
    const issued = await createGrant({ app, grant, scopes, audience, jkt, refreshable: true, renewed: false, ruled }, context)
    const code = { ...decision.data, appId: app.id }
    await requireStillWanted({ code, issuedAt: decision.data.answeredAt ?? 0 }, app, context)
    return issued
  },
}

/**
 * Tells whether this is the device's first question in an interval (RFC 8628 §3.5). Two that are an interval apart are never in
 * the same one. Reads nothing, so that a question costs the store one round trip.
 */
function markPoll({ id }: OneTime<'device'>, { config, now, store }: Context): Promise<boolean> {
  const intervalMs = (config.devices?.intervalSeconds ?? 0) * 1000
  const interval = Math.floor(now / intervalMs)
  const mark = {
    kind: 'device_poll',
    id: sha256(`${id} ${interval}`),
    expiresAt: now + 2 * intervalMs,
    data: { deviceId: id },
  } as const
  return store.oneTime.claim(mark, randomId(16))
}
