import type { AuthmountEvent } from '../base/events.ts'
import { callHook } from '../base/hooks.ts'
import { wireId } from '../base/ids.ts'
import { OFFLINE_ACCESS } from '../clients/allowed-scopes.ts'
import { appForHost } from '../clients/app-for-host.ts'
import { OAuthError, type OAuthErrorCode } from '../errors/oauth-error.ts'
import type { Context } from '../options/context.ts'
import { isPlainObject } from '../options/kinds.ts'
import { POLICY_ERRORS, type PolicyRequest } from '../options/rules.ts'
import { deniedTokenCode, deny, NOT_ALLOWED, type Subject } from './deny.ts'
import { sessionFacts } from './session-facts.ts'

/** What the host is asked to allow. */
export interface Asked extends Subject {
  readonly scopes: readonly string[]
  /** The resources; null: all of the server's. */
  readonly audience: readonly string[] | null
  readonly grantType: string | null
}

/** What the host has allowed. */
export interface Allowed {
  readonly scopes: readonly string[]
  /** The longest life of the access token, in seconds; undefined: the host does not say. */
  readonly accessTokenSeconds: number | undefined
  /** The same of the refresh token. */
  readonly refreshTokenSeconds: number | undefined
}

/**
 * Asks the option `policy`; without that option everything is allowed. Rejects with HostDenial, after the event, if the host
 * denies; with OAuthError `invalid_scope` if it leaves no scope; with Error if the function fails, is late or returns anything else.
 */
export async function askPolicy(
  event: PolicyRequest['event'],
  asked: Asked,
  context: Pick<Context, 'config' | 'events' | 'now'>,
): Promise<Allowed> {
  const { config } = context
  const { policy } = config
  const { app, audience, grantType, of, scopes } = asked
  if (!policy) return { scopes, accessTokenSeconds: undefined, refreshTokenSeconds: undefined }
  const request: PolicyRequest = {
    event,
    app: appForHost(app),
    userId: of.userId,
    orgId: of.orgId,
    scopes: [...scopes],
    audience: [...(audience ?? config.resources)],
    grantType,
    grantId: of.id,
    grantedAt: of.createdAt,
    session: sessionFacts(of.context),
  }
  const answer = await callHook('policy', () => policy(request), readAnswer, config)
  if (answer.denied) {
    const { description = NOT_ALLOWED, error } = answer.denied
    throw deny(asked, { during: event, by: 'policy' }, { code: codeOf(event, error, asked), description }, context)
  }
  const left = answer.scopes ? scopes.filter(name => answer.scopes?.has(name)) : scopes
  // A token without scopes can be used where none is required.
  if (event !== 'use' && left.every(name => name === OFFLINE_ACCESS))
    throw new OAuthError('invalid_scope', 'the rules of this server leave none of the scopes')
  const allowed: Allowed = { ...answer, scopes: left.length === scopes.length ? scopes : left }
  if (event !== 'use') announceLimits(event, asked, allowed, context)
  return allowed
}

/** Emits that the host allowed less than it was asked for. */
function announceLimits(
  during: Extract<AuthmountEvent, { readonly type: 'policy_limited' }>['during'],
  { app, of, scopes }: Asked,
  allowed: Allowed,
  { events, now }: Pick<Context, 'events' | 'now'>,
): void {
  const { accessTokenSeconds, refreshTokenSeconds } = allowed
  const removedScopes = scopes.filter(name => !allowed.scopes.includes(name))
  if (removedScopes.length === 0 && accessTokenSeconds === undefined && refreshTokenSeconds === undefined) return
  const { id: grantId, orgId, userId } = of
  const who = { at: now, clientId: wireId(app), orgId, userId, grantId }
  events.emit({
    type: 'policy_limited',
    ...who,
    during,
    removedScopes,
    accessTokenSeconds: accessTokenSeconds ?? null,
    refreshTokenSeconds: refreshTokenSeconds ?? null,
  })
}

interface Denied {
  readonly error: (typeof POLICY_ERRORS)[number] | undefined
  readonly description: string | undefined
}
interface Answer {
  readonly denied: Denied | undefined
  readonly scopes: ReadonlySet<string> | undefined
  readonly accessTokenSeconds: number | undefined
  readonly refreshTokenSeconds: number | undefined
}

const LIMITS = ['allow', 'scopes', 'accessTokenSeconds', 'refreshTokenSeconds']
const DENIAL = ['deny', 'error', 'description']
const MAX_DESCRIPTION_CHARS = 200

/** Reads the answer of the host. Anything that is not understood is an error, because to pass over it would be to allow. */
function readAnswer(answer: unknown): Answer {
  const none = { denied: undefined, scopes: undefined, accessTokenSeconds: undefined, refreshTokenSeconds: undefined }
  if (!isPlainObject(answer)) throw wrongAnswer()
  const names = Object.keys(answer)
  if (names.length === 0 || names.some(name => !LIMITS.includes(name) && !DENIAL.includes(name))) throw wrongAnswer()
  const { accessTokenSeconds, allow, deny, description, error, refreshTokenSeconds, scopes } = answer
  if (names.some(name => DENIAL.includes(name))) {
    if (deny !== true || names.some(name => LIMITS.includes(name))) throw wrongAnswer()
    return { ...none, denied: { error: readError(error), description: readDescription(description) } }
  }
  if (allow !== undefined && allow !== true) throw wrongAnswer()
  return {
    denied: undefined,
    scopes: readScopes(scopes),
    accessTokenSeconds: readSeconds(accessTokenSeconds),
    refreshTokenSeconds: readSeconds(refreshTokenSeconds),
  }
}

function readScopes(scopes: unknown): ReadonlySet<string> | undefined {
  if (scopes === undefined) return undefined
  if (!Array.isArray(scopes) || !scopes.every(name => typeof name === 'string')) throw wrongAnswer()
  return new Set<string>(scopes)
}

function readSeconds(seconds: unknown): number | undefined {
  if (seconds === undefined) return undefined
  if (!Number.isInteger(seconds) || Number(seconds) < 1) throw wrongAnswer()
  return Number(seconds)
}

function readError(error: unknown): Denied['error'] {
  const known = POLICY_ERRORS.find(code => code === error)
  if (error !== undefined && known === undefined) throw wrongAnswer()
  return known
}

function readDescription(description: unknown): string | undefined {
  if (description === undefined) return undefined
  if (typeof description !== 'string' || description === '' || description.length > MAX_DESCRIPTION_CHARS) throw wrongAnswer()
  return description
}

function wrongAnswer(): TypeError {
  const denial = `{ deny: true, error, description }, where error is one of ${POLICY_ERRORS.join(', ')}`
  return new TypeError(
    `it must return { allow: true, scopes, accessTokenSeconds, refreshTokenSeconds }, at least one of them; or ${denial}`,
  )
}

function codeOf(event: PolicyRequest['event'], error: Denied['error'], asked: Asked): OAuthErrorCode {
  if (event === 'use') return 'invalid_token'
  // The authorization endpoint has no invalid_grant (RFC 6749 §4.1.2.1).
  if (event === 'authorize') return error === undefined || error === 'invalid_grant' ? 'access_denied' : error
  return error ?? deniedTokenCode(asked)
}
