import { flag, type Kind, list, mapOf, oneOf, text } from './kinds.ts'
import type { Place } from './place.ts'
import { members, optional, required, type Table } from './rows.ts'

/** One scope of the catalogue. */
export interface ScopeDefinition {
  /** A sentence for the person who is asked: what an app may do with the scope. */
  readonly description: string
  /** A second sentence, shown smaller: what that includes, or what follows from it. Default: none. */
  readonly detail?: string | undefined
  /** Groups scopes on the consent page and in app settings. Default: none. */
  readonly category?: string | undefined
  /** Description and detail in other languages, by tag: `{ de: 'Ihre Daten lesen' }`, or with both. Default: none. */
  readonly translations?: Readonly<Record<string, string | ScopeTranslation>> | undefined
  /** Whether an app can change something with it: the consent page marks those that `write`. Default: the page says nothing. */
  readonly access?: 'read' | 'write' | undefined
  /** Let users allow an app the rest without it. It starts unticked, and apps must do with what they get. Default false. */
  readonly optional?: boolean | undefined
  /** Only ever on behalf of a user: refused to `client_credentials`. Always so for the OpenID Connect scopes. Default false. */
  readonly userOnly?: boolean | undefined
  /**
   * The consent page marks it, and it is never for a client that nobody registered, whatever the option `clients.scopes` says.
   * Default false.
   */
  readonly sensitive?: boolean | undefined
  /** The claims it allows, at userinfo and by name. Default: the standard ones of `profile`, `email`, `address` and `phone`. */
  readonly claims?: readonly string[] | undefined
}

/** A scope in another language. */
export interface ScopeTranslation {
  /** The description. */
  readonly description: string
  /** The detail. Default: none. */
  readonly detail?: string | undefined
}

/** A scope that the server can grant. */
export interface Scope {
  readonly name: string
  readonly description: string
  /** Empty: none. */
  readonly detail: string
  readonly category: string
  readonly translations: Readonly<Record<string, { readonly description: string; readonly detail: string }>>
  readonly access: 'read' | 'write' | null
  /** Whether users may allow an app the rest without it. */
  readonly optional: boolean
  /** Ours, and not the host's: said in every language of the pages. */
  readonly builtIn: boolean
  readonly userOnly: boolean
  readonly sensitive: boolean
  readonly claims: readonly string[]
}

const anyText = text('a text', () => true)

const TRANSLATION = { description: required(anyText), detail: optional(anyText, '') } satisfies Table<ScopeTranslation>
const whole = members<ScopeTranslation, typeof TRANSLATION>(TRANSLATION)

/** A text is the description alone. */
const translation: Kind<string | ScopeTranslation, { readonly description: string; readonly detail: string }> = {
  read: (value, place) => (typeof value === 'string' ? { description: value, detail: '' } : whole.read(value, place)),
}

const DEFINITION = {
  description: required(text('a description for the people who are asked to agree to the scope', value => value !== '')),
  detail: optional(anyText, ''),
  category: optional(anyText, ''),
  translations: optional(
    mapOf(translation, "{ de: 'Ihre Daten lesen' }"),
    new Map<string, { readonly description: string; readonly detail: string }>(),
  ),
  access: optional(oneOf(['read', 'write']), null),
  optional: optional(flag, false),
  userOnly: optional(flag, false),
  sensitive: optional(flag, false),
  claims: optional(list(anyText, "['email']"), null),
} satisfies Table<ScopeDefinition>

const definitions = mapOf(
  members<ScopeDefinition, typeof DEFINITION>(DEFINITION),
  "{ 'read:orders': { description: 'Read your orders' } }",
)

/** The catalogue, by name, without the scopes that authmount adds. */
export const catalogue: Kind<Readonly<Record<string, ScopeDefinition>>, ReadonlyMap<string, Scope>> = {
  read(value, place) {
    const read = definitions.read(value, place)
    if (!read) return undefined
    const names = [...read.keys()]
    if (names.length === 0)
      return place.refuse("must define at least one scope: { 'read:orders': { description: 'Read your orders' } }")
    if (!names.map(name => isScopeName(name, place)).every(Boolean)) return undefined
    return new Map(
      [...read].map(([name, { claims, translations, userOnly, ...same }]) => [
        name,
        {
          ...same,
          name,
          translations: Object.fromEntries(translations),
          builtIn: false,
          userOnly: userOnly || OPENID_SCOPES.has(name),
          claims: claims ?? STANDARD_CLAIMS.get(name) ?? [],
        },
      ]),
    )
  },
}

/** Adds the scopes that come with OpenID Connect. The host may define them itself. */
export function withOpenid(scopes: ReadonlyMap<string, Scope>): ReadonlyMap<string, Scope> {
  return new Map([[OPENID.name, OPENID], ...scopes])
}

/** Tells whether a scope is kept from clients that nobody registered. */
export function isGuarded(name: string, scopes: ReadonlyMap<string, Scope>): boolean {
  return name.startsWith('connector:') || scopes.get(name)?.sensitive === true
}

/** Returns the scopes of a resource: all that the server grants but those of OpenID Connect, which are for the app itself. */
export function scopesOfResources(scopes: ReadonlyMap<string, Scope>): readonly string[] {
  return [...scopes.keys()].filter(name => !OPENID_SCOPES.has(name))
}

function isScopeName(name: string, place: Place): boolean {
  if (name === 'offline_access') {
    place
      .entry(name)
      .refuse('is authmount’s own: an app with the refresh_token grant may ask for it, and nothing is to be defined')
    return false
  }
  // RFC 6749 §3.3
  if (/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(name)) return true
  place.entry(name).refuse('is no name of a scope: it must be printable ASCII without spaces, quotes or backslashes')
  return false
}

/** OpenID Connect Core §5.4: these are about a user. An app that acts for itself never has them, and no API requires them. */
export const OPENID_SCOPES: ReadonlySet<string> = new Set(['openid', 'profile', 'email', 'address', 'phone'])

/** The claims each standard scope allows (OpenID Connect Core §5.4). */
const STANDARD_CLAIMS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    profile: [
      ...['name', 'family_name', 'given_name', 'middle_name', 'nickname', 'preferred_username', 'profile', 'picture'],
      ...['website', 'gender', 'birthdate', 'zoneinfo', 'locale', 'updated_at'],
    ],
    email: ['email', 'email_verified'],
    address: ['address'],
    phone: ['phone_number', 'phone_number_verified'],
  }),
)

const OPENID: Scope = {
  name: 'openid',
  description: 'Know who you are',
  detail: '',
  category: '',
  translations: {},
  access: null,
  optional: false,
  builtIn: true,
  userOnly: true,
  sensitive: false,
  claims: [],
}
