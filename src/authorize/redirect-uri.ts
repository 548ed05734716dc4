/**
 * Tells whether a requested redirect URI is a registered one: byte for byte (RFC 9700 §2.1), except that the port of a loopback
 * address may differ (RFC 8252 §7.3). `localhost` counts as a loopback address only if the host allows it.
 */
export function matchRedirectUri(
  requested: string,
  registered: readonly string[],
  { loopbackLocalhost = false }: { readonly loopbackLocalhost?: boolean } = {},
): boolean {
  if (registered.includes(requested)) return true
  const asked = loopback(requested)
  if (!asked || (asked.localhost && !loopbackLocalhost)) return false
  return registered.some(uri => loopback(uri)?.withoutPort === asked.withoutPort)
}

/** Tells whether a redirect URI proves which app receives the answer. Any program can listen on loopback or a private scheme (RFC 8252 §8.6). */
export function isClaimedUri(uri: string): boolean {
  return uri.startsWith('https://')
}

/** Matched as text: a URL parser would turn `http://127.1` or a backslash into an address that was never registered. */
const LOOPBACK = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(?::([1-9]\d{0,4}))?((?:[/?][^\s\\#]*)?)$/

function loopback(uri: string): { readonly withoutPort: string; readonly localhost: boolean } | undefined {
  const match = LOOPBACK.exec(uri)
  if (!match || Number(match[2] ?? 80) > 65535) return undefined
  return { withoutPort: `${match[1]}${match[3]}`, localhost: match[1] === 'localhost' }
}
