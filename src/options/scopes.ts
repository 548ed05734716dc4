import { quote } from './checks.ts'
import type { ScopeDefinition } from './options.ts'

export interface Scope {
  readonly name: string
  readonly description: string
  readonly category: string
  readonly translations: Readonly<Record<string, string>>
  /** Ours, and not the host's: said in every language of the pages. */
  readonly builtIn: boolean
  readonly userOnly: boolean
  readonly claims: readonly string[]
}

/** OpenID Connect Core §5.4, §11: these speak of a user, so an app acting for itself never has them. */
const OPENID_SCOPES = new Set(['openid', 'profile', 'email', 'address', 'phone', 'offline_access'])

export function readCatalogue(scopes: unknown, signIn: boolean, problems: string[]): ReadonlyMap<string, Scope> {
  const catalogue = new Map<string, Scope>()
  if (signIn) catalogue.set('openid', OPENID)
  if (typeof scopes !== 'object' || scopes === null) {
    problems.push('scopes must map each scope to its definition')
    return catalogue
  }
  for (const [name, definition] of Object.entries(scopes as Record<string, ScopeDefinition | undefined>)) {
    // RFC 6749 §3.3
    if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(name))
      problems.push(`scopes: ${quote(name)} must be printable ASCII without spaces, quotes or backslashes`)
    if (typeof definition?.description !== 'string' || !definition.description) {
      problems.push(`scopes: ${quote(name)} needs a description for the people who will be asked to agree to it`)
      continue
    }
    catalogue.set(name, {
      name,
      description: definition.description,
      category: definition.category ?? '',
      translations: definition.translations ?? {},
      builtIn: false,
      userOnly: OPENID_SCOPES.has(name) || definition.userOnly === true,
      claims: definition.claims ?? STANDARD_CLAIMS[name] ?? [],
    })
  }
  if (!signIn && 'openid' in scopes) problems.push('scopes: "openid" needs sealingKeys, or signingKeys')
  if (Object.keys(scopes).length === 0) problems.push('scopes must define at least one scope')
  return catalogue
}

/** The claims each standard scope allows (OpenID Connect Core §5.4). */
const STANDARD_CLAIMS: Readonly<Record<string, readonly string[]>> = {
  profile: [
    ...['name', 'family_name', 'given_name', 'middle_name', 'nickname', 'preferred_username', 'profile', 'picture'],
    ...['website', 'gender', 'birthdate', 'zoneinfo', 'locale', 'updated_at'],
  ],
  email: ['email', 'email_verified'],
  address: ['address'],
  phone: ['phone_number', 'phone_number_verified'],
}

const OPENID: Scope = {
  name: 'openid',
  description: 'Know who you are',
  category: '',
  translations: {},
  builtIn: true,
  userOnly: true,
  claims: [],
}
