/** Pushed authorization requests (RFC 9126), and those that are posted by a browser. */
import t from 'tap'
import { api, createApp, UNLIMITED } from '../support/apps-api.ts'
import { type Answer, defined, REDIRECT_URI } from '../support/client.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { frameworks, startHost, USERS } from '../support/host.ts'
import { register } from '../support/registrations.ts'
import { SIGN_IN } from '../support/sign-in.ts'

const URN = 'urn:ietf:params:oauth:request_uri:'
const page = { headers: { accept: 'text/html' } }

/** The answer to a request_uri that cannot be used. */
const notUsable = { status: 400, body: { error: 'invalid_request_uri' } }

/** The way back from the login to which an answer redirected. */
const returnTo = (answer: Answer) => answer.params.returnTo ?? ''

everywhere('a pushed request becomes tokens, with the login and the consent screen between', async (t, host) => {
  for (const app of [await host.confidentialApp(), await host.publicApp()]) {
    const pushed = await host.push(app, { state: 'pushed' })
    t.match(pushed, { status: 201, body: { expires_in: 540 } })
    t.equal(pushed.headers.get('cache-control'), 'no-store')
    t.match(pushed.body.request_uri, /^urn:ietf:params:oauth:request_uri:[\w-]{43}$/)

    const query = { client_id: app.clientId, request_uri: String(pushed.body.request_uri) }
    const login = await host.open(query, null)
    t.equal(login.location?.pathname, '/login')
    t.equal(returnTo(login), `/oauth/authorize?${new URLSearchParams(query)}&after_login=1`, 'no parameter of it is in a URL')
    const screen = await host.browse(returnTo(login), 'anna')
    const { params } = await host.decide(screen)
    t.match(params, { state: 'pushed', iss: 'https://issuer.example' })
    t.equal((await host.redeem(app, params.code ?? '')).status, 200)
  }
})

everywhere('a pushed request is answered once, and can be reloaded until then', async (t, host) => {
  const app = await host.confidentialApp()
  const query = await host.pushed(app)
  const [first, second] = [await host.open(query), await host.open(query)]
  t.ok((await host.decide(second)).params.code)
  t.match(await host.decide(first), notUsable, 'the other tab')
  t.match(await host.open(query), notUsable, 'the back button')
  t.match((await host.open(query, 'anna', page)).text, /invalid_request_uri/)
  t.match(await host.open(query, null), notUsable, 'nobody has to sign in to hear it')

  const denied = await host.pushed(app, { prompt: 'consent' })
  const screen = await host.open(denied)
  t.match((await host.decide(screen, 'denied')).params, { error: 'access_denied' })
  t.match(await host.open(denied), notUsable)

  const refused = await host.pushed(app, { prompt: 'none' })
  t.match(
    (await host.open(refused, null)).params,
    { error: 'login_required', state: 'state-1' },
    'a refusal is an answer as well',
  )
  t.match(await host.open(refused), notUsable)

  const agreed = await host.pushed(app)
  t.ok((await host.open(agreed)).params.code, 'agreed before')
  t.match(await host.open(agreed), notUsable)
})

everywhere('of pushed requests that are opened several times at once, each gives one code', async (t, host) => {
  const app = await host.confidentialApp()
  await host.approve(app)
  for (let round = 0; round < 3; round++) {
    const query = await host.pushed(app)
    const answers = await Promise.all([1, 2, 3, 4].map(() => host.open(query)))
    t.equal(answers.filter(({ params }) => params.code).length, 1)
    t.equal(answers.filter(({ body }) => body.error === 'invalid_request_uri').length, 3)
  }
  const query = await host.pushed(app, { prompt: 'consent' })
  const screens = await Promise.all([1, 2, 3].map(() => host.open(query)))
  const answers = await Promise.all(screens.map(screen => host.decide(screen)))
  t.equal(answers.filter(({ params }) => params.code).length, 1)
})

everywhere('a pushed request is good for its time, and its open screen for a screen’s', async (t, host) => {
  const app = await host.confidentialApp()
  host.clock.stop()
  const query = await host.pushed(app)
  host.clock.advance(539.999)
  const [first, second] = [await host.open(query), await host.open(query)]
  host.clock.advance(0.001)
  t.match(await host.open(query), notUsable)
  host.clock.advance(599.998)
  t.ok((await host.decide(first)).params.code)
  t.match(await host.decide(second), notUsable)
})

everyFramework('a request_uri is its client’s alone, and a guessed one is nobody’s', async (t, host) => {
  const [app, other] = [await host.confidentialApp(), await host.confidentialApp()]
  const { request_uri } = await host.pushed(app)
  t.match(await host.open({ client_id: other.clientId, request_uri }), notUsable)
  t.match(await host.open({ client_id: app.clientId, request_uri: `${URN}${'x'.repeat(43)}` }), notUsable)
  t.match(await host.open({ client_id: app.clientId, request_uri: `${request_uri}x` }), notUsable)
  t.match(await host.open({ request_uri }), { status: 400, body: { error: 'invalid_request', error_description: /client_id/ } })
  const twice = `client_id=${app.clientId}&request_uri=${request_uri}&request_uri=${request_uri}`
  t.match(await host.browse(`/oauth/authorize?${twice}`, 'anna'), { status: 400, body: { error_description: /more than once/ } })
  t.ok((await host.open({ client_id: app.clientId, request_uri })).params.consent_id, 'none of them has used it up')
})

everyFramework('parameters beside a request_uri count for nothing', async (t, host) => {
  const app = await host.confidentialApp({ redirectUris: [REDIRECT_URI, 'https://app.example/other'] })
  const query = await host.pushed(app)
  const beside = { redirect_uri: 'https://app.example/other', scope: 'write:records', state: 'another', prompt: 'none' }
  const screen = await host.open({ ...query, ...beside, code_challenge: 'x', request: 'x', nonce: 'n' })
  const { body } = await host.browse(`${screen.location?.pathname}${screen.location?.search}`, 'anna', {
    headers: { accept: 'application/json' },
  })
  t.match(body, { redirect_uri: REDIRECT_URI, scopes: [{ name: 'read:records' }] })
  const done = await host.decide(screen)
  t.equal(done.location?.pathname, '/cb')
  t.equal(done.params.state, 'state-1')
  t.equal((await host.redeem(app, done.params.code ?? '')).body.scope, 'read:records')
})

everyFramework('what is wrong with a request is said when it is pushed, to the client', async (t, host) => {
  const app = await host.confidentialApp()
  const cases: readonly (readonly [object, number, string, RegExp])[] = [
    [{ client_secret: 'wrong' }, 401, 'invalid_client', /authentication failed/],
    [{ client_secret: undefined }, 401, 'invalid_client', /authentication failed/],
    [{ request_uri: `${URN}x` }, 400, 'invalid_request', /request_uri must not be pushed/],
    [{ request_uri: 'https://evil.example/' }, 400, 'invalid_request', /request_uri must not be pushed/],
    [{ request: 'x' }, 400, 'request_not_supported', /./],
    [{ redirect_uri: 'https://evil.example/' }, 400, 'invalid_request', /not registered/],
    [{ redirect_uri: undefined }, 400, 'invalid_request', /redirect_uri is required/],
    [{ response_type: undefined }, 400, 'invalid_request', /response_type is required/],
    [{ response_type: 'token' }, 400, 'unsupported_response_type', /./],
    [{ scope: 'unknown' }, 400, 'invalid_scope', /./],
    [{ code_challenge: 'short' }, 400, 'invalid_request', /code_challenge/],
    [{ prompt: 'none login' }, 400, 'invalid_request', /prompt/],
    [{ resource: 'https://other.example' }, 400, 'invalid_target', /./],
  ]
  for (const [fields, status, error, description] of cases)
    t.match(await host.push(app, { ...fields }), { status, body: { error, error_description: description } })

  const misplaced = await host.send(`/oauth/par?client_id=${app.clientId}`, { method: 'POST', body: host.authorizeQuery(app) })
  t.match(misplaced, { status: 400, body: { error_description: /in the body, not in the URL/ } })
  const pair = Buffer.from(`${app.clientId}:${app.clientSecret}`).toString('base64')
  const basic = await host.send('/oauth/par', {
    method: 'POST',
    body: host.authorizeQuery(app, { client_id: undefined }),
    headers: { authorization: `Basic ${pair}` },
  })
  t.equal(basic.status, 201, 'as at the token endpoint, the client may name itself in HTTP Basic alone')
  t.equal((await host.send('/oauth/par')).status, 405)
  t.match(
    await host.push(app, { id_token_hint: 'x' }),
    { status: 201 },
    'without keys there are no ID tokens, and a hint says nothing',
  )
})

everyFramework(
  'an ID token that names the user is checked when it is pushed',
  async (t, host) => {
    const app = await host.confidentialApp()
    t.match(await host.push(app, { id_token_hint: 'x', prompt: 'none' }), { status: 400, body: { error: 'login_required' } })
  },
  SIGN_IN,
)

everywhere(
  'what happens to an app after it pushed happens to the request',
  async (t, host) => {
    const app = await createApp(host)
    const fields = { redirect_uri: 'https://app.example/cb' }
    const query = await host.pushed(app, fields)
    const screen = await host.open(query)
    await api(host, 'POST', `/${app.id}/suspend`)
    t.match(await host.open(query), { status: 400, body: { error: 'invalid_client' } })
    t.match(await host.push(app, fields), { status: 401 })
    await api(host, 'POST', `/${app.id}/activate`)
    t.ok((await host.open(query)).params.consent_id)

    await api(host, 'POST', `/${app.id}/revoke-all-tokens`)
    t.match(await host.open(query), notUsable)
    t.match(await host.decide(screen), notUsable, 'nor by a screen that was open')

    const later = await host.pushed(app, fields)
    await api(host, 'PUT', `/${app.id}`, { body: { redirectUris: ['https://app.example/moved'] } })
    t.match(await host.open(later), { status: 400, body: { error_description: /not registered/ } })
    await api(host, 'DELETE', `/${app.id}`)
    t.match(await host.open(later), { status: 400, body: { error: 'invalid_client' } })
  },
  UNLIMITED,
)

everyFramework(
  'a new login that a pushed request wants is proven for its very parameters',
  async (t, host) => {
    const app = await host.confidentialApp()
    const query = await host.pushed(app, { prompt: 'login', login_hint: 'anna@example.com' })
    const login = await host.open(query)
    t.match(login.params, { prompt: 'login', login_hint: 'anna@example.com' })
    const back = new URL(returnTo(login), host.url)
    t.strictSame([...back.searchParams.keys()], ['client_id', 'request_uri', 'after_login', 'login_proof'])

    const other = await host.pushed(app, { prompt: 'login' })
    const stolen = await host.open({ ...other, login_proof: back.searchParams.get('login_proof') ?? '' }, 'again')
    t.equal(stolen.location?.pathname, '/login', 'the proof of another request is none')
    t.match((await host.browse(returnTo(login), 'anna')).params, { error: 'login_required' }, 'the session is the old one')

    const again = await host.pushed(app, { prompt: 'login' })
    const screen = await host.browse(returnTo(await host.open(again)), 'again')
    t.ok((await host.decide(screen, 'granted', 'again')).params.code)
  },
  {
    authenticate: async request => {
      const session = /session=(\w+)/.exec(request.headers.cookie ?? '')?.[1]
      const anna = USERS.anna
      if (session === undefined || !anna) return null
      return { ...anna, sessionId: session }
    },
  },
)

everyFramework('the page of a pushed request leads to it by another user too', async (t, host) => {
  const app = await host.confidentialApp()
  const query = await host.pushed(app)
  const screen = await host.open(query)
  const { text } = await host.browse(`${screen.location?.pathname}${screen.location?.search}`, 'anna', page)
  const [, link = ''] = /href="(\/oauth\/authorize\?[^"]*)"/.exec(text) ?? []
  const login = await host.browse(link.replaceAll('&amp;', '&'), 'anna')
  t.equal(login.params.prompt, 'select_account')
  const asBert = await host.browse(returnTo(login), 'bert')
  t.match((await host.decide(asBert, 'granted', 'bert')).params, { code: String, state: 'state-1' })

  const silent = await host.pushed(app, { prompt: 'none' })
  t.match(
    (await host.open({ ...silent, switch_user: '1' }, 'cora')).params,
    { error: 'consent_required' },
    'what forbids every page forbids this one',
  )
})

everywhere(
  'a host, or an app, takes pushed requests alone',
  async (t, host) => {
    const app = await createApp(host, { requirePushedAuthorizationRequests: true })
    t.equal((await api(host, 'GET', `/${app.id}`)).body.requirePushedAuthorizationRequests, true)
    const refused = { error: 'invalid_request', error_description: /must push/ }
    t.match((await host.authorize(app)).params, refused)
    const posted = await host.browse('/oauth/authorize', 'anna', {
      method: 'POST',
      body: host.authorizeQuery(app, { state: 'x'.repeat(4000) }),
    })
    t.match(posted, { status: 400, body: refused }, 'one that a browser posts is not a client’s')
    const decided = await host.send('/oauth/authorize', {
      method: 'POST',
      headers: { authorization: 'Bearer host-anna', 'content-type': 'application/json' },
      body: JSON.stringify({ ...Object.fromEntries(host.authorizeQuery(app)), response_type: undefined, consent: 'granted' }),
    })
    t.match(decided.body, refused, 'nor one that a page of the host spells out')
    const screen = await host.open(await host.pushed(app))
    t.ok((await host.decide(screen)).params.code)

    await api(host, 'PUT', `/${app.id}`, { body: { requirePushedAuthorizationRequests: false } })
    t.equal((await api(host, 'GET', `/${app.id}`)).body.requirePushedAuthorizationRequests, undefined)
    t.equal((await host.authorize(app)).params.error, undefined)
    t.match(await api(host, 'PUT', `/${app.id}`, { body: { requirePushedAuthorizationRequests: 'yes' } }), { status: 400 })
  },
  UNLIMITED,
)

everyFramework(
  'a client that registers itself, and one that is seeded, can bind themselves to pushed requests',
  async (t, host) => {
    const metadata = { redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' }
    const { body } = await register(host, { ...metadata, require_pushed_authorization_requests: true })
    t.equal(body.require_pushed_authorization_requests, true)
    const agent = { clientId: String(body.client_id), clientSecret: null }
    t.match((await host.authorize(agent)).params, { error_description: /must push/ })
    t.ok((await host.open(await host.pushed(agent))).params.consent_id)
    t.match(await register(host, { ...metadata, require_pushed_authorization_requests: 'yes' }), {
      status: 400,
      body: { error: 'invalid_client_metadata' },
    })

    const seed = (requirePushedAuthorizationRequests?: boolean) =>
      host.confidentialApp({ clientId: 'seed', requirePushedAuthorizationRequests })
    const app = await seed(true)
    t.match((await host.authorize(app)).params, { error_description: /must push/ })
    await seed()
    t.match((await host.authorize(app)).params, { error_description: /must push/ }, 'what is left out stays')
    await seed(false)
    t.ok((await host.authorize(app)).params.consent_id)
  },
  { clients: { registration: 'open' } },
)

for (const [name, mount] of Object.entries(frameworks)) {
  t.test(`${name}: a host can demand pushed requests of every app`, async t => {
    const host = await startHost(mount, { requirePushedAuthorizationRequests: true })
    t.teardown(host.close)
    const app = await host.confidentialApp()
    t.match((await host.authorize(app)).params, { error: 'invalid_request', error_description: /must push/ })
    const { body } = await host.send('/.well-known/oauth-authorization-server')
    t.match(body, {
      pushed_authorization_request_endpoint: 'https://issuer.example/oauth/par',
      require_pushed_authorization_requests: true,
      request_uri_parameter_supported: false,
    })
    const screen = await host.open(await host.pushed(app))
    t.ok((await host.decide(screen)).params.code)
  })
}

everyFramework(
  'a client that pushes without end is told to wait',
  async (t, host) => {
    const [app, other] = [await host.confidentialApp(), await host.confidentialApp()]
    t.match(await host.push(app, { scope: 'unknown' }), { status: 400 }, 'what stores nothing counts nothing')
    t.equal((await host.push(app)).status, 201)
    t.equal((await host.push(app)).status, 201)
    const refused = await host.push(app)
    t.match(refused, { status: 429, body: { error: 'temporarily_unavailable' } })
    t.ok(Number(refused.headers.get('retry-after')) > 0)
    t.equal((await host.push(other)).status, 201, 'another client is not in its way')
  },
  { rateLimits: { pushedRequests: { points: 2, seconds: 60 } } },
)

everywhere('a store that fails while a pushed request is answered leaves it as it was', async (t, host) => {
  const app = await host.confidentialApp()
  await host.approve(app)
  const query = await host.pushed(app)
  const { put } = host.store.oneTime
  let fails = true
  host.store.oneTime.put = entry =>
    fails && entry.kind === 'code' ? Promise.reject(new Error('down')) : put.call(host.store.oneTime, entry)
  t.equal((await host.open(query)).status, 503)
  fails = false
  t.ok((await host.open(query)).params.code)
  t.match(await host.open(query), notUsable)
})

everyFramework('a page may push for a public app of its origin', async (t, host) => {
  const [open, secret] = [await host.publicApp(), await host.confidentialApp()]
  const allowed = async (app: typeof open, origin: string) => {
    const { headers, status } = await host.push(app, {}, { headers: { origin } })
    t.equal(status, 201)
    return headers.get('access-control-allow-origin')
  }
  t.equal(await allowed(open, 'https://app.example'), 'https://app.example')
  t.equal(await allowed(open, 'https://evil.example'), null)
  t.equal(await allowed(secret, 'https://app.example'), null, 'the secret of another has no place in a page')
})

everyFramework('an authorization request may be posted', async (t, host) => {
  const app = await host.confidentialApp()
  const post = (body: URLSearchParams, user: string | null = null) =>
    host.browse('/oauth/authorize', user, { method: 'POST', body, headers: { 'sec-fetch-site': 'cross-site' } })

  const moved = await post(host.authorizeQuery(app))
  t.match(moved, { status: 303 })
  t.equal(`${moved.location?.pathname}${moved.location?.search}`, `/oauth/authorize?${host.authorizeQuery(app)}`)
  const login = await host.browse(`${moved.location?.pathname}${moved.location?.search}`, null)
  const screen = await host.browse(returnTo(login), 'anna')
  t.ok((await host.decide(screen)).params.code)

  const twice = host.authorizeQuery(app)
  twice.append('state', 'state-2')
  const faulty = await post(twice, 'anna')
  t.match((await host.browse(`${faulty.location?.pathname}${faulty.location?.search}`, 'anna')).params, {
    error: 'invalid_request',
    error_description: /state is given more than once/,
  })

  const without = await post(host.authorizeQuery(app, { response_type: undefined }))
  t.equal(without.status, 303, 'its faults are told as those of any other')
  const pushed = await post(defined(await host.pushed(app)))
  t.ok((await host.browse(`${pushed.location?.pathname}${pushed.location?.search}`, 'anna')).params.code)
})

everywhere('a posted request that is too long for a URL is kept, for one answer', async (t, host) => {
  const app = await host.publicApp()
  const state = 'ü'.repeat(2000)
  const post = (fields = {}) =>
    host.browse('/oauth/authorize', null, { method: 'POST', body: host.authorizeQuery(app, { state, ...fields }) })
  const moved = await post()
  t.match(moved.params, { client_id: app.clientId, request_uri: /^urn:/ })
  const path = `${moved.location?.pathname}${moved.location?.search}`
  const screen = await host.browse(returnTo(await host.browse(path, null)), 'anna')
  t.match((await host.decide(screen)).params, { state, code: String })
  t.match(await host.browse(path, 'anna'), notUsable)

  t.match(await post({ scope: 'unknown' }), { status: 400, body: { error: 'invalid_scope' } }, 'of a faulty one nothing is kept')
  t.match(await post({ redirect_uri: 'https://evil.example/' }), { status: 400 })
})
