import type { App } from '../store/store.ts'
import { isSelfRegistered } from './find-client.ts'

/* Facts that follow from an app's registration. Each has its own function, even where two have the same answer today. */

type Authenticated = Pick<App, 'authMethod'>
type Registered = Pick<App, 'authMethod' | 'origin'>

/** Tells whether an app authenticates when it calls an endpoint. One that does not only names itself, which anyone can do. */
export function provesItself({ authMethod }: Authenticated): boolean {
  return authMethod !== 'none'
}

/** Tells whether an app has secrets, which can be regenerated. */
export function hasSecret({ authMethod }: Authenticated): boolean {
  return authMethod === 'client_secret'
}

/** Tells whether an app's authorization requests must carry a PKCE challenge (RFC 9700 §2.1.1). One with a document is an agent, keys or not. */
export function mustUsePkce(app: Registered): boolean {
  return !provesItself(app) || app.origin === 'metadata'
}

/** Tells whether an app must push its authorization requests (RFC 9126 §5, §6). */
export function mustPush(
  { requirePushedAuthorizationRequests }: Pick<App, 'requirePushedAuthorizationRequests'>,
  { requirePushedAuthorizationRequests: every }: { readonly requirePushedAuthorizationRequests: boolean },
): boolean {
  return every || requirePushedAuthorizationRequests === true
}

/** Tells whether an app may have tokens for itself (RFC 6749 §4.4): it authenticates, and the host or an admin registered it. */
export function mayActForItself(app: Registered): boolean {
  return provesItself(app) && !isSelfRegistered(app)
}

/** Tells whether a page of the app's origin may read its answers: a public app has no secret to keep from the page. */
export function mayRunInPage(app: Authenticated): boolean {
  return !provesItself(app)
}
