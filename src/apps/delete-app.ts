import { randomId, sha256 } from '../base/crypto.ts'
import { isAppId, wireId } from '../base/ids.ts'
import { sweepRevoked } from '../clients/sweep-revoked.ts'
import { isUnknownOutcome } from '../errors/store-error.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { SignedInContext } from '../options/context.ts'
import type { App, OneTime } from '../store/store.ts'
import { actor } from './apps.ts'
import { changeApp, findApp } from './change-app.ts'

/** DELETE /oauth-clients/{appId}. One write ends every grant of the app, including those being issued concurrently. */
export async function deleteApp(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const deleted = json(200, { message: 'OAuth app deleted successfully' })
  const announce = (app: App) => {
    sweepRevoked(app, context)
    context.events.emit({ type: 'app_deleted', ...actor(context), clientId: wireId(app) })
  }
  const attempt = await beginDeletion(request, context)
  if (typeof attempt === 'object') {
    announce(attempt)
    return deleted
  }
  try {
    await changeApp(request, context, ({ epoch }) => ({ status: 'deleted', epoch: epoch + 1, secrets: [] }), announce)
  } catch (error) {
    if (!isUnknownOutcome(error)) await endDeletion(request, attempt, context)
    throw error
  }
  await endDeletion(request, attempt, context)
  return deleted
}

/*
 * A deletion whose answer was lost is repeated, and must not be answered that there is no such app. So it leaves a mark until
 * it has been answered; a repetition that finds the app deleted, and the mark, is answered like the first.
 */

const MARK_MS = 900_000

function deletionMark({ params }: HttpRequest, { now, principal }: SignedInContext): OneTime<'ended'> {
  const appId = params.appId ?? ''
  const { orgId, userId } = principal
  const id = sha256(JSON.stringify(['deletion', orgId, appId]))
  return { kind: 'ended', id, expiresAt: now + MARK_MS, data: { appId, orgId, userId } }
}

/** Leaves the mark, and returns the attempt that owns it; or returns the app if an earlier attempt has deleted it. */
async function beginDeletion(request: HttpRequest, context: SignedInContext): Promise<string | App> {
  const { principal, store } = context
  const { kind, id, ...rest } = deletionMark(request, context)
  const app = isAppId(rest.data.appId) ? await store.apps.get(rest.data.appId) : undefined
  if (app?.orgId === principal.orgId && app.status === 'deleted' && (await store.oneTime.peek(kind, id))) return app
  // Refused before anything is written, as every route of the app is.
  await findApp(request, context)
  const attempt = randomId(16)
  await store.oneTime.claim({ kind, id, ...rest }, attempt)
  return attempt
}

/** Takes the mark away: the answer that follows is the one that counts. Should that fail, only a repetition is answered 200. */
async function endDeletion(request: HttpRequest, attempt: string, context: SignedInContext): Promise<void> {
  const { kind, id } = deletionMark(request, context)
  await context.store.oneTime
    .forget(kind, id, attempt)
    .catch(cause => context.config.log.error('the mark of a deletion stays for 15 minutes', cause))
}
