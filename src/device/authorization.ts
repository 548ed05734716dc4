import { readChallenge } from '../authorize/pkce.ts'
import { randomId, sha256 } from '../base/crypto.ts'
import { readAudience } from '../bearer/audience.ts'
import { scopesForUser } from '../clients/allowed-scopes.ts'
import { authenticateClient } from '../clients/authenticate/authenticate.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { optional, requireForm } from '../http/params.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import type { Config } from '../options/config.ts'
import type { Context } from '../options/context.ts'
import { DEVICE_CODE_GRANT } from '../token/grants/device-code.ts'
import { newDeviceCode } from '../tokens/opaque.ts'
import { DEVICE_PATH } from './paths.ts'
import { newUserCode, shownUserCode, userCodeId } from './user-code.ts'

/** How much longer than its code a waiting device is kept, in milliseconds, so that it learns that the code has expired. */
const KEPT_MS = 600_000
/** Of 25 billion codes, two in use are hardly ever the same. */
const TRIES = 5

/** POST /oauth/device_authorization: gives a device its two codes (RFC 8628 §3.1, §3.2). */
export async function authorizeDevice(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config, now, services, store } = context
  const params = requireForm(request)
  const app = await authenticateClient(request, params, context)
  if (!app.grantTypes.includes(DEVICE_CODE_GRANT))
    throw new OAuthError('unauthorized_client', `this app may not use the ${DEVICE_CODE_GRANT} grant`)
  const scopes = scopesForUser(optional(params, 'scope'), app, config)
  const audience = readAudience([optional(params, 'resource') ?? ''], config)
  // The device's code is never in a browser, so a challenge is welcome and not needed.
  const challenge = params.has('code_challenge') ? readChallenge(params, app, config) : null
  await services.limits.countFrom('deviceCodes', request.ip, store)

  const { codeSeconds, intervalSeconds } = devicesOf(config)
  const deviceCode = newDeviceCode()
  const id = sha256(deviceCode)
  const answerUntil = now + codeSeconds * 1000
  await store.oneTime.put({
    kind: 'device',
    id,
    expiresAt: answerUntil + KEPT_MS,
    data: {
      appId: app.id,
      epoch: app.epoch,
      scopes,
      audience,
      codeChallenge: challenge?.codeChallenge ?? null,
      codeChallengeMethod: challenge?.codeChallengeMethod ?? null,
      askedAt: now,
      answerUntil,
      ip: request.ip ?? null,
    },
  })
  const code = shownUserCode(await claimUserCode(id, answerUntil, context))
  const page = pageOf(config)
  return json(200, {
    device_code: deviceCode,
    user_code: code,
    verification_uri: page,
    verification_uri_complete: withParams(page, { user_code: code }),
    expires_in: codeSeconds,
    interval: intervalSeconds,
  })
}

/** Finds a code that no other device has, and makes it this one's. */
async function claimUserCode(deviceId: string, expiresAt: number, { store }: Context): Promise<string> {
  for (let tries = 0; tries < TRIES; tries++) {
    const code = newUserCode()
    const entry = { kind: 'device_user', id: userCodeId(code), expiresAt, data: { deviceId } } as const
    if (await store.oneTime.claim(entry, randomId(16))) return code
  }
  throw new OAuthError('temporarily_unavailable', 'no code is free: try again')
}

function pageOf(config: Config<never>): string {
  const { pageUrl } = devicesOf(config)
  if (pageUrl === null) return `${config.origin}${config.mountPath}${DEVICE_PATH}`
  return pageUrl.startsWith('/') ? config.origin + pageUrl : pageUrl
}

function devicesOf({ devices }: Config<never>): NonNullable<Config['devices']> {
  if (!devices) throw new Error('devices are not switched on')
  return devices
}
