import type { NewSecret } from '../clients/authenticate/client-secret.ts'
import type { App, AppKeys, AuthMethod } from '../store/store.ts'
import type { AppFields } from './app-input.ts'

/** The owner of a new app. */
export interface AppOwner {
  /** The organisation that manages it. 1–255 characters. */
  readonly orgId: string
  /** The user who registers it. 1–255 characters. */
  readonly userId: string
}

/** A checked registration. */
export interface Registration {
  /** Every field, with the defaults of a new app. */
  readonly fields: AppFields & { readonly logoUrl: string | undefined }
  readonly authMethod: AuthMethod
  /** Undefined where the caller gave none. */
  readonly keys: AppKeys | undefined
  readonly owner: AppOwner
}

/** Makes the record of a new app. */
export function newApp(
  { authMethod, fields, keys, owner }: Registration,
  { clientId, id, now, secret }: Pick<App, 'id' | 'clientId'> & { readonly secret: NewSecret | null; readonly now: number },
): App {
  return {
    id,
    ...(clientId === undefined ? {} : { clientId }),
    orgId: owner.orgId,
    createdBy: owner.userId,
    name: fields.name,
    description: fields.description,
    status: 'active',
    origin: 'host',
    authMethod,
    secrets: secret ? [secret.stored] : [],
    ...(keys ? { keys } : {}),
    ...(fields.idTokenSignedResponseAlg === undefined ? {} : { idTokenSignedResponseAlg: fields.idTokenSignedResponseAlg }),
    redirectUris: fields.redirectUris,
    ...(fields.allowedOrigins.length > 0 ? { allowedOrigins: fields.allowedOrigins } : {}),
    ...(fields.dpopBoundAccessTokens ? { dpopBoundAccessTokens: true } : {}),
    ...(fields.requirePushedAuthorizationRequests ? { requirePushedAuthorizationRequests: true } : {}),
    grantTypes: fields.allowedGrantTypes,
    scopes: fields.allowedScopes,
    accessTokenSeconds: fields.accessTokenLifetime,
    refreshTokenSeconds: fields.refreshTokenLifetime,
    profile: { slug: slugOf(fields.name, id), ...profileOf(fields) },
    createdAt: now,
    updatedAt: now,
    epoch: 1,
    version: 1,
  }
}

/** Returns the links of a registration that are there. */
export function profileOf(fields: Partial<Registration['fields']>): Readonly<Record<string, string>> {
  const { homepageUrl, logoUrl, privacyPolicyUrl, termsOfServiceUrl } = fields
  const links = { logoUrl, homepageUrl, privacyPolicyUrl, termsOfServiceUrl }
  return Object.fromEntries(Object.entries(links).flatMap(([name, url]) => (url === undefined ? [] : [[name, url]])))
}

/** Makes a name for URLs and file names. The end of the id keeps it unique among apps of one name. */
function slugOf(name: string, id: string): string {
  const words = name
    .normalize('NFKD')
    .toLowerCase()
    .match(/[a-z0-9]+/g) ?? ['app']
  return `${words.join('-').slice(0, 60)}-${id.slice(-6)}`
}
