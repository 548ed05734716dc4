import { OAuthError } from '../errors/oauth-error.ts'
import type { Config } from '../options/config.ts'
import type { Grant } from '../store/store.ts'

/** The host's resources for which a token is valid; null: all of them. */
export type Audience = readonly string[] | null

/**
 * Resolves the `resource` parameters of a request to the host's resources (RFC 8707 §2); null if it has none.
 * `https://h/mcp/x` selects the configured resource `https://h/mcp`; `https://h` selects every configured resource below it,
 * because clients send the address they were given, often with another path or slash. Throws `invalid_target` for any other.
 */
export function readAudience(named: readonly string[], { resources }: Pick<Config<never>, 'resources'>): Audience {
  const names = new Set(named.flatMap(text => text.split(' ')).filter(name => name !== ''))
  if (names.size === 0) return null
  if (names.size > MAX_NAMED) throw new OAuthError('invalid_target', `at most ${MAX_NAMED} resources can be asked for at once`)
  return [...new Set([...names].flatMap(name => find(name, resources)))]
}

const MAX_NAMED = 20

function find(name: string, resources: readonly string[]): readonly string[] {
  const url = URL.canParse(name) && !name.includes('#') ? new URL(name) : undefined
  const usable = url && url.username === '' && url.password === ''
  const within = usable
    ? resources
        .filter(resource => covers(new URL(resource), url))
        .toSorted(byLength)
        .slice(-1)
    : []
  if (within.length > 0) return within
  const below = usable ? resources.filter(resource => covers(url, new URL(resource))) : []
  if (below.length > 0) return below
  throw new OAuthError('invalid_target', `resource must be among ${resources.join(', ')}`)
}

/** Narrows the authorized resources to those of the token request, if it names some (RFC 8707 §2.2). */
function narrowAudience(authorized: Audience, asked: Audience): Audience {
  if (asked === null || authorized === null) return asked ?? authorized
  if (!asked.every(resource => authorized.includes(resource)))
    throw new OAuthError('invalid_target', 'resource must be among those of the authorization request')
  return asked
}

/** Returns the audience of a token of a grant: the authorized resources, or those that were asked for (RFC 8707 §2.2). */
export function audienceOf({ context }: Pick<Grant, 'context'>, asked: Audience): Audience {
  return narrowAudience((context.audience as Audience | undefined) ?? null, asked)
}

/** Formats an audience as an `aud` claim: a single one as a string (RFC 7519 §4.1.3). */
export function audienceClaim(audience: Audience, { resources }: Pick<Config<never>, 'resources'>): string | string[] {
  const [first, ...rest] = audience ?? resources
  return first !== undefined && rest.length === 0 ? first : [...(audience ?? resources)]
}

/**
 * Returns the format of an access token for these resources. Where they differ it is opaque, since every resource of ours can have
 * an opaque token checked, and a JWT would outlive its revocation at the one that does not want it to.
 */
export function formatFor(audience: Audience, { accessTokenFormat, resourceSettings, resources }: Formats): 'opaque' | 'jwt' {
  if (resourceSettings === null) return accessTokenFormat
  const isJwt = (resource: string) => (resourceSettings.get(resource)?.accessTokenFormat ?? accessTokenFormat) === 'jwt'
  return (audience ?? resources).every(isJwt) ? 'jwt' : 'opaque'
}

/** Returns the longest life of an access token for these resources, in seconds: that of the strictest. */
export function secondsFor(audience: Audience, { resourceSettings, resources }: Formats): number {
  const seconds = (audience ?? resources).map(resource => resourceSettings?.get(resource)?.accessTokenSeconds)
  return Math.min(...seconds.map(limit => limit ?? Number.POSITIVE_INFINITY))
}

type Formats = Pick<Config<never>, 'accessTokenFormat' | 'resourceSettings' | 'resources'>

function covers(resource: URL, other: URL): boolean {
  const path = resource.pathname.replace(/\/$/, '')
  return resource.origin === other.origin && (path === other.pathname || other.pathname.startsWith(`${path}/`))
}

function byLength(a: string, b: string): number {
  return a.length - b.length
}
