import type { HttpRequest } from '../http/types.ts'
import { holdsToken } from './token-ref.ts'

/** Tells whether a request carries one of our tokens anywhere the host's hook could take it for a login. */
export function carriesToken({ headers, query }: HttpRequest, issuer: string): boolean {
  const basic = /^basic +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  if (basic && holdsToken(Buffer.from(basic, 'base64').toString(), issuer)) return true
  // Skip id_token_hint, which is no credential (OpenID Connect Core §3.1.2.1), and referer, whose URL may have one.
  const { referer: _, ...own } = headers
  const holds = (text: string) => holdsToken(text, issuer) || (text.includes('%') && holdsToken(unescaped(text), issuer))
  if (Object.values(own).some(value => value !== undefined && holds(String(value)))) return true
  return [...query].some(([name, value]) => name !== 'id_token_hint' && holdsToken(value, issuer))
}

/** Decodes percent-encoding as cookie parsers do. */
function unescaped(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
