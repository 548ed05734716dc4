import { z } from 'zod'
import { newAppId } from '../base/ids.ts'
import { checkInput } from '../http/check-input.ts'
import type { Context } from '../options/context.ts'
import type { App } from '../store/store.ts'
import { type NewApp, newAppSchema } from './app-input.ts'
import { makeSecret } from './app-secret.ts'

const ownerSchema = z.object({ orgId: z.string().min(1).max(255), userId: z.string().min(1).max(255) })

const logoSchema = z.object({
  logoUrl: z
    .url({ protocol: /^https$/, message: 'must be an https URL' })
    .max(2048)
    .optional(),
})

/** For whom an app is registered. */
export interface AppOwner {
  readonly orgId: string
  readonly userId: string
}

export interface RegisteredApp {
  readonly clientId: string
  /** Shown this once; null for a public app, which has none. */
  readonly clientSecret: string | null
  readonly app: App
}

/** Stores a new app. Rejects with ApiError VALIDATION_ERROR, naming every problem, or with StoreError. */
export async function registerApp(
  { logoUrl: logo, ...input }: NewApp,
  owner: AppOwner,
  { config, store, events, now }: Omit<Context, 'principal'>,
): Promise<RegisteredApp> {
  const fields = checkInput(newAppSchema(config.scopes), input)
  const { logoUrl } = checkInput(logoSchema, { logoUrl: logo })
  const { orgId, userId } = checkInput(ownerSchema, owner)
  const secret = fields.isConfidential ? makeSecret(now) : null
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
    confidential: fields.isConfidential,
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
  // Random ids of 96 bits do not meet; an id that is taken would be a fault worth hearing about.
  if (!(await store.apps.save(app))) throw new Error('a new app id was already taken')
  events.emit({ type: 'app_created', at: now, clientId: app.id, orgId, actorId: userId })
  return { clientId: app.id, clientSecret: secret?.value ?? null, app }
}

/** A name for URLs and file names, told apart from others of the same name by the end of the id. */
function slugOf(name: string, id: string): string {
  const words = name
    .normalize('NFKD')
    .toLowerCase()
    .match(/[a-z0-9]+/g) ?? ['app']
  return `${words.join('-').slice(0, 60)}-${id.slice(-6)}`
}
