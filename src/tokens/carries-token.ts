import type { HttpRequest } from '../http/types.ts'
import { holdsToken } from './token-ref.ts'

/** Tells whether a request carries one of our tokens anywhere the host's hook could take it for a login. */
export function carriesToken({ headers, query }: HttpRequest, issuer: string): boolean {
  const basic = /^basic +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  if (basic && holdsToken(Buffer.from(basic, 'base64').toString(), issuer)) return true
  // Skip referer: the URL of the previous page may contain a token.
  const { referer: _, ...own } = headers
  if (Object.values(own).some(value => value !== undefined && holds(String(value), issuer))) return true
  return [...query].some(([name, value]) => !CLIENTS_OWN.has(name) && holdsToken(value, issuer))
}

/** Tells whether a cookie contains one of our tokens: a browser that sends it stays signed out, whatever login it goes through. */
export function cookieHoldsToken({ headers: { cookie } }: HttpRequest, issuer: string): boolean {
  return cookie !== undefined && holds(cookie, issuer)
}

/** Parameters that are not searched: id_token_hint is no credential (OpenID Connect Core §3.1.2.1), and `state` and `nonce` are opaque texts of the client. */
const CLIENTS_OWN: ReadonlySet<string> = new Set(['id_token_hint', 'state', 'nonce'])

function holds(text: string, issuer: string): boolean {
  return holdsToken(text, issuer) || (text.includes('%') && holdsToken(unescaped(text), issuer))
}

/** Decodes percent-encoding as cookie parsers do. */
function unescaped(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
