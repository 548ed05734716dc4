import { z } from 'zod'
import { wireId } from '../base/ids.ts'
import type { JsonObject } from '../base/json.ts'
import { provesItself } from '../clients/client-facts.ts'
import type { App, AppStatus } from '../store/store.ts'
import { jwkSchema } from './app-input.ts'

/** The names of an app's statuses in the API. */
export const WIRE_STATUS = { active: 'active', suspended: 'suspended', deleted: 'revoked' } as const satisfies Record<
  AppStatus,
  string
>

const instant = z.iso.datetime({ precision: 3 })

/** An app as the API answers it. */
export interface AppView {
  /** The key of the app in the API: 24 lower-case hex digits. */
  readonly id: string
  /** A name for URLs and file names, which stays when the app is renamed. */
  readonly slug: string
  /** Its `client_id`; equal to `id` unless it was chosen. */
  readonly clientId: string
  /** The name that users see. */
  readonly name: string
  /** The description that users see. Absent if it is empty. */
  readonly description?: string | undefined
  /** The redirect URIs it has registered. */
  readonly redirectUris: string[]
  /** Origins of its pages beside those of its redirect URIs. Absent if there are none. */
  readonly allowedOrigins?: string[] | undefined
  /** Names of the grants it may use. */
  readonly allowedGrantTypes: string[]
  /** The scopes it may ask for. */
  readonly allowedScopes: string[]
  /** Whether it may get codes and tokens; `revoked` is a deleted app. */
  readonly status: 'active' | 'suspended' | 'revoked'
  /** Its logo. */
  readonly logoUrl?: string | undefined
  /** Its homepage. */
  readonly homepageUrl?: string | undefined
  /** Its privacy policy. */
  readonly privacyPolicyUrl?: string | undefined
  /** Its terms of service. */
  readonly termsOfServiceUrl?: string | undefined
  /** Whether it authenticates at the token endpoint. */
  readonly isConfidential: boolean
  /** Whether its token requests must prove a key (DPoP). Absent: only where the server requires it. */
  readonly dpopBoundAccessTokens?: boolean | undefined
  /** How it authenticates: `client_secret_basic` stands for a secret in either way, in HTTP Basic or in the body. */
  readonly tokenEndpointAuthMethod: string
  /** Its public keys. Absent if they are at `jwksUri`, or it has none. */
  readonly jwks?:
    | {
        /** The keys, as public JWKs. */
        readonly keys: JsonObject[]
      }
    | undefined
  /** The URL of its public keys. */
  readonly jwksUri?: string | undefined
  /** The algorithm that signs its ID tokens. Absent: that of the server. */
  readonly idTokenSignedResponseAlg?: string | undefined
  /** Whether it must push its authorization requests. Absent if it need not. */
  readonly requirePushedAuthorizationRequests?: boolean | undefined
  /** The lifetime of its access tokens, in seconds. */
  readonly accessTokenLifetime: number
  /** The lifetime of its refresh tokens, in seconds. */
  readonly refreshTokenLifetime: number
  /** When it was registered, in ISO 8601. */
  readonly createdAt: string
  /** When it was last changed, in ISO 8601. */
  readonly updatedAt: string
}

/** An app in the API: everything but its secrets. */
export const appViewSchema = z.object({
  id: z.string(),
  slug: z.string(),
  clientId: z.string(),
  name: z.string(),
  description: z.string().optional(),
  redirectUris: z.array(z.string()),
  allowedOrigins: z.array(z.string()).optional(),
  allowedGrantTypes: z.array(z.string()),
  allowedScopes: z.array(z.string()),
  status: z.enum(['active', 'suspended', 'revoked']),
  logoUrl: z.string().optional(),
  homepageUrl: z.string().optional(),
  privacyPolicyUrl: z.string().optional(),
  termsOfServiceUrl: z.string().optional(),
  isConfidential: z.boolean(),
  dpopBoundAccessTokens: z.boolean().optional(),
  tokenEndpointAuthMethod: z.string(),
  jwks: z.object({ keys: z.array(jwkSchema) }).optional(),
  jwksUri: z.string().optional(),
  idTokenSignedResponseAlg: z.string().optional(),
  requirePushedAuthorizationRequests: z.boolean().optional(),
  accessTokenLifetime: z.int().describe('seconds'),
  refreshTokenLifetime: z.int().describe('seconds'),
  createdAt: instant,
  updatedAt: instant,
}) satisfies z.ZodType<AppView>
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
    ...(app.allowedOrigins?.length ? { allowedOrigins: [...app.allowedOrigins] } : {}),
    allowedGrantTypes: [...app.grantTypes],
    allowedScopes: [...app.scopes],
    status: WIRE_STATUS[app.status],
    ...link('logoUrl'),
    ...link('homepageUrl'),
    ...link('privacyPolicyUrl'),
    ...link('termsOfServiceUrl'),
    isConfidential: provesItself(app),
    ...(app.dpopBoundAccessTokens ? { dpopBoundAccessTokens: true } : {}),
    tokenEndpointAuthMethod: app.authMethod === 'client_secret' ? 'client_secret_basic' : app.authMethod,
    ...(app.keys && 'jwks' in app.keys ? { jwks: { keys: [...app.keys.jwks.keys] } } : app.keys),
    ...(app.idTokenSignedResponseAlg === undefined ? {} : { idTokenSignedResponseAlg: app.idTokenSignedResponseAlg }),
    ...(app.requirePushedAuthorizationRequests ? { requirePushedAuthorizationRequests: true } : {}),
    accessTokenLifetime: app.accessTokenSeconds,
    refreshTokenLifetime: app.refreshTokenSeconds,
    createdAt: new Date(app.createdAt).toISOString(),
    updatedAt: new Date(app.updatedAt).toISOString(),
  }
}
