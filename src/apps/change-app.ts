import { isAppId } from '../base/ids.ts'
import { ApiError } from '../errors/api-error.ts'
import type { HttpRequest } from '../http/types.ts'
import type { SignedInContext } from '../options/context.ts'
import type { App } from '../store/store.ts'

/** The app a request names. One of another organisation is as absent as one that never was, or was deleted. */
export async function findApp({ params }: HttpRequest, { principal, store }: SignedInContext): Promise<App> {
  const id = params.appId ?? ''
  if (!isAppId(id)) {
    throw new ApiError('VALIDATION_ERROR', 'the request is not valid', [
      { path: 'appId', message: 'must be 24 hexadecimal digits' },
    ])
  }
  const app = await store.apps.get(id)
  if (app?.orgId !== principal.orgId || app.status === 'deleted') throw new ApiError('NOT_FOUND', 'there is no such app')
  return app
}

/** How often a change is tried again when someone else has written in between. */
const ATTEMPTS = 5

/**
 * Applies a change to the app a request names, on whatever is stored at that moment: when another write comes first, the
 * change is made again on what that write left. `change` throws where the two cannot both be had.
 * Rejects with ApiError NOT_FOUND, CONFLICT after too many rounds, or what `change` throws.
 */
export async function changeApp(
  request: HttpRequest,
  context: SignedInContext,
  change: (app: App) => Partial<App>,
): Promise<App> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const app = await findApp(request, context)
    const next = { ...app, ...change(app), updatedAt: context.now, version: app.version + 1 }
    if (await context.store.apps.save(next)) return next
  }
  throw new ApiError('CONFLICT', 'the app is being changed by others at the same time: try again')
}
