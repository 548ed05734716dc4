import { randomId, sha256 } from '../base/crypto.ts'
import { GRANT_ID_LENGTH } from '../base/ids.ts'

/*
 * Opaque values, and what secret scanners may look for: am_at_ access token, am_rt_ refresh token,
 * am_ac_ authorization code, am_cs_ client secret.
 * A token is `<prefix><grant id>.<32 random bytes>`; a grant id is the app's id and 16 random bytes, so a token leads
 * to both its records at once.
 */

export interface NewToken {
  /** What the client is given. */
  readonly value: string
  /** What the store keeps. */
  readonly id: string
}

export function newToken(kind: 'access' | 'refresh', grantId: string): NewToken {
  const value = `${PREFIX[kind]}${grantId}.${randomId(32)}`
  return { value, id: sha256(value) }
}

export function newCode(): string {
  return `am_ac_${randomId(32)}`
}

/** The code that a consent screen ends with. Nobody knows it who has not both the store's salt and the secret id of the screen. */
export function codeOfScreen(consentId: string, salt: string): string {
  return `am_ac_${sha256(JSON.stringify([consentId, salt]))}`
}

export function newClientSecret(): string {
  return `am_cs_${randomId(32)}`
}

/** Which grant an opaque token says it is of, and as what; undefined for any other text. */
export function readOpaque(value: string): { readonly kind: 'access' | 'refresh'; readonly grantId: string } | undefined {
  if (value.length !== LENGTH || value[DOT] !== '.' || !TOKEN.test(value)) return undefined
  return { kind: value.startsWith(PREFIX.access) ? 'access' : 'refresh', grantId: value.slice(PREFIX.access.length, DOT) }
}

/** Whether a text holds something of the shape of an opaque token. */
export function holdsOpaque(text: string): boolean {
  return text.includes('am_') && HELD.test(text)
}

const PREFIX = { access: 'am_at_', refresh: 'am_rt_' } as const
const DOT = PREFIX.access.length + GRANT_ID_LENGTH
const LENGTH = DOT + 1 + 43
const TOKEN = /^am_[ar]t_[\w-]+\.[\w-]+$/
const HELD = new RegExp(`am_[ar]t_[\\w-]{${GRANT_ID_LENGTH}}\\.[\\w-]{43}`)
