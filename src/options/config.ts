import { OptionsError } from '../errors/options-error.ts'
import type { SigningSettings } from '../tokens/keys.ts'
import { type ClientsConfig, clientsConfig } from './clients.ts'
import type { Connectors } from './connectors.ts'
import type { DevicesConfig } from './devices.ts'
import type { AuthmountOptions } from './options.ts'
import { Place, quote } from './place.ts'
import { type ProfileRules, withProfile } from './profile.ts'
import { readRows } from './rows.ts'
import { isGuarded, type Scope, scopesOfResources, withOpenid } from './scopes.ts'
import { signingSettings } from './signing.ts'
import { OPTIONS, type OptionValues, RELATIONS } from './table.ts'

/** Options that `Config` has in another form. */
type Derived =
  | 'authenticate'
  | 'clients'
  | 'connectors'
  | 'devices'
  | 'keyRotation'
  | 'lifetimes'
  | 'resources'
  | 'signingAlg'
  | 'signingKeys'

/** The host's options, checked once, with every default filled in. A member that is null was not given and has no default. */
export interface Config<Native = unknown> extends Omit<OptionValues, Derived>, Readonly<OptionValues['lifetimes']> {
  readonly authenticate: AuthmountOptions<Native>['authenticate']
  /** The issuer's origin. */
  readonly origin: string
  /** The path of the routes as clients and browsers see it: `proxyPath` and the option `mountPath`. */
  readonly mountPath: string
  /** The path of the routes as requests arrive here: the option `mountPath`. */
  readonly servedPath: string
  /** With `openid`, where there are keys. */
  readonly scopes: ReadonlyMap<string, Scope>
  readonly resources: readonly [string, ...string[]]
  /** Who signs; null: there is no OpenID Connect. */
  readonly signing: SigningSettings | null
  /** Clients that come by themselves; null: none may. */
  readonly clients: ClientsConfig | null
  /** Terminals and devices; null: they cannot sign anybody in. */
  readonly devices: DevicesConfig | null
  /** Outside accounts; null: there are none. */
  readonly connectors: Connectors | null
  /** What the profile demands; where there is none, what every server does. */
  readonly rules: ProfileRules
}

/** Fills in defaults. Throws one OptionsError that lists every problem, for any value whatever that is no set of options. */
export function readConfig<Native>(options: AuthmountOptions<Native>): Config<Native> {
  const problems: string[] = []
  const { rules, values, ...contradicted } = withProfile(readValues(options, problems), options)
  problems.push(...contradicted.problems, ...RELATIONS.flatMap(problemOf => problemOf(values) ?? []))
  if (problems.length > 0) throw new OptionsError(problems)
  return Object.freeze(configOf<Native>(values as OptionValues, rules))
}

function readValues(given: unknown, problems: string[]): Partial<OptionValues> {
  try {
    if (typeof given === 'object' && given !== null && !Array.isArray(given))
      return readRows(OPTIONS, given, new Place('', problems))
  } catch (cause) {
    // A proxy of the host's may throw where its names are listed.
    throw new OptionsError([`the options cannot be read${cause instanceof Error ? `: ${cause.message}` : ''}`])
  }
  const needed = 'createAuthmount needs an object of options: createAuthmount({ issuer, store, authenticate, scopes })'
  throw new OptionsError([`${needed}, not ${quote(given)}`])
}

function configOf<Native>(values: OptionValues, rules: ProfileRules): Config<Native> {
  const { clients, connectors, devices, keyRotation, lifetimes, resources, signingAlg, signingKeys, ...same } = values
  const { sealingKeys } = same
  const { idTokenSeconds } = lifetimes
  const { origin } = new URL(same.issuer)
  const outside = <Url extends string | null>(url: Url) => (url?.startsWith('/') ? `${same.proxyPath}${url}` : url)
  const signing = signingSettings({ idTokenSeconds, keyRotation, sealingKeys, signingAlg, signingKeys })
  return {
    ...same,
    ...lifetimes,
    authenticate: same.authenticate as AuthmountOptions<Native>['authenticate'],
    origin,
    mountPath: `${same.proxyPath}${same.mountPath}`,
    servedPath: same.mountPath,
    loginUrl: outside(same.loginUrl),
    consentUrl: outside(same.consentUrl),
    logoutUrl: outside(same.logoutUrl),
    scopes: signing ? withOpenid(same.scopes) : same.scopes,
    resources: resources ?? [origin],
    signing,
    clients: clients && clientsConfig(clients, scopesOfUnknown(clients.scopes, same.scopes), same.redirectSchemes),
    devices: devices && { ...devices, pageUrl: outside(devices.pageUrl) },
    connectors: connectors && connectorsOf(connectors, sealingKeys ?? []),
    rules,
  }
}

function scopesOfUnknown(given: readonly string[] | null, scopes: ReadonlyMap<string, Scope>): readonly string[] {
  return given ?? scopesOfResources(scopes).filter(name => !isGuarded(name, scopes))
}

function connectorsOf(
  { marginSeconds, ...same }: NonNullable<OptionValues['connectors']>,
  sealingKeys: readonly Uint8Array[],
): Connectors {
  return { ...same, marginMs: marginSeconds * 1000, sealingKeys }
}
