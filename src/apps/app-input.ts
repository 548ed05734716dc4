import { z } from 'zod'
import type { Config } from '../config.ts'
import { ApiError } from '../errors/api-error.ts'
import type { GrantType } from '../store.ts'
import { redirectUriProblem } from './redirect-uri-rules.ts'

const GRANT_TYPES = ['authorization_code', 'refresh_token', 'client_credentials'] as const satisfies readonly GrantType[]

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
  /** Default: all three. */
  readonly allowedGrantTypes?: readonly GrantType[] | undefined
  /** Whether the app can keep a secret; one that cannot must use PKCE. Default true. */
  readonly isConfidential?: boolean | undefined
  /** 300–86,400; default 3600. */
  readonly accessTokenLifetime?: number | undefined
  /** 3600–31,536,000; default 604,800. */
  readonly refreshTokenLifetime?: number | undefined
  readonly homepageUrl?: string | undefined
  readonly privacyPolicyUrl?: string | undefined
  readonly termsOfServiceUrl?: string | undefined
}

/** An app's fields, checked, with defaults filled in. */
export type CheckedApp = z.output<ReturnType<typeof newAppSchema>>

/** Checks the fields of a new app. Throws ApiError VALIDATION_ERROR that names every problem at once. */
export function readNewApp(input: unknown, scopes: Config<never>['scopes']): CheckedApp {
  const result = newAppSchema(scopes).safeParse(input)
  if (result.success) return result.data
  const details = result.error.issues.map(issue => ({ path: issue.path.join('.'), message: issue.message }))
  throw new ApiError('VALIDATION_ERROR', 'the app is not valid', details)
}

function newAppSchema(scopes: Config<never>['scopes']) {
  const url = z.string().max(2048).refine(isWebUrl, 'must be an absolute http or https URL').optional()
  return z
    .strictObject({
      name: z.string().trim().min(1, 'must have 1 to 100 characters').max(100, 'must have 1 to 100 characters'),
      description: z.string().max(500, 'must have at most 500 characters').default(''),
      redirectUris: z.array(z.string().superRefine(checkRedirectUri)).max(10, 'must have at most 10 entries').default([]),
      allowedScopes: z
        .array(z.string().refine(name => scopes.has(name), 'is not a scope this server knows'))
        .min(1, 'must have at least one entry')
        .transform(unique),
      allowedGrantTypes: z
        .array(z.enum(GRANT_TYPES, `must be one of ${GRANT_TYPES.join(', ')}`))
        .min(1, 'must have at least one entry')
        .transform(unique)
        .default([...GRANT_TYPES]),
      isConfidential: z.boolean().default(true),
      accessTokenLifetime: seconds(300, 86_400).default(3600),
      refreshTokenLifetime: seconds(3600, 31_536_000).default(604_800),
      homepageUrl: url,
      privacyPolicyUrl: url,
      termsOfServiceUrl: url,
    })
    .superRefine((app, context) => {
      if (app.redirectUris.length === 0 && app.allowedGrantTypes.includes('authorization_code')) {
        context.addIssue({
          code: 'custom',
          path: ['redirectUris'],
          message: 'must have at least one entry for the authorization_code grant',
        })
      }
    })
}

function checkRedirectUri(uri: string, context: z.RefinementCtx): void {
  const message = redirectUriProblem(uri)
  if (message) context.addIssue({ code: 'custom', message })
}

function seconds(low: number, high: number) {
  const message = `must be a whole number of seconds from ${low} to ${high}`
  return z.int(message).min(low, message).max(high, message)
}

function isWebUrl(value: string): boolean {
  return /^https?:\/\//i.test(value) && URL.canParse(value)
}

function unique<T>(items: readonly T[]): readonly T[] {
  return [...new Set(items)]
}
