import { randomId, sha256 } from '../base/crypto.ts'
import { GRANT_ID_LENGTH } from '../base/ids.ts'

/*
 * The prefixes of opaque values, which secret scanners can search for: am_at_ access token, am_rt_ refresh token,
 * am_ac_ authorization code, am_dc_ device code, am_cs_ client secret, am_rg_ registration access token.
 * A token is `<prefix><grant id>.<32 random bytes>`; a grant id is the app's id and 16 random bytes, so the records of app and
 * grant can be read concurrently.
 */

/** A new token. */
export interface NewToken {
  /** The token itself, for the client. */
  readonly value: string
  /** Its hash, for the store. */
  readonly id: string
}

export function newToken(kind: 'access' | 'refresh', grantId: string): NewToken {
  const value = `${PREFIX[kind]}${grantId}.${randomId(32)}`
  return { value, id: sha256(value) }
}

export function newCode(): string {
  return `am_ac_${randomId(32)}`
}

export function newDeviceCode(): string {
  return `am_dc_${randomId(32)}`
}

/** Derives the code in which a consent screen ends. Computing it needs both the stored salt and the secret id of the screen. */
export function codeOfScreen(consentId: string, salt: string): string {
  return `am_ac_${sha256(JSON.stringify([consentId, salt]))}`
}

export function newClientSecret(): string {
  return `am_cs_${randomId(32)}`
}

/** Makes the token with which a client that registered itself manages its registration. */
export function newRegistrationToken(): NewToken {
  const value = `am_rg_${randomId(32)}`
  return { value, id: sha256(value) }
}

/** Reads the kind and the grant id of an opaque token; undefined for any other text. */
export function readOpaque(value: string): { readonly kind: 'access' | 'refresh'; readonly grantId: string } | undefined {
  if (value.length !== LENGTH || value[DOT] !== '.' || !TOKEN.test(value)) return undefined
  return { kind: value.startsWith(PREFIX.access) ? 'access' : 'refresh', grantId: value.slice(PREFIX.access.length, DOT) }
}

/** Tells whether a text contains something of the shape of an opaque token. */
export function holdsOpaque(text: string): boolean {
  return text.includes('am_') && HELD.test(text)
}

const PREFIX = { access: 'am_at_', refresh: 'am_rt_' } as const
const DOT = PREFIX.access.length + GRANT_ID_LENGTH
const LENGTH = DOT + 1 + 43
const TOKEN = /^am_[ar]t_[\w-]+\.[\w-]+$/
const HELD = new RegExp(`am_[ar]t_[\\w-]{${GRANT_ID_LENGTH}}\\.[\\w-]{43}`)
