import { randomId, randomText, sha256 } from './crypto.ts'

/*
 * This file makes and recognises every id. An app's id is the key of its record; a grant's id begins with its app's id, and
 * a token with its grant's id, so that the three records of a token are read in one round trip.
 */

/** The length of an app's id, in characters. */
export const APP_ID_LENGTH = 24
/** The length of a grant's id, in characters: its app's id and 16 random bytes. */
export const GRANT_ID_LENGTH = APP_ID_LENGTH + 22
/** The shape of an app's id, as a pattern of JSON Schema. */
export const APP_ID_PATTERN = '^[0-9a-f]{24}$'

/** The shape of a grant's id, as the source of a regular expression. */
export const GRANT_ID_SOURCE = '[0-9a-f]{24}[\\w-]{22}'

const APP_ID = new RegExp(APP_ID_PATTERN)
const GRANT_ID = new RegExp(`^${GRANT_ID_SOURCE}$`)

/** Makes the id of a new app: 96 random bits as 24 lower-case hex digits. */
export function newAppId(): string {
  return randomText(APP_ID_LENGTH / 2, 'hex')
}

/** Tells whether a text has the shape of an app's id. The store is never called with any other. */
export function isAppId(text: string): boolean {
  return APP_ID.test(text)
}

/** Returns the id under which the app with this `client_id` is stored: the `client_id` itself if it is an app's id, else its digest. */
export function appIdOf(clientId: string): string {
  return isAppId(clientId) ? clientId : sha256(clientId, 'hex').slice(0, APP_ID_LENGTH)
}

/** Tells whether a text can be a `client_id`: 1 to 2,048 characters 0x20–0x7E (RFC 6749 Appendix A.1). */
export function isClientId(text: string): boolean {
  return /^[\x20-\x7e]{1,2048}$/.test(text)
}

/** Returns the `client_id` of an app, which requests, answers, tokens, hooks and events use. */
export function wireId({ clientId, id }: { readonly id: string; readonly clientId?: string }): string {
  return clientId ?? id
}

/** Makes the id of a new grant. */
export function newGrantId(appId: string): string {
  return appId + randomId(16)
}

/** Tells whether a text has the shape of a grant's id. */
export function isGrantId(text: string): boolean {
  return GRANT_ID.test(text)
}

/** Returns the id of the app to which a grant belongs. */
export function appOfGrant(grantId: string): string {
  return grantId.slice(0, APP_ID_LENGTH)
}
