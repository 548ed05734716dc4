import { createPrivateKey, sign } from 'node:crypto'
import { z } from 'zod'
import { ConnectorError } from '../errors/connector-error.ts'
import type { Provider, ProviderCall, RevocableTokens, SignInProvider } from './provider.ts'
import {
  basic,
  bearerUnsaid,
  errorCodeIn,
  errorCodes,
  errorsUnder200,
  jsonRequests,
  nestedUnder,
  plainBasic,
  scopesSeparatedBy,
  withHeaders,
} from './quirks.ts'

/** The credentials that a provider issued to the host. */
export interface PresetOptions {
  /** The client id. */
  readonly clientId: string
  /** The client secret. Absent: the host is a public client there. */
  readonly clientSecret?: string | undefined
  /** The scopes to ask for, as the provider spells them. Default: see the preset. */
  readonly scopes?: readonly string[] | undefined
}

/** A Provider that reads verified e-mail addresses. With `redirectUris` added, it is a SignInProvider. */
export type SignInPreset = Omit<SignInProvider, 'redirectUris'>

const IDENTITY = ['openid', 'email', 'profile']
const ADDRESSES = z.array(z.object({ email: z.string(), verified: z.boolean() }))
const SAYS_OK = z.object({ ok: z.literal(true) })

/** Google. Default scopes: identity. Asks for consent every time, because Google returns a refresh token only then. */
export function google({ scopes = IDENTITY, ...registered }: PresetOptions): Provider {
  return {
    ...registered,
    scopes,
    issuer: 'https://accounts.google.com',
    authorizationParams: { access_type: 'offline', prompt: 'consent' },
  }
}

/** Google, for one organisation. An account outside `domain` can be connected, but cannot sign in. */
export function googleWorkspace({
  domain,
  ...options
}: PresetOptions & {
  /** The organisation's primary domain. */
  readonly domain: string
}): SignInPreset {
  const provider = google(options)
  const hd = domain.toLowerCase()
  const members = z.object({ hd: z.literal(hd), email: z.string(), email_verified: z.literal(true) })
  return {
    ...provider,
    authorizationParams: { ...provider.authorizationParams, hd },
    emailDomains: [hd],
    // `hd` proves membership of the organisation: a private account may have an address at its domain too.
    verifiedEmails: async (accessToken, call) => {
      const { data } = members.safeParse(await getJson('https://openidconnect.googleapis.com/v1/userinfo', accessToken, call))
      return data ? [data.email] : []
    },
  }
}

/**
 * GitHub, for OAuth apps and GitHub Apps. Default scopes: identity.
 *
 * Revoking ends the user's whole grant to the app, with the tokens of other connections. `details` keeps `installation_id`, which
 * a GitHub App may get with the callback: verify with GitHub that the user has access to it before you use it.
 */
export function github({
  baseUrl = 'https://github.com',
  scopes = ['read:user', 'user:email'],
  ...registered
}: PresetOptions & {
  /** The URL of an Enterprise Server, or at ghe.com. Default `https://github.com`. */
  readonly baseUrl?: string | undefined
}): SignInPreset {
  const { host, origin } = new URL(baseUrl)
  const api = /^github\.com$|\.ghe\.com$/.test(host) ? `https://api.${host}` : `${origin}/api/v3`
  return {
    ...registered,
    scopes,
    endpoints: { authorization: `${origin}/login/oauth/authorize`, token: `${origin}/login/oauth/access_token` },
    quirks: [
      errorsUnder200,
      errorCodes({
        invalid_grant: ['bad_verification_code', 'bad_refresh_token', 'redirect_uri_mismatch'],
        invalid_client: ['incorrect_client_credentials'],
      }),
      scopesSeparatedBy(','),
    ],
    keep: ['installation_id'],
    revoke: async (tokens, call) => {
      const request = { method: 'DELETE', ...signedJson(tokens, { access_token: tokens.accessToken }) }
      accept(204, await call(`${api}/applications/${tokens.clientId}/grant`, request))
    },
    verifiedEmails: async (accessToken, call) => {
      const { data = [] } = ADDRESSES.safeParse(await getJson(`${api}/user/emails?per_page=100`, accessToken, call))
      return data.filter(({ verified }) => verified).map(({ email }) => email)
    },
  }
}

/** GitLab. Default scopes: identity. Each refresh token can be used once. */
export function gitlab({
  baseUrl = 'https://gitlab.com',
  scopes = IDENTITY,
  ...registered
}: PresetOptions & {
  /** The URL of a self-managed server. Default `https://gitlab.com`. */
  readonly baseUrl?: string | undefined
}): Provider {
  return { ...registered, scopes, issuer: baseUrl.replace(/\/+$/, '') }
}

const TENANT_ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

/**
 * Microsoft Entra ID. Default scopes: identity; `offline_access` is always added.
 *
 * To sign in with it, write `verifiedEmails` yourself: Entra lets tenants put any text into `email`.
 */
export function microsoft({
  tenant = 'common',
  scopes = IDENTITY,
  ...registered
}: PresetOptions & {
  /** A tenant's id or domain, or `common` (the default), `organizations` or `consumers`. */
  readonly tenant?: string | undefined
}): Provider {
  const authority = `https://login.microsoftonline.com/${tenant}`
  return {
    ...registered,
    scopes: including('offline_access', scopes),
    issuer: `${authority}/v2.0`,
    // Not discovered: the `issuer` in the metadata of `common` is a template.
    endpoints: {
      authorization: `${authority}/oauth2/v2.0/authorize`,
      token: `${authority}/oauth2/v2.0/token`,
      jwks: `${authority}/discovery/v2.0/keys`,
      userinfo: 'https://graph.microsoft.com/oidc/userinfo',
    },
    // The `iss` of an ID token has the id of the user's tenant.
    expectedIssuer: ({ tid }) => `https://login.microsoftonline.com/${TENANT_ID.test(tenant) ? tenant.toLowerCase() : tid}/v2.0`,
    scopeOnRefresh: true,
    quirks: [errorCodes({ invalid_grant: ['interaction_required'] })],
  }
}

/** Slack. `scopes` are the bot's; with `userScopes`, the user's token is kept and the bot's is dropped. Default: none. */
export function slack({
  scopes = [],
  userScopes = [],
  ...registered
}: PresetOptions & {
  /** Scopes of the user's token. Default: none, which connects the bot. */
  readonly userScopes?: readonly string[] | undefined
}): Provider {
  const ofUser = userScopes.length > 0
  return {
    ...registered,
    scopes,
    endpoints: { authorization: 'https://slack.com/oauth/v2/authorize', token: 'https://slack.com/api/oauth.v2.access' },
    // Slack accepts PKCE only from public clients.
    pkce: registered.clientSecret === undefined,
    scopeSeparator: ',',
    authorizationParams: ofUser ? { user_scope: userScopes.join(',') } : {},
    quirks: [
      errorsUnder200,
      errorCodes({
        invalid_grant: ['invalid_code', 'code_already_used', 'bad_redirect_uri', 'invalid_refresh_token', 'token_revoked'],
        invalid_client: ['bad_client_secret', 'invalid_client_id'],
      }),
      ...(ofUser ? [nestedUnder('authed_user')] : []),
      scopesSeparatedBy(','),
      bearerUnsaid,
    ],
    keep: ['team', 'bot_user_id'],
    revoke: async ({ accessToken }, call) => {
      const response = await call('https://slack.com/api/auth.revoke', { method: 'POST', headers: bearer(accessToken) })
      if (!SAYS_OK.safeParse(await response.json()).success)
        throw new ConnectorError('provider_refused', 'the provider did not revoke the token')
    },
  }
}

/** Atlassian: Jira and Confluence in the cloud. Default scopes: identity; `offline_access` is always added. */
export function atlassian({ scopes = ['read:me'], ...registered }: PresetOptions): Provider {
  return {
    ...registered,
    scopes: including('offline_access', scopes),
    endpoints: { authorization: 'https://auth.atlassian.com/authorize', token: 'https://auth.atlassian.com/oauth/token' },
    pkce: false,
    authorizationParams: { audience: 'api.atlassian.com', prompt: 'consent' },
    // Atlassian answers a spent refresh token with `unauthorized_client` and this text; its documentation says `invalid_grant`.
    quirks: [jsonRequests, bearerUnsaid, errorCodes({ invalid_grant: ['refresh_token is invalid'] })],
  }
}

const NOTION_VERSION = { 'notion-version': '2022-06-28' }

/** Notion. It has no scopes: the app's registration has its capabilities, and the user picks the pages. */
export function notion({ scopes = [], ...registered }: PresetOptions): Provider {
  return {
    ...registered,
    scopes,
    endpoints: { authorization: 'https://api.notion.com/v1/oauth/authorize', token: 'https://api.notion.com/v1/oauth/token' },
    clientAuthentication: 'client_secret_basic',
    pkce: false,
    authorizationParams: { owner: 'user' },
    quirks: [plainBasic, jsonRequests, withHeaders(NOTION_VERSION), errorCodeIn('code')],
    keep: ['workspace_id', 'workspace_name', 'bot_id'],
    revoke: async (tokens, call) => {
      const request = { method: 'POST', ...signedJson(tokens, { token: tokens.accessToken }, NOTION_VERSION) }
      accept(200, await call('https://api.notion.com/v1/oauth/revoke', request))
    },
  }
}

/** Dropbox. Default scopes: all for which the app is registered. */
export function dropbox({ scopes = [], ...registered }: PresetOptions): Provider {
  return {
    ...registered,
    scopes,
    endpoints: { authorization: 'https://www.dropbox.com/oauth2/authorize', token: 'https://api.dropboxapi.com/oauth2/token' },
    authorizationParams: { token_access_type: 'offline' },
    revoke: async ({ accessToken }, call) =>
      accept(200, await call('https://api.dropboxapi.com/2/auth/token/revoke', { method: 'POST', headers: bearer(accessToken) })),
  }
}

/** Salesforce. Default scope: `api`; `refresh_token` is always added. `instance_url` of the details is the address of its API. */
export function salesforce({
  domain = 'login.salesforce.com',
  scopes = ['api'],
  ...registered
}: PresetOptions & {
  /** A My Domain, or `test.salesforce.com`. Default `login.salesforce.com`. */
  readonly domain?: string | undefined
}): Provider {
  return {
    ...registered,
    scopes: including('refresh_token', scopes),
    issuer: `https://${domain}`,
    // The default session timeout of an organisation. Salesforce sends no `expires_in`.
    accessTokenSeconds: 7200,
    keep: ['instance_url'],
    quirks: [errorCodes({ invalid_grant: ['inactive_user', 'inactive_org'], invalid_client: ['invalid_client_id'] })],
  }
}

const LINKEDIN = 'https://www.linkedin.com/oauth'

/** LinkedIn. Default scopes: identity. Only some partners of LinkedIn get refresh tokens. */
export function linkedin({ scopes = IDENTITY, ...registered }: PresetOptions): SignInPreset {
  return {
    ...registered,
    scopes,
    issuer: LINKEDIN,
    endpoints: {
      authorization: `${LINKEDIN}/v2/authorization`,
      token: `${LINKEDIN}/v2/accessToken`,
      jwks: `${LINKEDIN}/openid/jwks`,
      userinfo: 'https://api.linkedin.com/v2/userinfo',
    },
    // Its ID tokens have no nonce, and it accepts PKCE only from native apps.
    nonce: false,
    pkce: false,
    quirks: [scopesSeparatedBy(',')],
    // The issuer is the host in its documentation, and has a path in its metadata.
    expectedIssuer: ({ iss }) => (iss === 'https://www.linkedin.com' ? iss : LINKEDIN),
  }
}

/** Figma. Default scope: identity. A refresh returns no new refresh token. */
export function figma({ scopes = ['current_user:read'], ...registered }: PresetOptions): Provider {
  return {
    ...registered,
    scopes,
    endpoints: {
      authorization: 'https://www.figma.com/oauth',
      token: 'https://api.figma.com/v1/oauth/token',
      refresh: 'https://api.figma.com/v1/oauth/refresh',
    },
    clientAuthentication: 'client_secret_basic',
    quirks: [plainBasic, bearerUnsaid],
    keep: ['user_id_string'],
  }
}

/** 180 days: Apple accepts a client secret for six months at most. */
const APPLE_SECRET_SECONDS = 15_552_000

/**
 * Sign in with Apple. Default scopes: identity. Apple posts its callback. `user` of the details has the user's name, at the first
 * connection only.
 */
export function apple({
  clientId,
  keyId,
  privateKey,
  scopes = ['openid', 'name', 'email'],
  teamId,
}: Omit<PresetOptions, 'clientSecret'> & {
  /** The id of the developer team. */
  readonly teamId: string
  /** The id of the key. */
  readonly keyId: string
  /** The text of the key file (.p8), which signs the client secret. */
  readonly privateKey: string
}): SignInPreset {
  const issuer = 'https://appleid.apple.com'
  const now = Math.floor(Date.now() / 1000)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iss: teamId, iat: now, exp: now + APPLE_SECRET_SECONDS, aud: issuer, sub: clientId }
  const input = `${part({ alg: 'ES256', kid: keyId })}.${part(claims)}`
  const key = createPrivateKey(privateKey)
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
  return {
    clientId,
    clientSecret: `${input}.${signature}`,
    scopes,
    issuer,
    endpoints: {
      authorization: `${issuer}/auth/authorize`,
      token: `${issuer}/auth/token`,
      jwks: `${issuer}/auth/keys`,
      revocation: `${issuer}/auth/revoke`,
    },
    pkce: false,
    // Apple refuses a request for the name or e-mail address without it.
    authorizationParams: { response_mode: 'form_post' },
    keep: ['user'],
  }
}

/** Twitch. Default scopes: identity. */
export function twitch({ scopes = ['openid', 'user:read:email'], ...registered }: PresetOptions): Provider {
  return {
    ...registered,
    scopes,
    issuer: 'https://id.twitch.tv/oauth2',
    pkce: false,
    quirks: [
      errorCodes({
        invalid_grant: ['Invalid refresh token', 'Invalid authorization code'],
        invalid_client: ['invalid client', 'invalid client secret'],
      }),
    ],
    revoke: async ({ accessToken, clientId }, call) => {
      const body = new URLSearchParams({ client_id: clientId, token: accessToken })
      accept(200, await call('https://id.twitch.tv/oauth2/revoke', { method: 'POST', body }))
    },
  }
}

/** QuickBooks, of Intuit. Default scope: accounting. `realmId` of the details is the id of the company, which every API call needs. */
export function quickbooks({ scopes = ['com.intuit.quickbooks.accounting'], ...registered }: PresetOptions): Provider {
  return {
    ...registered,
    scopes,
    endpoints: {
      authorization: 'https://appcenter.intuit.com/connect/oauth2',
      token: 'https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer',
    },
    clientAuthentication: 'client_secret_basic',
    pkce: false,
    quirks: [plainBasic],
    keep: ['realmId'],
    revoke: async (tokens, call) => {
      const request = { method: 'POST', ...signedJson(tokens, { token: tokens.refreshToken ?? tokens.accessToken }) }
      accept(200, await call('https://developer.api.intuit.com/v2/oauth2/tokens/revoke', request))
    },
  }
}

const ZOHO_SITES = [
  'zoho.com',
  'zoho.eu',
  'zoho.in',
  'zoho.com.au',
  'zoho.jp',
  'zoho.uk',
  'zoho.sa',
  'zoho.ae',
  'zoho.com.cn',
  'zohocloud.ca',
]

/** Zoho, for accounts of every data center for which the app is enabled. `api_domain` of the details is the address of its API. */
export function zoho({ scopes = ['AaaServer.profile.READ'], ...registered }: PresetOptions): Provider {
  const at = (domain: string) => ({
    token: `https://accounts.${domain}/oauth/v2/token`,
    revocation: `https://accounts.${domain}/oauth/v2/token/revoke`,
  })
  return {
    ...registered,
    scopes,
    endpoints: { authorization: 'https://accounts.zoho.com/oauth/v2/auth', ...at('zoho.com') },
    sites: {
      parameter: 'accounts-server',
      endpoints: Object.fromEntries(ZOHO_SITES.map(domain => [`https://accounts.${domain}`, at(domain)])),
    },
    pkce: false,
    scopeSeparator: ',',
    authorizationParams: { access_type: 'offline', prompt: 'consent' },
    quirks: [errorsUnder200, errorCodes({ invalid_grant: ['invalid_code'], invalid_client: ['invalid_client_secret'] })],
    keep: ['api_domain', 'location'],
  }
}

function including(scope: string, scopes: readonly string[]): readonly string[] {
  return scopes.includes(scope) ? scopes : [...scopes, scope]
}

function bearer(accessToken: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${accessToken}` }
}

function signedJson({ clientId, clientSecret = '' }: RevocableTokens, fields: object, more: object = {}) {
  const headers = { ...more, authorization: basic(`${clientId}:${clientSecret}`), 'content-type': 'application/json' }
  return { headers, body: JSON.stringify(fields) }
}

async function getJson(url: string, accessToken: string, call: ProviderCall): Promise<unknown> {
  const response = await call(url, { headers: bearer(accessToken) })
  accept(200, response)
  return response.json()
}

function accept(status: number, response: Response): void {
  if (response.status !== status) throw new ConnectorError('provider_refused', `the provider answered ${response.status}`)
}
