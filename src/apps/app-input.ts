import { z } from 'zod'
import type { JsonObject } from '../base/json.ts'
import { provesItself } from '../clients/client-facts.ts'
import { profileProblems } from '../clients/profile-of-app.ts'
import { keySetUrlProblem, MAX_CLIENT_KEYS, readPublicKeys } from '../clients/public-keys.ts'
import { redirectUriProblem } from '../clients/redirect-uri-rules.ts'
import { ApiError } from '../errors/api-error.ts'
import type { Config } from '../options/config.ts'
import type { Services } from '../options/context.ts'
import { algorithmsOf } from '../options/signing.ts'
import type { App, AppKeys } from '../store/store.ts'
import { originProblem } from './origin-rules.ts'

/** A JWK (RFC 7517 §4). What may be in a public one is checked apart. */
export const jwkSchema = z
  .object({ kty: z.string() })
  .catchall(z.union([z.string(), z.boolean(), z.array(z.string())], 'must be a text, a boolean or a list of texts'))

/** The host's options that limit apps. */
export type AppRules = Pick<Config<never>, 'allowLoopbackProviders' | 'redirectSchemes' | 'scopes' | 'signing'>

/** Wire names of the grants that apps can be registered for. */
export interface AppGrants {
  readonly names: readonly string[]
  /** Grants of a new app whose registration names none. */
  readonly byDefault: readonly string[]
}

/** Reads the names from the registry of grants. */
export function appGrants({ grants }: Pick<Services, 'grants'>): AppGrants {
  const all = [...grants.values()]
  return { names: all.map(({ name }) => name), byDefault: all.filter(({ byDefault }) => byDefault).map(({ name }) => name) }
}

/** The fields of a new app. Lifetimes are in seconds. */
export interface NewApp {
  /** 1–100 characters, shown to users on the consent page. */
  readonly name: string
  /** Up to 500 characters, shown to users on the consent page. Default: empty. */
  readonly description?: string | undefined
  /**
   * 1–10 absolute URIs: https, http on a loopback host, or a reverse-domain private scheme such as `com.example.app:/cb`.
   * An app with only `client_credentials` needs none.
   */
  readonly redirectUris?: readonly string[] | undefined
  /**
   * Up to 10 origins of its pages beside those of `redirectUris`, which may read the answers of the token, revocation and
   * userinfo endpoints: `capacitor://localhost`, `chrome-extension://…`, or an https origin. Only for a public app. Default: none.
   */
  readonly allowedOrigins?: readonly string[] | undefined
  /** The scopes it may ask for: at least one, each from the option `scopes`. */
  readonly allowedScopes: readonly string[]
  /**
   * Names of the grants it may use. Default: `authorization_code`, `refresh_token` and `client_credentials`, and never a grant
   * of the host.
   */
  readonly allowedGrantTypes?: readonly string[] | undefined
  /** Whether the app can keep a secret; one that cannot must use PKCE. Default true. */
  readonly isConfidential?: boolean | undefined
  /**
   * How the app authenticates: `client_secret_basic`, `client_secret_post`, `private_key_jwt`, `none`, or, only from your own code
   * and not from the API, the name of a method in the option `clientAuthentication`. Default: by `isConfidential`.
   */
  readonly tokenEndpointAuthMethod?: string | undefined
  /**
   * Whether its token requests must prove a key, so that all its tokens are bound to one (DPoP). On a server whose option `dpop` is
   * `off` such an app gets no tokens. Default false.
   */
  readonly dpopBoundAccessTokens?: boolean | undefined
  /**
   * The public keys of an app with `private_key_jwt`, as a key set (RFC 7517): 1–10 keys, each RSA of 2048 to 8192 bits, P-256 or
   * Ed25519. Either this or `jwksUri`.
   */
  readonly jwks?:
    | {
        /** The keys, as public JWKs. */
        readonly keys: readonly JsonObject[]
      }
    | undefined
  /** The https URL of that key set, on the public internet, where the app can replace its keys by itself. */
  readonly jwksUri?: string | undefined
  /**
   * The algorithm that signs its ID tokens, one of `id_token_signing_alg_values_supported` in the metadata of the server. Default:
   * that of the server.
   */
  readonly idTokenSignedResponseAlg?: string | undefined
  /** Whether it must push its authorization requests (RFC 9126 §6), as the option of this name demands of every app. Default false. */
  readonly requirePushedAuthorizationRequests?: boolean | undefined
  /** The lifetime of its access tokens. 300–86,400 seconds; default 3600. */
  readonly accessTokenLifetime?: number | undefined
  /** The lifetime of its refresh tokens. 3600–31,536,000 seconds; default 604,800. */
  readonly refreshTokenLifetime?: number | undefined
  /** An https URL, shown on the consent page. Only from your own code, not from the API: admins cannot choose the picture. */
  readonly logoUrl?: string | undefined
  /** The app's homepage, linked on the consent page. An http or https URL. */
  readonly homepageUrl?: string | undefined
  /** The app's privacy policy, linked on the consent page. An http or https URL. */
  readonly privacyPolicyUrl?: string | undefined
  /** The app's terms of service, linked on the consent page. An http or https URL. */
  readonly termsOfServiceUrl?: string | undefined
  /**
   * A fixed `client_id`, for seeds and imports: 1–2,048 printable ASCII characters, and not the id of a user. Calls with the same
   * one are idempotent: the first creates the app, later ones set the fields that are given, as far as they differ. A deleted
   * app is refused; a suspended one stays suspended. Only from your own code, not from the API. Default: a random one.
   */
  readonly clientId?: string | undefined
  /**
   * A fixed secret beside a fixed `clientId`: 32–255 printable ASCII characters, random ones. A later call with another secret
   * replaces it at once. Only from your own code, not from the API. Default: a random one, made by the first call.
   */
  readonly clientSecret?: string | undefined
}

/** The fields of a new app, checked and with their defaults. */
export type AppFields = z.output<ReturnType<typeof newAppSchema>>

/** The schemas of one server. Making them costs a millisecond, more than the rest of a registration. */
const SCHEMAS = new WeakMap<AppRules, ReturnType<typeof makeSchemas>>()

function makeSchemas(config: AppRules, services: Pick<Services, 'grants'>) {
  const grants = appGrants(services)
  return { newApp: newAppSchema(config, grants), changes: appChangesSchema(config, grants) }
}

/** Returns the schemas of new apps and of changes that hold on this server. */
export function appSchemas(config: AppRules, services: Pick<Services, 'grants'>): ReturnType<typeof makeSchemas> {
  const schemas = SCHEMAS.get(config) ?? makeSchemas(config, services)
  SCHEMAS.set(config, schemas)
  return schemas
}

/** Makes the schema of a new app, with rules and defaults. */
export function newAppSchema(rules: AppRules, grants: AppGrants) {
  const { allowedGrantTypes, allowedOrigins, description, redirectUris, url, ...fields } = appFields(rules, grants)
  const { idTokenSignedResponseAlg, jwks, jwksUri, tokenEndpointAuthMethod } = fields
  return z
    .strictObject({
      ...fields,
      description: description.default(''),
      redirectUris: redirectUris.default([]),
      allowedOrigins: allowedOrigins.default([]),
      allowedGrantTypes: allowedGrantTypes.default([...grants.byDefault]),
      isConfidential: z.boolean().default(true),
      dpopBoundAccessTokens: fields.dpopBoundAccessTokens.default(false),
      tokenEndpointAuthMethod: tokenEndpointAuthMethod.optional(),
      jwks: jwks.optional(),
      jwksUri: jwksUri.optional(),
      idTokenSignedResponseAlg: idTokenSignedResponseAlg.optional(),
      requirePushedAuthorizationRequests: fields.requirePushedAuthorizationRequests.default(false),
      accessTokenLifetime: fields.accessTokenLifetime.default(3600),
      refreshTokenLifetime: fields.refreshTokenLifetime.default(604_800),
      homepageUrl: url.optional(),
      privacyPolicyUrl: url.optional(),
      termsOfServiceUrl: url.optional(),
    })
    .superRefine(checkRedirectsOfGrants)
    .superRefine(checkOriginsOfKind)
}

/** Makes the schema of a change: omitted fields stay, and a URL or an algorithm of null is removed. */
export function appChangesSchema(rules: AppRules, grants: AppGrants) {
  const { url, ...fields } = appFields(rules, grants)
  const links = { homepageUrl: url.nullable(), privacyPolicyUrl: url.nullable(), termsOfServiceUrl: url.nullable() }
  const idTokenSignedResponseAlg = fields.idTokenSignedResponseAlg.nullable()
  return z.strictObject({ ...fields, ...links, idTokenSignedResponseAlg }).partial()
}

interface IssueSink {
  addIssue(issue: { code: 'custom'; path: string[]; message: string }): void
}

/** Requires a redirect URI for the authorization_code grant. */
function checkRedirectsOfGrants(
  app: { readonly redirectUris: readonly string[]; readonly allowedGrantTypes: readonly string[] },
  context: IssueSink,
): void {
  if (app.redirectUris.length > 0 || !app.allowedGrantTypes.includes('authorization_code')) return
  const message = 'must have at least one entry for the authorization_code grant'
  context.addIssue({ code: 'custom', path: ['redirectUris'], message })
}

/** Keeps origins to public apps: the secret of another has no place in a page. */
function checkOriginsOfKind(
  { allowedOrigins, isConfidential }: { readonly allowedOrigins: readonly string[]; readonly isConfidential: boolean },
  context: IssueSink,
): void {
  if (allowedOrigins.length === 0 || !isConfidential) return
  const message = 'must be empty: only a public app (isConfidential: false) may run in a page'
  context.addIssue({ code: 'custom', path: ['allowedOrigins'], message })
}

/** Keeps public keys to the apps that authenticate with private ones, and asks these for them. */
function checkKeysOfMethod({ authMethod, keys }: Pick<App, 'authMethod' | 'keys'>, context: IssueSink): void {
  if (authMethod === 'private_key_jwt' ? keys !== undefined : keys === undefined) return
  const path = [keys && 'jwksUri' in keys ? 'jwksUri' : 'jwks']
  const message = keys
    ? 'must be omitted: it is for apps with tokenEndpointAuthMethod private_key_jwt'
    : 'or jwksUri must be there: an app with private_key_jwt needs public keys'
  context.addIssue({ code: 'custom', path, message })
}

/** Returns the keys that an input has; undefined if it has none. Throws ApiError VALIDATION_ERROR for a set and a URL at once. */
export function keysOf({ jwks, jwksUri }: Pick<NewApp, 'jwks' | 'jwksUri'>): AppKeys | undefined {
  if (jwks && jwksUri !== undefined) {
    const message = 'must be omitted where there is a jwksUri'
    throw new ApiError('VALIDATION_ERROR', `not valid: jwks ${message}`, [{ path: 'jwks', message }])
  }
  return jwks ? { jwks } : jwksUri === undefined ? undefined : { jwksUri }
}

/** Checks the rules that involve several fields of a stored app. Throws ApiError VALIDATION_ERROR. */
export function checkWholeApp(app: App): void {
  const sink: IssueSink = {
    addIssue({ message, path }) {
      throw new ApiError('VALIDATION_ERROR', `not valid: ${path.join('.')} ${message}`, [{ path: path.join('.'), message }])
    },
  }
  checkRedirectsOfGrants({ redirectUris: app.redirectUris, allowedGrantTypes: app.grantTypes }, sink)
  checkOriginsOfKind({ allowedOrigins: app.allowedOrigins ?? [], isConfidential: provesItself(app) }, sink)
  checkKeysOfMethod(app, sink)
}

/** Throws ApiError VALIDATION_ERROR, with every problem, for an app that contradicts the profile of the server. */
export function checkProfile(app: Pick<App, 'authMethod' | 'redirectUris'>, { rules }: Pick<Config<never>, 'rules'>): void {
  const problems = profileProblems(app, rules)
  if (problems.length === 0) return
  const said = problems.map(({ message, path }) => `${path} ${message}`).join('; ')
  throw new ApiError('VALIDATION_ERROR', `not valid: ${said}`, [...problems])
}

/** The methods for which the API registers apps; a host's own are for its own code. */
const METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none']

function appFields({ allowLoopbackProviders, redirectSchemes, scopes, signing }: AppRules, grants: AppGrants) {
  return {
    name: z
      .string('must be a text of 1 to 100 characters')
      .trim()
      .min(1, 'must have 1 to 100 characters')
      .max(100, 'must have 1 to 100 characters'),
    description: z.string().max(500, 'must have at most 500 characters'),
    redirectUris: z.array(z.string().superRefine(checkRedirectUri(redirectSchemes))).max(10, 'must have at most 10 entries'),
    allowedOrigins: z.array(z.string().superRefine(checkOrigin)).max(10, 'must have at most 10 entries').overwrite(unique),
    allowedScopes: z
      .array(
        z.string().refine(name => scopes.has(name), 'is not a scope this server knows'),
        `must be an array of scopes such as ['${[...scopes.keys()][0]}']`,
      )
      .min(1, 'must have at least one entry')
      .overwrite(unique),
    allowedGrantTypes: z
      .array(z.enum(grants.names as [string, ...string[]], `must be one of ${grants.names.join(', ')}`))
      .min(1, 'must have at least one entry')
      .overwrite(unique),
    dpopBoundAccessTokens: z.boolean('must be true or false'),
    tokenEndpointAuthMethod: z.enum(METHODS, `must be one of ${METHODS.join(', ')}`),
    jwks: z
      .object(
        {
          keys: z
            .array(jwkSchema)
            .min(1, 'must have at least one key')
            .max(MAX_CLIENT_KEYS, `must have at most ${MAX_CLIENT_KEYS} keys`),
        },
        'must be a key set with keys: { "keys": [ … ] }',
      )
      .superRefine(checkPublicKeys)
      .overwrite(publicKeys),
    jwksUri: z.string().superRefine(checkKeySetUrl(allowLoopbackProviders)),
    idTokenSignedResponseAlg: idTokenAlgorithm(algorithmsOf(signing)),
    requirePushedAuthorizationRequests: z.boolean('must be true or false'),
    accessTokenLifetime: seconds(300, 86_400),
    refreshTokenLifetime: seconds(3600, 31_536_000),
    url: z.string().max(2048).refine(isWebUrl, 'must be an absolute http or https URL'),
  }
}

function checkRedirectUri(schemes: readonly string[]): (uri: string, context: z.RefinementCtx) => void {
  return (uri, context) => {
    const message = redirectUriProblem(uri, schemes)
    if (message) context.addIssue({ code: 'custom', message })
  }
}

function checkOrigin(origin: string, context: z.RefinementCtx): void {
  const message = originProblem(origin)
  if (message) context.addIssue({ code: 'custom', message })
}

function checkPublicKeys(set: { readonly keys: readonly JsonObject[] }, context: z.RefinementCtx): void {
  const { problem } = readPublicKeys(set)
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
}

/** Without the members that say nothing about verifying, such as certificates. */
function publicKeys<Set extends { readonly keys: readonly JsonObject[] }>(set: Set): Set {
  return { ...set, keys: [...readPublicKeys(set).keys] }
}

function checkKeySetUrl(allowLoopback: boolean): (url: string, context: z.RefinementCtx) => void {
  return (url, context) => {
    const message = keySetUrlProblem(url, allowLoopback)
    if (message) context.addIssue({ code: 'custom', message })
  }
}

function idTokenAlgorithm(algorithms: readonly string[]) {
  const rule =
    algorithms.length > 0 ? `must be one of ${algorithms.join(', ')}` : 'must be omitted: this server signs no ID tokens'
  return z.string().refine(alg => algorithms.includes(alg), rule)
}

function seconds(low: number, high: number) {
  const message = `must be a whole number of seconds from ${low} to ${high}`
  return z.int(message).min(low, message).max(high, message)
}

function isWebUrl(value: string): boolean {
  return /^https?:\/\//i.test(value) && URL.canParse(value)
}

function unique<T>(items: T[]): T[] {
  return [...new Set(items)]
}
