import type { App } from '../store/store.ts'

/* What follows from how an app is registered. Each question has a name of its own, so that no answer stands for another. */

type Authenticated = Pick<App, 'authMethod'>
type Registered = Pick<App, 'authMethod' | 'origin'>

/** Whether it proves who it is when it calls an endpoint. One that does not names itself, and anyone can do that. */
export function provesItself({ authMethod }: Authenticated): boolean {
  return authMethod !== 'none'
}

/** Whether it has secrets that can be regenerated. */
export function hasSecret({ authMethod }: Authenticated): boolean {
  return authMethod === 'client_secret'
}

/** Whether its authorization requests must carry a PKCE challenge (RFC 9700 §2.1.1). */
export function mustUsePkce(app: Authenticated): boolean {
  return !provesItself(app)
}

/** Whether it may have tokens for itself (RFC 6749 §4.4): it proves who it is, and the host or one of its admins registered it. */
export function mayActForItself(app: Registered): boolean {
  return provesItself(app) && app.origin !== 'registered' && app.origin !== 'metadata'
}

/** Whether a page of its own origin may read its answers: such an app keeps nothing from the page in which it runs. */
export function mayRunInPage(app: Authenticated): boolean {
  return !provesItself(app)
}
