import { wireId } from '../base/ids.ts'
import type { NewSecret } from '../clients/authenticate/client-secret.ts'
import type { Context } from '../options/context.ts'
import type { App } from '../store/store.ts'
import { type AppView, viewApp } from './app-view.ts'

/** A registered app and its credentials. */
export interface RegisteredApp {
  /** Its `client_id`. */
  readonly clientId: string
  /** The secret that this call made or was given; null for an app without one, and where an earlier call made it. */
  readonly clientSecret: string | null
  /** The app, as the API answers it. */
  readonly app: AppView
}

/** Emits the event of a new app, and returns what its registration resolves to. */
export function registered(app: App, secret: NewSecret | null, { events, now }: Pick<Context, 'events' | 'now'>): RegisteredApp {
  events.emit({ type: 'app_created', at: now, clientId: wireId(app), orgId: app.orgId, actorId: app.createdBy })
  return { clientId: wireId(app), clientSecret: secret?.value ?? null, app: viewApp(app) }
}
