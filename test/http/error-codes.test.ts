/** Every error code: a request that is answered with it, and its status. The compiler wants a row for each. */
import t from 'tap'
import type { ApiErrorCode } from '../../src/errors/api-error.ts'
import type { OAuthErrorCode } from '../../src/errors/oauth-error.ts'
import { api, createApp } from '../support/apps-api.ts'
import type { Answer, Fields, TestApp } from '../support/client.ts'
import { everyFramework } from '../support/everywhere.ts'
import { authenticate, type TestHost } from '../support/host.ts'
import { type HeldElsewhere, namesTest } from '../support/named-tests.ts'
import { SIGN_IN } from '../support/sign-in.ts'

interface Row {
  /** 302 where the code travels to the app. */
  readonly status: number
  readonly ask: (host: TestHost, app: TestApp) => Promise<Answer>
}

const token = (status: number, fields: Fields): Row => ({ status, ask: (host, app) => host.post('/oauth/token', app, fields) })
const sentBack = (fields: Fields, user: string | null = 'anna'): Row => ({
  status: 302,
  ask: (host, app) => host.authorize(app, fields, user),
})
const asAdmin = (status: number, method: string, path: string, options: Parameters<typeof api>[3] = {}): Row => ({
  status,
  ask: host => api(host, method, path, options),
})
const guarded = async (host: TestHost, value: unknown) => host.send('/records', { headers: { authorization: `Bearer ${value}` } })

const OAUTH: Readonly<Record<OAuthErrorCode, Row | HeldElsewhere>> = {
  invalid_request: token(400, { grant_type: 'authorization_code' }),
  invalid_client: token(401, { grant_type: 'client_credentials', client_secret: 'wrong' }),
  invalid_grant: token(400, { grant_type: 'refresh_token', refresh_token: 'am_rt_x' }),
  unauthorized_client: {
    status: 400,
    ask: async host => host.refresh(await host.confidentialApp({ allowedGrantTypes: ['authorization_code'] }), 'x'),
  },
  unsupported_grant_type: token(400, { grant_type: 'password' }),
  unsupported_response_type: sentBack({ response_type: 'token' }),
  invalid_scope: token(400, { grant_type: 'client_credentials', scope: 'nothing:known' }),
  access_denied: { status: 302, ask: async (host, app) => host.decide(await host.authorize(app), 'denied') },
  server_error: { status: 500, ask: (host, app) => host.authorize(app, {}, 'broken') },
  temporarily_unavailable: ['oauth/store-faults.test.ts', 'survives a store that fails at any of its calls'],
  invalid_token: { status: 401, ask: host => guarded(host, 'x') },
  insufficient_scope: {
    status: 403,
    ask: async (host, app) => guarded(host, (await host.clientCredentials(app, { scope: 'write:records' })).body.access_token),
  },
  invalid_target: sentBack({ resource: 'https://another.example' }),
  login_required: sentBack({ prompt: 'none' }, null),
  consent_required: sentBack({ prompt: 'none' }),
  authorization_pending: ['oauth/device.test.ts', 'a device asks, its user types the code and agrees'],
  slow_down: ['oauth/device.test.ts', 'a device asks, its user types the code and agrees'],
  expired_token: ['oauth/device.test.ts', 'a user who denies, or never answers'],
  invalid_dpop_proof: {
    status: 400,
    ask: (host, app) => host.post('/oauth/token', app, { grant_type: 'client_credentials' }, { headers: { dpop: 'x' } }),
  },
  use_dpop_nonce: ['oauth/dpop.test.ts', 'a proof needs a nonce of the server'],
  invalid_redirect_uri: [
    'self-registered/registration.test.ts',
    'a registration that cannot be is refused in the words of the standard',
  ],
  invalid_client_metadata: [
    'self-registered/registration.test.ts',
    'a registration that cannot be is refused in the words of the standard',
  ],
  interaction_required: 'no flow of ours ends in it; a grant of a host may',
  request_not_supported: sentBack({ request: 'x' }),
  invalid_request_uri: {
    status: 400,
    ask: (host, app) =>
      host.browse(`/oauth/authorize?client_id=${app.clientId}&request_uri=urn:ietf:params:oauth:request_uri:x`, 'anna'),
  },
  request_uri_not_supported: sentBack({ request_uri: 'https://app.example/x' }),
  registration_not_supported: sentBack({ registration: '{}' }),
}

const API: Readonly<Record<ApiErrorCode, Row | HeldElsewhere>> = {
  VALIDATION_ERROR: asAdmin(400, 'POST', '', { body: {} }),
  UNAUTHORIZED: asAdmin(401, 'GET', '', { user: null }),
  FORBIDDEN: asAdmin(403, 'POST', '', { user: 'bert', body: {} }),
  NOT_FOUND: asAdmin(404, 'GET', `/${'f'.repeat(24)}`),
  METHOD_NOT_ALLOWED: asAdmin(405, 'PATCH', ''),
  CONFLICT: ['apps/effects.test.ts', 'of two simultaneous updates none is lost silently'],
  TOO_MANY_REQUESTS: {
    status: 429,
    async ask(host) {
      let answer = await api(host, 'POST', '', { body: {} })
      for (let change = 0; change < 11; change++) {
        const { id } = change === 0 ? await createApp(host) : { id: 'f'.repeat(24) }
        answer = await api(host, 'POST', `/${id}/suspend`)
      }
      return answer
    },
  },
  BAD_GATEWAY: ['connectors/attacks.test.ts', 'a provider that redirects is not followed'],
  UNAVAILABLE: ['connectors/attacks.test.ts', 'a provider that is away, or busy, is 503'],
  INTERNAL: asAdmin(500, 'GET', '', { user: 'broken' }),
}

everyFramework(
  'each error code is answered to a request that deserves it, with its status',
  async (t, host) => {
    const app = await host.confidentialApp()
    for (const [code, row] of Object.entries({ ...OAUTH, ...API })) {
      if (typeof row === 'string' || !('ask' in row)) continue
      const { body, params, status } = await row.ask(host, app)
      t.ok([row.status, row.status === 302 ? 303 : row.status].includes(status), `${code}: ${status}`)
      const { error } = status < 400 ? params : (body as { readonly error?: unknown })
      t.equal(typeof error === 'object' ? (error as { readonly code?: string }).code : error, code)
    }
  },
  {
    resources: ['https://issuer.example'],
    sealingKeys: SIGN_IN.sealingKeys,
    signingAlg: 'ES256',
    authenticate(request) {
      if (`${request.headers.cookie} ${request.headers.authorization}`.includes('broken'))
        throw new Error('the session store is down')
      return authenticate(request)
    },
  },
)

t.test('what another test holds of error codes is there', async t => {
  for (const held of Object.values({ ...OAUTH, ...API })) {
    if (Array.isArray(held)) t.ok(await namesTest(...(held as [string, string])), held.join(': '))
  }
})
