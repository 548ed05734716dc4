import { z } from 'zod'
import { appIdOf, isClientId, newAppId } from '../base/ids.ts'
import { makeSecret } from '../clients/authenticate/client-secret.ts'
import type { ClientAuthentication } from '../clients/authenticate/method.ts'
import { hasSecret, provesItself } from '../clients/client-facts.ts'
import { ApiError } from '../errors/api-error.ts'
import { isUnknownOutcome } from '../errors/store-error.ts'
import { checkInput } from '../http/check-input.ts'
import type { Context } from '../options/context.ts'
import type { AuthMethod } from '../store/store.ts'
import { publishKeyFor } from '../tokens/current-keys.ts'
import { appSchemas, checkProfile, checkWholeApp, keysOf, type NewApp } from './app-input.ts'
import { type AppOwner, newApp } from './new-app.ts'
import { registerFixedApp } from './register-fixed-app.ts'
import { type RegisteredApp, registered } from './registered-app.ts'

/** At least as long as 16 random bytes in hex. Secrets are hashed with SHA-256, which is no protection for a short one. */
const SECRET_LENGTH = 32

const ownerSchema = z.object({ orgId: z.string().min(1).max(255), userId: z.string().min(1).max(255) })

/** Fields that only the host's code may set. */
const hostFieldsSchema = z
  .object({
    logoUrl: z
      .url({ protocol: /^https$/, message: 'must be an https URL' })
      .max(2048)
      .optional(),
    clientId: z.string().refine(isClientId, 'must have 1 to 2,048 printable ASCII characters').optional(),
    // RFC 6749 Appendix A.2.
    clientSecret: z
      .string()
      .regex(/^[\x20-\x7e]*$/, 'must have printable ASCII characters only')
      .min(SECRET_LENGTH, `must have at least ${SECRET_LENGTH} characters: take random ones`)
      .max(255, 'must have at most 255 characters')
      .optional(),
  })
  .refine(({ clientId, clientSecret }) => clientSecret === undefined || clientId !== undefined, {
    path: ['clientSecret'],
    message: 'needs a clientId beside it: without one, every call registers another app',
  })

/**
 * Stores a new app; with a fixed `clientId`, creates or updates the app that has it.
 * Rejects with ApiError VALIDATION_ERROR that names every problem, CONFLICT for a `clientId` that cannot be taken, or with StoreError.
 */
export async function registerApp(input: NewApp, owner: AppOwner, context: Omit<Context, 'principal'>): Promise<RegisteredApp> {
  const { clientId, clientSecret, logoUrl, tokenEndpointAuthMethod, ...rest } = input
  const { config, services } = context
  const stored = typeof clientId === 'string' && isClientId(clientId) ? await storedFields(clientId, context) : {}
  const fields = checkInput(appSchemas(config, services).newApp, { ...stored, ...withoutUndefined(rest) })
  const host = checkInput(hostFieldsSchema, { logoUrl, clientId, clientSecret })
  const registration = {
    fields: { ...fields, logoUrl: host.logoUrl },
    authMethod: authMethodOf(tokenEndpointAuthMethod, fields.isConfidential, services.clientAuthentication),
    keys: keysOf(fields),
    owner: checkInput(ownerSchema, owner),
  }
  if (host.clientId !== undefined)
    return registerFixedApp({ ...registration, clientId: host.clientId, clientSecret: host.clientSecret, given: input }, context)

  const secret = hasSecret(registration) ? makeSecret(context.now) : null
  const app = newApp(registration, { id: newAppId(), secret, now: context.now })
  checkWholeApp(app)
  await publishKeyFor(app, context)
  checkProfile(app, config)
  // Random ids of 96 bits do not collide: a taken id is a fault of the store or of the random numbers.
  const saved = await context.store.apps.save(app).catch(error => {
    if (isUnknownOutcome(error)) registered(app, secret, context)
    throw error
  })
  if (!saved) throw new Error('a new app id was already taken')
  return registered(app, secret, context)
}

/** Returns the fields of the app that has this `clientId` already by which the others are checked; none if there is no such app. */
async function storedFields(clientId: string, { store }: Pick<Context, 'store'>): Promise<Partial<NewApp>> {
  const app = await store.apps.get(appIdOf(clientId))
  if (!app) return {}
  const { grantTypes, redirectUris } = app
  return { allowedGrantTypes: grantTypes, isConfidential: provesItself(app), redirectUris }
}

function withoutUndefined(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
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
