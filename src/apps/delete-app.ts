import { isAppId, wireId } from '../base/ids.ts'
import { type DeletionMark, deleteMarked, deletionMark, isUnanswered } from '../clients/deletion-mark.ts'
import { sweepRevoked } from '../clients/sweep-revoked.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { SignedInContext } from '../options/context.ts'
import type { App } from '../store/store.ts'
import { actor } from './apps.ts'
import { changeApp, findApp } from './change-app.ts'

/** DELETE /oauth-clients/{appId}. One write ends every grant of the app, including those being issued concurrently. */
export async function deleteApp(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const deleted = json(200, { message: 'OAuth app deleted successfully' })
  const { principal } = context
  const appId = request.params.appId ?? ''
  const mark = deletionMark([principal.orgId, appId], { appId, orgId: principal.orgId, userId: principal.userId }, context)
  const announce = (app: App) => {
    sweepRevoked(app, context)
    context.events.emit({ type: 'app_deleted', ...actor(context), clientId: wireId(app) })
  }
  const repeated = await findUnanswered(appId, mark, context)
  if (repeated) {
    announce(repeated)
    return deleted
  }
  // Refused before anything is written, as every route of the app is.
  await findApp(request, context)
  const change = () =>
    changeApp(request, context, ({ epoch }) => ({ status: 'deleted', epoch: epoch + 1, secrets: [] }), announce)
  await deleteMarked(mark, change, context)
  return deleted
}

/** Finds the app if an earlier attempt, whose answer was lost, has deleted it. */
async function findUnanswered(appId: string, mark: DeletionMark, context: SignedInContext): Promise<App | undefined> {
  const { principal, store } = context
  const app = isAppId(appId) ? await store.apps.get(appId) : undefined
  return app?.orgId === principal.orgId && app.status === 'deleted' && (await isUnanswered(mark, context)) ? app : undefined
}
