import { decodeJwt } from 'jose'
import { sha256 } from '../base/crypto.ts'
import { type Audience, readAudience } from '../bearer/audience.ts'
import { narrow, scopesForUser } from '../clients/allowed-scopes.ts'
import { mustPush } from '../clients/client-facts.ts'
import { isSelfRegistered } from '../clients/find-client.ts'
import { findRequestingClient } from '../clients/find-requesting-client.ts'
import { profileProblems } from '../clients/profile-of-app.ts'
import { OAuthError, TargetedError } from '../errors/oauth-error.ts'
import { one, optional, type Params, printableName } from '../http/params.ts'
import { type RequestedClaims, readClaims } from '../oidc/claims.ts'
import type { Context } from '../options/context.ts'
import type { ProfileRules } from '../options/profile.ts'
import type { App, OneTime } from '../store/store.ts'
import { readCodeKey } from '../token/dpop.ts'
import { RESPONSE_MODES, type ResponseMode } from './authorization-response.ts'
import { type ChallengeMethod, readChallenge } from './pkce.ts'
import { matchRedirectUri } from './redirect-uri.ts'

/** An app and one of its registered redirect URIs, to which answers may be sent. */
export interface TrustedTarget {
  readonly app: App
  readonly redirectUri: string
}

/**
 * An authorization request, read once into one value, which the login, the consent screen and the code use. Nothing reads the
 * URL again.
 */
export interface AuthorizationRequest extends TrustedTarget {
  /**
   * The parameters it was read from. They are stored until the user has decided, and are in the URL back from a login unless the
   * request was pushed.
   */
  readonly params: Params
  /** The pushed request that it was read from; null for one whose parameters came in the URL. */
  readonly pushed: Pushed | null
  readonly state: string | null
  readonly responseMode: ResponseMode
  readonly scopes: readonly string[]
  /** RFC 8707 §2 */
  readonly audience: Audience
  readonly codeChallenge: string | null
  readonly codeChallengeMethod: ChallengeMethod | null
  /** The thumbprint of the key to which the code is bound; null if the request names none (RFC 9449 §10). */
  readonly codeKey: string | null
  readonly nonce: string | null
  // OpenID Connect Core §3.1.2.1, §5.5
  readonly prompt: ReadonlySet<Prompt>
  readonly maxAgeSeconds: number | null
  readonly idTokenHint: string | null
  readonly claims: RequestedClaims
}

/** The parameters of an authorization request before anything is checked. */
export interface RequestSource {
  /** The known parameters of an authorization request. Unknown ones are ignored (RFC 6749 §3.1). */
  readonly params: Params
  /** Names that are given more than once; only `resource` may be (RFC 8707 §2). */
  readonly repeated: readonly string[]
  /** The pushed request that has these parameters. Absent: they came in the URL. */
  readonly pushed?: Pushed
}

/** A pushed request (RFC 9126 §4), as one HTTP request uses it. */
export interface Pushed {
  readonly entry: OneTime<'pushed'>
  /** The parameters of the URL that leads to it. */
  readonly url: Params
  /** The attempt of this HTTP request to answer it. */
  readonly attempt: string
}

export const PROMPTS = ['none', 'login', 'consent', 'select_account'] as const
export type Prompt = (typeof PROMPTS)[number]

/** 4 KiB is enough for a signed state, and still fits into the URLs it is repeated in. */
const MAX_STATE_BYTES = 4096
const MAX_NONCE_CHARS = 512
/** The most characters of any other parameter; a signed hint is longer than the rest. */
const MAX_CHARS = 2048
const MAX_CHARS_OF: Readonly<Record<string, number>> = { state: MAX_STATE_BYTES, id_token_hint: 8192, claims: 4096 }
/** The most characters of all together: a request is stored while its user decides. */
const MAX_REQUEST_CHARS = 12_288

/** Collects the parameters of a request. Several of `resource` are joined with spaces. */
export function requestSource(given: Iterable<readonly [string, string]>): RequestSource {
  const params = new Map<string, string>()
  const seen = new Set<string>()
  const repeated: string[] = []
  for (const [name, value] of given) {
    const resource = name === 'resource' ? params.get(name) : undefined
    if (seen.has(name) && name !== 'resource') repeated.push(name)
    seen.add(name)
    // RFC 6749 §3.1: a parameter sent without a value counts as omitted.
    if (value !== '' && AUTHORIZE_PARAMS.has(name)) params.set(name, resource === undefined ? value : `${resource} ${value}`)
  }
  return { params, repeated }
}

/**
 * Reads an authorization request in the two phases of RFC 6749 §4.1.2.1. Until the redirect URI is found to be registered for
 * the app, it rejects with a plain OAuthError (of `status`, 400 by default), which must be shown here and never
 * redirected; afterwards with TargetedError, which may be redirected. Rejects with StoreError.
 */
export async function readAuthorizationRequest(
  source: RequestSource,
  context: Context,
  { mayRead = true, mayBePlain = false, status = 400 }: ReadSettings = {},
): Promise<AuthorizationRequest> {
  const target = await trustTarget(source, context, { mayRead, status })
  return readRest(source, target, context, mayBePlain)
}

/**
 * Reads the request of an open consent screen again. Its scopes are those that the screen showed, without any that the app has
 * lost since. Rejects as {@link readAuthorizationRequest} does.
 */
export async function readOpenRequest(
  { data }: OneTime<'consent'>,
  context: Context,
  status = 400,
): Promise<AuthorizationRequest> {
  const source = requestSource(Object.entries(data.params as Record<string, string>))
  const asked = await readAuthorizationRequest(source, context, { mayRead: false, mayBePlain: true, status })
  // What the user saw is what is issued, even if the document of the client has changed since.
  if ((data.clientSeen ?? null) !== clientSeen(asked.app))
    throw new OAuthError('invalid_request', 'the app has changed since this screen was opened: start again from the app', {
      expired: true,
      status,
    })
  const scopes = narrow(asked.scopes, data.scopes)
  if (scopes.length === 0)
    throw new TargetedError(asked, 'invalid_scope', 'this app may no longer have what the user was asked for')
  return { ...asked, scopes }
}

/** A digest of what a screen shows of a client that nobody registered; null for an app that was. */
export function clientSeen({ name, origin, redirectUris }: App): string | null {
  return isSelfRegistered({ origin }) ? sha256(JSON.stringify([name, redirectUris])) : null
}

interface ReadSettings {
  /** The HTTP status of a refusal that is shown here. Default 400. */
  readonly status?: number
  /** Whether the document of a client may be read anew. Default true. */
  readonly mayRead?: boolean
  /** Whether a request that is not pushed is read even where it has to be pushed. Default false. */
  readonly mayBePlain?: boolean
}

/** Phase one: finds the app and checks its redirect URI. */
async function trustTarget(
  source: RequestSource,
  context: Context,
  { mayRead, status }: Required<Pick<ReadSettings, 'mayRead' | 'status'>>,
): Promise<TrustedTarget> {
  const clientId = onlyOne(source, 'client_id')
  const redirectUri = onlyOne(source, 'redirect_uri')
  const app = await findRequestingClient(clientId, mayRead, context)
  if (app?.status !== 'active') throw new OAuthError('invalid_client', 'client_id is not the id of an active app', { status })
  // Such clients listen on a port that is free at the moment, by either name of the machine.
  const loopbackLocalhost = context.config.loopbackLocalhost || isSelfRegistered(app)
  if (!matchRedirectUri(redirectUri, app.redirectUris, { loopbackLocalhost })) {
    throw new OAuthError(
      'invalid_request',
      'redirect_uri is not registered for this app: it must match a registered one exactly',
      {
        status,
      },
    )
  }
  return { app, redirectUri }
}

/** Phase two: reads everything else. Throws TargetedError. */
function readRest(
  { params, pushed, repeated }: RequestSource,
  target: TrustedTarget,
  { config }: Pick<Context, 'config'>,
  mayBePlain: boolean,
): AuthorizationRequest {
  const state = readState(params, repeated)
  const askedMode = params.get('response_mode') ?? modeInside(params.get('request'))
  const mode = RESPONSE_MODES.find(mode => mode === askedMode) ?? 'query'
  try {
    if (state.problem) throw new OAuthError('invalid_request', state.problem)
    const [twice] = repeated
    if (twice !== undefined) throw new OAuthError('invalid_request', `${printableName(twice)} is given more than once`)
    refuseLong(params)
    refuseUnsupported(params)
    // RFC 9126 §5, §6
    if (!mayBePlain && pushed?.entry.data.pushedBy !== 'client' && mustPush(target.app, config))
      throw new OAuthError('invalid_request', 'this app must push its authorization requests: post them to the endpoint for it')
    if (config.rules.name !== null) requireProfile(target, config.rules)
    if (!target.app.grantTypes.includes('authorization_code')) {
      throw new OAuthError('unauthorized_client', 'this app may not use the authorization_code grant')
    }
    const challenge = readChallenge(params, target.app, config)
    const scopes = scopesForUser(optional(params, 'scope'), target.app, config)
    const nonce = readNonce(params)
    if (state.value === null && challenge === null) requireNonce(nonce, scopes, config)
    // Each member is written out: one that follows a spread takes a microsecond.
    return {
      app: target.app,
      redirectUri: target.redirectUri,
      params,
      pushed: pushed ?? null,
      state: state.value,
      audience: readAudience([params.get('resource') ?? ''], config),
      scopes,
      codeChallenge: challenge?.codeChallenge ?? null,
      codeChallengeMethod: challenge?.codeChallengeMethod ?? null,
      codeKey: readCodeKey(params, { config }) ?? null,
      nonce,
      responseMode: mode,
      prompt: readPrompt(params),
      maxAgeSeconds: readMaxAge(params),
      idTokenHint: optional(params, 'id_token_hint') ?? null,
      claims: readClaims(optional(params, 'claims')),
    }
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    const answerTo = { redirectUri: target.redirectUri, state: state.value, responseMode: mode }
    throw new TargetedError(answerTo, error.code, error.description)
  }
}

/** The parameters of an authorization request that are read. */
const AUTHORIZE_PARAMS: ReadonlySet<string> = new Set([
  'response_type',
  'response_mode',
  'client_id',
  'redirect_uri',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'prompt',
  'max_age',
  'login_hint',
  'id_token_hint',
  'ui_locales',
  'acr_values',
  'claims',
  'display',
  'dpop_jkt',
  'resource',
  'request',
  'request_uri',
  'registration',
])

/** Tells whether a request forbids every page (OpenID Connect Core §3.1.2.1, `prompt=none`), so that even its errors are for the app. */
export function isSilent({ params, repeated }: RequestSource): boolean {
  return !repeated.includes('prompt') && (params.get('prompt') ?? '').split(' ').includes('none')
}

/** Returns a request as plain JSON, from which {@link requestSource} makes the same request again. */
export function requestJson({ params }: Pick<RequestSource, 'params'>): Readonly<Record<string, string>> {
  return Object.fromEntries(params)
}

function refuseLong(params: Params): void {
  let all = 0
  for (const [name, value] of params) {
    all += value.length
    const most = MAX_CHARS_OF[name] ?? MAX_CHARS
    if (value.length > most) throw new OAuthError('invalid_request', `${name} is longer than ${most} characters`)
  }
  if (all > MAX_REQUEST_CHARS)
    throw new OAuthError('invalid_request', `the parameters have more than ${MAX_REQUEST_CHARS} characters together`)
}

function refuseUnsupported(params: Params): void {
  const responseType = optional(params, 'response_type')
  if (responseType === undefined) throw new OAuthError('invalid_request', 'response_type is required')
  if (responseType !== 'code') throw new OAuthError('unsupported_response_type', 'response_type must be code')
  const responseMode = optional(params, 'response_mode')
  if (responseMode !== undefined && !RESPONSE_MODES.some(mode => mode === responseMode))
    throw new OAuthError('invalid_request', `response_mode must be ${RESPONSE_MODES.join(' or ')}`)
  // OpenID Connect Core §6, §7.2.1: no URL that a request names is ever fetched.
  if (optional(params, 'request') !== undefined)
    throw new OAuthError('request_not_supported', 'request is not supported: send plain parameters')
  if (optional(params, 'request_uri') !== undefined)
    throw new OAuthError('request_uri_not_supported', 'request_uri must be one that this server issued for a pushed request')
  if (optional(params, 'registration') !== undefined)
    throw new OAuthError('registration_not_supported', 'registration is not supported')
}

/**
 * Reads the `response_mode` of a request object, so that its refusal arrives where the client looks. Nothing is verified, and
 * nothing else of it is read: a request with one is always refused.
 */
function modeInside(requestObject: string | undefined): unknown {
  if (requestObject === undefined) return undefined
  try {
    return decodeJwt(requestObject).response_mode
  } catch {
    return undefined
  }
}

/** Refuses an app that was registered before the server had its profile, and contradicts it. */
function requireProfile({ app, redirectUri }: TrustedTarget, rules: ProfileRules): void {
  const [problem] = profileProblems({ authMethod: app.authMethod, redirectUris: [redirectUri] }, rules)
  if (problem)
    throw new OAuthError('unauthorized_client', `the app is not one for this server: ${problem.path} ${problem.message}`)
}

function readPrompt(params: Params): ReadonlySet<Prompt> {
  const names = (optional(params, 'prompt') ?? '').split(' ').filter(name => name !== '')
  const prompts = new Set<Prompt>()
  for (const name of names) {
    const known = PROMPTS.find(prompt => prompt === name)
    if (!known) throw new OAuthError('invalid_request', `prompt must be made of ${PROMPTS.join(', ')}`)
    prompts.add(known)
  }
  if (prompts.has('none') && prompts.size > 1) throw new OAuthError('invalid_request', 'prompt=none goes with no other value')
  return prompts
}

function readMaxAge(params: Params): number | null {
  const maxAge = optional(params, 'max_age')
  if (maxAge === undefined) return null
  if (!/^\d{1,9}$/.test(maxAge)) throw new OAuthError('invalid_request', 'max_age must be a number of seconds')
  return Number(maxAge)
}

function readNonce(params: Params): string | null {
  const nonce = optional(params, 'nonce') ?? null
  if (nonce !== null && nonce.length > MAX_NONCE_CHARS)
    throw new OAuthError('invalid_request', `nonce is longer than ${MAX_NONCE_CHARS} characters`)
  return nonce
}

/**
 * Throws unless the request has a `nonce` for its ID token. Called for a request with neither `state` nor a PKCE challenge: a
 * client needs one of the three against an injected code (RFC 6749 §10.12, RFC 9700 §2.1).
 */
function requireNonce(nonce: string | null, scopes: readonly string[], { signing }: Context['config']): void {
  if (nonce !== null && scopes.includes('openid') && signing !== null) return
  throw new OAuthError(
    'invalid_request',
    'state is required where there is no code_challenge: many clients have an option such as state: true or pkce: true',
  )
}

/** Reads `state` before anything can fail, because every error repeats it (RFC 6749 §4.1.2.1). */
function readState(params: Params, repeated: readonly string[]): { readonly value: string | null; readonly problem?: string } {
  if (repeated.includes('state')) return { value: null, problem: 'state is given more than once' }
  const value = params.get('state') ?? null
  if (value !== null && Buffer.byteLength(value) > MAX_STATE_BYTES)
    return { value: null, problem: `state is longer than ${MAX_STATE_BYTES} bytes` }
  return { value }
}

/** Returns a parameter. Throws `invalid_request` if it is absent or given more than once. */
export function onlyOne({ params, repeated }: RequestSource, name: string): string {
  if (repeated.includes(name)) throw new OAuthError('invalid_request', `${name} is given more than once`)
  return one(params, name)
}
