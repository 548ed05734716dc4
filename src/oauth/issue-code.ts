import { isAppId } from '../apps/app-id.ts'
import type { Context } from '../context.ts'
import { sha256 } from '../crypto.ts'
import { TargetedError } from '../errors/oauth-error.ts'
import { withParams } from '../http/with-params.ts'
import type { Principal } from '../options.ts'
import { newCode, newGrantId } from '../tokens/opaque.ts'
import type { AuthorizeRequest } from './authorize-request.ts'

/** Stores a code for what the user agreed to, and returns the redirect that carries it (RFC 6749 §4.1.2, RFC 9207 §2). */
export async function issueCode(asked: AuthorizeRequest, principal: Principal, { config, store, now }: Context): Promise<string> {
  await refuseLookalike(asked, principal, store)
  const code = newCode()
  await store.oneTime.put({
    kind: 'code',
    id: sha256(code),
    expiresAt: now + config.codeSeconds * 1000,
    data: {
      grantId: newGrantId(asked.app.id),
      clientId: asked.app.id,
      userId: principal.userId,
      orgId: principal.orgId,
      redirectUri: asked.redirectUri,
      scopes: asked.scopes,
      codeChallenge: asked.codeChallenge,
      codeChallengeMethod: asked.codeChallengeMethod,
      nonce: asked.nonce,
      authTime: principal.authTime ?? null,
      epoch: asked.app.epoch,
    },
  })
  return withParams(asked.redirectUri, { code, state: asked.state, iss: config.issuer })
}

/** A token's `sub` is an app's id only where that app acts for itself: no user may be named like an app (RFC 9700 §4.15). */
async function refuseLookalike(
  { redirectUri, state }: AuthorizeRequest,
  { userId }: Principal,
  store: Context['store'],
): Promise<void> {
  if (!isAppId(userId) || !(await store.apps.get(userId))) return
  throw new TargetedError({ redirectUri, state }, 'access_denied', 'this user cannot authorize apps')
}
