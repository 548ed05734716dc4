import { isDeepStrictEqual } from 'node:util'
import { appIdOf, isAppId, wireId } from '../base/ids.ts'
import { keepSecret, makeSecret, type NewSecret } from '../clients/authenticate/client-secret.ts'
import { hasSecret, provesItself } from '../clients/client-facts.ts'
import { ApiError } from '../errors/api-error.ts'
import { isUnknownOutcome } from '../errors/store-error.ts'
import type { Context } from '../options/context.ts'
import type { App } from '../store/store.ts'
import { publishKeyFor } from '../tokens/current-keys.ts'
import { checkProfile, checkWholeApp, type NewApp } from './app-input.ts'
import { viewApp } from './app-view.ts'
import { newApp, profileOf, type Registration } from './new-app.ts'
import { type RegisteredApp, registered } from './registered-app.ts'

/** How many times a registration is tried when concurrent writes come first. */
const ATTEMPTS = 5

/** A registration with a `client_id` that the host chose. */
export interface FixedRegistration extends Registration {
  readonly clientId: string
  readonly clientSecret: string | undefined
  /** What the caller gave: a field that is absent or undefined here stays as it is stored. */
  readonly given: NewApp
}

type CallContext = Omit<Context, 'principal'>

/**
 * Creates the app with a `client_id` that the host chose, or sets the given fields of the one that is there. Writes nothing if
 * nothing differs. Rejects with ApiError CONFLICT or VALIDATION_ERROR, or with StoreError.
 */
export async function registerFixedApp(registration: FixedRegistration, context: CallContext): Promise<RegisteredApp> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const current = await context.store.apps.get(appIdOf(registration.clientId))
    const app = current ? await update(current, registration, context) : await create(registration, context)
    if (app) return app
  }
  throw new ApiError('CONFLICT', 'the app is being changed by others at the same time: try again')
}

/** Creates the app. Undefined if another call came first. */
async function create(registration: FixedRegistration, context: CallContext): Promise<RegisteredApp | undefined> {
  const { clientId, clientSecret } = registration
  const { config, now, store } = context
  const secret = secretToSet({ authMethod: registration.authMethod, secrets: [] }, clientSecret, now)
  const named = isAppId(clientId) ? {} : { clientId }
  const app = newApp(registration, { id: appIdOf(clientId), ...named, secret, now })
  checkWholeApp(app)
  await publishKeyFor(app, context)
  checkProfile(app, config)
  try {
    return (await store.apps.save(app)) ? registered(app, secret, context) : undefined
  } catch (error) {
    if (isUnknownOutcome(error)) registered(app, secret, context)
    throw error
  }
}

/** Sets the fields that are given and differ. Undefined if another write came first. */
async function update(current: App, registration: FixedRegistration, context: CallContext): Promise<RegisteredApp | undefined> {
  const { config, events, now, store } = context
  checkSameApp(current, registration)
  const { clientId, clientSecret, owner } = registration
  const changed = withGivenFields(current, registration)
  checkWholeApp(changed)
  checkProfile(changed, config)
  const secret = secretToSet(changed, clientSecret, now)
  const next = secret ? { ...changed, secrets: [secret.stored] } : changed
  if (isDeepStrictEqual(next, current)) return { clientId, clientSecret: clientSecret ?? null, app: viewApp(current) }

  await publishKeyFor(next, context)
  const saved = { ...next, updatedAt: now, version: current.version + 1 }
  const announce = () => {
    const actor = { at: now, clientId, orgId: owner.orgId, actorId: owner.userId }
    const names = changedFields(current, next)
    if (names.length > 0) events.emit({ type: 'app_updated', ...actor, changed: names })
    if (secret) events.emit({ type: 'app_secret_regenerated', ...actor, overlapSeconds: 0 })
  }
  try {
    if (!(await store.apps.save(saved))) return undefined
  } catch (error) {
    if (isUnknownOutcome(error)) announce()
    throw error
  }
  announce()
  return { clientId, clientSecret: secret?.value ?? clientSecret ?? null, app: viewApp(saved) }
}

function checkSameApp(current: App, { clientId, owner }: FixedRegistration): void {
  const refuse = (reason: string) => new ApiError('CONFLICT', `clientId ${clientId}: ${reason}`)
  if (wireId(current) !== clientId) throw refuse('another app has the same id: choose another clientId')
  if (current.status === 'deleted') throw refuse('this app was deleted, which cannot be undone: choose another clientId')
  if (current.origin !== 'host') throw refuse('this app registered itself: choose another clientId')
  if (current.orgId !== owner.orgId) throw refuse('this app belongs to another organisation')
}

/** Returns the app with the fields that the caller gave. The status stays, and so do the slug and who registered it. */
function withGivenFields(current: App, { authMethod, fields, given, keys: givenKeys }: FixedRegistration): App {
  const or = <T>(name: keyof NewApp, value: T, stored: T): T => (given[name] === undefined ? stored : value)
  const keepsMethod =
    given.tokenEndpointAuthMethod === undefined &&
    (given.isConfidential === undefined || given.isConfidential === provesItself(current))
  const method = keepsMethod ? current.authMethod : authMethod
  const { allowedOrigins, dpopBoundAccessTokens = false, idTokenSignedResponseAlg, keys: storedKeys, ...others } = current
  const { requirePushedAuthorizationRequests: mustPush, ...kept } = others
  const keys = givenKeys ?? (method === 'private_key_jwt' ? storedKeys : undefined)
  const idTokenAlg = fields.idTokenSignedResponseAlg ?? idTokenSignedResponseAlg
  const origins = or('allowedOrigins', fields.allowedOrigins, allowedOrigins ?? [])
  return {
    ...kept,
    name: fields.name,
    description: or('description', fields.description, current.description),
    authMethod: method,
    secrets: hasSecret({ authMethod: method }) ? current.secrets : [],
    ...(keys ? { keys } : {}),
    ...(idTokenAlg === undefined ? {} : { idTokenSignedResponseAlg: idTokenAlg }),
    redirectUris: or('redirectUris', fields.redirectUris, current.redirectUris),
    ...(origins.length > 0 ? { allowedOrigins: origins } : {}),
    ...(or('dpopBoundAccessTokens', fields.dpopBoundAccessTokens, dpopBoundAccessTokens) ? { dpopBoundAccessTokens: true } : {}),
    ...(or('requirePushedAuthorizationRequests', fields.requirePushedAuthorizationRequests, mustPush === true)
      ? { requirePushedAuthorizationRequests: true }
      : {}),
    grantTypes: or('allowedGrantTypes', fields.allowedGrantTypes, current.grantTypes),
    scopes: fields.allowedScopes,
    accessTokenSeconds: or('accessTokenLifetime', fields.accessTokenLifetime, current.accessTokenSeconds),
    refreshTokenSeconds: or('refreshTokenLifetime', fields.refreshTokenLifetime, current.refreshTokenSeconds),
    profile: { ...current.profile, ...profileOf(fields) },
  }
}

/** Returns the secret that must replace those of the app; null if its secrets are right as they are. */
function secretToSet(app: Pick<App, 'authMethod' | 'secrets'>, clientSecret: string | undefined, now: number): NewSecret | null {
  if (!hasSecret(app)) {
    if (clientSecret === undefined) return null
    const message = 'must be omitted: this app does not authenticate with a secret'
    throw new ApiError('VALIDATION_ERROR', `not valid: clientSecret ${message}`, [{ path: 'clientSecret', message }])
  }
  const [newest] = app.secrets
  if (clientSecret === undefined) return newest ? null : makeSecret(now)
  const secret = keepSecret(clientSecret, now)
  return newest?.hash === secret.stored.hash && newest.usableUntil === null ? null : secret
}

/** Names the fields of the API in which two versions of an app differ. */
function changedFields(before: App, after: App): string[] {
  const [old, now] = [viewApp(before), viewApp(after)]
  const names = Object.keys({ ...old, ...now }) as (keyof typeof old)[]
  return names.filter(name => !isDeepStrictEqual(old[name], now[name]))
}
