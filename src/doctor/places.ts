/** Returns where clients look for the metadata of a protected URL: with its path inserted, and at the root (RFC 9728 §3.1). */
export function resourceMetadataPlaces(url: string): readonly string[] {
  const { origin, pathname } = new URL(url)
  const root = `${origin}/.well-known/oauth-protected-resource`
  return [...new Set([root + withoutSlash(pathname), root])]
}

/**
 * Returns where clients look for the metadata of an issuer: RFC 8414 §3.1, OpenID Connect with the path inserted, as the MCP
 * SDKs do, and OpenID Connect Discovery §4.
 */
export function serverMetadataPlaces(issuer: string): readonly [string, ...string[]] {
  const { origin, pathname } = new URL(issuer)
  const path = withoutSlash(pathname)
  const first = `${origin}/.well-known/oauth-authorization-server${path}`
  const openid = [`${origin}/.well-known/openid-configuration${path}`, `${origin}${path}/.well-known/openid-configuration`]
  return [first, ...new Set(openid)]
}

/** Says in what two addresses differ, in the cases that happen. */
export function differenceOf(found: string, expected: string): string {
  if (withoutSlash(found) === withoutSlash(expected)) return 'they differ in the slash at the end'
  if (!URL.canParse(found) || !URL.canParse(expected)) return 'one of them is no URL'
  const [a, b] = [new URL(found), new URL(expected)]
  if (a.host === b.host && a.protocol !== b.protocol) return 'they differ in http and https'
  if (a.host.replace(/^www\./, '') === b.host.replace(/^www\./, '') && a.host !== b.host) return 'they differ in www'
  if (a.host !== b.host) return 'they are on different hosts'
  return a.href === b.href ? 'they differ in how they are written' : 'they differ in the path'
}

function withoutSlash(text: string): string {
  return text.endsWith('/') ? text.slice(0, -1) : text
}
