import type { Config } from '../config.ts'
import { OAuthError } from '../errors/oauth-error.ts'

/** Which of the host's resources a token is good for; null: all of them. */
export type Audience = readonly string[] | null

/**
 * The host's resources that a request names (RFC 8707 §2); null where it names none. An address below a resource is that
 * resource, and one above it names everything below: clients give the address they were given, with a slash more or less.
 * Throws `invalid_target` for any other, rather than hand out a token that means something else.
 */
export function readResources(named: readonly string[], { resources }: Pick<Config<never>, 'resources'>): Audience {
  if (named.length === 0) return null
  const found = new Set<string>()
  for (const name of named) {
    const url = URL.canParse(name) && !name.includes('#') ? new URL(name) : undefined
    const within = url
      ? resources
          .filter(resource => covers(new URL(resource), url))
          .toSorted(byLength)
          .slice(-1)
      : []
    const below = url ? resources.filter(resource => covers(url, new URL(resource))) : []
    if (within.length + below.length === 0)
      throw new OAuthError('invalid_target', `resource must be among ${resources.join(', ')}`)
    for (const resource of [...within, ...below]) found.add(resource)
  }
  return [...found]
}

/** What a token may be for: as much as was authorized, or as little of it as is asked for (RFC 8707 §2.2). */
export function narrowAudience(authorized: Audience, asked: Audience): Audience {
  if (asked === null || authorized === null) return asked ?? authorized
  if (!asked.every(resource => authorized.includes(resource)))
    throw new OAuthError('invalid_target', 'resource must be among those the user was asked for')
  return asked
}

/** As `aud` says it (RFC 7519 §4.1.3). */
export function audienceClaim(audience: Audience, { resources }: Pick<Config<never>, 'resources'>): string | string[] {
  const [first, ...rest] = audience ?? resources
  return first !== undefined && rest.length === 0 ? first : [...(audience ?? resources)]
}

function covers(resource: URL, other: URL): boolean {
  const path = resource.pathname.replace(/\/$/, '')
  return resource.origin === other.origin && (path === other.pathname || other.pathname.startsWith(`${path}/`))
}

function byLength(a: string, b: string): number {
  return a.length - b.length
}
