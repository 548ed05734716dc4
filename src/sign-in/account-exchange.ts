import { z } from 'zod'
import { sha256 } from '../base/crypto.ts'
import { withTimeout } from '../base/timeout.ts'
import type { SignInProvider } from '../connectors/provider.ts'
import { asciiLowerCase, type ProviderTokens } from '../connectors/upstream.ts'
import { ApiError } from '../errors/api-error.ts'
import { ConnectorError } from '../errors/connector-error.ts'
import { checkJson } from '../http/check-input.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Context } from '../options/context.ts'
import type { OneTime } from '../store/store.ts'

export const accountInput = z.object({
  code: z.string().min(1).max(4096),
  email: z.email().max(320),
  provider: z.string().min(1).max(255),
  redirectUri: z.string().min(1).max(2048),
})

/** No provider's code lives longer (RFC 6749 §4.1.2). */
const CODE_SECONDS = 600

/**
 * POST /userAccount/oauth/exchange: redeems a code of a sign-in provider for the front end that received it, after it is certain
 * that the tokens are the host's own and that the address is verified there.
 */
export async function exchangeAccountCode(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { upstreams } = context.services
  if (!upstreams) throw new Error('there are no providers')
  const { code, email, provider: name, redirectUri } = checkJson(accountInput, request)
  const provider = await providerOf(name, context)
  // OpenID Connect Core §3.1.2.1: exactly as registered, whatever the provider would accept.
  if (!provider.redirectUris.includes(redirectUri))
    throw new ApiError('VALIDATION_ERROR', 'redirectUri is not registered for this provider')
  const used = await useOnce(code, name, context)

  const exchange = { code, redirectUri, codeVerifier: null, nonce: 'unknown', iss: 'unknown' } as const
  const tokens = await redeem(() => upstreams.exchangeCode(provider, exchange)).catch(async error => {
    // The provider has not looked at the code: it may come again.
    if (error instanceof ConnectorError && error.code === 'provider_unavailable') await forget(used, context)
    throw error
  })
  const verified = await redeem(() => upstreams.verifiedEmails(provider, tokens))
  const address = asciiLowerCase(email)
  if (!verified.includes(address))
    throw new ApiError('UNAUTHORIZED', 'the provider does not say that this email is the user’s, and verified')
  const { emailDomains } = provider
  if (emailDomains && !emailDomains.includes(address.slice(address.lastIndexOf('@') + 1)))
    throw new ApiError('FORBIDDEN', 'this provider is not for addresses of this domain')
  return json(200, answerOf(tokens))
}

function answerOf({ accessToken, expiresInSeconds, idToken, tokenType }: ProviderTokens): object {
  return { access_token: accessToken, id_token: idToken, token_type: tokenType, expires_in: expiresInSeconds }
}

async function providerOf(name: string, { config }: Context): Promise<SignInProvider> {
  const provider = await withTimeout(async () => config.signInProvider?.(name), config.hookTimeoutMs, 'signInProvider')
  if (!provider) throw new ApiError('NOT_FOUND', 'there is no such provider')
  return provider
}

/** A code that comes again is refused here, and the provider is not asked. */
async function useOnce(code: string, provider: string, { now, store }: Context): Promise<OneTime<'account_code'>> {
  const id = sha256(JSON.stringify([provider, code]))
  if (await store.oneTime.peek('account_code', id)) throw refusedCode()
  const used: OneTime<'account_code'> = { kind: 'account_code', id, expiresAt: now + CODE_SECONDS * 1000, data: { provider } }
  await store.oneTime.put(used)
  return used
}

async function forget(used: OneTime<'account_code'>, { config, now }: Context): Promise<void> {
  // Past the guard, whose time may be up.
  const put = async () => config.store.oneTime.put({ ...used, expiresAt: now + 1 })
  await withTimeout(put, config.storeTimeoutMs, 'the store').catch(cause =>
    config.log.error('a code could not be forgotten', cause),
  )
}

async function redeem<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    // What cannot be verified is refused like what the provider refuses.
    const refused = cause instanceof ConnectorError && ['provider_refused', 'invalid_response'].includes(cause.code)
    throw refused ? refusedCode(cause) : cause
  }
}

function refusedCode(cause?: unknown): ApiError {
  return new ApiError('UNAUTHORIZED', 'the code is not good (any more), or its tokens are not for this server', [], { cause })
}
