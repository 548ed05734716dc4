import { randomId, randomText, sha256 } from './crypto.ts'

/*
 * Every id that authmount makes, and how each is told from other text. An app's id is the key of its record; a grant's id
 * begins with its app's, and a token with its grant's, so that a token leads to all three records at once.
 */

/** Characters of an app's id. */
export const APP_ID_LENGTH = 24
/** Characters of a grant's id: its app's id and 16 random bytes. */
export const GRANT_ID_LENGTH = APP_ID_LENGTH + 22
/** As a pattern in a JSON Schema. */
export const APP_ID_PATTERN = '^[0-9a-f]{24}$'

/** A grant's id, as the source of a regular expression. */
export const GRANT_ID_SOURCE = '[0-9a-f]{24}[\\w-]{22}'

const APP_ID = new RegExp(APP_ID_PATTERN)
const GRANT_ID = new RegExp(`^${GRANT_ID_SOURCE}$`)

/** A new app's id: 96 random bits as 24 lower-case hex digits. */
export function newAppId(): string {
  return randomText(APP_ID_LENGTH / 2, 'hex')
}

/** Whether a text has the shape of an app's id. Any other is never looked up. */
export function isAppId(text: string): boolean {
  return APP_ID.test(text)
}

/** The id under which the app with this `client_id` is stored: the `client_id` itself, or its digest where that is no app's id. */
export function appIdOf(clientId: string): string {
  return isAppId(clientId) ? clientId : sha256(clientId, 'hex').slice(0, APP_ID_LENGTH)
}

/** Whether a text can be a `client_id`: 1 to 2,048 characters 0x20–0x7E (RFC 6749 Appendix A.1). */
export function isClientId(text: string): boolean {
  return /^[\x20-\x7e]{1,2048}$/.test(text)
}

/** What an app is called on the wire: as `client_id` in requests, answers, tokens, hooks and events. */
export function wireId({ clientId, id }: { readonly id: string; readonly clientId?: string }): string {
  return clientId ?? id
}

/** A new grant's id. */
export function newGrantId(appId: string): string {
  return appId + randomId(16)
}

/** Whether a text has the shape of a grant's id. */
export function isGrantId(text: string): boolean {
  return GRANT_ID.test(text)
}

/** The id of the app to which a grant belongs. */
export function appOfGrant(grantId: string): string {
  return grantId.slice(0, APP_ID_LENGTH)
}
