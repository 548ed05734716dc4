import type { HttpRequest } from '../http/types.ts'
import { holdsToken } from './token-ref.ts'

/** Whether a request carries a token of ours anywhere the host's hook could take it for a login. */
export function carriesToken({ headers, query }: HttpRequest, issuer: string): boolean {
  const basic = /^basic +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  if (basic && holdsToken(Buffer.from(basic, 'base64').toString(), issuer)) return true
  // The address of the page before may have had one.
  const { referer: _, ...own } = headers
  if (Object.values(own).some(value => value !== undefined && holds(String(value), issuer))) return true
  return [...query].some(([name, value]) => !CLIENTS_OWN.has(name) && holdsToken(value, issuer))
}

/** Whether a cookie holds a token of ours: a browser that sends it will be signed in by no login. */
export function cookieHoldsToken({ headers: { cookie } }: HttpRequest, issuer: string): boolean {
  return cookie !== undefined && holds(cookie, issuer)
}

/** A hint is no credential (OpenID Connect Core §3.1.2.1), and what a client has in its `state` and `nonce` is its own affair. */
const CLIENTS_OWN: ReadonlySet<string> = new Set(['id_token_hint', 'state', 'nonce'])

function holds(text: string, issuer: string): boolean {
  return holdsToken(text, issuer) || (text.includes('%') && holdsToken(unescaped(text), issuer))
}

/** As a parser of cookies reads it. */
function unescaped(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
