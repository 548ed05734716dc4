import { z } from 'zod'
import { isAppId, isGrantId, wireId } from '../base/ids.ts'
import type { EpochMs } from '../base/time.ts'
import { endFound, findEndMark } from '../bearer/end-grant.ts'
import { ApiError } from '../errors/api-error.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { one, requireForm } from '../http/params.ts'
import { json, redirect } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import { withParams } from '../http/with-params.ts'
import { grantContext } from '../oidc/grant-context.ts'
import type { SignedInContext } from '../options/context.ts'
import type { Grant, GrantedToken } from '../store/store.ts'
import { isOwnForm } from './form.ts'

/*
 * The grants of a user: each is one device, or one sign-in, of an app. When an app last used one is read from its tokens, so that
 * it costs no write: an app in use gets a new token whenever its access token has expired.
 */

const instant = z.iso.datetime({ precision: 3 })

/** One device, or one sign-in, of an app that the user has allowed. */
export const deviceSchema = z.object({
  grantId: z.string().describe('names it in the paths of this API; it is no credential'),
  scopes: z.array(z.string()).describe('what the app may do there'),
  signedInAt: instant.describe('when the app was let in'),
  lastUsedAt: instant.describe('when the app last got a token: it was used then, and perhaps until that token expired'),
  name: z.string().optional().describe('how people call it, where the host keeps that'),
  ip: z.string().optional().describe('its IP address at that time, where the host keeps that'),
  place: z.string().optional().describe('where that is, where the host keeps that'),
})

export type DeviceView = z.output<typeof deviceSchema>

/** Lists the grants behind some tokens, most recently used first. */
export function devicesOf(tokens: readonly GrantedToken[]): readonly DeviceView[] {
  const byGrant = new Map<string, { grant: Grant; lastUsedAt: EpochMs }>()
  for (const { grant, token } of tokens) {
    const lastUsedAt = Math.max(byGrant.get(grant.id)?.lastUsedAt ?? grant.createdAt, token.issuedAt)
    byGrant.set(grant.id, { grant, lastUsedAt })
  }
  return [...byGrant.values()]
    .toSorted((a, b) => b.lastUsedAt - a.lastUsedAt)
    .map(({ grant, lastUsedAt }) => ({
      grantId: grant.id,
      scopes: [...grant.scopes],
      signedInAt: new Date(grant.createdAt).toISOString(),
      lastUsedAt: new Date(lastUsedAt).toISOString(),
      ...grantContext(grant.context).device,
    }))
}

/** DELETE /oauth/connected-apps/{appId}/devices/{grantId}: ends one grant. The consent stays, and so do other devices. */
export async function endDevice({ params }: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  await end(params.appId ?? '', params.grantId ?? '', context)
  return json(200, { message: 'The app can no longer act for you from there' })
}

/** POST /oauth/connected-apps/{appId}/devices/{grantId}: the same for the page, because HTML forms cannot send DELETE. */
export async function endDeviceByForm(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  if (!(await isOwnForm(one(requireForm(request), 'form_id'), context)))
    throw new OAuthError('access_denied', 'this page was not shown to you: open it again', { status: 403, expired: true })
  const grantId = request.params.grantId ?? ''
  // A form that is sent twice finds nothing the second time: the outcome is the same.
  await end(request.params.appId ?? '', grantId, context).catch(error => {
    if (!(error instanceof ApiError && error.code === 'NOT_FOUND')) throw error
  })
  return redirect(303, withParams(`${context.config.mountPath}/oauth/connected-apps`, { ended: grantId }))
}

/** Finds the app of a grant that this user has just ended; undefined if it is not theirs, or that is long ago. */
export async function appOfEnded(grantId: string, { principal, store }: SignedInContext): Promise<string | undefined> {
  const mark = isGrantId(grantId) ? await findEndMark({ grantId }, { store }) : undefined
  return mark?.userId === principal.userId ? mark.appId : undefined
}

async function end(appId: string, grantId: string, context: SignedInContext): Promise<void> {
  if (!isAppId(appId)) throw new ApiError('VALIDATION_ERROR', 'an app’s id is 24 hexadecimal digits')
  if (!isGrantId(grantId)) throw new ApiError('VALIDATION_ERROR', 'this is no grantId of the list of connected apps')
  const { config, events, principal, store } = context
  const { userId } = principal
  const found = await findGrant(grantId, context)
  // One that was ended a moment ago is ended again: the first call may have failed half-way, or its answer was lost.
  const of = found ?? (await findEndMark({ grantId }, context))
  if (of?.userId !== userId || of.appId !== appId) throw new ApiError('NOT_FOUND', 'you have no such device with this app')
  const app = await store.apps.get(appId)
  const clientId = app ? wireId(app) : appId
  await endFound({ grantId }, of, context, ended => {
    if (found || ended) events.emit({ type: 'device_ended', at: config.now(), clientId, grantId, orgId: of.orgId, userId })
  })
}

const PAGE = 500

/** Finds a live grant of the user: by their list, since no grant can be read by its id alone. */
async function findGrant(grantId: string, { principal, store }: SignedInContext): Promise<Grant | undefined> {
  let after: string | null | undefined
  while (after !== null) {
    const query = { userId: principal.userId, limit: PAGE, ...(after === undefined ? {} : { after }) }
    const page = await store.grants.listTokens(query)
    const found = page.items.find(({ grant }) => grant.id === grantId)
    if (found) return found.grant
    after = page.next
  }
  return undefined
}
