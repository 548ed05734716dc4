import type { Test } from 'tap'
import { type Answer, type Fields, REDIRECT_URI, VERIFIER } from '../support/client.ts'
import { everyFramework } from '../support/everywhere.ts'
import { USERS } from '../support/host.ts'

/** The request is refused here and now: nothing is redirected, nothing of the request is echoed unescaped. */
function refusedHere(t: Test, answer: Answer, what: string): void {
  t.equal(answer.status, 400, what)
  t.equal(answer.location, undefined, `${what}: no redirect`)
  t.ok(typeof answer.body.error === 'string', `${what}: an OAuth error`)
  t.equal(answer.headers.get('cache-control'), 'no-store', what)
}

function redirectedWith(t: Test, answer: Answer, error: string, what: string, state: string | null = 'state-1'): void {
  t.equal(answer.status, 302, what)
  t.equal(`${answer.location?.origin}${answer.location?.pathname}`, REDIRECT_URI, what)
  t.match(answer.params, { error, iss: 'https://issuer.example', error_description: String }, what)
  t.equal(answer.params.state ?? null, state, what)
  t.equal(answer.params.code, undefined, what)
}

everyFramework(
  'an app that is unknown, suspended or deleted is refused in the same words, without a redirect',
  async (t, host) => {
    const app = await host.confidentialApp()
    const stored = await host.store.apps.get(app.clientId)
    if (!stored) throw new Error('the app is not stored')
    const unknown = await host.authorize({ clientId: 'f'.repeat(24), clientSecret: null })
    refusedHere(t, unknown, 'unknown')
    for (const [index, status] of (['suspended', 'deleted'] as const).entries()) {
      await host.store.apps.save({ ...stored, status, version: 2 + index })
      const answer = await host.authorize(app)
      refusedHere(t, answer, status)
      t.equal(answer.text, unknown.text)
    }
    for (const clientId of ['nope', '', "' OR 1=1", '../../x', 'F'.repeat(24), 'a'.repeat(5000)]) {
      refusedHere(t, await host.authorize({ clientId, clientSecret: null }), clientId.slice(0, 20))
    }
  },
)

const NOT_REGISTERED = [
  `${REDIRECT_URI}/`,
  `${REDIRECT_URI}?x=1`,
  `${REDIRECT_URI}#`,
  `${REDIRECT_URI}#f`,
  `${REDIRECT_URI}/../x`,
  `${REDIRECT_URI}/%2e%2e/x`,
  `${REDIRECT_URI}\\evil`,
  'https://APP.example/cb',
  'HTTPS://app.example/cb',
  'https://app.example:443/cb',
  'https://app.example./cb',
  'http://app.example/cb',
  'https://app.example.evil.com/cb',
  'https://app.example@evil.com/cb',
  'https://evil.com/https://app.example/cb',
  'https://app.example/CB',
  `${REDIRECT_URI}\0`,
  `${REDIRECT_URI}\r\n`,
  ` ${REDIRECT_URI}`,
  `${REDIRECT_URI} `,
  `${REDIRECT_URI}\t`,
  '//app.example/cb',
  'javascript:alert(1)',
  '',
]

everyFramework('a redirect URI that is not the registered one, byte for byte, is refused without a redirect', async (t, host) => {
  const app = await host.confidentialApp()
  for (const redirect_uri of NOT_REGISTERED)
    refusedHere(t, await host.authorize(app, { redirect_uri }), JSON.stringify(redirect_uri))
  refusedHere(t, await host.authorize(app, { redirect_uri: undefined }), 'missing')
  refusedHere(
    t,
    await host.authorize(app, { redirect_uri: 'https://evil.com/', scope: 'bogus', response_type: 'nope' }),
    'with other errors',
  )
})

const LOOPBACK_CASES: readonly (readonly [registered: string, requested: string, ok: boolean])[] = [
  ['http://127.0.0.1/cb', 'http://127.0.0.1:1/cb', true],
  ['http://127.0.0.1/cb', 'http://127.0.0.1:65535/cb', true],
  ['http://127.0.0.1/cb', 'http://127.0.0.1:80/cb', true],
  ['http://127.0.0.1/cb', 'http://127.0.0.1:0/cb', false],
  ['http://127.0.0.1/cb', 'http://127.0.0.2:9/cb', false],
  ['http://127.0.0.1/cb', 'http://localhost:9/cb', false],
  ['http://127.0.0.1/cb', 'https://127.0.0.1:9/cb', false],
  ['http://127.0.0.1/cb', 'http://127.0.0.1:9/other', false],
  ['http://127.0.0.1/cb', 'http://127.0.0.1:9/cb?x', false],
  ['http://127.0.0.1/cb', 'http://127.0.0.1:80@evil.com/cb', false],
  ['http://127.0.0.1/cb', 'http://127.0.0.1:9\\@evil.com/cb', false],
  ['http://127.0.0.1/cb', 'http://127.0.0.1:9#@evil/cb', false],
  ['http://127.0.0.1/cb', 'http://127.0.0.1.evil.com:9/cb', false],
  ['http://127.0.0.1/cb', 'http://0x7f.1:9/cb', false],
  ['http://127.0.0.1/cb', 'http://2130706433:9/cb', false],
  ['http://127.0.0.1/cb', 'http://127.1:9/cb', false],
  ['http://127.0.0.1/cb', 'http://127.0.0.1:99999/cb', false],
  ['http://127.0.0.1/cb', 'http://127.0.0.1:+80/cb', false],
  ['http://127.0.0.1:8080/cb', 'http://127.0.0.1:9/cb', true],
  ['http://[::1]/cb', 'http://[::1]:4711/cb', true],
  ['http://[::1]/cb', 'http://[::1]:0/cb', false],
  ['http://[::1]/cb', 'http://[::2]:4711/cb', false],
  ['http://localhost/cb', 'http://localhost:9/cb', false],
  ['http://localhost/cb', 'http://localhost/cb', true],
  ['https://127.0.0.1/cb', 'https://127.0.0.1:9/cb', false],
]

everyFramework('the port of a loopback address may differ, and nothing else about it', async (t, host) => {
  for (const [registered, redirect_uri, ok] of LOOPBACK_CASES) {
    const app = await host.publicApp({ redirectUris: [registered] })
    const answer = await host.authorize(app, { redirect_uri })
    if (ok) t.ok(answer.params.consent_id, `${redirect_uri} for ${registered}`)
    else refusedHere(t, answer, `${redirect_uri} for ${registered}`)
  }
})

everyFramework(
  'the port of localhost may differ where the host says so',
  async (t, host) => {
    const app = await host.publicApp({ redirectUris: ['http://localhost/cb'] })
    t.ok((await host.authorize(app, { redirect_uri: 'http://localhost:9/cb' })).params.consent_id)
    refusedHere(t, await host.authorize(app, { redirect_uri: 'http://127.0.0.1:9/cb' }), 'another loopback address')
  },
  { loopbackLocalhost: true },
)

everyFramework('the redirect of a code on a loopback port goes to that port, and is redeemed with it', async (t, host) => {
  const app = await host.publicApp({ redirectUris: ['http://127.0.0.1/cb'] })
  const redirect_uri = 'http://127.0.0.1:5555/cb'
  const screen = await host.authorize(app, { redirect_uri })
  const done = await host.decide(screen)
  t.equal(done.location?.origin, 'http://127.0.0.1:5555')
  t.equal(
    (await host.redeem(app, done.params.code ?? '', { redirect_uri: 'http://127.0.0.1:6666/cb' })).body.error,
    'invalid_grant',
  )
  t.equal((await host.redeem(app, done.params.code ?? '', { redirect_uri })).status, 200)
})

everyFramework('a redirect URI keeps its own query, on success and on error', async (t, host) => {
  const redirect_uri = 'https://app.example/cb?tenant=1&x=%20'
  const app = await host.confidentialApp({ redirectUris: [redirect_uri] })
  const done = await host.decide(await host.authorize(app, { redirect_uri }))
  t.match(
    done.headers.get('location'),
    /^https:\/\/app\.example\/cb\?tenant=1&x=%20&code=[^&]+&state=state-1&iss=https%3A%2F%2Fissuer\.example$/,
  )
  const failed = await host.authorize(app, { redirect_uri, scope: 'bogus' })
  t.match(
    failed.headers.get('location'),
    /^https:\/\/app\.example\/cb\?tenant=1&x=%20&error=invalid_scope&error_description=[^&]+&state=state-1&iss=/,
  )
})

everyFramework('a parameter given twice is invalid, whether or not the values differ', async (t, host) => {
  const app = await host.confidentialApp()
  const twice = (name: string, value: string) => {
    const query = host.authorizeQuery(app, { nonce: 'n' })
    query.append(name, value)
    return host.browse(`/oauth/authorize?${query}`, 'anna')
  }
  for (const name of ['client_id', 'redirect_uri']) {
    refusedHere(t, await twice(name, host.authorizeQuery(app).get(name) ?? ''), `${name}, the same`)
    refusedHere(t, await twice(name, 'other'), `${name}, another`)
  }
  for (const name of ['scope', 'response_type', 'code_challenge', 'code_challenge_method', 'nonce']) {
    redirectedWith(
      t,
      await twice(name, host.authorizeQuery(app, { nonce: 'n' }).get(name) ?? ''),
      'invalid_request',
      `${name}, the same`,
    )
    redirectedWith(t, await twice(name, 'other'), 'invalid_request', `${name}, another`)
  }
  redirectedWith(t, await twice('state', 'state-1'), 'invalid_request', 'state', null)
  const resources = host.authorizeQuery(app)
  resources.append('resource', 'https://issuer.example/a')
  resources.append('resource', 'https://issuer.example/b')
  t.ok((await host.browse(`/oauth/authorize?${resources}`, 'anna')).params.consent_id, 'resource may be repeated')
})

everyFramework('brackets in a name make another name, never an object', async (t, host) => {
  const app = await host.confidentialApp()
  const query = host.authorizeQuery(app, { state: undefined, code_challenge: undefined, code_challenge_method: undefined })
  for (const name of ['state[]', 'state[a]', 'state[0]']) {
    const answer = await host.browse(`/oauth/authorize?${query}&${encodeURIComponent(name)}=b`, 'anna')
    redirectedWith(t, answer, 'invalid_request', name, null)
  }
  for (const name of ['redirect_uri[0]', 'client_id[$ne]']) {
    const without = host.authorizeQuery(app, { redirect_uri: undefined, client_id: undefined })
    refusedHere(t, await host.browse(`/oauth/authorize?${without}&${encodeURIComponent(name)}=${REDIRECT_URI}`, 'anna'), name)
  }
})

everyFramework('state comes back as it was, whatever it is made of', async (t, host) => {
  const app = await host.confidentialApp()
  for (const state of [
    'a b',
    'a+b',
    '&=#%',
    '🦊 ü',
    'x'.repeat(1024),
    '<script>"a\'<b',
    '\r\nSet-Cookie: x=1',
    '%20',
    'a;b',
    '\\',
  ]) {
    const done = await host.decide(await host.authorize(app, { state }))
    if (done.status === 303) t.equal(done.params.state, state, JSON.stringify(state.slice(0, 20)))
    else t.equal((await host.authorize(app, { state })).params.state, state, JSON.stringify(state.slice(0, 20)))
    const failed = await host.authorize(app, { state, scope: 'bogus' })
    t.equal(failed.params.state, state)
    t.equal(failed.headers.get('set-cookie'), null)
  }
  redirectedWith(t, await host.authorize(app, { state: 'x'.repeat(4097) }), 'invalid_request', 'over 4 KiB', null)
})

everyFramework('what the request lacks or gets wrong goes back to the app, with state and iss', async (t, host) => {
  const app = await host.confidentialApp()
  const cases: readonly (readonly [fields: Record<string, string | undefined>, error: string])[] = [
    [{ response_type: undefined }, 'invalid_request'],
    [{ response_type: 'token' }, 'unsupported_response_type'],
    [{ response_type: 'code id_token' }, 'unsupported_response_type'],
    [{ response_mode: 'web_message' }, 'invalid_request'],
    [{ scope: 'unknown' }, 'invalid_scope'],
    [{ scope: 'read:records\twrite:records' }, 'invalid_scope'],
    [{ scope: '"; drop' }, 'invalid_scope'],
    [{ request: 'eyJ' }, 'request_not_supported'],
    [{ request_uri: 'http://169.254.169.254/' }, 'request_uri_not_supported'],
    [{ registration: '{}' }, 'registration_not_supported'],
    [{ nonce: 'n'.repeat(513) }, 'invalid_request'],
    [{ code_challenge_method: 'S512' }, 'invalid_request'],
    [{ code_challenge_method: 'plain' }, 'invalid_request'],
    [{ code_challenge_method: undefined }, 'invalid_request'],
    [{ code_challenge: 'short' }, 'invalid_request'],
    [{ code_challenge: `${VERIFIER}=` }, 'invalid_request'],
    [{ code_challenge: undefined }, 'invalid_request'],
  ]
  for (const [fields, error] of cases)
    redirectedWith(t, await host.authorize(app, fields), error, JSON.stringify(fields).slice(0, 60))
  const machine = await host.confidentialApp({ allowedGrantTypes: ['client_credentials'] })
  redirectedWith(t, await host.authorize(machine), 'unauthorized_client', 'an app without the grant')
})

everyFramework('a public app must send an S256 challenge; a confidential one may go without', async (t, host) => {
  const none = { code_challenge: undefined, code_challenge_method: undefined }
  redirectedWith(t, await host.authorize(await host.publicApp(), none), 'invalid_request', 'public')
  t.ok((await host.authorize(await host.confidentialApp(), none)).params.consent_id)
})

everyFramework('scopes are granted once each; what an app may not have is left out, and the answer says so', async (t, host) => {
  const app = await host.confidentialApp({ allowedScopes: ['read:records'] })
  for (const [scope, granted] of [
    ['read:records read:records', 'read:records'],
    ['read:records write:records', 'read:records'],
    ['nothing:known read:records  ', 'read:records'],
    ['read:records offline_access', 'read:records offline_access'],
  ] as const) {
    const code = await host.approve(app, { scope })
    t.equal((await host.redeem(app, code)).body.scope, granted, scope)
  }
  for (const scope of ['write:records', 'offline_access', 'nothing:known', ' ', 'x"y']) {
    const answer = await host.authorize(app, { scope })
    redirectedWith(t, answer, 'invalid_scope', scope)
  }
  const named = await host.authorize(app, { scope: 'write:records other' })
  t.match(named.params.error_description, 'write:records, other', 'the error names them')
})

everyFramework('offline_access is kept in the grant, for apps that may refresh', async (t, host) => {
  const app = await host.confidentialApp()
  const { body } = await host.redeem(app, await host.approve(app, { scope: 'offline_access read:records' }))
  t.equal(body.scope, 'read:records offline_access')
  const refreshed = await host.refresh(app, body.refresh_token)
  t.equal(refreshed.body.scope, 'read:records offline_access')
  const fewer = await host.refresh(app, refreshed.body.refresh_token, { scope: 'read:records' })
  t.equal(fewer.body.scope, 'read:records')
  const once = await host.confidentialApp({ allowedGrantTypes: ['authorization_code'] })
  const single = await host.redeem(once, await host.approve(once, { scope: 'read:records offline_access' }))
  t.equal(single.body.scope, 'read:records', 'an app without the refresh grant')
  t.equal(single.body.refresh_token, undefined)
})

everyFramework('a request without scope, or with an empty one, gets all of the app’s', async (t, host) => {
  for (const scope of [undefined, '']) {
    const app = await host.confidentialApp()
    const done = await host.decide(await host.authorize(app, { scope }))
    t.equal((await host.redeem(app, done.params.code ?? '')).body.scope, 'read:records write:records')
  }
})

everyFramework(
  'defaultScopes are what a request without scope gets, as far as the app may have them',
  async (t, host) => {
    const app = await host.confidentialApp()
    const done = await host.decide(await host.authorize(app, { scope: undefined }))
    t.equal((await host.redeem(app, done.params.code ?? '')).body.scope, 'read:records')
    t.equal((await host.clientCredentials(app)).body.scope, 'read:records')
    const other = await host.confidentialApp({ allowedScopes: ['write:records'] })
    redirectedWith(t, await host.authorize(other, { scope: undefined }), 'invalid_scope', 'none of them')
  },
  { defaultScopes: ['read:records'] },
)

everyFramework('state may be left out where a challenge or a nonce protects, and nowhere else', async (t, host) => {
  const app = await host.confidentialApp()
  const none = { state: undefined, code_challenge: undefined, code_challenge_method: undefined }
  t.ok((await host.authorize(app, { state: undefined })).params.consent_id, 'S256')
  redirectedWith(t, await host.authorize(app, none), 'invalid_request', 'neither', null)
  redirectedWith(t, await host.authorize(app, { ...none, nonce: 'n' }), 'invalid_request', 'a nonce without openid', null)
  const done = await host.decide(await host.authorize(app, { state: undefined }))
  t.equal(done.params.state, undefined)
  t.ok(done.params.code)
})

everyFramework('somebody who is not signed in goes to the login and comes back to the same request', async (t, host) => {
  const app = await host.confidentialApp()
  const answer = await host.authorize(app, { state: 'a&b=c' }, null)
  t.equal(answer.status, 302)
  t.equal(answer.location?.pathname, '/login')
  const returnTo = answer.params.returnTo ?? ''
  t.ok(returnTo.startsWith('/oauth/authorize?'))
  t.equal(new URLSearchParams(returnTo.split('?')[1]).get('state'), 'a&b=c')
  t.ok((await host.browse(returnTo, 'anna')).params.consent_id)
})

everyFramework('somebody who has agreed is not asked again, except for more', async (t, host) => {
  const app = await host.confidentialApp()
  await host.approve(app)
  t.ok((await host.authorize(app)).params.code)
  t.ok((await host.authorize(app, { scope: 'read:records write:records' })).params.consent_id, 'more scopes')
  t.ok((await host.authorize(app, {}, 'bert')).params.consent_id, 'another user')
  await host.approve(app, { scope: 'write:records' })
  t.ok((await host.authorize(app, { scope: 'read:records write:records' })).params.code, 'both have been agreed to by now')
})

everyFramework('a public app on an address that anyone could take is asked for every time', async (t, host) => {
  const claimed = await host.publicApp()
  await host.approve(claimed)
  t.ok((await host.authorize(claimed)).params.code)
  for (const redirect_uri of ['http://127.0.0.1/cb', 'com.example.app:/cb']) {
    const app = await host.publicApp({ redirectUris: [redirect_uri] })
    await host.approve(app, { redirect_uri })
    t.ok((await host.authorize(app, { redirect_uri })).params.consent_id, redirect_uri)
  }
})

everyFramework('a token that authmount issued is not a login', async (t, host) => {
  const app = await host.confidentialApp()
  const { access } = await host.tokens(app)
  const query = host.authorizeQuery(app)
  const asBearer = await host.send(`/oauth/authorize?${query}`, {
    headers: { authorization: `Bearer ${access}`, cookie: 'session=anna' },
  })
  t.equal(asBearer.location?.pathname, '/login')
  // The login would send such a browser back with the same cookie.
  for (const cookie of [`session=${access}`, `session=anna; tok=${access}`, `tok=${access.replace('am_', '%61m_')}`]) {
    const told = await host.send(`/oauth/authorize?${query}`, { headers: { cookie } })
    t.equal(told.status, 403, cookie)
    t.match(told.body.error_description, 'a cookie of this request holds an access token')
  }
  const notTokens = ['team_at_home=1', 'x=am_at_', 'x=am_rt_abc', `y=${access.slice(0, -1)}`, `z=${access.replace('.', '-')}`]
  for (const other of notTokens)
    t.ok((await host.send(`/oauth/authorize?${query}`, { headers: { cookie: `session=anna; ${other}` } })).params.code, other)
  t.ok((await host.authorize(app, { state: access })).params.code, 'what a client keeps in its state is its own affair')
  const smuggled = [
    { cookie: 'session=anna', 'x-api-key': access },
    { cookie: 'session=anna', authorization: `Basic ${Buffer.from(`${access}:x`).toString('base64')}` },
  ]
  for (const headers of smuggled)
    t.equal((await host.send(`/oauth/authorize?${query}`, { headers })).location?.pathname, '/login')
  t.equal((await host.browse(`/oauth/authorize?${query}&token=${access}`, 'anna')).location?.pathname, '/login')
  const json = await host.send('/oauth/authorize', {
    method: 'POST',
    headers: { authorization: `Bearer ${access}`, 'content-type': 'application/json', cookie: 'session=anna' },
    body: JSON.stringify({ ...Object.fromEntries(query), consent: 'granted' }),
  })
  t.equal(json.status, 401)
  t.equal(json.body.redirect_uri, undefined)
})

everyFramework(
  'a user whose id is that of an app, whichever, gets no token that could be taken for the app’s own',
  async (t, host) => {
    const app = await host.confidentialApp()
    const other = await host.confidentialApp()
    for (const { clientId } of [app, other]) {
      Object.assign(USERS, { lookalike: { userId: clientId, orgId: 'org-1', isAdmin: false } })
      const answer = await host.decide(await host.authorize(app, {}, 'lookalike'), 'granted', 'lookalike')
      t.match(answer.params, { error: 'access_denied', state: 'state-1' })
      t.equal(answer.params.code, undefined)
      const json = await host.send('/oauth/authorize', {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer host-lookalike' },
        body: JSON.stringify({ ...Object.fromEntries(host.authorizeQuery(app, { state: 'other' })), consent: 'granted' }),
      })
      t.equal(json.body.redirect_uri, undefined)
    }
  },
)

everyFramework('a resource that is not on this server is refused, rather than granted as something else', async (t, host) => {
  const app = await host.confidentialApp()
  for (const resource of ['https://other.example/', 'relative', 'https://issuer.example/api#f', 'urn:x']) {
    redirectedWith(t, await host.authorize(app, { resource }), 'invalid_target', resource)
    t.equal((await host.clientCredentials(app, { resource })).body.error, 'invalid_target', resource)
    const json = await host.send('/oauth/token', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        grant_type: 'client_credentials',
        client_id: app.clientId,
        client_secret: app.clientSecret,
        resource,
      }),
    })
    t.equal(json.body.error, 'invalid_target', `${resource}, as JSON`)
  }
  for (const resource of ['https://issuer.example', 'https://issuer.example/', 'https://issuer.example/api/records?x=1']) {
    t.ok((await host.authorize(app, { resource })).params.consent_id, resource)
    t.equal((await host.clientCredentials(app, { resource })).status, 200, resource)
  }
})

everyFramework(
  'what is no part of an authorization request is neither kept nor passed on',
  async (t, host) => {
    const app = await host.confidentialApp()
    const screen = await host.authorize(app, { junk: 'x'.repeat(8000), returnTo: 'https://evil.example' })
    t.strictSame(Object.keys(screen.params).toSorted(), [
      'client_id',
      'code_challenge',
      'code_challenge_method',
      'consent_id',
      'redirect_uri',
      'response_type',
      'scope',
      'state',
    ])
  },
  { consentUrl: '/consent' },
)

everyFramework('a browser that meets an error is shown a page, with everything escaped', async (t, host) => {
  const app = await host.confidentialApp()
  const query = host.authorizeQuery(app, { redirect_uri: 'https://evil.com/"><script>alert(1)</script>' })
  const answer = await host.browse(`/oauth/authorize?${query}`, 'anna', {
    headers: { accept: 'text/html,application/xhtml+xml' },
  })
  t.equal(answer.status, 400)
  t.match(answer.headers.get('content-type'), /^text\/html/)
  t.match(answer.headers.get('content-security-policy'), /default-src 'none'.*frame-ancestors 'none'/)
  t.notMatch(answer.text, /<script/)
})

everyFramework(
  'nobody is sent to an app’s address before they have signed in, but for the answer to prompt=none',
  async (t, host) => {
    const app = await host.confidentialApp()
    const faults: readonly Fields[] = [
      { response_type: 'token' },
      { response_type: undefined },
      { scope: 'bogus' },
      { code_challenge_method: 'S512' },
      { response_mode: 'nope' },
      { response_mode: 'form_post', scope: 'bogus' },
      { request: 'e30.e30.' },
      { request_uri: 'https://evil.example/request' },
      { prompt: 'none login' },
      { prompt: 'nonesuch' },
      { state: 'x'.repeat(5000) },
      { resource: 'https://elsewhere.example' },
    ]
    for (const fields of faults) {
      const what = JSON.stringify(fields).slice(0, 60)
      const answer = await host.authorize(app, fields, null)
      if (fields.prompt?.includes('none ')) {
        t.equal(answer.params.error, 'invalid_request', what)
        continue
      }
      t.equal(answer.location?.pathname, '/login', what)
      t.notMatch(answer.text, 'app.example', what)
      const signedIn = await host.browse(answer.params.returnTo ?? '', 'anna')
      const direct = await host.authorize(app, fields)
      t.equal(signedIn.status, direct.status, what)
      t.strictSame(signedIn.params, direct.params, `${what}: afterwards the app hears of it`)
    }
    for (const name of ['state', 'scope', 'prompt', 'x']) {
      const answer = await host.browse(`/oauth/authorize?${host.authorizeQuery(app)}&${name}=a&${name}=none`, null)
      t.equal(answer.location?.pathname, '/login', name)
      const signedIn = await host.browse(answer.params.returnTo ?? '', 'anna')
      t.match(signedIn.params, { error: 'invalid_request', error_description: `${name} is given more than once` })
    }
    t.equal((await host.authorize(app, { prompt: 'none' }, null)).params.error, 'login_required')
    t.equal((await host.authorize(app, { prompt: 'none', scope: 'bogus' }, null)).params.error, 'invalid_scope')
  },
)
