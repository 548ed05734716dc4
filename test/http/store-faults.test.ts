/**
 * The routes that neither test/oauth/store-faults.test.ts nor test/oauth/ends.test.ts runs: whichever call of the store goes wrong,
 * and however, the answer is a 503, and the request can be repeated.
 */
import type { AuthmountEvent } from 'authmount'
import t, { type Test } from 'tap'
import { appIdOf } from '../../src/base/ids.ts'
import { api, NEW_APP, UNLIMITED } from '../support/apps-api.ts'
import { type Answer, REDIRECT_URI, type TestApp } from '../support/client.ts'
import { begin, withConnectors } from '../support/connectors.ts'
import { answerDevice, DEVICE_CODE, deviceApp } from '../support/devices.ts'
import { READS_HERE, startDocuments } from '../support/documents.ts'
import { overMemory, settings } from '../support/everywhere.ts'
import { FakeProvider } from '../support/fake-provider.ts'
import { startFaultyHost } from '../support/faulty-host.ts'
import type { Fault } from '../support/faulty-store.ts'
import { type HostOptions, type Mount, startHost, type TestHost } from '../support/host.ts'
import { register } from '../support/registrations.ts'
import { SIGN_IN } from '../support/sign-in.ts'

const SIGNED_IN = 'https://app.example/signed-in'
const PAGE = { accept: 'text/html' }

interface Prepared {
  readonly run: () => Promise<Answer>
  /** What must hold after the request was repeated. */
  readonly holds?: (t: Test, what: string) => Promise<unknown>
}

interface Flow {
  readonly route: string
  /** The statuses that the repeated request may have. The first of them is that of a healthy server. */
  readonly repeated: readonly number[]
  /** Told at least once, by the request or its repetition. */
  readonly event?: AuthmountEvent['type']
  readonly options?: HostOptions
  /** The calls that come when the outcome is stored, and change no answer if they fail. */
  readonly quiet?: readonly string[]
  prepare(host: TestHost, app: TestApp, provider: FakeProvider): Promise<Prepared>
}

/** Keys that sign, so that there are ID tokens and logouts. */
const SIGNING: HostOptions = { ...SIGN_IN, logoutUrl: '/sign-out' }
/** Without keys, a proof of a login and a form are records. */
const UNSEALED: HostOptions = { authenticate: SIGN_IN.authenticate as NonNullable<HostOptions['authenticate']> }

const signedInAgain = (host: TestHost) => `anna#again@${Math.floor(host.clock.now() / 1000) + 1}`
const connectedApps = (host: TestHost, headers: Readonly<Record<string, string>> = {}) =>
  host.browse('/oauth/connected-apps', 'anna', { headers })
const isGone = (host: TestHost, token: string) => async (t: Test, what: string) => t.equal(await host.records(token), 401, what)

const documents = await startDocuments()
const AGENT_REDIRECT = 'https://agent.example/callback'
const AGENT = {
  client_name: 'Helper',
  redirect_uris: [AGENT_REDIRECT],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
}
const AGENT_REQUEST = { redirect_uri: AGENT_REDIRECT }
const UNREGISTERED: HostOptions = {
  ...READS_HERE,
  clients: { registration: 'open' },
  rateLimits: { ...UNLIMITED.rateLimits, documents: false, documentsOfHost: false, allRegistrations: false },
}

let numbered = 0
function published(): TestApp {
  numbered += 1
  return { clientId: documents.publish(`/clients/${numbered}`, AGENT), clientSecret: null }
}

async function registered(host: TestHost) {
  const { body } = await register(host, AGENT)
  const path = new URL(String(body.registration_client_uri)).pathname
  const headers = { authorization: `Bearer ${body.registration_access_token}` }
  const app: TestApp = { clientId: String(body.client_id), clientSecret: null }
  return { app, manage: (method: 'GET' | 'DELETE') => host.send(path, { method, headers }) }
}

async function waiting(host: TestHost): Promise<readonly unknown[]> {
  const { pending } = (await api(host, 'GET', '/unregistered')).body as { pending: readonly { readonly clientId: string }[] }
  return pending.map(({ clientId }) => clientId)
}

function decision(host: TestHost, app: TestApp, verb: 'allow' | 'refuse' | 'end'): Promise<Answer> {
  return api(host, 'POST', `/unregistered/${appIdOf(app.clientId)}/${verb}`)
}

/** A client whose tokens end by what an admin decides. */
function ended(verb: 'refuse' | 'end', event: AuthmountEvent['type']): Flow {
  return {
    route: `POST /oauth-clients/unregistered/{appId}/${verb}`,
    repeated: [200],
    event,
    options: UNREGISTERED,
    async prepare(host) {
      const app = published()
      const { access, refresh } = await host.tokens(app, AGENT_REQUEST)
      return {
        run: () => decision(host, app, verb),
        async holds(t, what) {
          t.equal(await host.records(access), 401, what)
          t.equal((await host.refresh(app, refresh)).body.error, 'invalid_grant', what)
        },
      }
    },
  }
}

const DEVICES: HostOptions = { devices: {}, rateLimits: { ...UNLIMITED.rateLimits, userCodes: false } }

function fetchTokens(host: TestHost, app: TestApp, code: unknown): Promise<Answer> {
  return host.post('/oauth/token', app, { grant_type: DEVICE_CODE, device_code: String(code) })
}

/** An answer to a device, which the device then gets. */
function deviceAnswered(consent: string, event: AuthmountEvent['type'], then: object): Flow {
  return {
    route: 'POST /oauth/device',
    repeated: [200],
    event,
    options: DEVICES,
    async prepare(host) {
      const app = await deviceApp(host)
      const { body } = await host.post('/oauth/device_authorization', app, {})
      const address = `/oauth/device?user_code=${body.user_code}`
      const seen = await host.browse(address, 'anna', { headers: { accept: 'application/json' } })
      const fields = { user_code: String(body.user_code), form_id: String(seen.body.form_id), consent }
      return {
        run: () => host.browse('/oauth/device', 'anna', { method: 'POST', body: new URLSearchParams(fields) }),
        async holds(t, what) {
          t.match(await fetchTokens(host, app, body.device_code), then, what)
        },
      }
    },
  }
}

const flows: Readonly<Record<string, Flow>> = {
  'an authorization request that must sign in again': {
    route: 'GET /oauth/authorize',
    repeated: [302],
    options: UNSEALED,
    prepare: async (host, app) => ({ run: () => host.authorize(app, { prompt: 'login' }) }),
  },
  'the return from the login': {
    route: 'GET /oauth/authorize',
    repeated: [302],
    options: UNSEALED,
    async prepare(host, app) {
      await host.approve(app)
      const { params } = await host.authorize(app, { prompt: 'login' })
      return {
        run: () => host.browse(String(params.returnTo), signedInAgain(host)),
        async holds(t, what) {
          // If the proof was spent and the answer lost, the user goes through the login once more.
          const back = await host.browse(String(params.returnTo), signedInAgain(host))
          t.equal(back.location?.pathname, '/login', `${what}: a proof counts once`)
        },
      }
    },
  },
  'a user who does not agree': {
    route: 'POST /oauth/authorize',
    repeated: [303],
    event: 'consent_denied',
    async prepare(host, app) {
      const screen = await host.authorize(app)
      return { run: () => host.decide(screen, 'denied') }
    },
  },
  'JSON that spells the request out': {
    route: 'POST /oauth/authorize',
    repeated: [200],
    event: 'consent_granted',
    options: {
      authenticate: async ({ headers }) => (headers.authorization ? { userId: 'anna', orgId: 'org-1', isAdmin: true } : null),
    },
    async prepare(host, app) {
      const fields = { ...Object.fromEntries(host.authorizeQuery(app)), response_type: undefined, consent: 'granted' }
      const headers = { authorization: 'Bearer host-anna', 'content-type': 'application/json' }
      return { run: () => host.send('/oauth/authorize', { method: 'POST', headers, body: JSON.stringify(fields) }) }
    },
  },
  'a code for an ID token and a JWT': {
    route: 'POST /oauth/token',
    repeated: [200, 400],
    options: { ...SIGNING, accessTokenFormat: 'jwt' },
    async prepare(host, app) {
      const code = await host.approve(app, { scope: 'openid read:records' })
      return {
        run: () => host.redeem(app, code),
        async holds(t, what) {
          // Whoever repeats a code that was spent ends what it was redeemed for.
          t.equal((await host.redeem(app, code)).body.error, 'invalid_grant', what)
          const { total } = await host.store.grants.listTokens({ appId: app.clientId, epoch: 1, limit: 0 })
          t.equal(total, 0, `${what}: no token lives that nobody was given`)
        },
      }
    },
  },
  'a refresh with an ID token': {
    route: 'POST /oauth/token',
    repeated: [200],
    options: { ...SIGNING, accessTokenFormat: 'jwt' },
    async prepare(host, app) {
      const { refresh } = await host.tokens(app, { scope: 'openid read:records' })
      return {
        run: () => host.refresh(app, refresh),
        async holds(t, what) {
          const { body } = await host.refresh(app, refresh)
          t.equal(await host.records(body.access_token), 200, `${what}: the successor lives`)
        },
      }
    },
  },
  userinfo: {
    route: 'GET /oauth/userinfo',
    repeated: [200],
    options: SIGNING,
    async prepare(host, app) {
      const { access } = await host.tokens(app, { scope: 'openid' })
      return { run: () => host.send('/oauth/userinfo', { headers: { authorization: `Bearer ${access}` } }) }
    },
  },
  'a logout that begins': {
    route: 'GET /oauth/logout',
    repeated: [302],
    options: SIGNING,
    prepare: async (host, app) => ({ run: () => host.browse(`/oauth/logout?client_id=${app.clientId}`, 'anna') }),
  },
  'a logout that is over': {
    route: 'GET /oauth/logout/done',
    repeated: [302],
    options: SIGNING,
    async prepare(host, app) {
      const query = new URLSearchParams({ client_id: app.clientId, post_logout_redirect_uri: REDIRECT_URI })
      const { params } = await host.browse(`/oauth/logout?${query}`, 'anna')
      return { run: () => host.browse(String(params.returnTo), null) }
    },
  },
  'connected apps, as JSON': {
    route: 'GET /oauth/connected-apps',
    repeated: [200],
    async prepare(host, app) {
      await host.tokens(app)
      return { run: () => connectedApps(host) }
    },
  },
  'connected apps, as a page': {
    route: 'GET /oauth/connected-apps',
    repeated: [200],
    async prepare(host, app) {
      await host.tokens(app)
      return { run: () => connectedApps(host, PAGE) }
    },
  },
  'an app that is taken back on its page': {
    route: 'POST /oauth/connected-apps/{appId}',
    repeated: [303],
    event: 'consent_withdrawn',
    async prepare(host, app) {
      const { access } = await host.tokens(app)
      const [, formId = ''] = /name="form_id" value="([^"]+)"/.exec((await connectedApps(host, PAGE)).text) ?? []
      const body = new URLSearchParams({ form_id: formId })
      const path = `/oauth/connected-apps/${app.clientId}`
      return { run: () => host.browse(path, 'anna', { method: 'POST', body }), holds: isGone(host, access) }
    },
  },
  'a new app': {
    route: 'POST /oauth-clients',
    repeated: [201],
    event: 'app_created',
    async prepare(host) {
      const listed = async () =>
        ((await api(host, 'GET', '?limit=100')).body.data as { readonly id: string }[]).map(({ id }) => id)
      const before = await listed()
      return {
        run: () => api(host, 'POST', '', { body: NEW_APP }),
        async holds(t, what) {
          const told = host.events.flatMap(event => (event.type === 'app_created' ? [event.clientId] : []))
          const made = (await listed()).filter(id => !before.includes(id))
          t.ok(
            made.every(id => told.includes(id)),
            `${what}: every app is told of, also one whose secret nobody has`,
          )
        },
      }
    },
  },
  'the list of apps': {
    route: 'GET /oauth-clients',
    repeated: [200],
    prepare: async host => ({ run: () => api(host, 'GET', '') }),
  },
  'one app': {
    route: 'GET /oauth-clients/{appId}',
    repeated: [200],
    prepare: async (host, app) => ({ run: () => api(host, 'GET', `/${app.clientId}`) }),
  },
  'a change of an app': {
    route: 'PUT /oauth-clients/{appId}',
    repeated: [200],
    event: 'app_updated',
    prepare: async (host, app) => ({
      run: () => api(host, 'PUT', `/${app.clientId}`, { body: { name: 'Renamed' } }),
      holds: async (t, what) => t.equal((await api(host, 'GET', `/${app.clientId}`)).body.name, 'Renamed', what),
    }),
  },
  'an app that is activated': {
    route: 'POST /oauth-clients/{appId}/activate',
    repeated: [200],
    event: 'app_activated',
    async prepare(host, app) {
      await api(host, 'POST', `/${app.clientId}/suspend`)
      return { run: () => api(host, 'POST', `/${app.clientId}/activate`) }
    },
  },
  'the tokens of an app': {
    route: 'GET /oauth-clients/{appId}/tokens',
    repeated: [200],
    async prepare(host, app) {
      await host.tokens(app)
      return { run: () => api(host, 'GET', `/${app.clientId}/tokens`) }
    },
  },
  'a connector that is begun': {
    route: 'GET /connectors/{connectorId}/oauth/authorize',
    repeated: [200],
    prepare: async host => ({ run: async () => (await begin(host, 'drive')).answer }),
  },
  'a code of a sign-in provider': {
    route: 'POST /userAccount/oauth/exchange',
    // A code is tried once.
    repeated: [200, 401],
    async prepare(host, _app, provider) {
      const code = `code-${provider.countOf('/token')}-${Math.random()}`
      const body = JSON.stringify({ code, email: 'anna@outside.example', provider: 'x', redirectUri: SIGNED_IN })
      const headers = { 'content-type': 'application/json' }
      const before = provider.countOf('/token')
      return {
        run: () => host.send('/userAccount/oauth/exchange', { method: 'POST', headers, body }),
        holds: async (t, what) => t.ok(provider.countOf('/token') <= before + 1, `${what}: one request to the provider`),
      }
    },
  },
  'a client that registers itself': {
    route: 'POST /oauth/register',
    repeated: [201],
    event: 'client_registered',
    options: UNREGISTERED,
    prepare: async host => ({ run: () => register(host, AGENT) }),
  },
  'a registration that is read': {
    route: 'GET /oauth/register/{appId}',
    repeated: [200],
    options: UNREGISTERED,
    async prepare(host) {
      const { manage } = await registered(host)
      return { run: () => manage('GET') }
    },
  },
  'a registration that is deleted': {
    route: 'DELETE /oauth/register/{appId}',
    repeated: [204],
    event: 'client_unregistered',
    options: UNREGISTERED,
    quiet: ['oneTime.forget', 'grants.revokeMany'],
    async prepare(host) {
      const { app, manage } = await registered(host)
      const { access } = await host.tokens(app, AGENT_REQUEST)
      return {
        run: () => manage('DELETE'),
        async holds(t, what) {
          t.equal(await host.records(access), 401, what)
          t.equal((await manage('GET')).status, 401, what)
        },
      }
    },
  },
  'a document that is read': {
    route: 'GET /oauth/authorize',
    repeated: [302],
    event: 'client_registered',
    options: UNREGISTERED,
    prepare: async host => {
      const app = published()
      return { run: () => host.authorize(app, AGENT_REQUEST) }
    },
  },
  'a request that waits for an admin': {
    route: 'GET /oauth/authorize',
    repeated: [403],
    event: 'admission_requested',
    options: { ...UNREGISTERED, clients: { admission: 'organization' } },
    async prepare(host) {
      const app = published()
      return {
        run: () => host.authorize(app, AGENT_REQUEST),
        holds: async (t, what) => t.equal((await waiting(host)).filter(id => id === app.clientId).length, 1, what),
      }
    },
  },
  'a code of a client that nobody registered': {
    route: 'POST /oauth/token',
    repeated: [200, 400],
    options: UNREGISTERED,
    async prepare(host) {
      const app = published()
      const code = await host.approve(app, AGENT_REQUEST)
      return {
        run: () => host.redeem(app, code, AGENT_REQUEST),
        async holds(t, what) {
          t.equal((await host.redeem(app, code, AGENT_REQUEST)).body.error, 'invalid_grant', what)
          const { items } = await host.store.grants.listTokens({ userId: 'anna', limit: 1000 })
          t.notOk(
            items.some(({ grant }) => grant.appId === appIdOf(app.clientId)),
            `${what}: no token lives that nobody was given`,
          )
        },
      }
    },
  },
  'a refresh of a client that nobody registered': {
    route: 'POST /oauth/token',
    repeated: [200],
    options: UNREGISTERED,
    async prepare(host) {
      const app = published()
      const { refresh } = await host.tokens(app, AGENT_REQUEST)
      return { run: () => host.refresh(app, refresh) }
    },
  },
  'the list of clients that nobody registered': {
    route: 'GET /oauth-clients/unregistered',
    repeated: [200],
    options: UNREGISTERED,
    async prepare(host) {
      await host.tokens(published(), AGENT_REQUEST)
      return { run: () => api(host, 'GET', '/unregistered') }
    },
  },
  'a client that an admin allows': {
    route: 'POST /oauth-clients/unregistered/{appId}/allow',
    repeated: [200],
    event: 'admission_allowed',
    options: { ...UNREGISTERED, clients: { admission: 'organization' } },
    async prepare(host) {
      const app = published()
      await host.authorize(app, AGENT_REQUEST)
      return {
        run: () => decision(host, app, 'allow'),
        async holds(t, what) {
          t.ok((await host.authorize(app, AGENT_REQUEST)).params.consent_id, what)
          t.notOk((await waiting(host)).includes(app.clientId), what)
        },
      }
    },
  },
  'a device that asks for its codes': {
    route: 'POST /oauth/device_authorization',
    repeated: [200],
    options: DEVICES,
    async prepare(host) {
      const app = await deviceApp(host)
      return { run: () => host.post('/oauth/device_authorization', app, {}) }
    },
  },
  'the page of a device': {
    route: 'GET /oauth/device',
    repeated: [200],
    options: DEVICES,
    async prepare(host) {
      const { body } = await host.post('/oauth/device_authorization', await deviceApp(host), {})
      return { run: () => host.browse(`/oauth/device?user_code=${body.user_code}`, 'anna', { headers: PAGE }) }
    },
  },
  'a user who lets a device in': deviceAnswered('granted', 'consent_granted', { status: 200 }),
  'a user who refuses a device': deviceAnswered('denied', 'consent_denied', { status: 400, body: { error: 'access_denied' } }),
  'a device that fetches its tokens': {
    route: 'POST /oauth/token',
    // A code that was spent is spent, whether or not the device heard of it.
    repeated: [200, 400],
    options: DEVICES,
    async prepare(host) {
      const app = await deviceApp(host)
      const { body } = await host.post('/oauth/device_authorization', app, {})
      await answerDevice(host, String(body.verification_uri_complete))
      return { run: () => fetchTokens(host, app, body.device_code) }
    },
  },
  'a client that an admin refuses': ended('refuse', 'admission_refused'),
  'a client whose access an admin ends': ended('end', 'admission_ended'),
}

/** The operations whose flows other tables run. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'GET /oauth/consent': 'oauth/store-faults',
  'POST /oauth/token': 'oauth/store-faults',
  'POST /oauth/par': 'oauth/store-faults',
  'POST /oauth/userinfo': 'this one, as GET',
  'POST /oauth/introspect': 'oauth/store-faults',
  'POST /oauth/revoke': 'oauth/ends',
  'DELETE /oauth/connected-apps/{appId}': 'oauth/ends',
  'DELETE /oauth/connected-apps/{appId}/devices/{grantId}': 'oauth/ends',
  'POST /oauth/connected-apps/{appId}/devices/{grantId}': 'oauth/ends, as DELETE; its form is that of the whole app',
  'DELETE /oauth-clients/{appId}': 'oauth/ends',
  'POST /oauth-clients/{appId}/revoke-all-tokens': 'oauth/ends',
  'POST /oauth-clients/{appId}/suspend': 'oauth/ends',
  'POST /oauth-clients/{appId}/regenerate-secret': 'oauth/ends',
  'GET /connectors/oauth/callback': 'connectors/store-and-provider',
  'POST /connectors/getTokenFromCode': 'connectors/store-and-provider',
}
/** The operations that ask no store, or only for the keys. */
const WITHOUT_STORE = [
  'GET /oauth-clients/scopes',
  'POST /oauth/logout',
  'POST /connectors/oauth/callback',
  'GET /.well-known/jwks.json',
  'GET /.well-known/oauth-authorization-server',
  'GET /.well-known/openid-configuration',
  'GET /.well-known/oauth-protected-resource',
]

overMemory('every operation is in a table of faults', async t => {
  const provider = await startProvider(t)
  const route = 'connectors'
  const options = { ...SIGNING, ...UNREGISTERED, devices: {}, ...withProvider({ route }, provider) }
  const host = await startHost(settings[0]?.mount as Mount, options)
  t.teardown(host.close)
  const paths = Object.entries(host.authmount.openapi().paths as Readonly<Record<string, object>>)
  const served = paths.flatMap(([path, methods]) => Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`))
  const held = new Set([...Object.values(flows).map(({ route }) => route), ...Object.keys(ELSEWHERE), ...WITHOUT_STORE])
  t.strictSame(
    served.filter(operation => !held.has(operation)),
    [],
  )
  t.strictSame(
    [...held].filter(operation => !served.includes(operation)),
    [],
  )
})

async function startProvider(t: Test): Promise<FakeProvider> {
  const provider = await FakeProvider.start()
  t.teardown(() => provider.close())
  provider.on('/token', async () => {
    const id_token = await provider.idToken({ aud: 'the-host', email: 'anna@outside.example', email_verified: true })
    return { body: { access_token: 'outside', token_type: 'Bearer', expires_in: 3600, id_token } }
  })
  return provider
}

function withProvider({ route }: Pick<Flow, 'route'>, { url: issuer }: FakeProvider): HostOptions {
  if (!/connectors|userAccount/.test(route)) return {}
  const client = { clientId: 'the-host', clientSecret: 'secret of the host', issuer }
  return {
    ...withConnectors({ drive: { ...client, scopes: ['files'] } }),
    signInProvider: () => ({ ...client, scopes: ['openid'], redirectUris: [SIGNED_IN] }),
  }
}

/** Over a server, and on another framework, only what the store did although nobody heard of it can have another outcome. */
function faultsOf(call: string, setting: string): readonly Fault[] {
  const writes = !/\.(get|list|listTokens|find|peek)$/.test(call)
  if (setting !== 'express, memory') return writes ? ['rejects after'] : []
  return writes ? ['rejects before', 'rejects after', 'never answers', 'goes on hanging'] : ['goes on hanging']
}

for (const { name: setting, mount, connect } of settings) {
  for (const [name, flow] of Object.entries(flows)) {
    t.test(`${setting}: ${name} survives a store that fails at any of its calls`, async t => {
      const unhandled: unknown[] = []
      const note = (reason: unknown) => unhandled.push(reason)
      process.on('unhandledRejection', note)
      t.teardown(() => process.off('unhandledRejection', note))
      const provider = await startProvider(t)
      const { host, store } = await startFaultyHost(t, mount, {
        ...UNLIMITED,
        ...flow.options,
        ...withProvider(flow, provider),
        connect,
      })
      const allowedScopes = ['read:records', ...(flow.options?.signingAlg === undefined ? [] : ['openid'])]
      const newApp = () => host.confidentialApp({ allowedScopes })

      // The keys are made at the start, and a first request may read what later ones remember.
      await host.send('/.well-known/jwks.json')
      await (await flow.prepare(host, await newApp(), provider)).run()
      const healthy = await flow.prepare(host, await newApp(), provider)
      const [expected] = flow.repeated
      const answer = await store.during(0, 'throws', healthy.run)
      t.equal(answer.status, expected, answer.text)
      const calls = [...store.calls]
      t.ok(calls.length > 0)
      for (const [index, call] of calls.entries()) {
        for (const fault of faultsOf(call, setting)) {
          const what = `${index + 1}, ${call} ${fault}`
          const { holds, run } = await flow.prepare(host, await newApp(), provider)
          host.events.length = 0
          const first = await store.during(index + 1, fault, run)
          if (flow.quiet?.includes(call)) t.equal(first.status, expected, what)
          else {
            isUnavailable(t, first, what)
            const again = await run()
            t.ok(flow.repeated.includes(again.status), `${what}, repeated: ${again.status} ${again.text}`)
          }
          if (flow.event)
            t.ok(
              host.events.some(({ type }) => type === flow.event),
              `${what}: told`,
            )
          await holds?.(t, what)
        }
      }
      t.strictSame(unhandled, [])
    })
  }
}

/** A 503 in the words of the route, with nothing of the inside in it. */
function isUnavailable(t: Test, answer: Answer, what: string): void {
  t.equal(answer.status, 503, `${what}: ${answer.text}`)
  t.equal(answer.headers.get('retry-after'), '1', what)
  t.equal(answer.location, undefined, what)
  t.match(answer.text, /temporarily_unavailable|UNAVAILABLE|try again/i, what)
  t.notMatch(answer.text, /ECONNREFUSED|db-password|StoreError/, what)
}
