import { randomId, sha256 } from '../base/crypto.ts'
import { wireId } from '../base/ids.ts'
import { authenticateClient } from '../clients/authenticate/authenticate.ts'
import { provesItself } from '../clients/client-facts.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { StoreError } from '../errors/store-error.ts'
import { optional, type Params, requireForm } from '../http/params.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Context } from '../options/context.ts'
import type { App, OneTime } from '../store/store.ts'
import { expectedUser } from './login.ts'
import { reopen } from './reopen.ts'
import {
  type AuthorizationRequest,
  onlyOne,
  type Pushed,
  type RequestSource,
  readAuthorizationRequest,
  requestJson,
  requestSource,
} from './request.ts'

/*
 * Pushed authorization requests (RFC 9126). One is read as often as a browser comes with it while its user signs in and decides,
 * and is closed by its answer: a code, or a refusal that travels to the app.
 */

/** The form that RFC 9126 §2.2 suggests. A `request_uri` of any other form is not one of this server's. */
const PREFIX = 'urn:ietf:params:oauth:request_uri:'

/** The parameter by which our page asks for another user. In a plain request it changes `prompt`, which in a pushed one is fixed. */
export const SWITCH_USER = 'switch_user'

/** POST /oauth/par (RFC 9126 §2): the client authenticates as at the token endpoint, and the request is checked as it will be. */
export async function pushRequest(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const params = requireForm(request)
  const app = await authenticateClient(request, params, context)
  // §2.1
  if (optional(params, 'request_uri') !== undefined)
    throw new OAuthError('invalid_request', 'request_uri must not be pushed: push the parameters themselves')
  const source = requestSource(new Map(params).set('client_id', wireId(app)))
  const asked = await readAuthorizationRequest(source, context, { mayRead: false, mayBePlain: true })
  await expectedUser(asked, context)

  if (provesItself(app)) await context.services.limits.count('pushedRequests', [app.id], context.store)
  else await countAnyone(app, request.ip, context)
  const requestUri = await keepRequest(asked, 'client', context)
  return json(201, { request_uri: requestUri, expires_in: context.config.pushedRequestSeconds })
}

/** Counts a request that anyone can have stored in the name of an app. Rejects with RateLimitError. */
export function countAnyone(app: App, ip: string | undefined, { services, store }: Context): Promise<void> {
  return services.limits.countFrom('publicPushedRequests', ip, store, [app.id])
}

/** Stores a request until it is answered, and returns its `request_uri`. */
export async function keepRequest(
  asked: AuthorizationRequest,
  pushedBy: 'client' | 'browser',
  { config, now, store }: Context,
): Promise<string> {
  const requestUri = `${PREFIX}${randomId(32)}`
  const attempt = randomId(16)
  const usableUntil = now + config.pushedRequestSeconds * 1000
  const { epoch, id: appId } = asked.app
  const entry: OneTime<'pushed'> = {
    kind: 'pushed',
    id: sha256(requestUri),
    // A screen that is opened at the last moment must still find it, so that of two screens one is answered.
    expiresAt: usableUntil + config.consentSeconds * 1000,
    data: { appId, params: requestJson(asked), epoch, pushedBy, usableUntil, attempt },
  }
  // Claimed, so that it can be forgotten. Random ids of 256 bits do not collide: a taken id is a fault of the store.
  if (!(await store.oneTime.claim(entry, attempt))) throw new Error('a new request_uri was already taken')
  return requestUri
}

/** Tells whether a request refers to a pushed one. */
export function isPushed({ params }: RequestSource): boolean {
  return params.get('request_uri')?.startsWith(PREFIX) ?? false
}

/**
 * Finds the pushed request to which a URL refers (RFC 9126 §4). Its parameters alone count: those beside it are ignored, since
 * nobody knows who wrote them. Rejects with OAuthError `invalid_request_uri`, the same for every reason.
 */
export async function findPushed(
  given: RequestSource,
  query: URLSearchParams,
  { now, store }: Context,
): Promise<RequestSource & { readonly pushed: Pushed }> {
  const clientId = onlyOne(given, 'client_id')
  const requestUri = onlyOne(given, 'request_uri')
  const entry = await store.oneTime.peek('pushed', sha256(requestUri))
  const params = entry && (entry.data.params as Readonly<Record<string, string>>)
  if (!params || now >= entry.data.usableUntil || params.client_id !== clientId) throw notUsable()
  const { prompt = '' } = params
  const url = new Map([
    ['client_id', clientId],
    ['request_uri', requestUri],
  ])
  const switches = query.has(SWITCH_USER) && !prompt.split(' ').includes('none')
  if (switches) url.set(SWITCH_USER, '1')
  const asked = switches ? { ...params, prompt: `${prompt} select_account`.trim() } : params
  const pushed: Pushed = { entry, url, attempt: randomId(16) }
  return { params: paramsOf(asked), repeated: [], pushed }
}

function paramsOf(params: Readonly<Record<string, string>>): Params {
  return new Map(Object.entries(params))
}

/**
 * Closes a pushed request and runs `answer`. Of several concurrent answers one is given; the others reject with OAuthError. Where
 * the store fails meanwhile, the request can be used again.
 */
export async function answerPushed<T>({ attempt, entry }: Pushed, context: Context, answer: () => Promise<T>): Promise<T> {
  const closed = await close(entry.id, attempt, context)
  try {
    const answered = await answer()
    await forgetPushed(closed, context)
    return answered
  } catch (error) {
    if (error instanceof StoreError) await reopen(closed, context)
    throw error
  }
}

/** Closes the pushed request of a consent screen that is being answered. Rejects with OAuthError where another answer came first. */
export async function closePushed(id: string, app: App, context: Context): Promise<OneTime<'pushed'>> {
  const closed = await close(id, randomId(16), context)
  requireSameEpoch(closed, app)
  return closed
}

/** Throws if everything of the app was revoked since the request was pushed. */
export function requireSameEpoch({ data }: OneTime<'pushed'>, { epoch }: App): void {
  if (data.epoch !== epoch) throw notUsable()
}

async function close(id: string, attempt: string, { store }: Context): Promise<OneTime<'pushed'>> {
  const closed = await store.oneTime.consume('pushed', id, attempt)
  if (!closed?.first) throw notUsable()
  return closed.entry
}

/** Removes a pushed request that was answered, so that a reload finds out at once, and not after the login. Never rejects. */
export async function forgetPushed({ data, id }: OneTime<'pushed'>, { store }: Context): Promise<void> {
  // It is closed already: what is left of it is found by a browser alone, whose answer will be refused.
  await store.oneTime.forget('pushed', id, data.attempt).catch(() => {})
}

function notUsable(): OAuthError {
  return new OAuthError(
    'invalid_request_uri',
    'request_uri is not one that this client can use (any more): it was answered, has expired or was never issued. Push the request again',
    { expired: true },
  )
}
