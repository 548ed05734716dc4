import { sameBytes, sha256 } from '../base/crypto.ts'
import { isAppId, newAppId } from '../base/ids.ts'
import type { JsonObject } from '../base/json.ts'
import { withTimeout } from '../base/timeout.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { Context } from '../options/context.ts'
import { announced } from '../store/announced.ts'
import type { App } from '../store/store.ts'
import { publishKeyFor } from '../tokens/current-keys.ts'
import { newRegistrationToken } from '../tokens/opaque.ts'
import { bearerToken } from '../tokens/token-guard.ts'
import { makeSecret } from './authenticate/client-secret.ts'
import { hasSecret } from './client-facts.ts'
import { type ClientMetadata, MetadataError, readClientMetadata } from './client-metadata.ts'
import { deleteMarked, deletionMark, isUnanswered } from './deletion-mark.ts'
import { selfRegisteredApp } from './self-registered.ts'
import { sweepRevoked } from './sweep-revoked.ts'

/*
 * Dynamic client registration (RFC 7591), and of its management (RFC 7592) reading and deleting. Nothing can be changed: whoever
 * stole a registration access token could send its users elsewhere.
 */

/** POST /oauth/register (RFC 7591 §3). */
export async function registerClient(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { config, events, now, services, store } = context
  const { limits } = services
  await requireInitialToken(request, context)
  await limits.countFrom('registrations', request.ip, store)
  const metadata = readMetadata(request, context)
  // Last: what registers nothing takes nothing from the others.
  await limits.count('allRegistrations', [], store)

  await publishKeyFor(metadata, context)
  const secret = hasSecret(metadata) ? makeSecret(now) : null
  const token = newRegistrationToken()
  const expiresAt = now + (config.clients?.neverUsedMs ?? 0)
  const app: App = {
    ...selfRegisteredApp(metadata, { id: newAppId(), origin: 'registered', now, expiresAt }),
    secrets: secret ? [secret.stored] : [],
    registrationToken: token.id,
  }
  // Random ids of 96 bits do not collide: a taken id is a fault of the store or of the random numbers.
  const announce = () => events.emit({ type: 'client_registered', at: now, clientId: app.id, origin: 'registered' })
  if (!(await announced(store.apps.save(app), announce))) throw new Error('a new app id was already taken')
  // It never ends while the client is in use (RFC 7591 §3.2.1: 0).
  const withSecret = secret ? { client_secret: secret.value, client_secret_expires_at: 0 } : {}
  return json(201, { ...view(app, context), ...withSecret, registration_access_token: token.value })
}

/**
 * GET /oauth/register/{appId} (RFC 7592 §2.1): everything but the secret, of which only the hash is known. The token is the one
 * that the request carries (§3).
 */
export async function readRegistration(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const app = await findRegistration(request, context)
  return json(200, { ...view(app, context), registration_access_token: bearerToken(request.headers.authorization) })
}

/** DELETE /oauth/register/{appId} (RFC 7592 §2.3). One write ends every grant of the client. */
export async function deleteRegistration(request: HttpRequest, context: Context): Promise<HttpResponse> {
  const { events, now, store } = context
  const appId = request.params.appId ?? ''
  const token = sha256(bearerToken(request.headers.authorization) ?? '')
  const mark = deletionMark([appId, token], { appId, orgId: '', userId: null }, context)
  const announce = () => events.emit({ type: 'client_unregistered', at: now, clientId: appId })
  const gone: HttpResponse = { status: 204, headers: { 'cache-control': 'no-store' }, body: '' }

  const repeated = isAppId(appId) ? await store.apps.get(appId) : undefined
  if (repeated?.status === 'deleted' && (await isUnanswered(mark, context))) {
    announce()
    sweepRevoked(repeated, context)
    return gone
  }
  const { registrationToken: _, ...app } = await findRegistration(request, context)
  const deleted: App = {
    ...app,
    status: 'deleted',
    secrets: [],
    epoch: Math.max(now, app.epoch + 1),
    updatedAt: now,
    version: app.version + 1,
  }
  if (!(await deleteMarked(mark, () => announced(store.apps.save(deleted), announce), context)))
    throw new OAuthError('temporarily_unavailable', 'this registration is being changed at the same time: try again')
  sweepRevoked(deleted, context)
  return gone
}

async function requireInitialToken({ headers, ip }: HttpRequest, { config, services, store }: Context): Promise<void> {
  const isGood = config.clients?.registration?.initialAccessToken
  if (!isGood) return
  const { limits } = services
  const token = bearerToken(headers.authorization)
  if (token !== undefined) {
    if (limits.state.exhausted) limits.checkFailures('clientFailures', GUESSES, ip)
    const ask = async () => isGood(token)
    if ((await withTimeout(ask, config.hookTimeoutMs, 'clients.registration.initialAccessToken')) === true) return
    await limits.countFailure('clientFailures', GUESSES, ip, store)
  }
  throw new OAuthError('invalid_token', 'registration needs an initial access token of this server')
}

/** Guesses at an initial access token are counted by address, like those at a secret. */
const GUESSES = ['registration', 'initial access token']

function readMetadata({ body }: HttpRequest, { config, services }: Context): ClientMetadata {
  // Of another type: other routes take forms as well, and the reason says so.
  const isOther = body.kind === 'form' || (body.kind === 'unreadable' && body.status === 415)
  if (body.kind === 'unreadable' && !isOther)
    throw new OAuthError('invalid_client_metadata', body.reason, { status: body.status })
  if (body.kind !== 'json')
    throw new OAuthError('invalid_client_metadata', 'the body must be application/json', { status: isOther ? 415 : 400 })
  try {
    return readClientMetadata(body.json, { config, methods: services.clientAuthentication, isDocument: false })
  } catch (error) {
    if (error instanceof MetadataError) throw new OAuthError(error.problem.error, error.problem.description, { status: 400 })
    throw error
  }
}

/** Finds a registration by its id and token. An unknown id and a wrong token are the same 401: neither says whether a client exists. */
async function findRegistration({ headers, params }: HttpRequest, { store }: Context): Promise<App> {
  const token = bearerToken(headers.authorization)
  const appId = params.appId ?? ''
  const app = isAppId(appId) ? await store.apps.get(appId) : undefined
  const hash = app?.origin === 'registered' && app.status !== 'deleted' ? app.registrationToken : undefined
  const isRight = sameBytes(sha256(token ?? ''), hash ?? sha256('nobody'))
  if (app && token !== undefined && hash !== undefined && isRight) return app
  throw new OAuthError('invalid_token', 'no client is registered with this id and this registration access token')
}

function view(app: App, { config }: Pick<Context, 'config'>): JsonObject {
  return {
    client_id: app.id,
    client_id_issued_at: Math.floor(app.createdAt / 1000),
    registration_client_uri: `${config.origin}${config.mountPath}/oauth/register/${app.id}`,
    ...app.metadata,
  }
}
