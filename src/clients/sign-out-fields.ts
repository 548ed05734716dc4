import type { App } from '../store/store.ts'

/** What the record of an app says of signing out. */
export type SignOutFields = Pick<App, 'backchannelLogoutSessionRequired' | 'backchannelLogoutUri' | 'postLogoutRedirectUris'>

/** Returns what a registration says of signing out, as a record keeps it: without what is not there. */
export function signOutFields({
  backchannelLogoutSessionRequired,
  backchannelLogoutUri,
  postLogoutRedirectUris,
}: {
  readonly backchannelLogoutSessionRequired: boolean
  readonly backchannelLogoutUri?: string | undefined
  readonly postLogoutRedirectUris: readonly string[]
}): SignOutFields {
  return {
    ...(postLogoutRedirectUris.length > 0 ? { postLogoutRedirectUris } : {}),
    ...(backchannelLogoutUri === undefined ? {} : { backchannelLogoutUri }),
    ...(backchannelLogoutSessionRequired ? { backchannelLogoutSessionRequired } : {}),
  }
}
