/** Adds parameters to a redirect URI and keeps the query it has (RFC 6749 §3.1.2). Null values are left out. */
export function withParams(uri: string, params: Readonly<Record<string, string | null>>): string {
  const added = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) if (value !== null) added.append(name, value)
  if (added.size === 0) return uri
  const separator = uri.includes('?') ? (/[?&]$/.test(uri) ? '' : '&') : '?'
  return `${uri}${separator}${added}`
}
