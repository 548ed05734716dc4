import { z } from 'zod'
import { newAppId, wireId } from '../base/ids.ts'
import { makeSecret } from '../clients/authenticate/client-secret.ts'
import type { ClientAuthentication } from '../clients/authenticate/method.ts'
import { hasSecret, provesItself } from '../clients/client-facts.ts'
import { ApiError } from '../errors/api-error.ts'
import { checkInput } from '../http/check-input.ts'
import type { Context } from '../options/context.ts'
import type { App, AuthMethod } from '../store/store.ts'
import { appGrants, type NewApp, newAppSchema } from './app-input.ts'

const ownerSchema = z.object({ orgId: z.string().min(1).max(255), userId: z.string().min(1).max(255) })

const logoSchema = z.object({
  logoUrl: z
    .url({ protocol: /^https$/, message: 'must be an https URL' })
    .max(2048)
    .optional(),
})

/** The owner of a new app. */
export interface AppOwner {
  /** The organisation that manages it. 1–255 characters. */
  readonly orgId: string
  /** The user who registers it. 1–255 characters. */
  readonly userId: string
}

/** A new app and its credentials. */
export interface RegisteredApp {
  /** Its `client_id`. */
  readonly clientId: string
  /** Its secret, which cannot be read again; null for an app without one. */
  readonly clientSecret: string | null
  /** The stored record. */
  readonly app: App
}

/** Stores a new app. Rejects with ApiError VALIDATION_ERROR that names every problem, or with StoreError. */
export async function registerApp(
  { logoUrl: logo, tokenEndpointAuthMethod, ...input }: NewApp,
  owner: AppOwner,
  { config, services, store, events, now }: Omit<Context, 'principal'>,
): Promise<RegisteredApp> {
  const fields = checkInput(newAppSchema(config, appGrants(services)), input)
  const { logoUrl } = checkInput(logoSchema, { logoUrl: logo })
  const { orgId, userId } = checkInput(ownerSchema, owner)
  const authMethod = authMethodOf(tokenEndpointAuthMethod, fields.isConfidential, services.clientAuthentication)
  const secret = hasSecret({ authMethod }) ? makeSecret(now) : null
  const { homepageUrl, privacyPolicyUrl, termsOfServiceUrl } = fields
  const id = newAppId()
  const profile = { slug: slugOf(fields.name, id), logoUrl, homepageUrl, privacyPolicyUrl, termsOfServiceUrl }
  const app: App = {
    id,
    orgId,
    createdBy: userId,
    name: fields.name,
    description: fields.description,
    status: 'active',
    origin: 'host',
    authMethod,
    secrets: secret ? [secret.stored] : [],
    redirectUris: fields.redirectUris,
    grantTypes: fields.allowedGrantTypes,
    scopes: fields.allowedScopes,
    accessTokenSeconds: fields.accessTokenLifetime,
    refreshTokenSeconds: fields.refreshTokenLifetime,
    profile: Object.fromEntries(Object.entries(profile).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))),
    createdAt: now,
    updatedAt: now,
    epoch: 1,
    version: 1,
  }
  // Random ids of 96 bits do not collide: a taken id is a fault of the store or of the random numbers.
  if (!(await store.apps.save(app))) throw new Error('a new app id was already taken')
  events.emit({ type: 'app_created', at: now, clientId: wireId(app), orgId, actorId: userId })
  return { clientId: wireId(app), clientSecret: secret?.value ?? null, app }
}

/** Finds the authentication method by its wire name. Throws ApiError VALIDATION_ERROR if this server does not have it. */
function authMethodOf(
  wireName: string | undefined,
  isConfidential: boolean,
  methods: readonly ClientAuthentication[],
): AuthMethod {
  if (wireName === undefined) return isConfidential ? 'client_secret' : 'none'
  const method = methods.find(({ wireNames }) => wireNames.includes(wireName))
  const known = methods.flatMap(({ wireNames }) => wireNames).join(', ')
  const message = !method
    ? `must be one of ${known}`
    : provesItself({ authMethod: method.name }) === isConfidential
      ? undefined
      : 'does not fit isConfidential'
  if (!method || message !== undefined)
    throw new ApiError('VALIDATION_ERROR', `not valid: tokenEndpointAuthMethod ${message}`, [
      { path: 'tokenEndpointAuthMethod', message: message ?? '' },
    ])
  return method.name
}

/** Makes a name for URLs and file names. The end of the id keeps it unique among apps of one name. */
function slugOf(name: string, id: string): string {
  const words = name
    .normalize('NFKD')
    .toLowerCase()
    .match(/[a-z0-9]+/g) ?? ['app']
  return `${words.join('-').slice(0, 60)}-${id.slice(-6)}`
}
