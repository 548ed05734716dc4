import { isAppId } from '../base/ids.ts'
import { type Audience, readAudience } from '../bearer/audience.ts'
import { requestedScopes, scopesOfApp } from '../clients/allowed-scopes.ts'
import { OAuthError, TargetedError } from '../errors/oauth-error.ts'
import { optional, type Params, readParams } from '../http/params.ts'
import { type RequestedClaims, readClaims } from '../oidc/claims.ts'
import type { Context } from '../options/context.ts'
import type { App } from '../store/store.ts'
import { RESPONSE_MODES, type ResponseMode } from './authorization-response.ts'
import { type ChallengeMethod, readChallenge } from './pkce.ts'
import { matchRedirectUri } from './redirect-uri.ts'

/** An app and an address of its own, to which answers may be sent from here on. */
export interface TrustedTarget {
  readonly app: App
  readonly redirectUri: string
}

export interface AuthorizeRequest extends TrustedTarget {
  readonly state: string | null
  readonly responseMode: ResponseMode
  readonly scopes: readonly string[]
  /** RFC 8707 §2 */
  readonly audience: Audience
  readonly codeChallenge: string | null
  readonly codeChallengeMethod: ChallengeMethod | null
  readonly nonce: string | null
  // OpenID Connect Core §3.1.2.1, §5.5
  readonly prompt: ReadonlySet<Prompt>
  readonly maxAgeSeconds: number | null
  readonly idTokenHint: string | null
  readonly claims: RequestedClaims
}

export const PROMPTS = ['none', 'login', 'consent', 'select_account'] as const
export type Prompt = (typeof PROMPTS)[number]

/** Enough for any state a client signs into it; beyond this it is a cost, not a value. */
const MAX_STATE_BYTES = 4096
const MAX_NONCE_CHARS = 512

/**
 * Phase one of RFC 6749 §4.1.2.1: who asks, and where the answer may go.
 * Rejects with a plain OAuthError (of `refusal` status, 400 by default) that must be shown here and never redirected.
 */
export async function trustTarget(
  query: URLSearchParams,
  { store, config }: Pick<Context, 'store' | 'config'>,
  refusal = { status: 400 },
): Promise<TrustedTarget> {
  const clientId = onlyOne(query, 'client_id')
  const redirectUri = onlyOne(query, 'redirect_uri')
  const app = isAppId(clientId) ? await store.apps.get(clientId) : undefined
  if (app?.status !== 'active') throw new OAuthError('invalid_client', 'client_id is not that of an active app', refusal)
  if (!matchRedirectUri(redirectUri, app.redirectUris, config)) {
    throw new OAuthError(
      'invalid_request',
      'redirect_uri is not registered for this app: it must match a registered one exactly',
      refusal,
    )
  }
  return { app, redirectUri }
}

/** Phase two: everything else. Throws TargetedError, which may be redirected to the target. */
export function readAuthorizeRequest(
  query: URLSearchParams,
  target: TrustedTarget,
  { config }: Pick<Context, 'config'>,
): AuthorizeRequest {
  const state = readState(query)
  const mode = RESPONSE_MODES.find(mode => mode === query.get('response_mode')) ?? 'query'
  try {
    if (state.problem) throw new OAuthError('invalid_request', state.problem)
    const params = readParams(query)
    refuseUnsupported(params)
    if (!target.app.grantTypes.includes('authorization_code')) {
      throw new OAuthError('unauthorized_client', 'this app may not use the authorization_code grant')
    }
    if (state.value === null && !config.lenientAuthorize) throw new OAuthError('invalid_request', 'state is required')
    const challenge = readChallenge(params, target.app, config)
    return {
      ...target,
      state: state.value,
      audience: readAudience(query.getAll('resource'), config),
      scopes: readRequestedScopes(params, target.app, config),
      codeChallenge: challenge?.codeChallenge ?? null,
      codeChallengeMethod: challenge?.codeChallengeMethod ?? null,
      nonce: readNonce(params),
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

/** What an authorization request is made of. Anything else it carries is not kept and not passed on. */
const AUTHORIZE_PARAMS = [
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
]

/** The request as plain JSON, to be read again when the user has decided. Of several resources it makes one text, with spaces. */
export function authorizeParams(query: URLSearchParams): Readonly<Record<string, string>> {
  const resource = query.getAll('resource').join(' ')
  return { ...Object.fromEntries([...query].filter(([name]) => AUTHORIZE_PARAMS.includes(name))), ...(resource && { resource }) }
}

function readRequestedScopes(params: Params, app: App, config: Context['config']): readonly string[] {
  const allowed = scopesOfApp(app, config.scopes)
  const scope = params.get('scope')
  if (scope !== undefined) return requestedScopes(scope, allowed)
  if (!config.lenientAuthorize) throw new OAuthError('invalid_request', 'scope is required')
  if (allowed.length === 0) throw new OAuthError('invalid_scope', 'this app has no scope it could ask for')
  return allowed
}

function refuseUnsupported(params: Params): void {
  const responseType = optional(params, 'response_type')
  if (responseType === undefined) throw new OAuthError('invalid_request', 'response_type is required')
  if (responseType !== 'code') throw new OAuthError('unsupported_response_type', 'response_type must be code')
  const responseMode = optional(params, 'response_mode')
  if (responseMode !== undefined && !RESPONSE_MODES.some(mode => mode === responseMode))
    throw new OAuthError('invalid_request', `response_mode must be ${RESPONSE_MODES.join(' or ')}`)
  // OpenID Connect Core §6, §7.2.1: nothing is ever fetched from where a request points.
  if (optional(params, 'request') !== undefined)
    throw new OAuthError('request_not_supported', 'request is not supported: send plain parameters')
  if (optional(params, 'request_uri') !== undefined)
    throw new OAuthError('request_uri_not_supported', 'request_uri is not supported: send plain parameters')
  if (optional(params, 'registration') !== undefined)
    throw new OAuthError('registration_not_supported', 'registration is not supported')
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

/** Read before anything can fail, since every error carries it back. */
function readState(query: URLSearchParams): { readonly value: string | null; readonly problem?: string } {
  const values = query.getAll('state')
  if (values.length > 1) return { value: null, problem: 'state is given more than once' }
  const value = values[0] || null
  if (value !== null && Buffer.byteLength(value) > MAX_STATE_BYTES)
    return { value: null, problem: `state is longer than ${MAX_STATE_BYTES} bytes` }
  return { value }
}

function onlyOne(query: URLSearchParams, name: string): string {
  const values = query.getAll(name)
  if (values.length > 1) throw new OAuthError('invalid_request', `${name} is given more than once`)
  if (!values[0]) throw new OAuthError('invalid_request', `${name} is required`)
  return values[0]
}
