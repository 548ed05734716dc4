import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { wireId } from '../base/ids.ts'
import { ApiError } from '../errors/api-error.ts'
import { checkJson, checkQuery } from '../http/check-input.ts'
import { json } from '../http/reply.ts'
import type { HttpRequest, HttpResponse } from '../http/types.ts'
import type { SignedInContext } from '../options/context.ts'
import type { App, AppStatus } from '../store/store.ts'
import { publishKeyFor } from '../tokens/current-keys.ts'
import { type appChangesSchema, appSchemas, checkProfile, checkWholeApp, keysOf } from './app-input.ts'
import { viewApp, WIRE_STATUS } from './app-view.ts'
import { type AppChange, changeApp, changed, findApp } from './change-app.ts'
import { registerApp } from './register-app.ts'

export const listAppsQuery = z.object({
  page: z.coerce.number().int().min(1).max(1_000_000).default(1),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  status: z.enum(['active', 'suspended', 'revoked']).optional(),
  search: z.string().max(200).optional(),
})

/** GET /oauth-clients: the organisation's apps, newest first. */
export async function listApps(request: HttpRequest, { principal, store }: SignedInContext): Promise<HttpResponse> {
  const { limit, page, search, status } = checkQuery(listAppsQuery, request)
  const { items, total } = await store.apps.list({
    orgId: principal.orgId,
    offset: (page - 1) * limit,
    limit,
    ...(status ? { status: storedStatus(status) } : {}),
    ...(search ? { search } : {}),
  })
  const pagination = { page, limit, total, totalPages: Math.ceil(total / limit) }
  return json(200, { data: items.map(viewApp), pagination })
}

/** POST /oauth-clients */
export async function createApp(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const fields = checkJson(appSchemas(context.config, context.services).newApp, request)
  const { app, clientSecret } = await registerApp(fields, context.principal, context)
  return json(201, { ...app, clientSecret: clientSecret ?? undefined })
}

/** GET /oauth-clients/{appId} */
export async function getApp(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  return json(200, viewApp(await findApp(request, context)))
}

/**
 * PUT /oauth-clients/{appId}. Two concurrent updates of different fields are both applied; of the same field, the second is
 * answered 409.
 */
export async function updateApp(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const input = checkJson(appSchemas(context.config, context.services).changes, request)
  const announce = (app: App, before: App) => {
    const [old, now] = [viewApp(before), viewApp(app)]
    const names = FIELDS.filter(name => !isDeepStrictEqual(old[name], now[name]))
    if (names.length > 0) context.events.emit({ type: 'app_updated', ...actor(context), clientId: wireId(app), changed: names })
  }
  await publishKeyFor({ idTokenSignedResponseAlg: input.idTokenSignedResponseAlg ?? undefined }, context)
  let seen: App | undefined
  const app = await changeApp(
    request,
    context,
    current => {
      const changes = { ...changesOf(input, current), ...authenticationOf(input, current) }
      seen ??= current
      for (const name of Object.keys(changes) as (keyof App)[]) {
        if (name !== 'profile' && !isDeepStrictEqual(seen[name], current[name])) throw conflict(name)
      }
      for (const name of LINKS) {
        if (input[name] !== undefined && seen.profile[name] !== current.profile[name]) throw conflict(name)
      }
      const next = changed(current, changes)
      checkWholeApp(next)
      checkProfile(next, context.config)
      return changes
    },
    announce,
  )
  return json(200, viewApp(app))
}

/** POST /oauth-clients/{appId}/suspend: the app gets no more codes, tokens or refreshes; tokens already issued stay valid. */
export async function suspendApp(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const app = await changeApp(
    request,
    context,
    () => ({ status: 'suspended' }),
    (app, { status }) => {
      if (status !== 'suspended') context.events.emit({ type: 'app_suspended', ...actor(context), clientId: wireId(app) })
    },
  )
  return json(200, viewApp(app))
}

/** POST /oauth-clients/{appId}/activate */
export async function activateApp(request: HttpRequest, context: SignedInContext): Promise<HttpResponse> {
  const app = await changeApp(
    request,
    context,
    () => ({ status: 'active' }),
    (app, { status }) => {
      if (status !== 'active') context.events.emit({ type: 'app_activated', ...actor(context), clientId: wireId(app) })
    },
  )
  return json(200, viewApp(app))
}

/** Returns the fields of an audit event that tell who did it and when. */
export function actor({ config, principal }: SignedInContext): { at: number; orgId: string; actorId: string } {
  return { at: config.now(), orgId: principal.orgId, actorId: principal.userId }
}

type Changes = z.output<ReturnType<typeof appChangesSchema>>

/** The fields that a change may have. */
const FIELDS = [
  'name',
  'description',
  'redirectUris',
  'allowedOrigins',
  'allowedGrantTypes',
  'allowedScopes',
  'dpopBoundAccessTokens',
  'tokenEndpointAuthMethod',
  'jwks',
  'jwksUri',
  'idTokenSignedResponseAlg',
  'requirePushedAuthorizationRequests',
  'accessTokenLifetime',
  'refreshTokenLifetime',
  'homepageUrl',
  'privacyPolicyUrl',
  'termsOfServiceUrl',
] as const satisfies readonly (keyof Changes)[]

const LINKS = ['homepageUrl', 'privacyPolicyUrl', 'termsOfServiceUrl'] as const

function changesOf(input: Changes, { profile }: App): AppChange {
  const changes: { -readonly [Name in keyof App]?: App[Name] | undefined } = {}
  if (input.name !== undefined) changes.name = input.name
  if (input.description !== undefined) changes.description = input.description
  if (input.redirectUris !== undefined) changes.redirectUris = input.redirectUris
  if (input.allowedOrigins !== undefined) changes.allowedOrigins = input.allowedOrigins
  if (input.allowedScopes !== undefined) changes.scopes = input.allowedScopes
  if (input.requirePushedAuthorizationRequests !== undefined)
    changes.requirePushedAuthorizationRequests = input.requirePushedAuthorizationRequests
  if (input.allowedGrantTypes !== undefined) changes.grantTypes = input.allowedGrantTypes
  if (input.dpopBoundAccessTokens !== undefined) changes.dpopBoundAccessTokens = input.dpopBoundAccessTokens
  if (input.idTokenSignedResponseAlg !== undefined) changes.idTokenSignedResponseAlg = input.idTokenSignedResponseAlg ?? undefined
  if (input.accessTokenLifetime !== undefined) changes.accessTokenSeconds = input.accessTokenLifetime
  if (input.refreshTokenLifetime !== undefined) changes.refreshTokenSeconds = input.refreshTokenLifetime
  const links = LINKS.flatMap(name => (input[name] === undefined ? [] : [[name, input[name]] as const]))
  if (links.length > 0) {
    changes.profile = Object.fromEntries(
      Object.entries({ ...profile, ...Object.fromEntries(links) }).filter(([, value]) => value !== null),
    )
  }
  return changes
}

/**
 * The change of how an app authenticates. It has one method at a time: with the change, the secrets or keys of the old one are
 * gone. An app that changes to a secret gets one by regenerating it.
 */
function authenticationOf(input: Changes, current: App): AppChange {
  const keys = keysOf(input)
  const wireName = input.tokenEndpointAuthMethod
  if (wireName === undefined) return keys ? { keys } : {}
  const authMethod = wireName.startsWith('client_secret') ? 'client_secret' : wireName
  if (authMethod === current.authMethod) return keys ? { keys } : {}
  if (authMethod === 'none') {
    const message = 'must not be none: an app that authenticates stays one that does'
    throw new ApiError('VALIDATION_ERROR', `not valid: tokenEndpointAuthMethod ${message}`, [
      { path: 'tokenEndpointAuthMethod', message },
    ])
  }
  return { authMethod, secrets: [], keys }
}

function conflict(field: string): ApiError {
  return new ApiError('CONFLICT', `${field} was changed by someone else at the same time: read the app and try again`)
}

function storedStatus(status: 'active' | 'suspended' | 'revoked'): AppStatus {
  const [stored] = Object.entries(WIRE_STATUS).find(([, wire]) => wire === status) ?? []
  return stored as AppStatus
}
