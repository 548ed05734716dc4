import type { Guarding } from '../tokens/token-guard.ts'
import { type McpAuthInfo, mcpAuthInfo } from './auth-info.ts'
import { guardOf } from './guard.ts'

/**
 * The class of error that the SDK answers with 401. Its version 1 has `InvalidTokenError`, in `server/auth/errors.js`; version 2
 * has `OAuthError`, in `@modelcontextprotocol/server`. The SDK recognises its own classes only, so the host passes the one of
 * the copy it runs; the module itself does as well.
 */
export type McpErrors =
  | {
      /** Of version 1. */
      readonly InvalidTokenError: new (
        message: string,
      ) => Error
    }
  | {
      /** Of version 2. */
      readonly OAuthError: new (
        code: string,
        message: string,
      ) => Error
    }

/** What the SDK's own `requireBearerAuth` takes as `verifier`: its type `OAuthTokenVerifier`. */
export interface McpTokenVerifier {
  /** Checks an access token. Rejects with the SDK's error for a token that is not good, and with another one if that cannot be told. */
  verifyAccessToken(token: string): Promise<McpAuthInfo>
}

/**
 * Makes a token verifier for the SDK's own `requireBearerAuth`, which checks scopes and expiry itself. Prefer the guard of your
 * framework: it can say 503 if the store does not answer, which the SDK turns into 500. Throws TypeError for arguments that
 * cannot work.
 */
export function mcpTokenVerifier<Scope extends string>(
  server: Guarding<Scope>,
  resource: string,
  errors: McpErrors,
): McpTokenVerifier {
  const guard = guardOf(server, resource, [])
  const invalid = invalidToken(errors)
  return {
    async verifyAccessToken(token) {
      const result = await guard({
        method: 'POST',
        url: new URL(resource).pathname,
        headers: { authorization: `Bearer ${token}` },
      })
      if ('oauth' in result) return mcpAuthInfo(token, result.oauth, resource)
      const { error_description: description } = JSON.parse(result.refusal.body) as { readonly error_description: string }
      throw result.refusal.status === 401 ? invalid(description) : new Error(description)
    },
  }
}

function invalidToken(errors: McpErrors): (message: string) => Error {
  // A module of version 1 has an OAuthError as well, which is the base of the other.
  if ('InvalidTokenError' in errors) return message => new errors.InvalidTokenError(message)
  if ('OAuthError' in errors) return message => new errors.OAuthError('invalid_token', message)
  throw new TypeError('the third argument must have the class InvalidTokenError or OAuthError of the MCP SDK')
}
