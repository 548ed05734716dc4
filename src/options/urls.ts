import { isAppId } from '../base/ids.ts'
import { isLoopback } from '../base/loopback.ts'
import { quote } from './checks.ts'

export function readIssuer(issuer: unknown, problems: string[]): URL | undefined {
  const url = typeof issuer === 'string' && URL.canParse(issuer) ? new URL(issuer) : null
  if (!url || typeof issuer !== 'string') {
    problems.push(`issuer must be an absolute URL such as https://example.com: ${quote(issuer)} is not`)
    return undefined
  }
  const loopback = isLoopback(url)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback)) {
    problems.push('issuer must use https (http only on a loopback host, for development)')
  }
  if (url.username || url.password) problems.push('issuer must not contain a user name or password')
  // RFC 8414 §2. Clients compare the issuer byte by byte, so what a URL parser would tidy up is refused instead.
  if (/[?#]/.test(issuer)) problems.push('issuer must not have a query or a fragment')
  else if (issuer !== url.origin && issuer !== url.origin + url.pathname) {
    problems.push(`issuer must be written in its normal form: ${quote(url.href.replace(/\/$/, ''))}`)
  }
  if (!/^(\/[\w.~-]+)*\/?$/.test(url.pathname)) problems.push('issuer must have a path of letters, digits and . _ ~ - only')
  if (issuer.endsWith('/')) problems.push('issuer must not end with a slash')
  return url
}

export function readResources(resources: unknown, origin: string, problems: string[]): readonly [string, ...string[]] {
  if (resources === undefined) return [origin]
  const given: readonly unknown[] = Array.isArray(resources) ? resources : []
  const known = given.filter((resource): resource is string => {
    const url = typeof resource === 'string' && URL.canParse(resource) ? new URL(resource) : undefined
    const usable =
      url &&
      /^https?:$/.test(url.protocol) &&
      !url.username &&
      !url.search &&
      !url.hash &&
      !/[?#]$|\s|[:*]/.test(String(resource).replace(/^https?:\/\/[^/]*/i, ''))
    if (!usable) problems.push(`resources: ${quote(resource)} must be an absolute http(s) URI without a query or fragment`)
    return usable === true
  })
  const [first, ...rest] = known
  if (given.length === 0) problems.push('resources must be an array of at least one URI')
  return first === undefined ? [origin] : [first, ...rest]
}

export function readResourceServers(
  servers: unknown,
  resources: readonly string[],
  problems: string[],
): ReadonlyMap<string, readonly string[]> {
  if (servers === undefined) return new Map()
  const example = "resourceServers must map a client_id to resources: { '0123456789abcdef01234567': ['https://api.example.com'] }"
  if (typeof servers !== 'object' || servers === null) {
    problems.push(example)
    return new Map()
  }
  for (const [clientId, own] of Object.entries(servers)) {
    if (!isAppId(clientId) || !Array.isArray(own) || own.length === 0) problems.push(example)
    else if (!own.every(resource => resources.includes(resource)))
      problems.push(`resourceServers: ${clientId} has a resource that is not among the resources`)
  }
  return new Map(Object.entries(servers))
}

export function readPageUrl(name: string, value: string, problems: string[]): string {
  const absolute = URL.canParse(value) ? new URL(value) : null
  const usable = absolute ? /^https?:$/.test(absolute.protocol) : /^\/(?![/\\])/.test(value)
  if (!usable || value.includes('#') || !/^[\x21-\x7e]+$/.test(value))
    problems.push(`${name} must be a path such as /login, or an http(s) URL, without a fragment`)
  return value
}
