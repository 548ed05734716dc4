import { sha256 } from '../base/crypto.ts'
import { newGrantId } from '../base/ids.ts'
import { sidOf } from '../base/session.ts'
import { useAdmission } from '../clients/admission.ts'
import { isSelfRegistered } from '../clients/find-client.ts'
import { TargetedError } from '../errors/oauth-error.ts'
import { keepAppSession } from '../oidc/app-sessions.ts'
import type { GrantContext } from '../oidc/grant-context.ts'
import type { SignedInContext } from '../options/context.ts'
import type { Principal } from '../options/principal.ts'
import { isNamedLikeApp } from '../token/issue.ts'
import { newCode } from '../tokens/opaque.ts'
import type { AnswerParams } from './authorization-response.ts'
import type { AuthorizationRequest } from './request.ts'

/** Stores a code for what the user agreed to, and returns the answer that carries it (RFC 6749 §4.1.2, RFC 9207 §2). */
export async function issueCode(
  asked: AuthorizationRequest,
  context: SignedInContext,
  code: string = newCode(),
): Promise<AnswerParams> {
  const { config, now, principal, store } = context
  if (await isNamedLikeApp(principal.userId, asked.app, context))
    throw new TargetedError(asked, 'access_denied', 'this user cannot authorize apps')
  const request = contextOf(asked, principal)
  const kept = isSelfRegistered(asked.app)
    ? { ...request, admission: await useAdmission(asked.app, asked.scopes, context) }
    : request
  if (asked.app.backchannelLogoutUri !== undefined && request.sid && asked.scopes.includes('openid'))
    await keepAppSession({ appId: asked.app.id, userId: principal.userId, sid: request.sid }, store)
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

/** Collects the parts of the request that later tokens need: the audience and the session, and with `openid` the login and the claims. */
function contextOf({ audience, claims, nonce, scopes }: AuthorizationRequest, { authTime, sessionId }: Principal): GrantContext {
  const limits = audience === null ? {} : { audience }
  const sid = sidOf(sessionId)
  if (!scopes.includes('openid')) return sid === null ? limits : { ...limits, sid }
  return { ...limits, nonce, authTime: authTime ?? null, sid, idTokenClaims: claims.idToken, userinfoClaims: claims.userinfo }
}
