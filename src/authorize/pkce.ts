import { mustUsePkce } from '../clients/client-facts.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { optional, type Params } from '../http/params.ts'
import type { Config } from '../options/config.ts'
import type { App } from '../store/store.ts'

/** The method of a PKCE challenge (RFC 7636 §4.2). */
export type ChallengeMethod = 'S256' | 'plain'

/** Reads the challenge of an authorization request (RFC 7636 §4.3); null if it has none and the app does not need one. */
export function readChallenge(
  params: Params,
  app: App,
  config: Pick<Config<never>, 'allowPlainPkce' | 'rules'>,
): { readonly codeChallenge: string; readonly codeChallengeMethod: ChallengeMethod } | null {
  const codeChallenge = optional(params, 'code_challenge')
  const method = optional(params, 'code_challenge_method')

  if (codeChallenge === undefined) {
    // RFC 9700 §2.1.1
    if (mustUsePkce(app)) throw new OAuthError('invalid_request', 'code_challenge is required: this app must use PKCE with S256')
    if (config.rules.pkceForAll)
      throw new OAuthError('invalid_request', 'code_challenge is required: this server wants PKCE with S256 of every app')
    if (method !== undefined) throw new OAuthError('invalid_request', 'code_challenge_method was sent without code_challenge')
    return null
  }
  // RFC 7636 §4.3: an omitted method means plain, so S256 must be named.
  if (method === 'S256') {
    if (!/^[\w-]{43}$/.test(codeChallenge)) {
      throw new OAuthError(
        'invalid_request',
        'code_challenge must be the base64url SHA-256 of the verifier: 43 characters, no padding',
      )
    }
    return { codeChallenge, codeChallengeMethod: 'S256' }
  }
  if (method !== undefined && method !== 'plain')
    throw new OAuthError('invalid_request', 'code_challenge_method is not one this server knows')
  if (!config.allowPlainPkce) throw new OAuthError('invalid_request', 'code_challenge_method must be S256')
  if (!/^[\w.~-]{43,128}$/.test(codeChallenge))
    throw new OAuthError('invalid_request', 'code_challenge must have 43 to 128 characters')
  return { codeChallenge, codeChallengeMethod: 'plain' }
}
