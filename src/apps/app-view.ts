import { z } from 'zod'
import { wireId } from '../base/ids.ts'
import { provesItself } from '../clients/client-facts.ts'
import type { App, AppStatus } from '../store/store.ts'

/** The names of an app's statuses in the API. */
export const WIRE_STATUS = { active: 'active', suspended: 'suspended', deleted: 'revoked' } as const satisfies Record<
  AppStatus,
  string
>

const instant = z.iso.datetime({ precision: 3 })

/** An app in the API: everything but its secrets. */
export const appViewSchema = z.object({
  id: z.string(),
  slug: z.string(),
  clientId: z.string(),
  name: z.string(),
  description: z.string().optional(),
  redirectUris: z.array(z.string()),
  allowedGrantTypes: z.array(z.string()),
  allowedScopes: z.array(z.string()),
  status: z.enum(['active', 'suspended', 'revoked']),
  logoUrl: z.string().optional(),
  homepageUrl: z.string().optional(),
  privacyPolicyUrl: z.string().optional(),
  termsOfServiceUrl: z.string().optional(),
  isConfidential: z.boolean(),
  accessTokenLifetime: z.int().describe('seconds'),
  refreshTokenLifetime: z.int().describe('seconds'),
  createdAt: instant,
  updatedAt: instant,
})
export type AppView = z.output<typeof appViewSchema>

/** An app with the secret that was just made, which is shown only now. A public app has none. */
export const appWithSecretSchema = appViewSchema.extend({ clientSecret: z.string().optional() })

export function viewApp(app: App): AppView {
  const link = (name: string) => (typeof app.profile[name] === 'string' ? { [name]: app.profile[name] } : {})
  return {
    id: app.id,
    slug: typeof app.profile.slug === 'string' ? app.profile.slug : app.id,
    clientId: wireId(app),
    name: app.name,
    ...(app.description ? { description: app.description } : {}),
    redirectUris: [...app.redirectUris],
    allowedGrantTypes: [...app.grantTypes],
    allowedScopes: [...app.scopes],
    status: WIRE_STATUS[app.status],
    ...link('logoUrl'),
    ...link('homepageUrl'),
    ...link('privacyPolicyUrl'),
    ...link('termsOfServiceUrl'),
    isConfidential: provesItself(app),
    accessTokenLifetime: app.accessTokenSeconds,
    refreshTokenLifetime: app.refreshTokenSeconds,
    createdAt: new Date(app.createdAt).toISOString(),
    updatedAt: new Date(app.updatedAt).toISOString(),
  }
}
