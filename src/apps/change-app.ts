import { isAppId } from '../base/ids.ts'
import { ApiError } from '../errors/api-error.ts'
import { isUnknownOutcome } from '../errors/store-error.ts'
import type { HttpRequest } from '../http/types.ts'
import type { SignedInContext } from '../options/context.ts'
import type { App } from '../store/store.ts'

/** Finds the app a request names. Throws NOT_FOUND for an absent or deleted app, and for one of another organisation. */
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

/** Fields to set; an optional one that is undefined is removed. */
export type AppChange = { readonly [Name in keyof App]?: App[Name] | undefined }

/** How many times a change is tried when concurrent writes come first. */
const ATTEMPTS = 5

/**
 * Applies a change to the app a request names. If a concurrent write comes first, retries on the new record; `change` throws if
 * the two changes conflict. `announce` is called with the app after and before, also if the store's answer was lost, so that the event is
 * emitted at least once.
 * Rejects with ApiError NOT_FOUND, CONFLICT after five tries, or the error of `change`.
 */
export async function changeApp(
  request: HttpRequest,
  context: SignedInContext,
  change: (app: App) => AppChange,
  announce: (app: App, before: App) => void,
): Promise<App> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const app = await findApp(request, context)
    const next = { ...changed(app, change(app)), updatedAt: context.now, version: app.version + 1 }
    try {
      if (!(await context.store.apps.save(next))) continue
    } catch (error) {
      if (isUnknownOutcome(error)) announce(next, app)
      throw error
    }
    announce(next, app)
    return next
  }
  throw new ApiError('CONFLICT', 'the app is being changed by others at the same time: try again')
}

/** Returns the app with a change. */
export function changed(app: App, change: AppChange): App {
  return Object.fromEntries(Object.entries({ ...app, ...change }).filter(([, value]) => value !== undefined)) as unknown as App
}
