import { quote } from './place.ts'
import type { OptionValues } from './table.ts'

/** The name of a profile. */
export type ProfileName = NonNullable<OptionValues['profile']>

/** What a profile demands beside what every server does. */
export interface ProfileRules {
  /** Null: the host has chosen none. */
  readonly name: ProfileName | null
  /** Whether every app must use PKCE, and not public ones alone. */
  readonly pkceForAll: boolean
  /** The ways in which an app may authenticate, by `App.authMethod`. Null: any that there is. */
  readonly authMethods: readonly string[] | null
  /** The algorithms that an app may ask for. Null: any that there is. */
  readonly algorithms: readonly string[] | null
  /** Whether a redirect URI must be https even on a loopback host. */
  readonly httpsRedirectsOnly: boolean
  /** Whether a refresh spends the refresh token. */
  readonly rotatesRefreshTokens: boolean
  /** The status with which an answer to an authorization request travels to the app. */
  readonly redirectStatus: 302 | 303
}

/** What a profile wants of one option. */
interface Demand {
  readonly option: keyof OptionValues
  /** The value where the host gives none. Absent: the default of every server is right. */
  readonly unlessGiven?: unknown
  /** Why a value contradicts the profile, as words that follow the option's name; null if it does not. */
  problem(value: unknown): string | null
}

interface Profile {
  readonly demands: readonly Demand[]
  readonly rules: ProfileRules
}

const NONE: ProfileRules = {
  name: null,
  pkceForAll: false,
  authMethods: null,
  algorithms: null,
  httpsRedirectsOnly: false,
  rotatesRefreshTokens: true,
  redirectStatus: 302,
}

/** Those of the algorithms that the profile allows; `Ed25519` is the newer name of `EdDSA` with that curve (RFC 9864). */
export function algorithmsUnder({ algorithms }: Pick<ProfileRules, 'algorithms'>, known: readonly string[]): readonly string[] {
  return algorithms === null ? known : known.filter(alg => algorithms.includes(alg === 'Ed25519' ? 'EdDSA' : alg))
}

/** What may sign under FAPI 2.0 (§5.4.1). */
const STRONG: readonly string[] = ['ES256', 'PS256', 'EdDSA']

/** One row for each demand. What is not here holds on every server: no implicit grant, exact redirect URIs, `iss` in answers, … */
const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  'oauth2.1': {
    demands: [
      always('allowPlainPkce', false),
      always('allowInsecureIssuer', false),
      always('loopbackLocalhost', false),
      where('redirectSchemes', schemes => schemes.length === 0, 'must be empty'),
      where('clients', clients => !clients || clients.schemes.length === 0, 'must have schemes: []'),
    ],
    rules: { ...NONE, name: 'oauth2.1', pkceForAll: true },
  },
  fapi2: {
    demands: [
      always('requirePushedAuthorizationRequests', true),
      always('dpop', 'required'),
      always('allowPlainPkce', false),
      always('allowInsecureIssuer', false),
      always('loopbackLocalhost', false),
      where('redirectSchemes', schemes => schemes.length === 0, 'must be empty'),
      where('clients', clients => clients === null, 'must be left out'),
      where('devices', devices => devices === null, 'must be left out'),
      where('clientAuthentication', methods => methods.length === 0, 'must be left out'),
      { ...where('signingAlg', alg => STRONG.includes(alg), `must be one of ${STRONG.join(', ')}`), unlessGiven: 'ES256' },
      where('signingKeys', areStrong, `must all be for ${STRONG.join(', ')}`),
      where('lifetimes', ({ codeSeconds }) => codeSeconds <= 60, 'must have codeSeconds of at most 60'),
    ],
    rules: {
      name: 'fapi2',
      pkceForAll: true,
      authMethods: ['private_key_jwt'],
      algorithms: STRONG,
      httpsRedirectsOnly: true,
      rotatesRefreshTokens: false,
      redirectStatus: 303,
    },
  },
}

/** Wants a value, which is also the one where the host gives none. */
function always<Name extends keyof OptionValues>(option: Name, wanted: OptionValues[Name]): Demand {
  return { ...where(option, value => value === wanted, `must be ${quote(wanted)}`), unlessGiven: wanted }
}

/** Wants a value that passes; `words` say what it must be. */
function where<Name extends keyof OptionValues>(
  option: Name,
  passes: (value: OptionValues[Name]) => boolean,
  words: string,
): Demand {
  return { option, problem: value => (passes(value as OptionValues[Name]) ? null : words) }
}

function areStrong(keys: OptionValues['signingKeys']): boolean {
  return keys === null || keys.every(({ alg }) => STRONG.includes(alg))
}

/** The values of the options under the profile that they name, and a problem for each that contradicts it. */
export function withProfile(
  values: Partial<OptionValues>,
  given: object,
): { readonly values: Partial<OptionValues>; readonly problems: readonly string[]; readonly rules: ProfileRules } {
  const { profile } = values
  if (!profile) return { values, problems: [], rules: NONE }
  const { demands, rules } = PROFILES[profile]
  const set = demands.filter(({ option, unlessGiven }) => unlessGiven !== undefined && !isGiven(given, option))
  const applied: Partial<OptionValues> = {
    ...values,
    ...Object.fromEntries(set.map(({ option, unlessGiven }) => [option, unlessGiven])),
  }
  const problems = demands.flatMap(({ option, problem }) => {
    const value = applied[option]
    const words = value === undefined ? null : problem(value)
    return words === null ? [] : [`${option} ${words}: the profile ${profile} demands it`]
  })
  return { values: applied, problems, rules }
}

function isGiven(given: object, option: string): boolean {
  return (given as Readonly<Record<string, unknown>>)[option] !== undefined
}
