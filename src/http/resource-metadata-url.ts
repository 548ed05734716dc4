const DOCUMENT = '/.well-known/oauth-protected-resource'

/** Returns the URL of a resource's metadata: the well-known part is inserted between its host and its path (RFC 9728 §3.1). */
export function resourceMetadataUrl(resource: string): string {
  const { origin, pathname, search } = new URL(resource)
  return `${origin}${DOCUMENT}${pathname === '/' ? '' : pathname}${search}`
}
