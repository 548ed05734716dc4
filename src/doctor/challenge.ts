/** The challenge of a `WWW-Authenticate` header that asks for an access token, bearer or bound (RFC 9449 §7.1), by parameter; null if there is none (RFC 9110 §11.6.1). */
export function bearerChallenge(header: string | null): ReadonlyMap<string, string> | null {
  const found = /(?:^|,\s*)(?:bearer|dpop)(?=$|[\s,])(.*)$/is.exec(header ?? '')
  if (!found) return null
  const parameters = new Map<string, string>()
  const pattern = /\s*(?:,\s*)?([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/gy
  for (const [, name = '', quoted, plain] of (found[1] ?? '').matchAll(pattern)) {
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain
    // A word without a value begins the challenge of another scheme.
    if (value === undefined) break
    parameters.set(name.toLowerCase(), value)
  }
  return parameters
}
