/**
 * Explains why a redirect URI cannot be registered, for the person who registers it; undefined if it can. `schemes` are private
 * schemes that the host allows beside those in reverse-domain form.
 */
export function redirectUriProblem(uri: string, schemes: readonly string[]): string | undefined {
  if (uri.length > 2048) return 'must have at most 2048 characters'
  if (!/^[\x21-\x7e]+$/.test(uri) || uri.includes('\\')) return 'must be printable ASCII without spaces or backslashes'
  // RFC 3986 §2: what may stand in a URI. Brackets are for addresses of IPv6 alone.
  if (/["<>^`{|}]/.test(uri) || /[[\]]/.test(uri.replace(/^[a-z]+:\/\/\[[0-9a-f:.]+\]/i, '')))
    return 'must have the characters " < > ^ ` { | } [ ] percent-encoded'
  if (!URL.canParse(uri)) return 'must be an absolute URI'
  if (uri.includes('#')) return 'must not have a fragment'
  if (uri.includes('*')) return 'must not have a wildcard: requests are compared with it exactly'

  const { hostname, password, protocol, searchParams, username } = new URL(uri)
  if (username || password || /^[^/?]*\/\/[^/?]*@/.test(uri)) return 'must not have a user name or password'
  const reserved = RESERVED.find(name => searchParams.has(name))
  if (reserved) return `must not have the query parameter ${reserved}: the answer adds its own`

  if (uri.startsWith('https://')) {
    // The text must equal the parsed host name (no escapes, no numeric short forms), or the address shown could mislead.
    const plain = hostname === WEB_HOST.exec(uri)?.[1]?.toLowerCase() && !hostname.endsWith('.')
    return plain ? undefined : 'must have a plain host name, without escapes, trailing dots or numeric short forms'
  }
  if (/^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?([/?]|$)/.test(uri)) return undefined
  if (protocol === 'http:') return 'must use https, except on localhost, 127.0.0.1 or [::1]'
  // RFC 8252 §7.1: a scheme in reverse-domain form avoids collisions, and excludes javascript:, data: and the like.
  if (/^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:\//.test(uri)) return undefined
  if (schemes.some(scheme => uri.startsWith(`${scheme}:/`))) return undefined
  return 'must use https, http on a loopback host, or a private scheme in reverse-domain form such as com.example.app:/callback'
}

const WEB_HOST = /^https:\/\/([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:[/?]|$)/i

/** The parameters of authorization responses (RFC 6749 §4.1.2, RFC 9207 §2). */
const RESERVED = ['code', 'state', 'iss', 'error', 'error_description', 'error_uri']
