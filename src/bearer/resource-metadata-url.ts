const DOCUMENT = '/.well-known/oauth-protected-resource'

/** Where a resource's metadata are: the well-known part stands between its host and its path (RFC 9728 §3.1). */
export function resourceMetadataUrl(resource: string): string {
  const { origin, pathname, search } = new URL(resource)
  return `${origin}${DOCUMENT}${pathname === '/' ? '' : pathname}${search}`
}
