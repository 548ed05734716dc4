import type { Kind } from './kinds.ts'
import { quote } from './place.ts'

/** Describes a grant. The token endpoint, the metadata, the OpenAPI document, the apps API and the console read it. */
export interface GrantDescription {
  /** `grant_type` on the wire. */
  readonly name: string
  /** A title for the people who choose grants for an app. */
  readonly title: string
  /** A sentence for the same people, with the app as its subject. */
  readonly summary: string
  /** The parameters it reads beside `grant_type`, `scope`, `resource` and what authenticates the client. */
  readonly parameters: Readonly<Record<string, { readonly required: boolean }>>
  /** Whether a new app may use it unless its registration says otherwise. */
  readonly byDefault: boolean
  /** Whether only an app that proves who it is may use it. */
  readonly provenAppsOnly: boolean
}

/** An app as a grant of the host's sees it: what its admins see, and no hash of a secret. */
export interface GrantApp {
  /** Its `client_id`. */
  readonly clientId: string
  /** The organisation that manages it. */
  readonly orgId: string
  /** The name that its users read. */
  readonly name: string
  /** The addresses to which its users may be sent back. */
  readonly redirectUris: readonly string[]
  /** The names of the grants it is registered for. */
  readonly allowedGrantTypes: readonly string[]
  /** The scopes it may ask for. */
  readonly allowedScopes: readonly string[]
  /** Whether the app proves who it is. */
  readonly isConfidential: boolean
  /** Seconds. */
  readonly accessTokenLifetime: number
  /** Seconds. */
  readonly refreshTokenLifetime: number
}

/** The user and the organisation that a grant belongs to. */
export interface GrantOwner {
  /** 1 to 255 characters; null where the app acts for itself. */
  readonly userId: string | null
  /** 1 to 255 characters. Where the app acts for itself, the organisation that manages it. */
  readonly orgId: string
}

/** The tokens that a grant of the host's wants issued. */
export interface IssueOrder extends GrantOwner {
  /** Each must be one that the app may have. Default: those of the request's `scope`; without that, all of the app's. */
  readonly scopes?: readonly string[] | undefined
  /** Whether a refresh token comes with it, if the app has the grant `refresh_token`. Default false. */
  readonly refreshable?: boolean | undefined
  /** At most how long the access token lives, in seconds. Default: as long as the app's. */
  readonly accessTokenSeconds?: number | undefined
}

/** Tokens that were issued. They are answered by authmount; a grant only needs to return them. */
export interface IssuedTokens {
  /** The access token, as the client gets it. */
  readonly accessToken: string
  /** The refresh token; undefined where none comes with it. */
  readonly refreshToken: string | undefined
  /** The scopes of both. */
  readonly scopes: readonly string[]
  /** The lifetime of the access token, in seconds. */
  readonly expiresIn: number
  /** The grant they descend from, as events name it. */
  readonly grantId: string
}

/** One token request for a grant of the host's. The client has been authenticated, and may use the grant. */
export interface GrantCall {
  /** The app that made the request. */
  readonly app: GrantApp
  /** Parameters of the request, each once; those that authenticate the client are left out. */
  readonly params: ReadonlyMap<string, string>
  /**
   * Stores a grant and its tokens; once for each request. Rejects with OAuthError: `invalid_scope` for scopes that the app may not
   * have, `access_denied` for a user named like an app, `invalid_grant` where the user's grants were ended meanwhile. Rejects with
   * TypeError for an order that makes no sense, or with StoreError.
   */
  issue(order: IssueOrder): Promise<IssuedTokens>
}

/** The part that all grants of the host's have in common. */
export interface GrantExtension {
  /** `grant_type` on the wire: an absolute URI, or a name of letters, digits and `. _ ~ -` (RFC 6749 §4.5, §8.3). */
  readonly name: string
  /** Its title for the people who choose grants for an app. Default: the name. */
  readonly title?: string | undefined
  /** A sentence for the same people, with the app as its subject. Default: none. */
  readonly summary?: string | undefined
  /** The parameters it reads, and whether it cannot do without. A missing one is answered `invalid_request`. */
  readonly parameters?:
    | Readonly<
        Record<
          string,
          {
            /** Whether a request without it is refused. */
            readonly required: boolean
          }
        >
      >
    | undefined
  /** Let apps use it that cannot prove who they are. Default false. */
  readonly publicApps?: boolean | undefined
}

/** A grant of the host's own. */
export interface CustomGrant extends GrantExtension {
  /**
   * Judges what the request presents, and returns what `issue` resolved to. What it throws as OAuthError is answered to the
   * client; anything else is logged and answered 500. If it fails after `issue`, or takes longer than `hookTimeoutMs`, the tokens
   * are revoked.
   */
  readonly handle: (call: GrantCall) => Promise<IssuedTokens>
}

/** A class that extends `AbstractGrantType` of any 5.x version of @node-oauth/oauth2-server. */
export type EngineGrantClass = new (
  options: never,
) => {
  /** Runs the grant, and resolves to what `saveToken` resolved to. */
  handle(request: never, client: never): unknown
}

/** A grant written for @node-oauth/oauth2-server, its code unchanged. */
export interface EngineGrant extends GrantExtension {
  /** The class itself, not an instance of it. */
  readonly grantType: EngineGrantClass
  /** The host's model, whose methods the class calls; `getClient` and `saveToken` are authmount's. */
  readonly model?: object | undefined
  /** Whose grant it is, from the user that the class hands to `saveToken`. */
  readonly owner: (user: never) => GrantOwner | Promise<GrantOwner>
  /** Returns the fields that the class expects of a client beyond `id`, `grants`, `redirectUris` and lifetimes. Default: none. */
  readonly legacyClient?: ((app: GrantApp) => object | Promise<object>) | undefined
}

/** A member of the option `grants`. */
export type HostGrant = CustomGrant | EngineGrant

/** Names that are taken: by grants of authmount, now or soon, or by what no server should offer any more. */
const RESERVED: Readonly<Record<string, string>> = {
  authorization_code: 'is built in',
  client_credentials: 'is built in',
  refresh_token: 'is built in',
  'urn:ietf:params:oauth:grant-type:device_code': 'is built in',
  implicit: 'was withdrawn (RFC 9700 §2.1.2)',
  password: 'was withdrawn (RFC 9700 §2.4): see docs/migrate-node-oauth2-server.md for what to do instead',
}

const NAME = /^[\w.~-]{1,200}$/
const FIELDS = ['name', 'title', 'summary', 'parameters', 'publicApps', 'handle', 'grantType', 'model', 'owner', 'legacyClient']

/** Grants of the host's own. */
export const grants: Kind<readonly HostGrant[]> = {
  read(value, place) {
    if (!Array.isArray(value)) return place.refuse('must be an array of grants, such as [{ name, handle }]')
    const problems = grantProblems(value)
    for (const problem of problems) place.add(problem)
    return problems.length === 0 ? [...value] : undefined
  },
}

function grantProblems(grants: readonly unknown[]): readonly string[] {
  const problems: string[] = []
  const names = new Set<unknown>()
  for (const [index, grant] of grants.entries()) {
    const at = `grants[${index}]`
    if (typeof grant !== 'object' || grant === null) {
      problems.push(`${at} must be an object with a name, and a handle or a grantType`)
      continue
    }
    checkGrant(at, grant as Readonly<Record<string, unknown>>, problems)
    const { name } = grant as { readonly name?: unknown }
    if (names.has(name)) problems.push(`${at}: there are two grants with the name ${quote(name)}`)
    names.add(name)
  }
  return problems
}

function checkGrant(at: string, grant: Readonly<Record<string, unknown>>, problems: string[]): void {
  const { grantType, handle, legacyClient, model, name, owner, parameters, publicApps, summary, title } = grant
  for (const field of Object.keys(grant)) if (!FIELDS.includes(field)) problems.push(`${at}.${field} is not part of a grant`)
  if (typeof name !== 'string' || !(NAME.test(name) || isUri(name)))
    problems.push(`${at}.name must be an absolute URI, or letters, digits and . _ ~ -: ${quote(name)} is not`)
  else if (Object.hasOwn(RESERVED, name)) problems.push(`${at}.name ${name} ${RESERVED[name]}`)
  if ((handle === undefined) === (grantType === undefined)) problems.push(`${at} needs a handle, or a grantType, and not both`)
  if (handle !== undefined && typeof handle !== 'function') problems.push(`${at}.handle must be a function`)
  if (grantType !== undefined && typeof grantType !== 'function')
    problems.push(`${at}.grantType must be a class that extends AbstractGrantType`)
  if (grantType !== undefined && typeof owner !== 'function')
    problems.push(`${at}.owner must be a function that says whose grant it is: user => ({ userId, orgId })`)
  if (handle !== undefined && (owner !== undefined || model !== undefined || legacyClient !== undefined))
    problems.push(`${at}: owner, model and legacyClient go with a grantType`)
  if (model !== undefined && (typeof model !== 'object' || model === null)) problems.push(`${at}.model must be an object`)
  if (legacyClient !== undefined && typeof legacyClient !== 'function') problems.push(`${at}.legacyClient must be a function`)
  if (publicApps !== undefined && typeof publicApps !== 'boolean') problems.push(`${at}.publicApps must be true or false`)
  for (const [field, text] of Object.entries({ title, summary }))
    if (text !== undefined && typeof text !== 'string') problems.push(`${at}.${field} must be a text`)
  if (parameters !== undefined && !isParameters(parameters))
    problems.push(`${at}.parameters must map each name to { required: true } or { required: false }`)
}

function isUri(name: string): boolean {
  return name.length <= 200 && /^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/i.test(name)
}

function isParameters(parameters: unknown): boolean {
  if (typeof parameters !== 'object' || parameters === null) return false
  return Object.entries(parameters).every(
    ([name, value]) => /^\w{1,40}$/.test(name) && typeof (value as { required?: unknown } | null)?.required === 'boolean',
  )
}
