import { z } from 'zod'
import { type AppRules, appChangesSchema, appGrants, newAppSchema } from '../apps/app-input.ts'
import { scopeViewSchema } from '../apps/app-scopes.ts'
import { listTokensQuery, tokenViewSchema } from '../apps/app-tokens.ts'
import { appViewSchema, appWithSecretSchema } from '../apps/app-view.ts'
import { listAppsQuery } from '../apps/apps.ts'
import { regenerateInput } from '../apps/regenerate-secret.ts'
import { listUnregisteredQuery, unregisteredViewSchema } from '../apps/unregistered.ts'
import { RESPONSE_MODES } from '../authorize/authorization-response.ts'
import { connectedAppSchema } from '../connected-apps/list.ts'
import { authorizeConnectorQuery } from '../connectors/authorize.ts'
import { workspaceInput } from '../connectors/workspace-exchange.ts'
import type { Services } from '../options/context.ts'
import { accountInput } from '../sign-in/account-exchange.ts'

/** The description of one route. A `null` schema is an answer without a body; `html` one that is a page. */
export interface Operation {
  readonly summary: string
  readonly query?: z.ZodObject
  /** The schema of a JSON body; with `formToo`, of a form as well; with `formOnly`, of a form alone. */
  readonly body?: z.ZodType
  readonly bodyOptional?: boolean
  readonly formToo?: boolean
  readonly formOnly?: boolean
  /** Whether a proof of a key may come with it, in the header `DPoP` (RFC 9449). */
  readonly proof?: boolean
  readonly answers: Readonly<Record<number, z.ZodType | null>>
}

const text = z.string()
const oauthError = z.object({
  error: text,
  error_description: text.optional(),
  error_uri: text.optional(),
  state: text.optional(),
})
const apiError = z.object({
  error: z.object({
    code: text,
    message: text,
    details: z.array(z.object({ path: text, message: text })).optional(),
  }),
})

/** A scope that a page of the host's asks a user for. */
const askedScope = scopeViewSchema.extend({
  detail: text,
  access: z.enum(['read', 'write']).nullable(),
  sensitive: z.boolean(),
  optional: z.boolean(),
})
const optionalScope = text.optional().describe('the optional scopes that the user allows, separated by spaces')

/** Errors that every route of a kind may answer. */
const OAUTH_ERRORS = Object.fromEntries([400, 401, 413, 415, 429, 500, 503].map(status => [status, oauthError]))
const API_ERRORS = { 400: apiError, 401: apiError, 403: apiError, 413: apiError, 415: apiError, 500: apiError, 503: apiError }
const OF_APP = { ...API_ERRORS, 404: apiError }
const CHANGE = { 409: apiError, 429: apiError }

const OF_PROVIDER = { 502: apiError }

const accountError = z.object({ error: text, message: text, code: text, statusCode: z.int() })
const ACCOUNT_ERRORS = Object.fromEntries(
  [400, 401, 403, 404, 413, 415, 429, 500, 502, 503].map(status => [status, accountError]),
)

const pkce = { code_challenge: text.optional(), code_challenge_method: z.enum(['S256', 'plain']).optional() }
const client = {
  client_id: text.optional(),
  client_secret: text.optional(),
  client_assertion: text.optional(),
  client_assertion_type: text.optional(),
}
const pagination = z.object({ page: z.int(), limit: z.int(), total: z.int(), totalPages: z.int() })

const logoutRequest = z.object({
  id_token_hint: text.optional(),
  logout_hint: text.optional(),
  client_id: text.optional(),
  post_logout_redirect_uri: text.optional(),
  state: text.optional(),
  ui_locales: text.optional(),
})

const authorizationRequest = {
  response_type: z.literal('code'),
  redirect_uri: text,
  scope: text.optional(),
  state: text.optional(),
  nonce: text.optional(),
  resource: text.optional(),
  response_mode: z.enum(RESPONSE_MODES).optional(),
  prompt: text.optional(),
  max_age: text.optional(),
  login_hint: text.optional(),
  id_token_hint: text.optional(),
  ui_locales: text.optional(),
  acr_values: text.optional(),
  claims: text.optional(),
  dpop_jkt: text.optional(),
  ...pkce,
}

const registration = z.looseObject({
  client_name: text.optional(),
  redirect_uris: z.array(text),
  grant_types: z.array(text).optional(),
  response_types: z.array(text).optional(),
  token_endpoint_auth_method: text.optional(),
  scope: text.optional(),
  application_type: z.enum(['native', 'web']).optional(),
  client_uri: text.optional(),
  logo_uri: text.optional(),
  policy_uri: text.optional(),
  tos_uri: text.optional(),
  contacts: z.array(text).optional(),
  software_id: text.optional(),
  software_version: text.optional(),
  dpop_bound_access_tokens: z.boolean().optional(),
})
const registered = registration.extend({ client_id: text, client_id_issued_at: z.int(), registration_client_uri: text })
const decidedSchema = z.object({ client: unregisteredViewSchema, revoked: z.int() })

const metadata = z.looseObject({ issuer: text, authorization_endpoint: text, token_endpoint: text })

/** Describes every route, by method and path. */
export function describeOperations(rules: AppRules, services: Pick<Services, 'grants'>): Readonly<Record<string, Operation>> {
  const grants = appGrants(services)
  const grantParameters = [...services.grants.values()].flatMap(({ parameters }) => Object.keys(parameters))
  return {
    'GET /oauth/authorize': {
      summary: 'Begin an authorization: to the login, the consent page, or back to the app (RFC 6749 §4.1.1)',
      query: z
        .object({ ...authorizationRequest, client_id: text })
        .partial({ response_type: true, redirect_uri: true })
        .extend({ request_uri: text.describe('of a pushed request, in place of all others but client_id').optional() }),
      answers: { 200: null, 302: null, 303: null, ...OAUTH_ERRORS, 403: oauthError },
    },
    'POST /oauth/authorize': {
      summary: 'Submit the user’s decision; or begin an authorization by a form, which is redirected to GET',
      body: z.union([
        z.object({
          consent: z.enum(['granted', 'denied']),
          consent_id: text.optional(),
          optional_scope: optionalScope,
          client_id: text.optional(),
          redirect_uri: text.optional(),
          scope: text.optional(),
          state: text.optional(),
          resource: text.optional(),
          ...pkce,
        }),
        z.object({ ...authorizationRequest, client_id: text }),
      ]),
      formToo: true,
      answers: {
        200: z.object({ redirect_uri: text, form_post: z.record(text, text).optional() }),
        303: null,
        ...OAUTH_ERRORS,
        403: oauthError,
      },
    },
    'GET /oauth/consent': {
      summary: 'The consent page; as JSON, what it shows',
      query: z.object({ consent_id: text, request_uri: text.optional() }),
      answers: {
        200: z.object({
          consent_id: text,
          client: z.looseObject({ client_id: text, name: text }),
          redirect_uri: text,
          user: z.object({ name: text.nullable(), account_name: text.nullable(), org_name: text.nullable() }),
          scopes: z.array(askedScope.extend({ granted: z.boolean() })),
          offline_access: z.boolean(),
          resources: z.array(text),
          unregistered: z.object({ host: text.nullable(), on_device: z.boolean() }).nullable(),
          verified: z.boolean().nullable(),
        }),
        302: null,
        ...OAUTH_ERRORS,
        403: oauthError,
      },
    },
    'POST /oauth/token': {
      summary: 'Get tokens (RFC 6749 §3.2)',
      body: z.object({
        grant_type: z.enum(grants.names as [string, ...string[]]),
        ...Object.fromEntries(grantParameters.map(name => [name, text.optional()])),
        scope: text.optional(),
        resource: text.optional(),
        ...client,
      }),
      formToo: true,
      proof: true,
      answers: {
        200: z.object({
          access_token: text,
          token_type: z.enum(['Bearer', 'DPoP']),
          expires_in: z.int(),
          refresh_token: text.optional(),
          scope: text,
          id_token: text.optional(),
        }),
        ...OAUTH_ERRORS,
      },
    },
    'POST /oauth/par': {
      summary: 'Push an authorization request (RFC 9126)',
      body: z.object({ ...authorizationRequest, ...client }),
      formToo: true,
      answers: { 201: z.object({ request_uri: text, expires_in: z.int() }), ...OAUTH_ERRORS },
    },
    'POST /oauth/device_authorization': {
      summary: 'Get the codes of a device (RFC 8628 §3.1)',
      body: z.object({ scope: text.optional(), resource: text.optional(), ...pkce, ...client }),
      formToo: true,
      answers: {
        200: z.object({
          device_code: text,
          user_code: text,
          verification_uri: text,
          verification_uri_complete: text,
          expires_in: z.int(),
          interval: z.int(),
        }),
        ...OAUTH_ERRORS,
      },
    },
    'GET /oauth/device': {
      summary: 'The page for the code of a device; as JSON, what it asks for',
      query: z.object({ user_code: text.optional() }),
      answers: {
        200: z.object({
          user_code: text,
          form_id: text,
          client: z.looseObject({ client_id: text, name: text }),
          scopes: z.array(askedScope),
          offline_access: z.boolean(),
          resources: z.array(text),
          asked_at: text,
          ip: text.nullable(),
        }),
        302: null,
        ...OAUTH_ERRORS,
        403: oauthError,
      },
    },
    'POST /oauth/device': {
      summary: 'Submit the user’s answer to a device',
      body: z.object({ user_code: text, consent: z.enum(['granted', 'denied']), form_id: text, optional_scope: optionalScope }),
      formToo: true,
      answers: { 200: z.object({ granted: z.boolean() }), 303: null, ...OAUTH_ERRORS, 403: oauthError },
    },
    'POST /oauth/register': {
      summary: 'Register a client (RFC 7591)',
      body: registration,
      answers: {
        201: registered.extend({
          client_secret: text.optional(),
          client_secret_expires_at: z.int().optional(),
          registration_access_token: text,
        }),
        ...OAUTH_ERRORS,
      },
    },
    'GET /oauth/register/:appId': {
      summary: 'Read a registration, with its registration access token (RFC 7592)',
      answers: { 200: registered, ...OAUTH_ERRORS },
    },
    'DELETE /oauth/register/:appId': {
      summary: 'Delete a registration, and end every token of its client',
      answers: { 204: null, ...OAUTH_ERRORS },
    },
    'POST /oauth/revoke': {
      summary: 'Revoke a token (RFC 7009)',
      body: z.object({ token: text, token_type_hint: text.optional(), ...client }),
      formToo: true,
      answers: { 200: z.object({}), ...OAUTH_ERRORS },
    },
    'POST /oauth/introspect': {
      summary: 'Introspect a token (RFC 7662)',
      body: z.object({ token: text, token_type_hint: text.optional(), ...client }),
      formToo: true,
      answers: {
        // Beside these, the claims that the host adds to its tokens.
        200: z.looseObject({
          active: z.boolean(),
          scope: text.optional(),
          client_id: text.optional(),
          username: text.optional(),
          token_type: text.optional(),
          exp: z.int().optional(),
          iat: z.int().optional(),
          nbf: z.int().optional(),
          sub: text.optional(),
          aud: z.union([text, z.array(text)]).optional(),
          iss: text.optional(),
          jti: text.optional(),
          acr: text.optional(),
          amr: z.array(text).optional(),
          auth_time: z.int().optional(),
          cnf: z.object({ jkt: text }).optional(),
          org_id: text.optional(),
        }),
        ...OAUTH_ERRORS,
      },
    },
    'GET /oauth/userinfo': {
      summary: 'Get claims of the user (OpenID Connect Core §5.3)',
      proof: true,
      answers: { 200: z.looseObject({ sub: text }), ...OAUTH_ERRORS, 403: oauthError },
    },
    'POST /oauth/userinfo': {
      summary: 'The same, by POST, with the token in the header or in a form (RFC 6750 §2.2)',
      body: z.object({ access_token: text.optional() }),
      bodyOptional: true,
      formOnly: true,
      proof: true,
      answers: { 200: z.looseObject({ sub: text }), ...OAUTH_ERRORS, 403: oauthError },
    },
    'GET /oauth/logout': {
      summary: 'Ask for the user to be signed out (OpenID Connect RP-Initiated Logout)',
      query: logoutRequest,
      answers: { 200: null, 302: null, ...OAUTH_ERRORS, 403: oauthError },
    },
    'POST /oauth/logout': {
      summary: 'The same, by POST',
      body: logoutRequest,
      formToo: true,
      answers: { 303: null, ...OAUTH_ERRORS },
    },
    'GET /oauth/logout/done': {
      summary: 'Back from the host’s logout page',
      query: z.object({ logout_id: text, end_grants: z.literal('true').optional() }),
      answers: { 200: null, 302: null, ...OAUTH_ERRORS, 403: oauthError },
    },
    'GET /connectors/:connectorId/oauth/authorize': {
      summary: 'Get the URL to which to send the browser to connect an outside account',
      query: authorizeConnectorQuery,
      answers: {
        200: z.object({ success: z.literal(true), authorizationUrl: text, state: text }),
        ...OF_APP,
        ...OF_PROVIDER,
        429: apiError,
      },
    },
    'GET /connectors/oauth/callback': {
      summary: 'The provider’s answer; ends on a page of the front end',
      query: z.object({
        ...Object.fromEntries(['code', 'state', 'error', 'baseUrl', 'posted'].map(name => [name, text.optional()])),
      }),
      answers: { 302: null, ...OAUTH_ERRORS, 403: oauthError },
    },
    'POST /connectors/oauth/callback': {
      summary: 'The same, posted by the browser (OAuth 2.0 Form Post Response Mode); leads to the GET',
      body: z.looseObject({ code: text.optional(), state: text, error: text.optional() }),
      formToo: true,
      answers: { 303: null, ...OAUTH_ERRORS },
    },
    'POST /connectors/getTokenFromCode': {
      summary: 'Redeem a code of Google Workspace',
      body: workspaceInput,
      answers: { 200: z.object({ success: z.literal(true), message: text }), ...OF_APP, ...OF_PROVIDER, 429: apiError },
    },
    'POST /userAccount/oauth/exchange': {
      summary: 'Redeem a code of a sign-in provider',
      body: accountInput,
      answers: {
        200: z.object({ access_token: text, id_token: text.optional(), token_type: text, expires_in: z.number().optional() }),
        ...ACCOUNT_ERRORS,
      },
    },
    'GET /.well-known/jwks.json': {
      summary: 'The public keys (RFC 7517 §5)',
      answers: {
        200: z.object({ keys: z.array(z.looseObject({ kid: text, use: text, alg: text })) }),
        500: oauthError,
        503: oauthError,
      },
    },
    'GET /.well-known/oauth-protected-resource': {
      summary: 'Metadata of the protected resource: its authorization server (RFC 9728)',
      answers: { 200: z.looseObject({ resource: text, authorization_servers: z.array(text) }) },
    },
    'GET /.well-known/oauth-authorization-server': {
      summary: 'Metadata (RFC 8414)',
      answers: { 200: metadata, 500: oauthError, 503: oauthError },
    },
    'GET /.well-known/openid-configuration': {
      summary: 'Metadata, where OpenID Connect clients look',
      answers: { 200: metadata, 500: oauthError, 503: oauthError },
    },
    'GET /oauth/connected-apps': {
      summary: 'List the apps the signed-in user has allowed; for a browser, a page',
      answers: { 200: z.array(connectedAppSchema), 302: null, ...API_ERRORS, 429: apiError },
    },
    'POST /oauth/connected-apps/:appId': {
      summary: 'The same, from the form of the page',
      body: z.object({ form_id: text }),
      formToo: true,
      answers: { 303: null, ...OAUTH_ERRORS, 403: oauthError, 429: oauthError },
    },
    'DELETE /oauth/connected-apps/:appId': {
      summary: 'Withdraw the signed-in user’s consent to an app, and end every token of it',
      answers: { 200: z.object({ message: text }), ...OF_APP, ...CHANGE },
    },
    'POST /oauth/connected-apps/:appId/devices/:grantId': {
      summary: 'The same for one device, from the form of the page',
      body: z.object({ form_id: text }),
      formToo: true,
      answers: { 303: null, ...OAUTH_ERRORS, 403: oauthError, 429: oauthError },
    },
    'DELETE /oauth/connected-apps/:appId/devices/:grantId': {
      summary: 'End the tokens of an app on one device of the signed-in user; the consent stays',
      answers: { 200: z.object({ message: text }), ...OF_APP },
    },
    'GET /oauth-clients': {
      summary: 'List the organisation’s apps, newest first',
      query: listAppsQuery,
      answers: { 200: z.object({ data: z.array(appViewSchema), pagination }), ...API_ERRORS },
    },
    'POST /oauth-clients': {
      summary: 'Create an app; its secret is shown this once',
      body: newAppSchema(rules, grants),
      answers: { 201: appWithSecretSchema, ...API_ERRORS, ...CHANGE },
    },
    'GET /oauth-clients/scopes': {
      summary: 'List the scopes apps can be allowed',
      answers: { 200: z.array(scopeViewSchema), ...API_ERRORS },
    },
    'GET /oauth-clients/unregistered': {
      summary: 'List the clients that came by themselves: those that wait for an admin, and those that users have let in',
      query: listUnregisteredQuery,
      answers: {
        200: z.object({
          pending: z.array(unregisteredViewSchema),
          data: z.array(unregisteredViewSchema),
          next: text.nullable(),
        }),
        ...API_ERRORS,
      },
    },
    'POST /oauth-clients/unregistered/:appId/allow': {
      summary: 'Let a client that came by itself in, for the organisation',
      answers: { 200: decidedSchema, ...OF_APP, ...CHANGE },
    },
    'POST /oauth-clients/unregistered/:appId/refuse': {
      summary: 'Refuse such a client, and end what it holds in the organisation',
      answers: { 200: decidedSchema, ...OF_APP },
    },
    'POST /oauth-clients/unregistered/:appId/end': {
      summary: 'End what such a client holds in the organisation; users are asked again',
      answers: { 200: decidedSchema, ...OF_APP },
    },
    'GET /oauth-clients/:appId': { summary: 'Get an app', answers: { 200: appViewSchema, ...OF_APP } },
    'PUT /oauth-clients/:appId': {
      summary: 'Change an app; omitted fields stay',
      body: appChangesSchema(rules, grants),
      answers: { 200: appViewSchema, ...OF_APP, ...CHANGE },
    },
    'DELETE /oauth-clients/:appId': {
      summary: 'Delete an app for good, and end every token of it',
      answers: { 200: z.object({ message: text }), ...OF_APP, ...CHANGE },
    },
    'POST /oauth-clients/:appId/regenerate-secret': {
      summary: 'Replace an app’s secret; the new one is shown this once',
      body: regenerateInput,
      bodyOptional: true,
      answers: { 200: appWithSecretSchema, ...OF_APP, ...CHANGE },
    },
    'POST /oauth-clients/:appId/suspend': {
      summary: 'Suspend an app: it gets no more codes and tokens; issued tokens stay valid',
      answers: { 200: appViewSchema, ...OF_APP, ...CHANGE },
    },
    'POST /oauth-clients/:appId/activate': {
      summary: 'Activate a suspended app',
      answers: { 200: appViewSchema, ...OF_APP, ...CHANGE },
    },
    'GET /oauth-clients/:appId/tokens': {
      summary: 'List an app’s live tokens, newest first; the next page is in the Link header',
      query: listTokensQuery,
      answers: { 200: z.array(tokenViewSchema), ...OF_APP },
    },
    'POST /oauth-clients/:appId/revoke-all-tokens': {
      summary: 'End every token of an app at once',
      answers: { 200: z.object({ message: text, count: z.int() }), ...OF_APP, ...CHANGE },
    },
  }
}
