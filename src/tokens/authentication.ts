import { isAuthenticationName } from '../base/authentication-names.ts'
import type { JsonObject } from '../base/json.ts'
import type { EpochMs } from '../base/time.ts'
import { InsufficientAuthentication, type WantedAuthentication } from '../errors/insufficient-authentication.ts'
import { authenticationOf, type ToldAuthentication } from './token-guard.ts'

/** How a user signed in, as claims. */
export interface AuthenticationClaims extends JsonObject {
  readonly acr?: string
  readonly amr?: readonly string[]
  /** In seconds since 1970. */
  readonly auth_time?: number
}

/** The claims of a token, or of its introspection, that say how its user signed in (RFC 9068 §2.2.1, RFC 9470 §6). */
export function authenticationClaims(told: ToldAuthentication): AuthenticationClaims | undefined {
  const known = authenticationOf(told)
  if (!known) return undefined
  const { authTime, ...same } = known
  return authTime === undefined ? same : { ...same, auth_time: Math.floor(authTime / 1000) }
}

/**
 * Reads what a route requires of the authentication; null: nothing. Throws TypeError for a requirement that cannot be met, since a
 * guard that ignored it would let everyone in.
 */
export function readWantedAuthentication({
  acr,
  maxAge = null,
}: {
  readonly acr?: string | readonly string[] | undefined
  readonly maxAge?: number | null | undefined
}): WantedAuthentication | null {
  if (acr === undefined && maxAge === null) return null
  const acrValues: readonly unknown[] = acr === undefined ? [] : Array.isArray(acr) ? [...acr] : [acr]
  if (acr !== undefined && acrValues.length === 0)
    throw new TypeError("acr must name at least one context, as in { acr: 'urn:example:mfa' }")
  if (!acrValues.every(isAuthenticationName))
    throw new TypeError('each acr must have 1 to 255 printable characters, without spaces, quotes and backslashes')
  if (maxAge !== null && !(Number.isInteger(maxAge) && maxAge >= 1 && maxAge <= MAX_AGE_SECONDS))
    throw new TypeError(`maxAge must be a whole number between 1 and ${MAX_AGE_SECONDS} (seconds)`)
  return { acrValues, maxAgeSeconds: maxAge }
}

/** The longest that fits into `max_age` of an authorization request. */
const MAX_AGE_SECONDS = 999_999_999

/** Throws InsufficientAuthentication unless the user of a token has signed in as a route wants. What the host does not say is not met. */
export function requireAuthentication(
  told: ToldAuthentication,
  wanted: WantedAuthentication,
  { at, granted, required }: { readonly at: EpochMs; readonly granted: readonly string[]; readonly required: readonly string[] },
): void {
  const { acrValues, maxAgeSeconds } = wanted
  const { acr, authTime } = authenticationOf(told) ?? {}
  const strong = acrValues.length === 0 || (acr !== undefined && acrValues.includes(acr))
  const fresh = maxAgeSeconds === null || (authTime !== undefined && at - authTime <= maxAgeSeconds * 1000)
  if (!strong || !fresh) throw new InsufficientAuthentication(wanted, required, granted)
}
