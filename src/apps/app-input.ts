import { z } from 'zod'
import type { Config } from '../options/config.ts'
import type { Services } from '../options/context.ts'
import { redirectUriProblem } from './redirect-uri-rules.ts'

/** What the host's options say of apps. */
type AppRules = Pick<Config<never>, 'redirectSchemes' | 'scopes'>

/** Wire names of the grants that apps can be registered for. */
export interface AppGrants {
  readonly names: readonly string[]
  /** Those that a new app has unless its registration says otherwise. */
  readonly byDefault: readonly string[]
}

/** From the registry of grants. */
export function appGrants({ grants }: Pick<Services, 'grants'>): AppGrants {
  const all = [...grants.values()]
  return { names: all.map(({ name }) => name), byDefault: all.filter(({ byDefault }) => byDefault).map(({ name }) => name) }
}

/** What may be said of a new app. Lifetimes are in seconds. */
export interface NewApp {
  /** 1–100 characters, shown to the people who are asked to agree. */
  readonly name: string
  /** Up to 500 characters. */
  readonly description?: string | undefined
  /**
   * 1–10 absolute URIs: https, http on a loopback host, or a reverse-domain private scheme such as `com.example.app:/cb`.
   * An app with only `client_credentials` needs none.
   */
  readonly redirectUris?: readonly string[] | undefined
  /** At least one, each from the catalogue. */
  readonly allowedScopes: readonly string[]
  /**
   * Names of grants. Default: `authorization_code`, `refresh_token` and `client_credentials`; a grant of the host's own is
   * never a default.
   */
  readonly allowedGrantTypes?: readonly string[] | undefined
  /** Whether the app can keep a secret; one that cannot must use PKCE. Default true. */
  readonly isConfidential?: boolean | undefined
  /**
   * How the app authenticates, where that is not a secret (`client_secret_basic`, `client_secret_post`) or `none`: the name of
   * a method in the option `clientAuthentication`. Only from your own code. Default: as `isConfidential` says.
   */
  readonly tokenEndpointAuthMethod?: string | undefined
  /** 300–86,400; default 3600. */
  readonly accessTokenLifetime?: number | undefined
  /** 3600–31,536,000; default 604,800. */
  readonly refreshTokenLifetime?: number | undefined
  /** Shown on the consent page; https. Only from your own code: what is shown as a picture is not for everybody to choose. */
  readonly logoUrl?: string | undefined
  readonly homepageUrl?: string | undefined
  readonly privacyPolicyUrl?: string | undefined
  readonly termsOfServiceUrl?: string | undefined
}

/** The fields of a new app, with their rules and defaults. */
export function newAppSchema(rules: AppRules, grants: AppGrants) {
  const { allowedGrantTypes, description, redirectUris, url, ...fields } = appFields(rules, grants)
  return z
    .strictObject({
      ...fields,
      description: description.default(''),
      redirectUris: redirectUris.default([]),
      allowedGrantTypes: allowedGrantTypes.default([...grants.byDefault]),
      isConfidential: z.boolean().default(true),
      accessTokenLifetime: fields.accessTokenLifetime.default(3600),
      refreshTokenLifetime: fields.refreshTokenLifetime.default(604_800),
      homepageUrl: url.optional(),
      privacyPolicyUrl: url.optional(),
      termsOfServiceUrl: url.optional(),
    })
    .superRefine(checkRedirectsOfGrants)
}

/** The fields that can be changed: those that are left out stay, and a URL that is null is cleared. */
export function appChangesSchema(rules: AppRules, grants: AppGrants) {
  const { url, ...fields } = appFields(rules, grants)
  const links = { homepageUrl: url.nullable(), privacyPolicyUrl: url.nullable(), termsOfServiceUrl: url.nullable() }
  return z.strictObject({ ...fields, ...links }).partial()
}

/** Whoever is sent back with a code needs somewhere to be sent. */
export function checkRedirectsOfGrants(
  app: { readonly redirectUris: readonly string[]; readonly allowedGrantTypes: readonly string[] },
  context: { addIssue(issue: { code: 'custom'; path: string[]; message: string }): void },
): void {
  if (app.redirectUris.length > 0 || !app.allowedGrantTypes.includes('authorization_code')) return
  const message = 'must have at least one entry for the authorization_code grant'
  context.addIssue({ code: 'custom', path: ['redirectUris'], message })
}

function appFields({ redirectSchemes, scopes }: AppRules, grants: AppGrants) {
  return {
    name: z
      .string('must be a text of 1 to 100 characters')
      .trim()
      .min(1, 'must have 1 to 100 characters')
      .max(100, 'must have 1 to 100 characters'),
    description: z.string().max(500, 'must have at most 500 characters'),
    redirectUris: z.array(z.string().superRefine(checkRedirectUri(redirectSchemes))).max(10, 'must have at most 10 entries'),
    allowedScopes: z
      .array(
        z.string().refine(name => scopes.has(name), 'is not a scope this server knows'),
        `must be an array of scopes such as ['${[...scopes.keys()][0]}']`,
      )
      .min(1, 'must have at least one entry')
      .overwrite(unique),
    allowedGrantTypes: z
      .array(z.enum(grants.names as [string, ...string[]], `must be one of ${grants.names.join(', ')}`))
      .min(1, 'must have at least one entry')
      .overwrite(unique),
    accessTokenLifetime: seconds(300, 86_400),
    refreshTokenLifetime: seconds(3600, 31_536_000),
    url: z.string().max(2048).refine(isWebUrl, 'must be an absolute http or https URL'),
  }
}

function checkRedirectUri(schemes: readonly string[]): (uri: string, context: z.RefinementCtx) => void {
  return (uri, context) => {
    const message = redirectUriProblem(uri, schemes)
    if (message) context.addIssue({ code: 'custom', message })
  }
}

function seconds(low: number, high: number) {
  const message = `must be a whole number of seconds from ${low} to ${high}`
  return z.int(message).min(low, message).max(high, message)
}

function isWebUrl(value: string): boolean {
  return /^https?:\/\//i.test(value) && URL.canParse(value)
}

function unique<T>(items: T[]): T[] {
  return [...new Set(items)]
}
