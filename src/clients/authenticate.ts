import { verifySecret } from '../apps/app-secret.ts'
import { isAppId } from '../base/ids.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { optional, type Params } from '../http/params.ts'
import type { HttpRequest } from '../http/types.ts'
import type { Context } from '../options/context.ts'
import type { App } from '../store/store.ts'

/**
 * The active app that sent a request, proven by exactly one method (RFC 6749 §2.3): HTTP Basic or `client_secret` for
 * a confidential app, `client_id` alone for a public one.
 * Throws `invalid_client`, in the same words whether the app is unknown, suspended, deleted or gave the wrong secret.
 */
export async function authenticateClient(request: HttpRequest, params: Params, { store, now }: Context): Promise<App> {
  const { clientId, secret } = readCredentials(request.headers.authorization, params)
  const app = isAppId(clientId) ? await store.apps.get(clientId) : undefined
  const proven = secret === undefined ? app?.confidential === false : verifySecret(app, secret, now) && app?.confidential === true
  if (!proven || app?.status !== 'active') throw refused()
  return app
}

interface Credentials {
  readonly clientId: string
  /** undefined where none was presented: the method is `none`. */
  readonly secret: string | undefined
}

function readCredentials(authorization: string | undefined, params: Params): Credentials {
  const clientId = optional(params, 'client_id')
  const secret = optional(params, 'client_secret')
  if (authorization === undefined) {
    if (clientId === undefined)
      throw new OAuthError('invalid_client', 'client_id is missing: send it in the body or as HTTP Basic')
    return { clientId, secret }
  }

  const basic = parseBasic(authorization)
  if (!basic) throw refused()
  // RFC 6749 §2.3: not more than one method in a request.
  if (secret !== undefined)
    throw new OAuthError('invalid_request', 'client_secret must not be sent in the body and as HTTP Basic')
  if (clientId !== undefined && clientId !== basic.clientId) {
    throw new OAuthError('invalid_request', 'client_id in the body is not the one in the Authorization header')
  }
  return basic
}

/** RFC 7617, with both halves form-encoded as RFC 6749 §2.3.1 demands. */
function parseBasic(authorization: string): { readonly clientId: string; readonly secret: string } | undefined {
  const match = /^basic +([\w+/-]+={0,2})$/i.exec(authorization)
  if (!match?.[1]) return undefined
  const pair = Buffer.from(match[1], 'base64').toString()
  const colon = pair.indexOf(':')
  if (colon < 1) return undefined
  try {
    return { clientId: formDecode(pair.slice(0, colon)), secret: formDecode(pair.slice(colon + 1)) }
  } catch {
    return undefined
  }
}

function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

function refused(): OAuthError {
  return new OAuthError(
    'invalid_client',
    'client authentication failed: the app is not known, is not active, or the credentials do not fit it',
  )
}
