import { callHook } from '../base/hooks.ts'
import type { JsonObject } from '../base/json.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { Config } from '../options/config.ts'

/** The `claims` parameter (OpenID Connect Core §5.5): the names of the claims for each place, and the user who must be signed in. */
export interface RequestedClaims {
  readonly idToken: readonly string[]
  readonly userinfo: readonly string[]
  /** The user who must be signed in; null: any. */
  readonly sub: string | null
}

export const NO_CLAIMS: RequestedClaims = Object.freeze({ idToken: [], userinfo: [], sub: null })

const MAX_CLAIMS_CHARS = 4096
/** Room for a picture in a claim; the claims may be in an ID token, which travels in a URL or a header next. */
const MAX_USER_CLAIMS_CHARS = 262_144

/** Reads the `claims` parameter. Throws `invalid_request` unless it is a JSON object of objects. */
export function readClaims(text: string | undefined): RequestedClaims {
  if (text === undefined) return NO_CLAIMS
  if (text.length > MAX_CLAIMS_CHARS)
    throw new OAuthError('invalid_request', `claims is longer than ${MAX_CLAIMS_CHARS} characters`)
  const whole = parseObject(text)
  if (!whole) throw wrongClaims()
  const member = (name: string): Readonly<Record<string, unknown>> => {
    const value = whole[name] ?? {}
    if (!isObject(value)) throw wrongClaims()
    return value
  }
  const idToken = member('id_token')
  const userinfo = member('userinfo')
  const sub = isObject(idToken.sub) && typeof idToken.sub.value === 'string' ? idToken.sub.value : null
  return { idToken: Object.keys(idToken), userinfo: Object.keys(userinfo), sub }
}

/**
 * Calls the option `claims`, even if no claim is asked for, because it also tells whether the user still exists. Resolves to the
 * claims that the granted scopes allow; to undefined if the user no longer exists.
 * A claim that the request names is returned only if a granted scope allows it, because the user agreed to scopes.
 */
export async function claimsOf(
  userId: string,
  {
    clientId,
    names,
    scopes,
  }: { readonly clientId: string; readonly scopes: readonly string[]; readonly names: readonly string[] },
  { claims, hookTimeoutMs, scopes: catalogue }: Pick<Config<never>, 'claims' | 'hookTimeoutMs' | 'scopes'>,
): Promise<JsonObject | undefined> {
  if (!claims) return {}
  const allowed = new Set(scopes.flatMap(scope => catalogue.get(scope)?.claims ?? []))
  const wanted = names.filter(name => allowed.has(name))
  const read = (answer: unknown): JsonObject | undefined => {
    if (answer === null || answer === undefined) return undefined
    if (!isObject(answer)) throw new TypeError(`it must return an object or null, not ${typeof answer}`)
    if (Object.hasOwn(answer, '__proto__')) throw new TypeError('__proto__ is not a name for a claim')
    const named = wanted.map(name => [name, answer[name]] as const)
    const given = named.filter(([, value]) => value !== undefined && value !== null)
    if (given.length > 0 && JSON.stringify(given).length > MAX_USER_CLAIMS_CHARS)
      throw new TypeError(`the claims of a user have at most ${MAX_USER_CLAIMS_CHARS} characters as JSON`)
    return Object.fromEntries(given) as JsonObject
  }
  return callHook('claims', () => claims(userId, { clientId, scopes, names: wanted }), read, { hookTimeoutMs })
}

/** Lists every claim that the scopes allow. */
export function claimsOfScopes(
  scopes: readonly string[],
  { scopes: catalogue }: Pick<Config<never>, 'scopes'>,
): readonly string[] {
  return scopes.flatMap(scope => catalogue.get(scope)?.claims ?? [])
}

function wrongClaims(): OAuthError {
  return new OAuthError('invalid_request', 'claims must be a JSON object such as {"userinfo":{"email":null}}')
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
