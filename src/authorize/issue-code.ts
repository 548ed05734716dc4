import { sha256 } from '../base/crypto.ts'
import { newGrantId } from '../base/ids.ts'
import { sidOf } from '../base/session.ts'
import { useAdmission } from '../clients/admission.ts'
import { isSelfRegistered } from '../clients/find-client.ts'
import { TargetedError } from '../errors/oauth-error.ts'
import { keepAppSession } from '../oidc/app-sessions.ts'
import type { GrantContext } from '../oidc/grant-context.ts'
import type { Context, SignedInContext } from '../options/context.ts'
import type { KeptDevice } from '../options/device-description.ts'
import type { Principal } from '../options/principal.ts'
import { isNamedLikeApp } from '../token/issue.ts'
import { newCode } from '../tokens/opaque.ts'
import { authenticationOf } from '../tokens/token-guard.ts'
import type { AnswerParams } from './authorization-response.ts'
import type { AuthorizationRequest } from './request.ts'

/** The user who has agreed, and what the host keeps of their device; null: nothing. */
export interface AgreedContext extends SignedInContext {
  readonly device: KeptDevice | null
}

/** Stores a code for what the user agreed to, and returns the answer that carries it (RFC 6749 §4.1.2, RFC 9207 §2). */
export async function issueCode(
  asked: AuthorizationRequest,
  context: AgreedContext,
  code: string = newCode(),
): Promise<AnswerParams> {
  const { config, device, now, principal, store } = context
  if (await isNamedLikeApp(principal.userId, asked.app, context))
    throw new TargetedError(asked, 'access_denied', 'this user cannot authorize apps')
  const carried = contextOf(asked, principal)
  const bound = asked.codeKey === null ? carried : { ...carried, jkt: asked.codeKey }
  const request = device ? { ...bound, device } : bound
  const kept = isSelfRegistered(asked.app)
    ? { ...request, admission: await useAdmission(asked.app, asked.scopes, context) }
    : request
  const keeping = keepSession(asked, request, principal, store)
  if (keeping) await keeping
  await store.oneTime.put({
    kind: 'code',
    id: sha256(code),
    expiresAt: now + config.codeSeconds * 1000,
    data: {
      grantId: newGrantId(asked.app.id),
      appId: asked.app.id,
      userId: principal.userId,
      orgId: principal.orgId,
      redirectUri: asked.redirectUri,
      scopes: asked.scopes,
      codeChallenge: asked.codeChallenge,
      codeChallengeMethod: asked.codeChallengeMethod,
      context: kept,
      epoch: asked.app.epoch,
    },
  })
  return codeAnswer(code, asked, config)
}

export function codeAnswer(
  code: string,
  { state }: Pick<AuthorizationRequest, 'state'>,
  { issuer }: Pick<SignedInContext['config'], 'issuer'>,
): AnswerParams {
  return { code, state, iss: issuer }
}

/** Records that an app signs the user in in this session, where it is to be told when that ends; undefined where it is not. */
export function keepSession(
  { app, scopes }: Pick<AuthorizationRequest, 'app' | 'scopes'>,
  { sid }: GrantContext,
  { userId }: Principal,
  store: Context['store'],
): Promise<void> | undefined {
  if (app.backchannelLogoutUri === undefined || !sid || !scopes.includes('openid')) return undefined
  return keepAppSession({ appId: app.id, userId, sid }, store)
}

/**
 * Collects the parts of the request that later tokens need: the audience, the authentication and the session, and with `openid` the
 * claims.
 */
export function contextOf(
  { audience, claims, nonce, scopes }: Pick<AuthorizationRequest, 'audience' | 'claims' | 'nonce' | 'scopes'>,
  principal: Principal,
): GrantContext {
  const { authTime, sessionId } = principal
  const authentication = authenticationOf(principal)
  const limits = audience === null ? (authentication ?? {}) : authentication ? { audience, ...authentication } : { audience }
  const sid = sidOf(sessionId)
  if (!scopes.includes('openid')) return sid === null ? limits : { ...limits, sid }
  return { ...limits, nonce, authTime: authTime ?? null, sid, idTokenClaims: claims.idToken, userinfoClaims: claims.userinfo }
}
