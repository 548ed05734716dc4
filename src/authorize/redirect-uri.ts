/**
 * Whether a requested redirect URI is one of the registered ones: byte for byte (RFC 9700 §2.1), except that the port
 * of a loopback address may differ (RFC 8252 §7.3). `localhost` counts as one only where the host allows it.
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

/** Whether the identity behind a redirect URI can be vouched for: anyone on the device may listen elsewhere (RFC 8252 §8.6). */
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
