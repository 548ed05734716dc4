import { randomId, sameDigest, sha256 } from '../base/crypto.ts'
import type { HttpRequest } from '../http/types.ts'
import type { Config } from '../options/config.ts'

type Site = Pick<Config<never>, 'origin'>

/**
 * Makes the cookie that binds a flow to the browser that begins it: one for each flow, so that two tabs do not overwrite each
 * other's. Browsers send it with the provider's redirect, because it is `SameSite=Lax`.
 */
export function browserCookie(state: string, seconds: number, site: Site): { readonly value: string; readonly header: string } {
  const value = randomId(32)
  return { value, header: `${cookieName(state, site)}=${value}; Max-Age=${seconds}; ${attributes(site)}` }
}

/** Tells whether the request has the cookie of the flow. */
export function isSameBrowser(binding: string, state: string, { headers }: HttpRequest, site: Site): boolean {
  const name = cookieName(state, site)
  const values = (headers.cookie ?? '')
    .split(/; */)
    .flatMap(pair => (pair.startsWith(`${name}=`) ? [pair.slice(name.length + 1)] : []))
  return values.some(value => sameDigest(sha256(value), binding))
}

export function clearBrowserCookie(state: string, site: Site): string {
  return `${cookieName(state, site)}=; Max-Age=0; ${attributes(site)}`
}

/** Names the cookie of a flow. With the prefix `__Host-`, no other host of the domain can set it (RFC 6265bis §4.1.3.2). */
function cookieName(state: string, { origin }: Site): string {
  const own = sha256(`binding ${state}`).slice(0, 16)
  return `${origin.startsWith('https:') ? '__Host-' : ''}authmount-connector-${own}`
}

function attributes({ origin }: Site): string {
  return `Path=/; HttpOnly; SameSite=Lax${origin.startsWith('https:') ? '; Secure' : ''}`
}
