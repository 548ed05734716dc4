import { randomId, sha256 } from '../crypto.ts'
import type { TokenRef } from '../store.ts'

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

export function newGrantId(clientId: string): string {
  return clientId + randomId(16)
}

export function newToken(kind: 'access' | 'refresh', grantId: string): NewToken {
  const value = `${PREFIX[kind]}${grantId}.${randomId(32)}`
  return { value, id: sha256(value) }
}

export function newCode(): string {
  return `am_ac_${randomId(32)}`
}

export function newClientSecret(): string {
  return `am_cs_${randomId(32)}`
}

/** Where a presented token would be found; undefined for anything that cannot be a token of ours. */
export function tokenRef(
  value: string,
): (TokenRef & { readonly kind: 'access' | 'refresh'; readonly clientId: string }) | undefined {
  const match = TOKEN.exec(value)
  if (!match?.[2]) return undefined
  const kind = match[1] === 'at' ? 'access' : 'refresh'
  return { kind, grantId: match[2], clientId: match[2].slice(0, CLIENT_ID_LENGTH), tokenId: sha256(value) }
}

/** Whether a text holds a token that authmount issued. */
export function holdsToken(text: string): boolean {
  return text.includes(PREFIX.access) || text.includes(PREFIX.refresh)
}

const PREFIX = { access: 'am_at_', refresh: 'am_rt_' } as const
const CLIENT_ID_LENGTH = 24
const TOKEN = /^am_(at|rt)_([0-9a-f]{24}[\w-]{22})\.[\w-]{43}$/
