import { isClientId } from '../base/ids.ts'
import { isLoopback } from '../base/loopback.ts'
import { isPlainObject, type Kind, mapOf, nonEmptyList, number, oneOf, text } from './kinds.ts'
import { quote } from './place.ts'
import { members, optional, type Table, type ValuesOf } from './rows.ts'

/** The issuer identifier (RFC 8414 §2). Clients compare it byte by byte, so what a URL parser would tidy up is refused. */
export const issuer: Kind<string> = {
  read(value, place) {
    if (typeof value !== 'string')
      return place.refuse(`must be the URL of this server, such as 'https://example.com', not ${quote(value)}`)
    if (!/^[a-z][a-z\d+.-]*:\/\//i.test(value) || !URL.canParse(value)) return place.refuse(withScheme(value))
    const problems = issuerProblems(value, new URL(value))
    for (const problem of problems) place.refuse(problem)
    return problems.length === 0 ? value : undefined
  },
}

function withScheme(value: string): string {
  const rest = value.replace(/^\/+|\/+$/g, '')
  const url = URL.canParse(`https://${rest}`) ? new URL(`https://${rest}`) : null
  const meant = rest !== '' && url?.pathname === '/' && url.search === '' && url.hash === '' && url.username === ''
  if (!url || !meant) return `must be a URL such as 'https://example.com', not ${quote(value)}`
  return `must begin with its scheme: '${isLoopback(url) ? 'http' : 'https'}://${url.host}', not ${quote(value)}`
}

function issuerProblems(issuer: string, url: URL): readonly string[] {
  const problems: string[] = []
  if (!/^https?:$/.test(url.protocol)) problems.push('must use https')
  if (url.username || url.password) problems.push('must not contain a user name or password')
  if (/[?#]/.test(issuer)) problems.push('must not have a query or a fragment')
  else if (issuer !== url.origin && issuer !== url.origin + url.pathname)
    problems.push(`must be written in its normal form: ${quote(url.href.replace(/\/$/, ''))}`)
  if (!/^(\/[\w.~-]+)*\/?$/.test(url.pathname)) problems.push('must have a path of letters, digits and . _ ~ - only')
  if (issuer.endsWith('/')) problems.push('must not end with a slash')
  return problems
}

/** The problem of an issuer that others on the network can read along with; null where there is none. */
export function insecureIssuer(issuer: string): string | null {
  const url = new URL(issuer)
  if (url.protocol === 'https:' || isLoopback(url)) return null
  return 'issuer must use https (http only on a loopback host, for development; allowInsecureIssuer in a network of your own)'
}

/** Schemes that browsers and systems give a meaning of their own: a redirect to one runs, loads or sends something. */
const FOREIGN_SCHEMES = new Set(
  'about blob chrome content cid data dav dns facetime file filesystem ftp ftps geo git gopher http https imap intent jar javascript ldap ldaps magnet mailto market mid news nfs nntp pop resource rtsp sftp shell sip sips smb sms ssh tel telnet tftp urn vbscript view-source vnc webcal ws wss xmpp'.split(
    ' ',
  ),
)

/** A private scheme that is not in reverse-domain form (RFC 8252 §7.1), without its colon. */
export const privateScheme = text('a private scheme such as cursor, in lower case and without a colon', value => {
  return /^[a-z][a-z\d+.-]{1,50}$/.test(value) && !FOREIGN_SCHEMES.has(value)
})

export const mountPath = text(
  'a path such as /api/v1, without a slash at its end',
  // A client takes `.` and `..` away before it sends a request.
  value => /^(\/(?!\.{1,2}(?:\/|$))[\w.~-]+)*$/.test(value),
)

/** Where a page of the host's is. */
export const pageUrl = text('a path such as /login, or an http(s) URL, without a fragment', value => {
  const absolute = URL.canParse(value) ? new URL(value) : null
  const usable = absolute ? /^https?:$/.test(absolute.protocol) : /^\/(?![/\\])/.test(value)
  return usable && !value.includes('#') && /^[\x21-\x7e]+$/.test(value)
})

/** A path on a front end of the host's, to which parameters are added. */
export const frontEndPath = text('a path such as /done', value => /^\/(?![/\\])[^?#\s]*$/.test(value))

export const origins = nonEmptyList(
  text('an origin such as https://app.example.com', value => {
    return /^https?:\/\//.test(value) && URL.canParse(value) && new URL(value).origin === value
  }),
  "['https://app.example.com']",
)

/** How access tokens for one of the host's resources are. */
export interface ResourceSettings {
  /** What they are. Default: as the option `accessTokenFormat` says. A token for several resources is a JWT if each of them wants one. */
  readonly accessTokenFormat?: 'opaque' | 'jwt' | undefined
  /** The most that they live; less if the app's setting is less. 60–86,400 seconds; default: as long as the app's. */
  readonly accessTokenSeconds?: number | undefined
}

const RESOURCE = {
  accessTokenFormat: optional(oneOf(['opaque', 'jwt']), null),
  accessTokenSeconds: optional(number([60, 86_400], 'seconds'), null),
} satisfies Table<ResourceSettings>

/** The host's resources, checked. */
export interface Resources {
  readonly names: readonly [string, ...string[]]
  /** Null: each is as the other options say. */
  readonly settings: ReadonlyMap<string, ValuesOf<typeof RESOURCE>> | null
}

const resource = text('an absolute http(s) URI without a query or fragment', value => {
  const url = URL.canParse(value) ? new URL(value) : null
  if (!url || !/^https?:$/.test(url.protocol)) return false
  return !url.username && !url.search && !url.hash && !/[?#]$|\s|[:*]/.test(value.replace(/^https?:\/\/[^/]*/i, ''))
})
const listed = nonEmptyList(resource, "['https://api.example.com']")
const described = mapOf(
  members<ResourceSettings, typeof RESOURCE>(RESOURCE),
  "{ 'https://api.example.com': { accessTokenFormat: 'jwt' } }",
)

/** A list of names, or an object that says more of each. */
export const resources: Kind<readonly string[] | Readonly<Record<string, ResourceSettings>>, Resources> = {
  read(value, place) {
    if (!isPlainObject(value)) {
      const names = listed.read(value, place)
      return names && { names, settings: null }
    }
    const names = listed.read(Object.keys(value), place)
    const settings = described.read(value, place)
    return names && settings && { names, settings }
  },
}

const ownResources = mapOf(
  nonEmptyList(
    text('one of the resources', () => true),
    "['https://api.example.com']",
  ),
  "{ '0123456789abcdef01234567': ['https://api.example.com'] }",
)

/** By client_id, the resources whose tokens an app may ask about. */
export const resourceServers: Kind<Readonly<Record<string, readonly string[]>>, ReadonlyMap<string, readonly string[]>> = {
  read(value, place) {
    const servers = ownResources.read(value, place)
    const wrong = [...(servers?.keys() ?? [])].filter(clientId => !isClientId(clientId))
    for (const clientId of wrong) place.entry(clientId).refuse('is no client_id')
    return wrong.length === 0 ? servers : undefined
  },
}

/** The problem of a resource server whose resources are not among the host's; null where there is none. */
export function strayResource(servers: ReadonlyMap<string, readonly string[]>, resources: readonly string[]): string | null {
  for (const [clientId, own] of servers) {
    const stray = own.find(resource => !resources.includes(resource))
    if (stray !== undefined) return `resourceServers[${quote(clientId)}] has ${quote(stray)}, which is not among the resources`
  }
  return null
}
