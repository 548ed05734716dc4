import type { JsonObject } from '../base/json.ts'
import { isLoopback } from '../base/loopback.ts'
import type { Config } from '../options/config.ts'
import { algorithmsOf } from '../options/signing.ts'
import type { AppKeys, AuthMethod } from '../store/store.ts'
import type { ClientAuthentication } from './authenticate/method.ts'
import { ASSERTION_ALGORITHMS, keySetUrlProblem, readPublicKeys } from './public-keys.ts'
import { redirectUriProblem } from './redirect-uri-rules.ts'

/** What a client says of itself (RFC 7591 §2), read and judged. */
export interface ClientMetadata {
  readonly name: string
  readonly authMethod: AuthMethod
  /** Absent where it authenticates without them. */
  readonly keys?: AppKeys
  /** Absent where it asks for none. */
  readonly idTokenSignedResponseAlg?: string
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly string[]
  /** Whether its tokens must be bound to a key (RFC 9449 §5.2). Absent: no. */
  readonly dpopBoundAccessTokens?: boolean
  readonly requirePushedAuthorizationRequests: boolean
  /** All that was registered, by the names of RFC 7591, with the values that count. */
  readonly registered: JsonObject
}

/** Why metadata are refused (RFC 7591 §3.2.2). The description is for the client's developer. */
export interface MetadataProblem {
  readonly error: 'invalid_redirect_uri' | 'invalid_client_metadata'
  readonly description: string
}

/** Thrown where metadata are refused. */
export class MetadataError extends Error {
  override readonly name = 'MetadataError'
  readonly problem: MetadataProblem

  constructor(problem: MetadataProblem) {
    super(problem.description)
    this.problem = problem
  }
}

export interface MetadataRules {
  readonly config: Pick<Config<never>, 'allowLoopbackProviders' | 'clients' | 'dpop' | 'redirectSchemes' | 'scopes' | 'signing'>
  readonly methods: readonly ClientAuthentication[]
  /**
   * Whether the client says this to every server, in a document: what this server does not have is then left out, and not
   * refused.
   */
  readonly isDocument: boolean
}

/** Grants for which a client may register itself: those by which a user lets it in, and what follows. */
const GRANTS = ['authorization_code', 'refresh_token'] as const

const MAX_URIS = 20
const MAX_NAME = 100

/** Members that are kept and repeated as they are: texts, of at most so many characters. */
const TEXTS: Readonly<Record<string, number>> = {
  client_uri: 2048,
  logo_uri: 2048,
  policy_uri: 2048,
  tos_uri: 2048,
  software_id: 255,
  software_version: 255,
}

/**
 * Reads what a client says of itself: known members only, each checked. A member that is null or an empty text counts as absent.
 * Throws MetadataError, which names the first problem.
 */
export function readClientMetadata(given: unknown, rules: MetadataRules): ClientMetadata {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw bad('the metadata must be a JSON object')
  const members = new Map(Object.entries(given).filter(([, value]) => value !== null && value !== ''))
  const grantTypes = readGrantTypes(members)
  const responseTypes = readResponseTypes(members)
  const redirectUris = readRedirectUris(members, rules)
  const method = readMethod(members, rules)
  const name = readText(members, 'client_name', MAX_NAME)
  const scopes = readScopes(members, rules)
  const isBound = readBound(members, rules)
  const idTokenAlg = readIdTokenAlgorithm(members, rules)
  const mustPush = readFlag(members, 'require_pushed_authorization_requests')
  if (members.has('subject_type') && members.get('subject_type') !== 'public') throw bad('subject_type must be public')
  return {
    name: name ?? '',
    authMethod: method.name,
    ...(method.keys ? { keys: method.keys } : {}),
    ...(idTokenAlg === undefined ? {} : { idTokenSignedResponseAlg: idTokenAlg }),
    redirectUris,
    grantTypes,
    ...(isBound === true ? { dpopBoundAccessTokens: true } : {}),
    requirePushedAuthorizationRequests: mustPush === true,
    registered: {
      ...(name === undefined ? {} : { client_name: name }),
      redirect_uris: redirectUris,
      grant_types: grantTypes,
      response_types: responseTypes,
      token_endpoint_auth_method: method.wireName,
      ...(method.keys ? registeredKeys(method.keys, members) : {}),
      application_type: readApplicationType(members, redirectUris),
      ...(scopes.length > 0 ? { scope: scopes.join(' ') } : {}),
      ...(isBound === undefined ? {} : { dpop_bound_access_tokens: isBound }),
      ...readTexts(members),
      ...(mustPush === undefined ? {} : { require_pushed_authorization_requests: mustPush }),
      ...(members.has('contacts') ? { contacts: readContacts(members.get('contacts')) } : {}),
      ...(members.has('subject_type') ? { subject_type: 'public' } : {}),
      ...(idTokenAlg === undefined ? {} : { id_token_signed_response_alg: idTokenAlg }),
    },
  }
}

type Members = ReadonlyMap<string, unknown>

function bad(description: string): MetadataError {
  return new MetadataError({ error: 'invalid_client_metadata', description })
}

function badRedirect(description: string): MetadataError {
  return new MetadataError({ error: 'invalid_redirect_uri', description })
}

/** Reads a member that is a list of texts; undefined if it is absent. */
function readList(members: Members, name: string): readonly string[] | undefined {
  const value = members.get(name)
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.length > 100 || !value.every(item => typeof item === 'string'))
    throw bad(`${name} must be an array of at most 100 texts`)
  return value
}

/** The grants it asks for and may have. RFC 7591 §2: without the member, `authorization_code`. */
function readGrantTypes(members: Members): readonly string[] {
  const asked = readList(members, 'grant_types') ?? ['authorization_code']
  const grants = GRANTS.filter(name => asked.includes(name))
  if (!grants.includes('authorization_code'))
    throw bad('grant_types has none that a client can register itself for: it needs authorization_code')
  return grants
}

function readResponseTypes(members: Members): readonly string[] {
  const asked = readList(members, 'response_types') ?? ['code']
  if (asked.length > 0 && !asked.includes('code')) throw bad('response_types must have code, the only one there is')
  return ['code']
}

/** Every redirect URI, byte for byte. Of a document's, those that this server can use. */
function readRedirectUris(members: Members, { config, isDocument }: MetadataRules): readonly string[] {
  const asked = members.get('redirect_uris')
  if (!Array.isArray(asked) || asked.length === 0) throw badRedirect('redirect_uris must be an array of at least one URI')
  if (asked.length > MAX_URIS) throw badRedirect(`redirect_uris must have at most ${MAX_URIS} entries`)
  const schemes = config.clients?.schemes ?? config.redirectSchemes
  const usable: string[] = []
  let refused: string | undefined
  for (const [index, uri] of asked.entries()) {
    const problem = typeof uri === 'string' ? redirectUriProblem(uri, schemes) : 'must be a text'
    if (problem === undefined) usable.push(uri as string)
    else refused ??= `redirect_uris[${index}] ${printable(uri)}${problem}`
  }
  if (refused !== undefined && (!isDocument || usable.length === 0)) throw badRedirect(refused)
  return [...new Set(usable)]
}

/** The URI itself, if it can be part of an error (RFC 6749 §5.2). */
function printable(uri: unknown): string {
  return typeof uri === 'string' && /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/.test(uri) ? `(${uri}) ` : ''
}

interface ChosenMethod {
  readonly name: AuthMethod
  readonly wireName: string
  readonly keys?: AppKeys
}

/**
 * How the client authenticates. RFC 7591 §2: without the member, by a secret in HTTP Basic; a document has no place for a secret,
 * so without the member it means what it lists, or none. A document that prefers what this server does not have may list others
 * that it accepts.
 */
function readMethod(members: Members, rules: MetadataRules): ChosenMethod {
  const { isDocument, methods } = rules
  const preferred = members.get('token_endpoint_auth_method') ?? (isDocument ? undefined : 'client_secret_basic')
  const others = isDocument ? (readList(members, 'token_endpoint_auth_methods_supported') ?? []) : []
  const wireNames = methods.flatMap(({ name, wireNames }) => wireNames.map(wireName => ({ name, wireName })))
  const usable = wireNames.filter(({ name }) => !isDocument || name !== 'client_secret')
  if (preferred !== undefined && typeof preferred !== 'string') throw bad('token_endpoint_auth_method must be a text')
  for (const asked of preferred === undefined ? [...others, 'none'] : [preferred, ...others]) {
    const found = usable.find(({ wireName }) => wireName === asked)
    if (found?.name !== 'private_key_jwt') {
      if (found) return found
      continue
    }
    const keys = readKeys(members, rules)
    if (keys) return { ...found, keys }
    if (!isDocument || others.length === 0) throw bad('private_key_jwt needs jwks or jwks_uri')
  }
  throw bad(`token_endpoint_auth_method must be one of ${usable.map(({ wireName }) => wireName).join(', ')}`)
}

/** The public keys of the client (RFC 7591 §2); undefined if there are none. Keys for other uses are left out. */
function readKeys(members: Members, { config }: MetadataRules): AppKeys | undefined {
  const [jwks, jwksUri] = [members.get('jwks'), members.get('jwks_uri')]
  if (jwks !== undefined && jwksUri !== undefined) throw bad('there must not be both jwks and jwks_uri')
  if (jwks !== undefined) {
    const { keys, problem } = readPublicKeys(jwks)
    if (keys.length === 0) throw bad(`jwks ${problem}`)
    return { jwks: { keys } }
  }
  if (jwksUri === undefined) return undefined
  const problem = keySetUrlProblem(jwksUri, config.allowLoopbackProviders)
  if (problem !== undefined) throw bad(`jwks_uri ${problem}`)
  return { jwksUri: String(jwksUri) }
}

/** The keys as they are registered, and the one algorithm of its assertions if the client names one. */
function registeredKeys(keys: AppKeys, members: Members): JsonObject {
  const alg = members.get('token_endpoint_auth_signing_alg')
  if (alg !== undefined && !ASSERTION_ALGORITHMS.includes(String(alg)))
    throw bad(`token_endpoint_auth_signing_alg must be one of ${ASSERTION_ALGORITHMS.join(', ')}`)
  const set = 'jwks' in keys ? { jwks: { keys: keys.jwks.keys } } : { jwks_uri: keys.jwksUri }
  return { ...set, ...(alg === undefined ? {} : { token_endpoint_auth_signing_alg: String(alg) }) }
}

/** The algorithm of its ID tokens: the one it asks for, or where the server does not have that one, the server's own (RFC 7591 §3.2.1). */
function readIdTokenAlgorithm(members: Members, { config }: MetadataRules): string | undefined {
  const asked = members.get('id_token_signed_response_alg')
  const algorithms = algorithmsOf(config.signing)
  return asked === undefined ? undefined : (algorithms.find(alg => alg === asked) ?? algorithms[0])
}

/** Control characters, those that turn the direction of a text, and halves of characters: a text with one reads as another. */
const UNFIT = /[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/u

function readText(members: Members, name: string, most: number): string | undefined {
  const value = members.get(name)
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value.length > most) throw bad(`${name} must be a text of at most ${most} characters`)
  if (UNFIT.test(value)) throw bad(`${name} must have no control characters`)
  return value.trim() === '' ? undefined : value
}

function readFlag(members: Members, name: string): boolean | undefined {
  const value = members.get(name)
  if (value !== undefined && typeof value !== 'boolean') throw bad(`${name} must be true or false`)
  return value
}

function readTexts(members: Members): JsonObject {
  const texts: Record<string, string> = {}
  for (const [name, most] of Object.entries(TEXTS)) {
    const value = readText(members, name, most)
    if (value === undefined) continue
    if (name.endsWith('_uri') && !(/^https?:\/\//i.test(value) && URL.canParse(value)))
      throw bad(`${name} must be an http or https URL`)
    texts[name] = value
  }
  return texts
}

/** Undefined where it is absent, or this server binds no tokens: unknown metadata are ignored (RFC 7591 §2). */
function readBound(members: Members, { config }: MetadataRules): boolean | undefined {
  const value = config.dpop === 'off' ? undefined : members.get('dpop_bound_access_tokens')
  if (value !== undefined && typeof value !== 'boolean') throw bad('dpop_bound_access_tokens must be true or false')
  return value
}

function readContacts(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.length <= 10 && value.every(item => typeof item === 'string' && item.length <= 255))
    return value
  throw bad('contacts must be an array of at most 10 texts')
}

/**
 * The scopes it names and may have. They are repeated and bind nothing: a client often asks for others when it sees what a route
 * needs, and what counts is what its users agree to.
 */
function readScopes(members: Members, { config }: MetadataRules): readonly string[] {
  const value = members.get('scope')
  if (value === undefined) return []
  if (typeof value !== 'string' || value.length > 2048) throw bad('scope must be a text of at most 2048 characters')
  const open = config.clients?.scopes ?? []
  return open.filter(name => value.split(' ').includes(name))
}

/** What it is follows from its addresses: clients that name a type often name the wrong one. */
function readApplicationType(members: Members, redirectUris: readonly string[]): string {
  const given = members.get('application_type')
  if (given !== undefined && given !== 'native' && given !== 'web') throw bad('application_type must be native or web')
  return redirectUris.every(uri => uri.startsWith('https://') && !isLoopback(new URL(uri))) && given !== 'native'
    ? 'web'
    : 'native'
}
