import { z } from 'zod'
import { randomId, sha256 } from '../base/crypto.ts'
import { asIs, callHook } from '../base/hooks.ts'
import type { SignInProvider } from '../connectors/provider.ts'
import type { ProviderTokens } from '../connectors/provider-tokens.ts'
import { asciiLowerCase } from '../connectors/upstream.ts'
import { ApiError } from '../errors/api-error.ts'
import { ConnectorError, type ConnectorErrorCode } from '../errors/connector-error.ts'
import { checkJson } from '../http/check-input.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Context } from '../options/context.ts'

export const accountInput = z.object({
  code: z.string().min(1).max(4096),
  email: z.email().max(320),
  provider: z.string().min(1).max(255),
  redirectUri: z.string().min(1).max(2048),
})

/** RFC 6749 §4.1.2 lets a code live for ten minutes at most; the eleventh is for clock skew. */
const CODE_SECONDS = 660

/**
 * POST /userAccount/oauth/exchange: redeems a code of a sign-in provider for the front end that received it. Answers with the
 * tokens only if they were issued to this host and the provider says that the email address is the user's and verified.
 */
export async function exchangeAccountCode(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { upstreams } = context.services
  if (!upstreams) throw new Error('there are no providers')
  const { code, email, provider: name, redirectUri } = checkJson(accountInput, request)
  const { limits } = context.services
  limits.checkFailures('exchangeFailures', [name], request.ip)
  const provider = await providerOf(name, context)
  // OpenID Connect Core §3.1.2.1: exactly as registered, even if the provider is less strict.
  if (!provider.redirectUris.includes(redirectUri))
    throw new ApiError('VALIDATION_ERROR', 'redirectUri is not registered for this provider')
  const id = sha256(JSON.stringify([name, code]))
  const attempt = randomId(16)
  await claimCode(id, attempt, name, context)

  const exchange = { code, redirectUri, codeVerifier: null, nonce: 'unknown', iss: 'unknown' } as const
  const tokens = await redeem(() => upstreams.exchangeCode(provider, exchange)).catch(async error => {
    // The code was not redeemed, so the front end may send it again.
    if (error instanceof ConnectorError && UNTRIED.includes(error.code)) await forgetCode(id, attempt, context)
    else await limits.countFailure('exchangeFailures', [name], request.ip, context.store)
    throw error
  })
  const verified = await redeem(() => upstreams.verifiedEmails(provider, tokens))
  const address = asciiLowerCase(email)
  if (!verified.includes(address))
    throw new ApiError('UNAUTHORIZED', 'the provider does not confirm that this email belongs to the user and is verified')
  const { emailDomains } = provider
  if (emailDomains && !emailDomains.includes(address.slice(address.lastIndexOf('@') + 1)))
    throw new ApiError('FORBIDDEN', 'this provider does not sign in addresses of this domain')
  return json(200, answerOf(tokens))
}

function answerOf({ accessToken, expiresInSeconds, idToken, tokenType }: ProviderTokens): object {
  return { access_token: accessToken, id_token: idToken, token_type: tokenType, expires_in: expiresInSeconds }
}

async function providerOf(name: string, { config }: Context): Promise<SignInProvider> {
  const provider = await callHook('signInProvider', () => config.signInProvider?.(name), asIs, config)
  if (!provider) throw new ApiError('NOT_FOUND', 'there is no such provider')
  return provider
}

/** Claims a code, so that only the first of concurrent and repeated requests reaches the provider; the others are refused. */
async function claimCode(id: string, attempt: string, provider: string, { now, store }: Context): Promise<void> {
  const entry = { kind: 'account_code', id, expiresAt: now + CODE_SECONDS * 1000, data: { provider } } as const
  if (!(await store.oneTime.claim(entry, attempt))) throw refusedCode()
}

async function forgetCode(id: string, attempt: string, { config, store }: Context): Promise<void> {
  await store.oneTime
    .forget('account_code', id, attempt)
    .catch(cause => config.log.error('a code that the provider did not redeem could not be given back', cause))
}

/** Errors after which the code is still unused: the provider was not reached, or did not read it. */
const UNTRIED: readonly ConnectorErrorCode[] = ['provider_unavailable', 'not_configured']

async function redeem<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    // Tokens that cannot be verified are refused like a code that the provider refuses.
    const refused = cause instanceof ConnectorError && ['provider_refused', 'invalid_response'].includes(cause.code)
    throw refused ? refusedCode(cause) : cause
  }
}

function refusedCode(cause?: unknown): ApiError {
  return new ApiError('UNAUTHORIZED', 'the code is invalid, expired or used, or its tokens were not issued to this server', [], {
    cause,
  })
}
