import OAuth2Server from '@node-oauth/oauth2-server'
import { OAuthError, type OAuthErrorCode } from '../errors/oauth-error.ts'
import type { Context } from '../options/context.ts'
import type { GrantType } from '../store/store.ts'
import { GrantModel, type GrantRequest, INVALID_GRANT } from './grant-model.ts'
import type { Issued } from './issue.ts'

/** The parameters of the token request that the engine may see: never a credential. */
const ENGINE_PARAMS = ['code', 'code_verifier', 'refresh_token'] as const

/**
 * Runs one token request of an authenticated app: the engine judges what it presents, and then the tokens are issued
 * (RFC 6749 §4.1.3, §4.4.2, §6). Where it presents nothing but itself there is nothing left to judge.
 * Rejects with OAuthError or StoreError only; nothing the engine says reaches a client in its own words.
 */
export function runGrant(grantType: GrantType, asked: GrantRequest, context: Context): Promise<Issued> {
  const model = new GrantModel(asked, context)
  return grantType === 'client_credentials'
    ? model.issueToApp()
    : judge(grantType, model, asked, context).then(() => model.issue())
}

async function judge(grantType: GrantType, model: GrantModel, { app, params }: GrantRequest, { config }: Context): Promise<void> {
  const body: Record<string, string> = { grant_type: grantType, client_id: app.id, client_secret: 'verified' }
  for (const name of ENGINE_PARAMS) {
    const value = params.get(name)
    if (value !== undefined) body[name] = value
  }
  const server = new OAuth2Server({ model })
  const request = new FormRequest({ method: 'POST', headers: {}, query: {}, body })
  try {
    await server.token(request, UNREAD, { enablePlainPKCE: config.allowPlainPkce } as OAuth2Server.TokenOptions)
  } catch (error) {
    throw model.failure ?? translate(error)
  }
}

/** The body has been read, and its media type judged, before the engine sees it. */
class FormRequest extends OAuth2Server.Request {
  override is(): string {
    return 'application/x-www-form-urlencoded'
  }
}

/** What the engine would answer: one for all requests, since the answer to the client is made from what was issued. */
const UNREAD = new (class extends OAuth2Server.Response {
  override set(): void {}
})()

/**
 * By the error's name, with our own words: the engine's may quote a driver.
 * Parameters were checked before the engine saw them, so what it still finds wrong is the grant itself (RFC 6749 §5.2).
 */
const TRANSLATIONS: Readonly<Record<string, readonly [OAuthErrorCode, string]>> = {
  invalid_grant: ['invalid_grant', INVALID_GRANT],
  invalid_request: ['invalid_grant', INVALID_GRANT],
  invalid_scope: ['invalid_scope', 'scope asks for something that was not granted'],
  unauthorized_client: ['unauthorized_client', 'this app may not use this grant type'],
}

function translate(error: unknown): unknown {
  const [code, description] = (error instanceof Error && TRANSLATIONS[error.name]) || []
  return code && description ? new OAuthError(code, description) : error
}
