import t from 'tap'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { frameworks, type HostOptions, type Mount, startHost } from '../support/host.ts'
import { register } from '../support/registrations.ts'
import { sharedStores } from '../support/stores.ts'

const DAY = 86_400
const REDIRECT = 'https://agent.example/callback'
const OPEN: HostOptions = { clients: { registration: 'open' }, rateLimits: { registrations: false, screens: false } }
const PUBLIC = { client_name: 'Helper', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' }

everywhere(
  'a client registers itself, gets tokens, reads and deletes its registration',
  async (t, host) => {
    const { body, headers, status } = await register(host, {
      ...PUBLIC,
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      scope: 'read:records nothing:known',
      software_id: 'helper',
      nonsense: { deep: true },
    })
    t.equal(status, 201)
    t.equal(headers.get('cache-control'), 'no-store')
    t.match(body, {
      client_id: /^[0-9a-f]{24}$/,
      client_name: 'Helper',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      scope: 'read:records',
      software_id: 'helper',
      application_type: 'web',
    })
    t.notOk('nonsense' in body)
    t.ok(Number.isInteger(body.client_id_issued_at))
    t.match(body.registration_access_token, /^am_rg_[\w-]{43}$/)

    const app = { clientId: String(body.client_id), clientSecret: null }
    // What it named when it registered binds nothing.
    const { access, refresh } = await host.tokens(app, { redirect_uri: REDIRECT, scope: 'read:records write:records' })
    t.equal(await host.records(access), 200)

    const uri = new URL(String(body.registration_client_uri)).pathname
    const manage = (method: string, token: unknown) => host.send(uri, { method, headers: { authorization: `Bearer ${token}` } })
    const read = await manage('GET', body.registration_access_token)
    t.equal(read.status, 200)
    t.match(read.body, { client_id: app.clientId, redirect_uris: [REDIRECT] })
    t.equal((await manage('PUT', body.registration_access_token)).status, 405)

    for (const answer of [
      await manage('GET', 'am_rg_wrong'),
      await host.send(uri),
      await host.send(`/oauth/register/${'0'.repeat(24)}`, {
        headers: { authorization: `Bearer ${body.registration_access_token}` },
      }),
      await manage('DELETE', access),
    ]) {
      t.equal(answer.status, 401)
      t.match(answer.headers.get('www-authenticate'), /^Bearer .*error="invalid_token"/)
      t.match(answer.body, { error: 'invalid_token', error_description: /no client is registered with this id and this/ })
    }

    t.equal((await manage('DELETE', body.registration_access_token)).status, 204)
    t.equal(await host.records(access), 401, 'its tokens have ended')
    t.match((await host.refresh(app, refresh)).body, { error: 'invalid_client' })
    t.equal((await manage('GET', body.registration_access_token)).status, 401)
    t.equal((await manage('DELETE', body.registration_access_token)).status, 401)
    t.match(
      host.events.map(({ type }) => type).filter(type => type.startsWith('client_')),
      ['client_registered', 'client_unregistered'],
    )
  },
  OPEN,
)

everywhere(
  'a client that asks for a secret gets one, once, which it can send in either place, and acts for users only',
  async (t, host) => {
    for (const method of ['client_secret_basic', 'client_secret_post', undefined]) {
      const { body } = await register(host, { redirect_uris: [REDIRECT], token_endpoint_auth_method: method })
      t.equal(body.token_endpoint_auth_method, method ?? 'client_secret_basic')
      t.match(body.client_secret, /^[\w.~-]+$/)
      t.equal(body.client_secret_expires_at, 0)
      const app = { clientId: String(body.client_id), clientSecret: String(body.client_secret) }
      const code = await host.approve(app, { redirect_uri: REDIRECT, scope: undefined })
      t.equal((await host.redeem({ ...app, clientSecret: null }, code, { redirect_uri: REDIRECT })).status, 401)
      t.equal((await host.redeem(app, code, { redirect_uri: REDIRECT })).status, 200)
      t.match((await host.clientCredentials(app)).body, { error: 'unauthorized_client' })
      const read = await host.send(new URL(String(body.registration_client_uri)).pathname, {
        headers: { authorization: `Bearer ${body.registration_access_token}` },
      })
      t.equal(read.status, 200)
      t.notMatch(read.text, 'am_cs_', 'reading answers no secret')
    }
  },
  OPEN,
)

const REFUSED: Readonly<Record<string, readonly [sent: unknown, error: string]>> = {
  'a list': [[], 'invalid_client_metadata'],
  null: [null, 'invalid_client_metadata'],
  nothing: [{}, 'invalid_redirect_uri'],
  'no URIs': [{ redirect_uris: [] }, 'invalid_redirect_uri'],
  'a URI alone': [{ redirect_uris: REDIRECT }, 'invalid_redirect_uri'],
  '21 URIs': [{ redirect_uris: Array.from({ length: 21 }, (_, index) => `${REDIRECT}/${index}`) }, 'invalid_redirect_uri'],
  ...Object.fromEntries(
    [
      ...['javascript:alert(1)', 'JavaScript:alert(1)', 'javascript://agent.example/%0aalert(1)', 'data:text/html,x'],
      ...['vbscript:x', 'blob:https://agent.example/x', 'file:///etc/passwd', 'view-source:https://agent.example'],
      ...['http://agent.example/cb', 'https://agent.example/cb#x', 'https://user@agent.example/cb', 'https://*.example/cb'],
      ...['/cb', '', 'https://agent.example/cb?code=x', 'unknown:/cb', 'https://agent.example\\@evil.example/'],
    ].map(uri => [`the URI ${uri}`, [{ redirect_uris: [REDIRECT, uri] }, 'invalid_redirect_uri'] as const]),
  ),
  'other grants alone': [{ ...PUBLIC, grant_types: ['client_credentials'] }, 'invalid_client_metadata'],
  'a refresh alone': [{ ...PUBLIC, grant_types: ['refresh_token'] }, 'invalid_client_metadata'],
  'a token response': [{ ...PUBLIC, response_types: ['token'] }, 'invalid_client_metadata'],
  'a method of keys': [{ ...PUBLIC, token_endpoint_auth_method: 'private_key_jwt' }, 'invalid_client_metadata'],
  'a method that is a number': [{ ...PUBLIC, token_endpoint_auth_method: 1 }, 'invalid_client_metadata'],
  'a long name': [{ ...PUBLIC, client_name: 'x'.repeat(101) }, 'invalid_client_metadata'],
  'a name of control characters': [{ ...PUBLIC, client_name: 'a\u0000b' }, 'invalid_client_metadata'],
  'a name that turns its direction': [{ ...PUBLIC, client_name: 'a\u202egpj.exe' }, 'invalid_client_metadata'],
  'a page that runs': [{ ...PUBLIC, client_uri: 'javascript:alert(1)' }, 'invalid_client_metadata'],
  'contacts that are none': [{ ...PUBLIC, contacts: 'me' }, 'invalid_client_metadata'],
  'pairwise subjects': [{ ...PUBLIC, subject_type: 'pairwise' }, 'invalid_client_metadata'],
  'an unknown type': [{ ...PUBLIC, application_type: 'toaster' }, 'invalid_client_metadata'],
  'a scope that is a list': [{ ...PUBLIC, scope: ['a'] }, 'invalid_client_metadata'],
}

everyFramework(
  'a registration that cannot be is refused in the words of the standard, and nothing is stored',
  async (t, host) => {
    for (const [name, [sent, error]] of Object.entries(REFUSED)) {
      const { body, status } = await register(host, sent)
      t.equal(status, 400, name)
      t.equal(body.error, error, `${name}: ${body.error_description}`)
      t.ok(body.error_description, name)
    }
    const form = await host.send('/oauth/register', { method: 'POST', body: new URLSearchParams({ redirect_uris: REDIRECT }) })
    t.equal(form.status, 415)
    const text = await host.send('/oauth/register', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{}' })
    t.equal(text.status, 415)
    t.equal(text.body.error_description, 'the body must be application/json')
    t.equal((await host.send('/oauth/register', { method: 'POST' })).status, 400)
    const { total } = await host.store.apps.list({ orgId: '', limit: 0, offset: 0 })
    t.equal(total, 0)
  },
  OPEN,
)

everyFramework(
  'a page of any origin may register, and its answers can be read there, errors included',
  async (t, host) => {
    const origin = { origin: 'https://inspector.example' }
    const ok = await register(host, PUBLIC, origin)
    const bad = await register(host, {}, origin)
    t.equal(ok.headers.get('access-control-allow-origin'), '*')
    t.equal(bad.headers.get('access-control-allow-origin'), '*')
    const preflight = await host.send('/oauth/register', {
      method: 'OPTIONS',
      headers: { ...origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' },
    })
    t.equal(preflight.status, 204)
    t.equal(preflight.headers.get('access-control-allow-credentials'), null)
  },
  OPEN,
)

everyFramework(
  'with an initial access token only its bearers register',
  async (t, host) => {
    for (const authorization of [undefined, 'Bearer wrong', 'Basic Z29vZDp4', 'Bearer broken']) {
      const answer = await register(host, PUBLIC, authorization === undefined ? {} : { authorization })
      t.equal(answer.status, authorization === 'Bearer broken' ? 500 : 401, String(authorization))
      if (answer.status === 401) t.match(answer.headers.get('www-authenticate'), 'Bearer')
    }
    t.equal((await register(host, PUBLIC, { authorization: 'Bearer good' })).status, 201)
  },
  {
    ...OPEN,
    clients: {
      registration: {
        initialAccessToken: token => {
          if (token === 'broken') throw new Error('the list cannot be read')
          return token === 'good'
        },
      },
    },
  },
)

everyFramework(
  'without the option there is no such route',
  async (t, host) => {
    t.equal((await register(host, PUBLIC)).status, 404)
    t.notOk('registration_endpoint' in (await host.send('/.well-known/oauth-authorization-server')).body)
  },
  { clients: {} },
)

everywhere(
  'registrations of strangers stop at the budget, and after a day nothing is left of them',
  async (t, host) => {
    const statuses = new Map<number, number>()
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => register(host, PUBLIC)))
      for (const { headers, status } of answers) {
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (status === 429) t.ok(headers.get('retry-after'))
      }
    }
    t.strictSame([...statuses].toSorted(), [
      [201, 50],
      [429, 150],
    ])
    const { total } = await host.store.apps.list({ orgId: '', limit: 0, offset: 0 })
    t.equal(total, 50)
    host.clock.advance(DAY)
    t.equal((await host.store.apps.list({ orgId: '', limit: 0, offset: 0 })).total, 0)
  },
  { clients: { registration: 'open' }, rateLimits: { allRegistrations: { points: 50, seconds: 3600 } } },
)

const { redis } = sharedStores
if (redis) {
  t.test('ten thousand registrations of strangers leave as many records as an hour allows', async t => {
    const host = await startHost(frameworks.fastify as Mount, {
      connect: redis,
      clients: { registration: 'open' },
      rateLimits: { registrations: false },
    })
    t.teardown(host.close)
    const statuses = new Map<number, number>()
    for (let round = 0; round < 200; round++) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => register(host, PUBLIC)))
      for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
    t.strictSame([...statuses].toSorted(), [
      [201, 1000],
      [429, 9000],
    ])
    t.equal((await host.store.apps.list({ orgId: '', limit: 0, offset: 0 })).total, 1000)
    host.clock.advance(DAY)
    t.equal((await host.store.apps.list({ orgId: '', limit: 0, offset: 0 })).total, 0)
  })
}

everyFramework(
  'an unknown client is a page at the authorization endpoint and a 401 at the token endpoint',
  async (t, host) => {
    const { body } = await register(host, PUBLIC)
    const app = { clientId: String(body.client_id), clientSecret: null }
    host.clock.advance(2 * DAY)
    const page = await host.browse(`/oauth/authorize?${host.authorizeQuery(app, { redirect_uri: REDIRECT })}`, 'anna', {
      headers: { accept: 'text/html' },
    })
    t.equal(page.status, 400)
    t.match(page.text, 'is not known to')
    const answer = await host.refresh(app, `am_rt_${'a'.repeat(46)}.${'b'.repeat(43)}`)
    t.equal(answer.status, 401)
    t.match(answer.body, { error: 'invalid_client' })
  },
  OPEN,
)

everywhere(
  'turned off again, new requests are refused, and what is out lives until it ends',
  async (t, host) => {
    const { body } = await register(host, { ...PUBLIC, grant_types: ['authorization_code', 'refresh_token'] })
    const app = { clientId: String(body.client_id), clientSecret: null }
    const { access, refresh } = await host.tokens(app, { redirect_uri: REDIRECT })
    const off = await startHost(frameworks.fastify as Mount, { store: host.store, now: host.clock.now })
    t.teardown(off.close)
    t.match((await off.authorize(app, { redirect_uri: REDIRECT })).body, { error: 'invalid_client' })
    t.equal(await off.records(access), 200)
    const refreshed = await off.refresh(app, refresh)
    t.equal(await off.records(refreshed.body.access_token), 200)
    t.equal((await register(off, PUBLIC)).status, 404)
  },
  OPEN,
)
