/** Every preset as it is, at the addresses it has, against what its provider answers: one server stands for all of them. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import * as presets from '../../src/connectors/presets.ts'
import { atSite, checkProvider, type Provider } from '../../src/connectors/provider.ts'
import type { ProviderTokens } from '../../src/connectors/provider-tokens.ts'
import { Upstreams } from '../../src/connectors/upstream.ts'
import type { ConnectorErrorCode } from '../../src/errors/connector-error.ts'
import { createOutbound, type Outbound } from '../../src/outbound/outbound.ts'
import { type Answer, FakeProvider, type Received } from '../support/fake-provider.ts'

/** With characters that the encodings treat differently. */
const CLIENT = { clientId: '463558a3-725e.4f37', clientSecret: 's_cr~t!' }
const BASIC = `Basic ${Buffer.from('463558a3-725e.4f37:s_cr~t!').toString('base64')}`
const REDIRECT = 'https://host.example/connectors/oauth/callback'
const TENANT = '9188040d-6c67-4c5b-b112-36a304b66dad'
const REFRESH = { refreshToken: 'the-refresh-token', scopes: ['asked', 'for'] }
const APPLE_KEY = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
})
const NOTION_VERSION = { 'notion-version': '2022-06-28' }

type Fields = Readonly<Record<string, unknown>>

interface Sent {
  readonly url: string
  /** Default POST. */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly form?: Fields
  readonly json?: Fields
}

interface Case {
  readonly provider: Provider
  readonly authorize: string
  /** What is asked for beyond what every provider is. */
  readonly asks: Fields
  readonly token: string
  /** How the host says who it is there. Default: in the form. */
  readonly credentials?: 'Basic and JSON' | 'JSON' | 'Basic'
  readonly pkce: boolean
  /** Where there is an ID token. */
  readonly identity?: { readonly issuer: string; readonly jwks: string; readonly claims?: Fields }
  readonly discovered?: Fields
  readonly answersCode: Fields
  readonly connected: Partial<ProviderTokens>
  readonly answersRefresh?: Fields
  /** Where a refresh goes, if not to `token`, and what it has besides. */
  readonly refreshAt?: string
  readonly refreshes?: Fields
  readonly refreshed?: Partial<ProviderTokens>
  /** Absent: the provider has no way. */
  readonly revocation?: Sent & { readonly answer: Answer }
  /** The last: the standard's word, as the log has it. */
  readonly refusals: readonly (readonly ['code' | 'refresh', Answer, ConnectorErrorCode, string?])[]
}

const bad = (error: string, more: Fields = {}, status = 400): Answer => ({ status, body: { error, ...more } })

const GOOGLE: Omit<Case, 'provider' | 'asks'> = {
  authorize: 'https://accounts.google.com/o/oauth2/v2/auth',
  token: 'https://oauth2.googleapis.com/token',
  pkce: true,
  identity: { issuer: 'https://accounts.google.com', jwks: 'https://www.googleapis.com/oauth2/v3/certs' },
  discovered: {
    userinfo_endpoint: 'https://openidconnect.googleapis.com/v1/userinfo',
    revocation_endpoint: 'https://oauth2.googleapis.com/revoke',
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
  },
  answersCode: { access_token: 'ya29.1', expires_in: 3599, refresh_token: '1//0g', scope: 'openid email', token_type: 'Bearer' },
  connected: { accessToken: 'ya29.1', refreshToken: '1//0g', expiresInSeconds: 3599, scopes: ['openid', 'email'] },
  answersRefresh: { access_token: 'ya29.2', expires_in: 3599, scope: 'openid email', token_type: 'Bearer' },
  refreshed: { accessToken: 'ya29.2', refreshToken: undefined, expiresInSeconds: 3599 },
  revocation: { url: 'https://oauth2.googleapis.com/revoke', form: { token: '1//0g', ...formOf() }, answer: { body: {} } },
  refusals: [
    ['code', bad('invalid_grant', { error_description: 'Bad Request' }), 'provider_refused'],
    ['code', bad('invalid_client', { error_description: 'Unauthorized' }, 401), 'provider_refused'],
    ['refresh', bad('invalid_grant', { error_description: 'Token has been expired or revoked.' }), 'needs_reconnect'],
    ['refresh', bad('invalid_client', {}, 401), 'provider_refused'],
  ],
}

const CASES: Readonly<Record<string, Case>> = {
  google: {
    ...GOOGLE,
    provider: presets.google(CLIENT),
    asks: { scope: 'openid email profile', access_type: 'offline', prompt: 'consent' },
  },
  googleWorkspace: {
    ...GOOGLE,
    provider: presets.googleWorkspace({ ...CLIENT, domain: 'Acme.example' }),
    asks: { scope: 'openid email profile', access_type: 'offline', prompt: 'consent', hd: 'acme.example' },
  },
  'github, an OAuth app': {
    provider: presets.github(CLIENT),
    authorize: 'https://github.com/login/oauth/authorize',
    asks: { scope: 'read:user user:email' },
    token: 'https://github.com/login/oauth/access_token',
    pkce: true,
    answersCode: { access_token: 'gho_1', scope: 'read:user,user:email', token_type: 'bearer' },
    connected: {
      accessToken: 'gho_1',
      refreshToken: undefined,
      expiresInSeconds: undefined,
      scopes: ['read:user', 'user:email'],
    },
    revocation: {
      url: `https://api.github.com/applications/${CLIENT.clientId}/grant`,
      method: 'DELETE',
      headers: { authorization: BASIC },
      json: { access_token: 'gho_1' },
      answer: { status: 204 },
    },
    refusals: [
      ['code', bad('bad_verification_code', {}, 200), 'provider_refused', 'invalid_grant'],
      ['code', bad('incorrect_client_credentials', {}, 200), 'provider_refused', 'invalid_client'],
      ['code', bad('unverified_user_email', {}, 200), 'provider_refused', 'an error of its own'],
      ['code', bad('Not Found', {}, 404), 'provider_refused'],
    ],
  },
  'github, a GitHub App on a server of its own': {
    provider: presets.github({ ...CLIENT, scopes: [], baseUrl: 'https://github.acme.example/' }),
    authorize: 'https://github.acme.example/login/oauth/authorize',
    asks: {},
    token: 'https://github.acme.example/login/oauth/access_token',
    pkce: true,
    answersCode: {
      access_token: 'ghu_1',
      expires_in: 28800,
      refresh_token: 'ghr_1',
      refresh_token_expires_in: 15897600,
      scope: '',
      token_type: 'bearer',
    },
    connected: { accessToken: 'ghu_1', refreshToken: 'ghr_1', expiresInSeconds: 28800, scopes: [] },
    answersRefresh: { access_token: 'ghu_2', expires_in: 28800, refresh_token: 'ghr_2', scope: '', token_type: 'bearer' },
    refreshed: { accessToken: 'ghu_2', refreshToken: 'ghr_2' },
    revocation: {
      url: `https://github.acme.example/api/v3/applications/${CLIENT.clientId}/grant`,
      method: 'DELETE',
      headers: { authorization: BASIC },
      json: { access_token: 'ghu_1' },
      answer: { status: 204 },
    },
    refusals: [
      ['refresh', bad('bad_refresh_token', {}, 200), 'needs_reconnect'],
      ['refresh', bad('incorrect_client_credentials', {}, 200), 'provider_refused'],
    ],
  },
  gitlab: {
    provider: presets.gitlab({ ...CLIENT, baseUrl: 'https://acme.example/gitlab/', scopes: ['openid', 'read_api'] }),
    authorize: 'https://acme.example/gitlab/oauth/authorize',
    asks: { scope: 'openid read_api' },
    token: 'https://acme.example/gitlab/oauth/token',
    pkce: true,
    identity: { issuer: 'https://acme.example/gitlab', jwks: 'https://acme.example/gitlab/oauth/discovery/keys' },
    discovered: {
      revocation_endpoint: 'https://acme.example/gitlab/oauth/revoke',
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    },
    answersCode: {
      access_token: 'gl-1',
      token_type: 'Bearer',
      expires_in: 7200,
      refresh_token: 'gl-r1',
      scope: 'openid read_api',
      created_at: 1_700_000_000,
    },
    connected: { accessToken: 'gl-1', refreshToken: 'gl-r1', expiresInSeconds: 7200, scopes: ['openid', 'read_api'] },
    answersRefresh: { access_token: 'gl-2', token_type: 'Bearer', expires_in: 7200, refresh_token: 'gl-r2', scope: 'openid' },
    refreshed: { accessToken: 'gl-2', refreshToken: 'gl-r2', scopes: ['openid'] },
    revocation: { url: 'https://acme.example/gitlab/oauth/revoke', form: { token: 'gl-r1', ...formOf() }, answer: { body: {} } },
    refusals: [
      ['code', bad('invalid_grant'), 'provider_refused'],
      ['refresh', bad('invalid_grant'), 'needs_reconnect'],
      ['refresh', bad('invalid_client', {}, 401), 'provider_refused'],
    ],
  },
  microsoft: {
    provider: presets.microsoft({ ...CLIENT, scopes: ['openid', 'Mail.Read'] }),
    authorize: 'https://login.microsoftonline.com/common/oauth2/v2.0/authorize',
    asks: { scope: 'openid Mail.Read offline_access' },
    token: 'https://login.microsoftonline.com/common/oauth2/v2.0/token',
    pkce: true,
    identity: {
      issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
      jwks: 'https://login.microsoftonline.com/common/discovery/v2.0/keys',
      claims: { tid: TENANT },
    },
    answersCode: {
      token_type: 'Bearer',
      scope: 'Mail.Read openid',
      expires_in: 3736,
      ext_expires_in: 3736,
      access_token: 'ms-1',
      refresh_token: 'M.R3',
    },
    connected: { accessToken: 'ms-1', refreshToken: 'M.R3', expiresInSeconds: 3736, scopes: ['Mail.Read', 'openid'] },
    answersRefresh: { token_type: 'Bearer', scope: 'Mail.Read', expires_in: 3599, access_token: 'ms-2', refresh_token: 'M.R4' },
    refreshed: { accessToken: 'ms-2', refreshToken: 'M.R4' },
    // What was asked for when the account was connected, whatever the host asks for today.
    refreshes: { scope: 'asked for' },
    refusals: [
      ['code', bad('invalid_grant', { error_codes: [70000], suberror: 'bad_token' }), 'provider_refused'],
      ['refresh', bad('invalid_grant', { error_codes: [700082] }), 'needs_reconnect'],
      ['refresh', bad('interaction_required', { error_codes: [50076] }), 'needs_reconnect'],
      ['refresh', bad('invalid_client', { error_codes: [7000215] }, 401), 'provider_refused'],
    ],
  },
  'slack, for a bot': {
    provider: presets.slack({ ...CLIENT, scopes: ['chat:write', 'commands'] }),
    authorize: 'https://slack.com/oauth/v2/authorize',
    asks: { scope: 'chat:write,commands' },
    token: 'https://slack.com/api/oauth.v2.access',
    pkce: false,
    answersCode: {
      ok: true,
      access_token: 'xoxb-1',
      token_type: 'bot',
      scope: 'chat:write,commands',
      bot_user_id: 'U0KRQLJ9H',
      app_id: 'A0KRD7HC3',
      team: { name: 'Acme', id: 'T9TK3CUKW' },
      enterprise: null,
      authed_user: { id: 'U1234' },
    },
    connected: {
      accessToken: 'xoxb-1',
      refreshToken: undefined,
      expiresInSeconds: undefined,
      scopes: ['chat:write', 'commands'],
    },
    revocation: {
      url: 'https://slack.com/api/auth.revoke',
      headers: { authorization: 'Bearer xoxb-1' },
      answer: { body: { ok: true, revoked: true } },
    },
    refusals: [
      ['code', { body: { ok: false, error: 'invalid_code' } }, 'provider_refused', 'invalid_grant'],
      ['code', { body: { ok: false, error: 'bad_client_secret' } }, 'provider_refused', 'invalid_client'],
      ['code', { body: { ok: false } }, 'provider_refused', 'invalid_request'],
    ],
  },
  'slack, for a user, with tokens that rotate': {
    provider: presets.slack({ ...CLIENT, userScopes: ['search:read', 'users:read'] }),
    authorize: 'https://slack.com/oauth/v2/authorize',
    asks: { user_scope: 'search:read,users:read' },
    token: 'https://slack.com/api/oauth.v2.access',
    pkce: false,
    answersCode: {
      ok: true,
      app_id: 'A0KRD7HC3',
      authed_user: {
        id: 'U1234',
        scope: 'search:read,users:read',
        access_token: 'xoxe.xoxp-1',
        expires_in: 43200,
        refresh_token: 'xoxe-1',
        token_type: 'user',
      },
      team: { id: 'T9TK3CUKW' },
      enterprise: null,
    },
    connected: {
      accessToken: 'xoxe.xoxp-1',
      refreshToken: 'xoxe-1',
      expiresInSeconds: 43200,
      scopes: ['search:read', 'users:read'],
    },
    answersRefresh: {
      ok: true,
      access_token: 'xoxe.xoxp-2',
      expires_in: 43200,
      refresh_token: 'xoxe-2',
      token_type: 'user',
      scope: 'search:read',
    },
    refreshed: { accessToken: 'xoxe.xoxp-2', refreshToken: 'xoxe-2', expiresInSeconds: 43200, scopes: ['search:read'] },
    revocation: {
      url: 'https://slack.com/api/auth.revoke',
      headers: { authorization: 'Bearer xoxe.xoxp-1' },
      answer: { body: { ok: true, revoked: true } },
    },
    refusals: [
      ['refresh', { body: { ok: false, error: 'invalid_refresh_token' } }, 'needs_reconnect'],
      ['refresh', { body: { ok: false, error: 'token_revoked' } }, 'needs_reconnect'],
      ['refresh', { body: { ok: false, error: 'internal_error' } }, 'provider_refused'],
    ],
  },
  atlassian: {
    provider: presets.atlassian({ ...CLIENT, scopes: ['read:jira-work'] }),
    authorize: 'https://auth.atlassian.com/authorize',
    asks: { scope: 'read:jira-work offline_access', audience: 'api.atlassian.com', prompt: 'consent' },
    token: 'https://auth.atlassian.com/oauth/token',
    credentials: 'JSON',
    pkce: false,
    answersCode: { access_token: 'at-1', expires_in: 3600, refresh_token: 'at-r1', scope: 'read:jira-work offline_access' },
    connected: { accessToken: 'at-1', refreshToken: 'at-r1', expiresInSeconds: 3600 },
    answersRefresh: { access_token: 'at-2', refresh_token: 'at-r2', expires_in: 3600, scope: 'read:jira-work offline_access' },
    refreshed: { accessToken: 'at-2', refreshToken: 'at-r2' },
    refusals: [
      ['code', bad('access_denied', { error_description: 'Unauthorized' }, 401), 'provider_refused'],
      ['refresh', bad('invalid_grant', { error_description: 'Unknown or invalid refresh token.' }, 403), 'needs_reconnect'],
      ['refresh', bad('unauthorized_client', { error_description: 'refresh_token is invalid' }, 403), 'needs_reconnect'],
      ['refresh', bad('unauthorized_client', { error_description: 'The app is suspended' }, 403), 'provider_refused'],
    ],
  },
  notion: {
    provider: presets.notion(CLIENT),
    authorize: 'https://api.notion.com/v1/oauth/authorize',
    asks: { owner: 'user' },
    token: 'https://api.notion.com/v1/oauth/token',
    credentials: 'Basic and JSON',
    pkce: false,
    answersCode: {
      access_token: 'ntn_1',
      token_type: 'bearer',
      refresh_token: null,
      bot_id: 'b3414d65',
      workspace_icon: null,
      owner: { type: 'user' },
    },
    connected: { accessToken: 'ntn_1', refreshToken: undefined, expiresInSeconds: undefined, scopes: undefined },
    answersRefresh: { access_token: 'ntn_2', token_type: 'bearer', refresh_token: 'nrt_2', duplicated_template_id: null },
    refreshed: { accessToken: 'ntn_2', refreshToken: 'nrt_2' },
    revocation: {
      url: 'https://api.notion.com/v1/oauth/revoke',
      headers: { authorization: BASIC, ...NOTION_VERSION },
      json: { token: 'ntn_1' },
      answer: { body: { request_id: '3c90c3cc' } },
    },
    refusals: [
      ['code', bad('invalid_client', { request_id: '3c90c3cc' }, 401), 'provider_refused'],
      ['code', { status: 400, body: { object: 'error', code: 'validation_error', message: 'body failed' } }, 'provider_refused'],
      ['refresh', bad('invalid_grant', { error_description: 'Invalid refresh token.' }), 'needs_reconnect'],
      ['refresh', { status: 400, body: { object: 'error', code: 'invalid_grant', message: 'Revoked.' } }, 'needs_reconnect'],
    ],
  },
  dropbox: {
    provider: presets.dropbox({ ...CLIENT, scopes: ['files.content.read'] }),
    authorize: 'https://www.dropbox.com/oauth2/authorize',
    asks: { scope: 'files.content.read', token_access_type: 'offline' },
    token: 'https://api.dropboxapi.com/oauth2/token',
    pkce: true,
    answersCode: {
      access_token: 'sl.1',
      token_type: 'bearer',
      expires_in: 14400,
      refresh_token: 'nBiM85',
      scope: 'account_info.read files.content.read',
      uid: '12345',
      account_id: 'dbid:AAH4f99',
    },
    connected: { accessToken: 'sl.1', refreshToken: 'nBiM85', scopes: ['account_info.read', 'files.content.read'] },
    answersRefresh: { access_token: 'sl.2', token_type: 'bearer', expires_in: 14400 },
    refreshed: { accessToken: 'sl.2', refreshToken: undefined, expiresInSeconds: 14400, scopes: undefined },
    revocation: {
      url: 'https://api.dropboxapi.com/2/auth/token/revoke',
      headers: { authorization: 'Bearer sl.1' },
      answer: { body: 'null', headers: { 'content-type': 'application/json' } },
    },
    refusals: [
      ['code', bad('invalid_grant', { error_description: "code doesn't exist or has expired" }), 'provider_refused'],
      ['refresh', bad('invalid_grant', { error_description: 'refresh token is invalid or revoked' }), 'needs_reconnect'],
      ['refresh', bad('invalid_client: Invalid client_id or client_secret'), 'provider_refused'],
    ],
  },
  salesforce: {
    provider: presets.salesforce({ ...CLIENT, domain: 'acme.my.salesforce.com' }),
    authorize: 'https://acme.my.salesforce.com/services/oauth2/authorize',
    asks: { scope: 'api refresh_token' },
    token: 'https://acme.my.salesforce.com/services/oauth2/token',
    pkce: true,
    discovered: {
      issuer: 'https://acme.my.salesforce.com',
      revocation_endpoint: 'https://acme.my.salesforce.com/services/oauth2/revoke',
      token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic', 'private_key_jwt'],
    },
    answersCode: {
      access_token: '00D!1',
      refresh_token: '5Aep',
      signature: 'CMJ4l',
      scope: 'refresh_token api',
      instance_url: 'https://acme.my.salesforce.com',
      id: 'https://login.salesforce.com/id/00D/005',
      token_type: 'Bearer',
      issued_at: '1558553873237',
    },
    connected: { accessToken: '00D!1', refreshToken: '5Aep', expiresInSeconds: undefined, scopes: ['refresh_token', 'api'] },
    answersRefresh: { access_token: '00D!2', signature: 'x', scope: 'refresh_token api', token_type: 'Bearer', issued_at: '15' },
    refreshed: { accessToken: '00D!2', refreshToken: undefined },
    revocation: {
      url: 'https://acme.my.salesforce.com/services/oauth2/revoke',
      form: { token: '5Aep', ...formOf() },
      answer: { status: 200 },
    },
    refusals: [
      ['code', bad('invalid_grant', { error_description: 'expired authorization code' }), 'provider_refused'],
      [
        'code',
        bad('invalid_client_id', { error_description: 'client identifier invalid' }),
        'provider_refused',
        'invalid_client',
      ],
      ['refresh', bad('invalid_grant', { error_description: 'expired access/refresh token' }), 'needs_reconnect'],
      ['refresh', bad('inactive_user', { error_description: 'user is inactive' }), 'needs_reconnect'],
    ],
  },
}

Object.assign(CASES, {
  linkedin: {
    provider: presets.linkedin(CLIENT),
    authorize: 'https://www.linkedin.com/oauth/v2/authorization',
    asks: { scope: 'openid email profile' },
    token: 'https://www.linkedin.com/oauth/v2/accessToken',
    pkce: false,
    identity: { issuer: 'https://www.linkedin.com', jwks: 'https://www.linkedin.com/oauth/openid/jwks' },
    answersCode: { access_token: 'AQU1', expires_in: 5183999, scope: 'email,openid,profile', token_type: 'Bearer' },
    connected: {
      accessToken: 'AQU1',
      refreshToken: undefined,
      expiresInSeconds: 5183999,
      scopes: ['email', 'openid', 'profile'],
    },
    answersRefresh: {
      access_token: 'AQU2',
      expires_in: 5184000,
      refresh_token: 'AQW',
      refresh_token_expires_in: 439200,
      token_type: 'Bearer',
    },
    refreshed: { accessToken: 'AQU2', refreshToken: 'AQW' },
    refusals: [
      ['code', bad('invalid_grant', { error_description: 'authorization code not found' }), 'provider_refused'],
      ['refresh', bad('invalid_grant', { error_description: 'The provided refresh token is invalid' }), 'needs_reconnect'],
      ['refresh', bad('invalid_client', {}, 401), 'provider_refused'],
    ],
  },
  figma: {
    provider: presets.figma(CLIENT),
    authorize: 'https://www.figma.com/oauth',
    asks: { scope: 'current_user:read' },
    token: 'https://api.figma.com/v1/oauth/token',
    credentials: 'Basic',
    refreshAt: 'https://api.figma.com/v1/oauth/refresh',
    pkce: true,
    answersCode: {
      user_id_string: '123',
      access_token: 'figu_1',
      expires_in: 7776000,
      refresh_token: 'figur_1',
      token_type: 'bearer',
    },
    connected: { accessToken: 'figu_1', refreshToken: 'figur_1', expiresInSeconds: 7776000, details: { user_id_string: '123' } },
    answersRefresh: { access_token: 'figu_2', expires_in: 7776000 },
    refreshed: { accessToken: 'figu_2', refreshToken: undefined },
    refusals: [
      ['code', bad('invalid_grant'), 'provider_refused'],
      ['refresh', bad('invalid_grant'), 'needs_reconnect'],
      ['refresh', { status: 404, body: { status: 404, err: 'Not found' } }, 'invalid_response'],
    ],
  },
  twitch: {
    provider: presets.twitch(CLIENT),
    authorize: 'https://id.twitch.tv/oauth2/authorize',
    asks: { scope: 'openid user:read:email' },
    token: 'https://id.twitch.tv/oauth2/token',
    pkce: false,
    identity: { issuer: 'https://id.twitch.tv/oauth2', jwks: 'https://id.twitch.tv/oauth2/keys' },
    discovered: { userinfo_endpoint: 'https://id.twitch.tv/oauth2/userinfo' },
    answersCode: {
      access_token: 'rfx2',
      expires_in: 14124,
      refresh_token: '5b93',
      scope: ['openid', 'user:read:email'],
      token_type: 'bearer',
    },
    connected: { accessToken: 'rfx2', refreshToken: '5b93', scopes: ['openid', 'user:read:email'] },
    answersRefresh: { access_token: '1ssj', refresh_token: 'eyJf', scope: ['openid'], token_type: 'bearer' },
    refreshed: { accessToken: '1ssj', refreshToken: 'eyJf', scopes: ['openid'] },
    revocation: {
      url: 'https://id.twitch.tv/oauth2/revoke',
      form: { client_id: CLIENT.clientId, token: 'rfx2' },
      answer: { status: 200 },
    },
    refusals: [
      [
        'code',
        { status: 400, body: { status: 400, message: 'Invalid authorization code' } },
        'provider_refused',
        'invalid_grant',
      ],
      ['refresh', bad('Bad Request', { status: 400, message: 'Invalid refresh token' }), 'needs_reconnect'],
      ['refresh', { status: 403, body: { status: 403, message: 'invalid client secret' } }, 'provider_refused', 'invalid_client'],
    ],
  },
  apple: {
    provider: { ...appleOf(), clientSecret: CLIENT.clientSecret },
    authorize: 'https://appleid.apple.com/auth/authorize',
    asks: { scope: 'openid name email', response_mode: 'form_post' },
    token: 'https://appleid.apple.com/auth/token',
    pkce: false,
    identity: { issuer: 'https://appleid.apple.com', jwks: 'https://appleid.apple.com/auth/keys' },
    answersCode: { access_token: 'adg6', token_type: 'Bearer', expires_in: 3600, refresh_token: 'rca7' },
    connected: { accessToken: 'adg6', refreshToken: 'rca7', expiresInSeconds: 3600 },
    answersRefresh: { access_token: 'adg7', token_type: 'Bearer', expires_in: 3600 },
    refreshed: { accessToken: 'adg7', refreshToken: undefined },
    revocation: {
      url: 'https://appleid.apple.com/auth/revoke',
      form: { token: 'rca7', ...formOf() },
      answer: { status: 200 },
    },
    refusals: [
      ['code', bad('invalid_grant'), 'provider_refused'],
      ['refresh', bad('invalid_grant'), 'needs_reconnect'],
      ['refresh', bad('invalid_client'), 'provider_refused'],
    ],
  },
  quickbooks: {
    provider: presets.quickbooks(CLIENT),
    authorize: 'https://appcenter.intuit.com/connect/oauth2',
    asks: { scope: 'com.intuit.quickbooks.accounting' },
    token: 'https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer',
    credentials: 'Basic',
    pkce: false,
    answersCode: {
      token_type: 'bearer',
      expires_in: 3600,
      refresh_token: 'Q311',
      x_refresh_token_expires_in: 15552000,
      access_token: 'eJlb',
    },
    connected: { accessToken: 'eJlb', refreshToken: 'Q311', expiresInSeconds: 3600, scopes: undefined },
    answersRefresh: { token_type: 'bearer', expires_in: 3600, refresh_token: 'Q312', access_token: 'eJlc' },
    refreshed: { accessToken: 'eJlc', refreshToken: 'Q312' },
    revocation: {
      url: 'https://developer.api.intuit.com/v2/oauth2/tokens/revoke',
      headers: { authorization: BASIC },
      json: { token: 'Q311' },
      answer: { status: 200 },
    },
    refusals: [
      ['code', bad('invalid_grant'), 'provider_refused'],
      ['refresh', bad('invalid_grant', { error_description: 'Incorrect or invalid refresh token' }), 'needs_reconnect'],
      ['refresh', bad('invalid_client', {}, 401), 'provider_refused'],
    ],
  },
  'zoho, of the United States': zohoAt('zoho.com', null),
  'zoho, of Europe': zohoAt('zoho.eu', 'https://accounts.zoho.eu'),
  'zoho, of Canada': zohoAt('zohocloud.ca', 'https://accounts.zohocloud.ca'),
} satisfies Record<string, Case>)

function appleOf() {
  return presets.apple({ clientId: CLIENT.clientId, teamId: 'TEAM', keyId: 'KEY', privateKey: APPLE_KEY.privateKey })
}

function zohoAt(domain: string, site: string | null): Case {
  return {
    provider: atSite(presets.zoho({ ...CLIENT, scopes: ['ZohoCRM.users.READ', 'ZohoCRM.org.READ'] }), site),
    authorize: 'https://accounts.zoho.com/oauth/v2/auth',
    asks: { scope: 'ZohoCRM.users.READ,ZohoCRM.org.READ', access_type: 'offline', prompt: 'consent' },
    token: `https://accounts.${domain}/oauth/v2/token`,
    pkce: false,
    answersCode: {
      access_token: '1000.2d',
      refresh_token: '1000.18',
      api_domain: 'https://www.zohoapis.eu',
      token_type: 'Bearer',
      expires_in: 3600,
    },
    connected: { accessToken: '1000.2d', refreshToken: '1000.18', details: { api_domain: 'https://www.zohoapis.eu' } },
    answersRefresh: { access_token: '1000.2e', api_domain: 'https://www.zohoapis.eu', token_type: 'Bearer', expires_in: 3600 },
    refreshed: { accessToken: '1000.2e', refreshToken: undefined },
    revocation: {
      url: `https://accounts.${domain}/oauth/v2/token/revoke`,
      form: { token: '1000.18', ...formOf() },
      answer: { body: { status: 'success' } },
    },
    refusals: [
      ['code', bad('invalid_code', {}, 200), 'provider_refused', 'invalid_grant'],
      ['refresh', bad('invalid_code', {}, 200), 'needs_reconnect'],
      ['refresh', bad('invalid_client', {}, 200), 'provider_refused', 'invalid_client'],
    ],
  }
}

const fake = await FakeProvider.start()
t.teardown(() => fake.close())
const real = createOutbound({ allowLoopback: true })
const outbound: Outbound = { ...real, fetch: (url, init) => real.fetch(fake.url + pathAt(url), init) }
const upstreams = new Upstreams({ allowLoopback: false, now: Date.now, outbound })

for (const [name, row] of Object.entries(CASES)) {
  const { provider } = row
  const verifier = row.pkce ? 'the-code-verifier' : null
  const challenge = row.pkce ? 'the-code-challenge' : null
  const exchange = { code: 'the-code', redirectUri: REDIRECT, codeVerifier: verifier, iss: null }

  t.test(`${name}: there is nothing wrong with the preset`, async t => {
    t.strictSame(checkProvider(provider), [])
    t.equal(provider.pkce ?? true, row.pkce)
  })

  t.test(`${name}: the browser is sent with what the provider wants to know`, async t => {
    start(row)
    const nonce = row.identity && provider.nonce !== false ? 'the-nonce' : null
    const asked = { redirectUri: REDIRECT, state: 'the-state', codeChallenge: challenge, nonce }
    const url = new URL(await upstreams.authorizationUrl(provider, asked))
    t.equal(url.origin + url.pathname, row.authorize)
    t.strictSame(sorted(Object.fromEntries(url.searchParams)), {
      ...sorted({
        response_type: 'code',
        client_id: CLIENT.clientId,
        redirect_uri: REDIRECT,
        state: 'the-state',
        ...(challenge ? { code_challenge: challenge, code_challenge_method: 'S256' } : {}),
        ...(nonce ? { nonce } : {}),
        ...row.asks,
      }),
    })
  })

  t.test(`${name}: a code is redeemed`, async t => {
    const { answer } = start(row)
    const nonce = row.identity && provider.nonce !== false ? 'the-nonce' : null
    await answer(row.answersCode, nonce ? { nonce } : {})
    const tokens = await upstreams.exchangeCode(provider, { ...exchange, nonce })
    t.match(tokens, { ...row.connected, tokenType: 'Bearer' })
    t.equal(tokens.idToken !== undefined, row.identity !== undefined)
    const pkce = verifier ? { code_verifier: verifier } : {}
    checkSent(t, tokenRequest(row, { grant_type: 'authorization_code', code: 'the-code', redirect_uri: REDIRECT, ...pkce }))
  })

  const { answersRefresh, refreshed } = row
  if (answersRefresh)
    t.test(`${name}: a token is refreshed`, async t => {
      const { answer } = start(row)
      await answer(answersRefresh)
      const { refreshAt = row.token } = row
      if (row.refreshAt) {
        fake.on(pathAt(row.token), { status: 404 })
        fake.on(pathAt(row.refreshAt), { body: answersRefresh })
      }
      t.match(await upstreams.refresh(provider, REFRESH, AbortSignal.timeout(5000)), refreshed)
      const sent = { grant_type: 'refresh_token', refresh_token: REFRESH.refreshToken, ...row.refreshes }
      checkSent(t, { ...tokenRequest(row, sent), url: refreshAt })
    })

  t.test(`${name}: what was issued is ended, where the provider can`, async t => {
    start(row)
    const { revocation } = row
    const { accessToken = '', refreshToken } = row.connected
    if (revocation) fake.on(pathAt(revocation.url), revocation.answer)
    t.equal(await upstreams.revoke(provider, { accessToken, refreshToken }), revocation !== undefined)
    if (revocation) checkSent(t, revocation)
    else t.strictSame(fake.requests, [])
  })

  for (const [asked, refusal, code, word = ''] of row.refusals) {
    t.test(`${name}: ${JSON.stringify(refusal.body)} for a ${asked} is ${code}`, async t => {
      start(row)
      fake.on(pathAt((asked === 'refresh' && row.refreshAt) || row.token), refusal)
      await t.rejects(
        asked === 'code'
          ? upstreams.exchangeCode(provider, { ...exchange, nonce: null })
          : upstreams.refresh(provider, REFRESH, AbortSignal.timeout(5000)),
        { name: 'ConnectorError', code, message: new RegExp(`${word}$`) },
      )
    })
  }

  t.test(`${name}: one that asks for patience is unavailable until then`, async t => {
    start(row)
    for (const url of [row.token, row.refreshAt ?? row.token])
      fake.on(pathAt(url), { status: 429, headers: { 'retry-after': '7' }, body: { ok: false, error: 'ratelimited' } })
    const busy = { name: 'ConnectorError', code: 'provider_unavailable', retryAfterSeconds: 7 }
    await t.rejects(upstreams.exchangeCode(provider, { ...exchange, nonce: null }), busy)
    await t.rejects(upstreams.refresh(provider, REFRESH, AbortSignal.timeout(5000)), busy)
  })
}

t.test('anything of a preset can be said otherwise', async t => {
  t.match(
    { ...presets.google(CLIENT), authorizationParams: {} },
    { issuer: 'https://accounts.google.com', authorizationParams: {} },
  )
  t.match(presets.gitlab(CLIENT), { issuer: 'https://gitlab.com' })
  t.match(presets.salesforce(CLIENT), { issuer: 'https://login.salesforce.com' })
  t.strictSame(presets.microsoft({ ...CLIENT, scopes: ['offline_access'] }).scopes, ['offline_access'])
})

t.test('the secret of an app at Apple is signed by its key', async t => {
  const { clientSecret = '' } = appleOf()
  const { payload, protectedHeader } = await jwtVerify(clientSecret, createPublicKey(APPLE_KEY.publicKey), {
    audience: 'https://appleid.apple.com',
    issuer: 'TEAM',
    subject: CLIENT.clientId,
  })
  t.strictSame(protectedHeader, { alg: 'ES256', kid: 'KEY' })
  t.ok(Number(payload.exp) - Number(payload.iat) < 15_777_000)
})

t.test('LinkedIn names itself in two ways, and nobody else can', async t => {
  const row = CASES.linkedin as Case
  const exchange = { code: 'c', redirectUri: REDIRECT, codeVerifier: null, nonce: null, iss: null }
  for (const [iss, fine] of [
    ['https://www.linkedin.com', true],
    ['https://www.linkedin.com/oauth', true],
    ['https://www.linkedin.com/', false],
    ['https://linkedin.example', false],
  ] as const) {
    await start(row).answer(row.answersCode, { iss })
    const redeemed = upstreams.exchangeCode(presets.linkedin(CLIENT), exchange)
    if (fine) await t.resolves(redeemed, iss)
    else await t.rejects(redeemed, { code: 'invalid_response' }, iss)
  }
})

t.test('GitHub at ghe.com has its API beside it', async t => {
  const provider = presets.github({ ...CLIENT, baseUrl: 'https://acme.ghe.com' })
  t.match(provider.endpoints, { token: 'https://acme.ghe.com/login/oauth/access_token' })
  fake.on(`/api.acme.ghe.com/applications/${CLIENT.clientId}/grant`, { status: 204 })
  t.equal(await upstreams.revoke(provider, { accessToken: 'ghu_1', refreshToken: undefined }), true)
})

t.test('an app that is a public client of Slack, Google, Entra ID or Dropbox has PKCE', async t => {
  const { clientId } = CLIENT
  for (const make of [presets.slack, presets.google, presets.microsoft, presets.dropbox]) {
    const provider = make({ clientId })
    t.strictSame(checkProvider(provider), [])
    t.not(provider.pkce, false)
  }
})

t.test('with scopes for both, the token of Slack is the user’s, and nothing of the bot’s is taken for it', async t => {
  const row = CASES['slack, for a bot'] as Case
  const provider = presets.slack({ ...CLIENT, scopes: ['commands'], userScopes: ['users:read'] })
  const { answer } = start(row)
  const authed_user = { id: 'U1', access_token: 'xoxp-1', scope: 'users:read', token_type: 'user' }
  await answer({ ...row.answersCode, refresh_token: 'xoxe-bot', expires_in: 43200, authed_user })
  const exchange = { code: 'c', redirectUri: REDIRECT, codeVerifier: null, nonce: null, iss: null }
  t.strictSame(await upstreams.exchangeCode(provider, exchange), {
    accessToken: 'xoxp-1',
    refreshToken: undefined,
    idToken: undefined,
    identity: undefined,
    details: { team: { name: 'Acme', id: 'T9TK3CUKW' }, bot_user_id: 'U0KRQLJ9H' },
    tokenType: 'Bearer',
    expiresInSeconds: undefined,
    scopes: ['users:read'],
  })
})

t.test('an ID token of Entra ID is that of the tenant which was asked, by its id', async t => {
  const row = CASES.microsoft as Case
  const other = '72f988bf-86f1-41af-91ab-2d7cd011db47'
  const exchange = { code: 'c', redirectUri: REDIRECT, codeVerifier: null, nonce: null, iss: null }
  const issuer = `https://login.microsoftonline.com/${TENANT}/v2.0`
  for (const [tenant, claims, fine] of [
    ['common', { iss: issuer, tid: TENANT }, true],
    ['acme.example', { iss: issuer, tid: TENANT }, true],
    [TENANT.toUpperCase(), { iss: issuer, tid: TENANT }, true],
    [other, { iss: issuer, tid: TENANT }, false],
    ['common', { iss: issuer, tid: other }, false],
    ['common', { iss: issuer }, false],
  ] as const) {
    const authority = `login.microsoftonline.com/${tenant}`
    start(row)
    fake.on(`/${authority}/discovery/v2.0/keys`, async () => ({ body: await fake.jwks() }))
    const id_token = await fake.idToken({ aud: CLIENT.clientId, ...claims }, { alg: 'RS256' })
    fake.on(`/${authority}/oauth2/v2.0/token`, { body: { ...row.answersCode, id_token } })
    const redeemed = upstreams.exchangeCode(presets.microsoft({ ...CLIENT, tenant }), exchange)
    if (fine) await t.resolves(redeemed, tenant)
    else await t.rejects(redeemed, { code: 'invalid_response' }, tenant)
  }
})

t.test('GitHub vouches for the addresses it has verified, and for no others', async t => {
  const row = CASES['github, an OAuth app'] as Case
  const provider = { ...presets.github(CLIENT), redirectUris: [REDIRECT] }
  const tokens = { accessToken: 'gho_1', idToken: undefined } as ProviderTokens
  start(row)
  fake.on('/api.github.com/user/emails', {
    body: [
      { email: 'Anna@acme.example', primary: true, verified: true, visibility: 'private' },
      { email: 'ceo@acme.example', primary: false, verified: false, visibility: null },
    ],
  })
  t.strictSame(await upstreams.verifiedEmails(provider, tokens), ['anna@acme.example'])
  t.equal(fake.requests[0]?.headers.authorization, 'Bearer gho_1')
  fake.on('/api.github.com/user/emails', { status: 404, body: { message: 'Not Found' } })
  await t.rejects(upstreams.verifiedEmails(provider, tokens), { name: 'ConnectorError', code: 'provider_refused' })
})

t.test('Google Workspace vouches for accounts of the organisation, not for addresses at its domain', async t => {
  const row = CASES.googleWorkspace as Case
  const provider = { ...presets.googleWorkspace({ ...CLIENT, domain: 'acme.example' }), redirectUris: [REDIRECT] }
  start(row)
  const anna = { sub: '1', email: 'anna@acme.example', email_verified: true, hd: 'acme.example' }
  for (const [claims, emails] of [
    [anna, ['anna@acme.example']],
    [{ ...anna, hd: undefined }, []],
    [{ ...anna, hd: 'elsewhere.example' }, []],
    [{ ...anna, email_verified: false }, []],
    [{ ...anna, email_verified: 'true' }, []],
  ] as const) {
    fake.on('/openidconnect.googleapis.com/v1/userinfo', { body: claims })
    const tokens = { accessToken: 'ya29.1', idToken: undefined } as ProviderTokens
    t.strictSame(await upstreams.verifiedEmails(provider, tokens), emails, JSON.stringify(claims))
  }
})

t.test('a provider that does not revoke a token is not believed to have', async t => {
  for (const [name, answer] of [
    ['github, an OAuth app', { status: 422, body: { message: 'Validation Failed' } }],
    ['slack, for a bot', { body: { ok: false, error: 'invalid_auth' } }],
    ['notion', { status: 401, body: { code: 'unauthorized' } }],
    ['dropbox', { status: 401, body: { error: { '.tag': 'expired_access_token' } } }],
  ] as const) {
    const row = CASES[name] as Case
    start(row)
    fake.on(pathAt(row.revocation?.url ?? ''), answer)
    const revoked = upstreams.revoke(row.provider, { accessToken: 'token', refreshToken: undefined })
    await t.rejects(revoked, { name: 'ConnectorError', code: 'provider_refused' }, name)
  }
})

/** Where the fake answers for an address of the provider's. */
function pathAt(url: string): string {
  return url.replace('https:/', '')
}

/** What is answered, with an ID token where the provider gives one. */
type AnswerTokens = (answer: Fields, claims?: Fields) => Promise<void>

/** The fake, as the provider of `row`, and what asks it. */
function start({ authorize, discovered, identity, token }: Case): { readonly answer: AnswerTokens } {
  fake.requests.length = 0
  if (identity) fake.on(pathAt(identity.jwks), async () => ({ body: await fake.jwks() }))
  const issuer = identity?.issuer ?? discovered?.issuer
  const metadata = {
    issuer,
    authorization_endpoint: authorize,
    token_endpoint: token,
    jwks_uri: identity?.jwks,
    id_token_signing_alg_values_supported: ['RS256'],
    ...discovered,
  }
  if (discovered) fake.on(pathAt(`${issuer}/.well-known/openid-configuration`), { body: metadata })
  return {
    answer: async (body, claims = {}) => {
      const about = { ...(identity && { iss: identity.issuer }), aud: CLIENT.clientId, ...identity?.claims, ...claims }
      const id_token = identity && (await fake.idToken(about, { alg: 'RS256' }))
      fake.on(pathAt(token), { body: { ...body, id_token } })
    },
  }
}

function formOf(): Fields {
  return { client_id: CLIENT.clientId, client_secret: CLIENT.clientSecret }
}

function tokenRequest({ credentials, token }: Case, fields: Fields): Sent {
  const headers = { accept: 'application/json' }
  if (credentials === 'Basic') return { url: token, headers: { ...headers, authorization: BASIC }, form: fields }
  if (credentials === 'JSON') return { url: token, headers, json: { ...fields, ...formOf() } }
  if (credentials) return { url: token, headers: { ...headers, authorization: BASIC, ...NOTION_VERSION }, json: fields }
  return { url: token, headers, form: { ...fields, ...formOf() } }
}

/** The last request there, whole. */
function checkSent(t: Test, { form, headers = {}, json, method = 'POST', url }: Sent): void {
  const { body, headers: got, ...sent } = fake.to(pathAt(url)).at(-1) as Received
  t.equal(sent.method, method)
  t.match(got, headers)
  if (!headers.authorization) t.notOk(got.authorization)
  if (form) {
    t.match(got['content-type'], /^application\/x-www-form-urlencoded/)
    t.strictSame(sorted(Object.fromEntries(sent.form)), sorted(form))
  } else if (json) {
    t.equal(got['content-type'], 'application/json')
    t.strictSame(sorted(JSON.parse(body)), sorted(json))
  } else t.equal(body, '')
}

function sorted(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)))
}
