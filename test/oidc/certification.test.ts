/**
 * What the OpenID Foundation's conformance suite asks of a "Basic OP" and a "Config OP", module by module.
 *
 * This is not the suite: each test does what the module of its name does, and expects what the module expects. Where the
 * suite would accept our answer with a warning, the test says so.
 */
import { createHash, generateKeyPairSync } from 'node:crypto'
import { decodeProtectedHeader, type JWK, type JWTPayload } from 'jose'
import t, { type Test } from 'tap'
import { type Answer, CHALLENGE, type Fields, REDIRECT_URI, type TestApp, VERIFIER } from '../support/client.ts'
import { everyFramework } from '../support/everywhere.ts'
import type { HostOptions, TestHost } from '../support/host.ts'
import { SIGN_IN, signInApp, verify } from '../support/sign-in.ts'

/** The modules of the two test plans, in their order. */
const BASIC_OP = [
  'oidcc-server',
  'oidcc-response-type-missing',
  'oidcc-idtoken-signature',
  'oidcc-idtoken-unsigned',
  'oidcc-userinfo-get',
  'oidcc-userinfo-post-header',
  'oidcc-userinfo-post-body',
  'oidcc-ensure-request-without-nonce-succeeds-for-code-flow',
  'oidcc-scope-profile',
  'oidcc-scope-email',
  'oidcc-scope-address',
  'oidcc-scope-phone',
  'oidcc-scope-all',
  'oidcc-ensure-other-scope-order-succeeds',
  'oidcc-alternate-happy-flow',
  'oidcc-display-page',
  'oidcc-display-popup',
  'oidcc-prompt-login',
  'oidcc-prompt-none-not-logged-in',
  'oidcc-prompt-none-logged-in',
  'oidcc-max-age-1',
  'oidcc-max-age-10000',
  'oidcc-ensure-request-with-unknown-parameter-succeeds',
  'oidcc-id-token-hint',
  'oidcc-login-hint',
  'oidcc-ui-locales',
  'oidcc-claims-locales',
  'oidcc-ensure-request-with-acr-values-succeeds',
  'oidcc-codereuse',
  'oidcc-codereuse-30seconds',
  'oidcc-ensure-registered-redirect-uri',
  'oidcc-ensure-post-request-succeeds',
  'oidcc-server-client-secret-post',
  'oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported',
  'oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported',
  'oidcc-claims-essential',
  'oidcc-ensure-request-object-with-redirect-uri',
  'oidcc-refresh-token',
  'oidcc-ensure-request-with-valid-pkce-succeeds',
] as const
const CONFIG_OP = ['oidcc-discovery-endpoint-verification'] as const

type Module = (typeof BASIC_OP)[number] | (typeof CONFIG_OP)[number]
const tested = new Set<Module>()

const CLAIMS = {
  profile: {
    name: 'Anna Example',
    family_name: 'Example',
    given_name: 'Anna',
    middle_name: 'Maria',
    nickname: 'Anni',
    preferred_username: 'anna',
    profile: 'https://host.example/anna',
    picture: 'https://host.example/anna.png',
    website: 'https://anna.example',
    gender: 'female',
    birthdate: '1990-04-01',
    zoneinfo: 'Europe/Berlin',
    locale: 'de-DE',
    updated_at: 1_700_000_000,
  },
  email: { email: 'anna@host.example', email_verified: true },
  address: { address: { formatted: 'Street 1\n10115 Berlin', locality: 'Berlin', country: 'DE' } },
  phone: { phone_number: '+49 30 1234567', phone_number_verified: false },
}

/** The host as it would be certified: RS256 and every standard scope. Its key is made once, because RSA takes a while. */
const OP: HostOptions = {
  ...SIGN_IN,
  signingKeys: [generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }) as JWK],
  scopes: {
    ...SIGN_IN.scopes,
    address: { description: 'See where you live' },
    phone: { description: 'See your phone number' },
  },
  claims: userId => (userId === 'anna' ? { ...CLAIMS.profile, ...CLAIMS.email, ...CLAIMS.address, ...CLAIMS.phone } : null),
}

function module(name: Module, fact: string, run: (t: Test, suite: Suite) => Promise<void>, options: HostOptions = OP): void {
  tested.add(name)
  // The protocol is what is certified, so one store is enough.
  everyFramework(`${name}: ${fact}`, async (t, host) => run(t, new Suite(t, host, await certifiedApp(host))), options)
}

function certifiedApp(host: TestHost): Promise<TestApp> {
  return signInApp(host, { allowedScopes: ['openid', 'profile', 'email', 'address', 'phone'] })
}

interface SignedIn {
  readonly claims: JWTPayload
  readonly body: Answer['body']
}

/** The suite, with a client of its own, and the user before its browser. */
class Suite {
  readonly host: TestHost
  readonly app: TestApp
  readonly #t: Test

  constructor(t: Test, host: TestHost, app: TestApp) {
    this.#t = t
    this.host = host
    this.app = app
  }

  get seconds(): number {
    return Math.floor(this.host.clock.now() / 1000)
  }

  /** An authorization request as the suite sends it: without PKCE. */
  ask(fields: Fields = {}, user: string | null = null): Promise<Answer> {
    return this.host.authorize(this.app, this.#request(fields), user)
  }

  /** Does what the user does: signs in if they are sent to the login, and agrees if they are asked to. */
  async finish(sent: Answer, user: string): Promise<Answer> {
    const asked = sent.location?.pathname === '/login' ? await this.host.browse(sent.params.returnTo ?? '', user) : sent
    return asked.params.consent_id === undefined ? asked : this.host.decide(asked, 'granted', user)
  }

  /** A whole authorization by a user who is not yet signed in, with all that every module checks. */
  async signIn(fields: Fields = {}, user = `anna@${this.seconds}`): Promise<SignedIn> {
    return this.answer(await this.finish(await this.ask(fields), user), fields)
  }

  /** Checks an answer with a code, redeems it, and checks what comes for it (OpenID Connect Core §3.1.2.7, §3.1.3.5, §3.1.3.7). */
  async answer(done: Answer, fields: Fields = {}): Promise<SignedIn> {
    const t = this.#t
    t.equal(done.location?.href.split('?')[0], REDIRECT_URI, done.text)
    t.strictSame(Object.keys(done.params).sort(), ['code', 'iss', 'state'])
    t.equal(done.params.state, 'state-1')
    const answer = await this.redeem(done.params.code)
    t.equal(answer.status, 200, answer.text)
    t.match(answer.headers.get('cache-control'), 'no-store')
    t.match(answer.headers.get('content-type'), 'application/json')
    t.match(answer.body, { access_token: String, token_type: /^bearer$/i, expires_in: Number })
    return { body: answer.body, claims: await this.idToken(answer.body, this.#request(fields).nonce) }
  }

  /** With HTTP Basic and nothing else of the client's. */
  redeem(code: string | undefined, fields: Fields = {}): Promise<Answer> {
    const init = { headers: { authorization: basic(this.app) } }
    const redirect = { grant_type: 'authorization_code', redirect_uri: REDIRECT_URI }
    return this.host.post('/oauth/token', this.app, { ...NO_CREDENTIALS, ...redirect, code, ...fields }, init)
  }

  refresh(refreshToken: unknown): Promise<Answer> {
    const init = { headers: { authorization: basic(this.app) } }
    const fields = { grant_type: 'refresh_token', refresh_token: String(refreshToken) }
    return this.host.post('/oauth/token', this.app, { ...NO_CREDENTIALS, ...fields }, init)
  }

  async idToken({ access_token, id_token }: Answer['body'], nonce: string | undefined): Promise<JWTPayload> {
    const t = this.#t
    const claims = await verify(this.host, id_token)
    t.match(claims, { iss: 'https://issuer.example', sub: 'anna', aud: this.app.clientId, nonce })
    t.ok(Math.abs(Number(claims.iat) - this.seconds) <= 2)
    t.ok(Number(claims.exp) > this.seconds)
    const half = createHash('sha256').update(String(access_token)).digest().subarray(0, 16)
    t.equal(claims.at_hash, half.toString('base64url'))
    return claims
  }

  userinfo(accessToken: unknown, method = 'GET'): Promise<Answer> {
    return this.host.send('/oauth/userinfo', { method, headers: { authorization: `Bearer ${accessToken}` } })
  }

  #request(fields: Fields): Fields {
    return { scope: 'openid', nonce: 'nonce-1', code_challenge: undefined, code_challenge_method: undefined, ...fields }
  }
}

const NO_CREDENTIALS = { client_id: undefined, client_secret: undefined }

function basic({ clientId, clientSecret }: TestApp): string {
  return `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
}

module('oidcc-server', 'a code flow ends with an ID token for this user, client and request', async (t, suite) => {
  const signedIn = suite.seconds
  const { body, claims } = await suite.signIn({}, `anna@${signedIn}`)
  t.equal(claims.auth_time, signedIn)
  t.strictSame((await suite.userinfo(body.access_token)).body, { sub: claims.sub })
})

module('oidcc-response-type-missing', 'the client is told what is missing', async (t, suite) => {
  const { location, params } = await suite.ask({ response_type: undefined }, 'anna')
  t.equal(location?.host, 'app.example')
  t.match(params, { error: 'invalid_request', error_description: /response_type/, state: 'state-1', code: undefined })
})

// The suite leaves this and the next out for clients that did not register themselves.
module('oidcc-idtoken-signature', 'a client that names no algorithm gets RS256, and a kid', async (t, suite) => {
  const { body } = await suite.signIn()
  const header = decodeProtectedHeader(String(body.id_token))
  const { keys } = (await suite.host.send('/.well-known/jwks.json')).body as { keys: readonly JWK[] }
  t.match(header, { alg: 'RS256', kid: keys[0]?.kid })
})

module('oidcc-idtoken-unsigned', 'an ID token without a signature is not to be had', async (t, suite) => {
  const { body } = await suite.host.send('/.well-known/openid-configuration')
  t.strictSame(body.id_token_signing_alg_values_supported, ['RS256'])
})

module('oidcc-userinfo-get', 'userinfo answers a GET with the token in the header', async (t, suite) => {
  const { body, claims } = await suite.signIn()
  const info = await suite.userinfo(body.access_token)
  t.equal(info.status, 200)
  t.match(info.headers.get('content-type'), 'application/json')
  t.equal(info.body.sub, claims.sub)
})

module('oidcc-userinfo-post-header', 'userinfo answers a POST with the token in the header', async (t, suite) => {
  const { body, claims } = await suite.signIn()
  const info = await suite.userinfo(body.access_token, 'POST')
  t.equal(info.status, 200)
  t.equal(info.body.sub, claims.sub)
})

module('oidcc-userinfo-post-body', 'userinfo answers a POST with the token in a form', async (t, suite) => {
  const { body, claims } = await suite.signIn()
  const form = new URLSearchParams({ access_token: String(body.access_token) })
  const info = await suite.host.send('/oauth/userinfo', { method: 'POST', body: form })
  t.equal(info.status, 200)
  t.equal(info.body.sub, claims.sub)
})

module('oidcc-ensure-request-without-nonce-succeeds-for-code-flow', 'a code needs no nonce', async (t, suite) => {
  const { claims } = await suite.signIn({ nonce: undefined })
  t.notOk('nonce' in claims)
})

for (const scope of ['profile', 'email', 'address', 'phone'] as const) {
  module(`oidcc-scope-${scope}`, 'userinfo has all its claims, the ID token none', async (t, suite) => {
    const { body, claims } = await suite.signIn({ scope: `openid ${scope}` })
    t.equal(body.scope, `openid ${scope}`)
    t.strictSame((await suite.userinfo(body.access_token)).body, { ...CLAIMS[scope], sub: 'anna' })
    for (const name of Object.keys(CLAIMS[scope])) t.notOk(name in claims, name)
  })
}

module('oidcc-scope-all', 'userinfo has the claims of every scope', async (t, suite) => {
  const { body } = await suite.signIn({ scope: 'openid profile email address phone' })
  const all = { ...CLAIMS.profile, ...CLAIMS.email, ...CLAIMS.address, ...CLAIMS.phone, sub: 'anna' }
  t.strictSame((await suite.userinfo(body.access_token)).body, all)
})

module('oidcc-ensure-other-scope-order-succeeds', 'openid need not be the first scope', async (t, suite) => {
  const { body } = await suite.signIn({ scope: 'email openid' })
  t.strictSame((await suite.userinfo(body.access_token)).body, { ...CLAIMS.email, sub: 'anna' })
})

// What the module before is called in newer versions of the suite.
module('oidcc-alternate-happy-flow', 'the order of parameters does not matter either', async (t, suite) => {
  const { host, app } = suite
  const usual = host.authorizeQuery(app, { scope: 'email openid', nonce: 'nonce-1', code_challenge: undefined })
  usual.delete('code_challenge_method')
  const query = new URLSearchParams([...usual].reverse())
  const done = await suite.finish(await host.browse(`/oauth/authorize?${query}`, null), 'anna')
  const { body } = await suite.answer(done)
  t.strictSame((await suite.userinfo(body.access_token)).body, { ...CLAIMS.email, sub: 'anna' })
})

for (const display of ['page', 'popup'] as const) {
  module(`oidcc-display-${display}`, 'the login is told how to show itself', async (t, suite) => {
    const sent = await suite.ask({ display })
    t.equal(sent.params.display, display)
    await suite.answer(await suite.finish(sent, 'anna'))
  })
}

module('oidcc-prompt-login', 'a user who is signed in has to sign in again', async (t, suite) => {
  const first = await suite.signIn()
  suite.host.clock.advance(2)
  const sent = await suite.ask({ prompt: 'login' }, `anna@${first.claims.auth_time}`)
  t.equal(sent.location?.pathname, '/login')
  t.equal(sent.params.prompt, 'login')
  const { claims } = await suite.answer(await suite.finish(sent, `anna@${suite.seconds}`))
  t.equal(claims.sub, first.claims.sub)
  t.ok(Number(claims.auth_time) > Number(first.claims.auth_time))
})

module('oidcc-prompt-none-not-logged-in', 'nobody is shown a login', async (t, suite) => {
  const { location, params } = await suite.ask({ prompt: 'none' })
  t.equal(location?.host, 'app.example')
  t.match(params, { error: 'login_required', state: 'state-1', code: undefined })
})

module('oidcc-prompt-none-logged-in', 'a user who is signed in comes back at once', async (t, suite) => {
  const first = await suite.signIn()
  const { auth_time, sub } = first.claims
  const { claims } = await suite.answer(await suite.ask({ prompt: 'none' }, `anna@${auth_time}`))
  t.match(claims, { sub, auth_time })
})

module('oidcc-max-age-1', 'a login of two seconds ago is too old', async (t, suite) => {
  const first = await suite.signIn()
  suite.host.clock.advance(2)
  const sent = await suite.ask({ max_age: '1' }, `anna@${first.claims.auth_time}`)
  t.equal(sent.location?.pathname, '/login')
  const { claims } = await suite.answer(await suite.finish(sent, `anna@${suite.seconds}`))
  t.ok(Number(claims.auth_time) > Number(first.claims.auth_time))
  t.ok(suite.seconds - Number(claims.auth_time) <= 2)
})

module('oidcc-max-age-10000', 'a login of just now is young enough, and the ID token says when it was', async (t, suite) => {
  const first = await suite.signIn()
  const { auth_time, sub } = first.claims
  const { claims } = await suite.answer(await suite.ask({ max_age: '10000' }, `anna@${auth_time}`))
  t.match(claims, { sub, auth_time: Number(auth_time) })
})

module('oidcc-ensure-request-with-unknown-parameter-succeeds', 'what it does not know it ignores', async (_t, suite) => {
  await suite.signIn({ extra: 'foobar' })
})

module('oidcc-id-token-hint', 'a hint at the user who is signed in lets them through', async (t, suite) => {
  const first = await suite.signIn()
  const { auth_time, sub } = first.claims
  const hint = { prompt: 'none', id_token_hint: String(first.body.id_token) }
  const { claims } = await suite.answer(await suite.ask(hint, `anna@${auth_time}`))
  t.match(claims, { sub, auth_time })
})

for (const [name, hint] of [
  ['oidcc-login-hint', { login_hint: 'anna@host.example' }],
  ['oidcc-ui-locales', { ui_locales: 'se de' }],
  // The suite warns when there is no acr claim: a host that has levels of assurance is told which one is wished for.
  ['oidcc-ensure-request-with-acr-values-succeeds', { acr_values: '1 2' }],
] as const) {
  module(name, 'it is handed on to the login', async (t, suite) => {
    const sent = await suite.ask(hint)
    t.match(sent.params, hint)
    const { claims } = await suite.answer(await suite.finish(sent, 'anna'))
    t.notOk('acr' in claims)
  })
}

module('oidcc-claims-locales', 'a preference nobody can serve is no error', async (_t, suite) => {
  await suite.signIn({ claims_locales: 'se' })
})

for (const [name, seconds] of [
  ['oidcc-codereuse', 0],
  ['oidcc-codereuse-30seconds', 30],
] as const) {
  module(name, 'a code that is used again is refused, and what it gave is revoked', async (t, suite) => {
    const { params } = await suite.finish(await suite.ask(), 'anna')
    const { body } = await suite.redeem(params.code)
    t.equal((await suite.userinfo(body.access_token)).status, 200)
    suite.host.clock.advance(seconds)
    const again = await suite.redeem(params.code)
    t.match(again, { status: 400, body: { error: 'invalid_grant' } })
    t.equal((await suite.userinfo(body.access_token)).status, 401)
  })
}

module('oidcc-ensure-registered-redirect-uri', 'nobody is sent to an address that is not registered', async (t, suite) => {
  const { host, app } = suite
  for (const redirect_uri of ['https://app.example/cb/bogus', `${REDIRECT_URI}?foo=bar`]) {
    const query = host.authorizeQuery(app, { scope: 'openid', redirect_uri })
    const page = await host.browse(`/oauth/authorize?${query}`, 'anna', { headers: { accept: 'text/html' } })
    t.equal(page.status, 400)
    t.equal(page.location, undefined)
    t.match(page.text, 'redirect_uri is not registered')
  }
})

module('oidcc-ensure-post-request-succeeds', 'a request that is posted goes on by GET', async (t, suite) => {
  const { host, app } = suite
  const body = host.authorizeQuery(app, { scope: 'openid' })
  const posted = await host.browse('/oauth/authorize', 'anna', { method: 'POST', body })
  t.equal(posted.status, 303)
  t.ok((await host.browse(String(posted.headers.get('location')), 'anna')).params.consent_id)
})

module('oidcc-server-client-secret-post', 'a client may send its secret in the body', async (t, suite) => {
  const { host, app } = suite
  const { body: metadata } = await host.send('/.well-known/openid-configuration')
  for (const method of ['client_secret_basic', 'client_secret_post'])
    t.ok((metadata.token_endpoint_auth_methods_supported as readonly string[]).includes(method))
  const { params } = await suite.finish(await suite.ask(), 'anna')
  const answer = await host.redeem(app, params.code ?? '', { code_verifier: undefined })
  t.equal(answer.status, 200)
  await suite.idToken(answer.body, 'nonce-1')
})

/** The request as an object without a signature (OpenID Connect Core §6.1). */
function requestObject({ host, app }: Suite): string {
  const claims = { ...Object.fromEntries(host.authorizeQuery(app, { scope: 'openid' })), aud: 'https://issuer.example' }
  return `${[{ alg: 'none' }, claims].map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`
}

// The suite leaves this out for clients that did not register themselves.
module(
  'oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported',
  'a request by reference is refused by name',
  async (t, suite) => {
    const { params } = await suite.ask({ request_uri: 'https://app.example/request' }, 'anna')
    t.match(params, { error: 'request_uri_not_supported', state: 'state-1', code: undefined })
    const { body } = await suite.host.send('/.well-known/openid-configuration')
    t.equal(body.request_uri_parameter_supported, false, 'true is what it would mean to say nothing')
  },
)

module(
  'oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported',
  'a request object is refused by name',
  async (t, suite) => {
    const { params } = await suite.ask({ request: requestObject(suite) }, 'anna')
    t.match(params, { error: 'request_not_supported', state: 'state-1', code: undefined })
    const { body } = await suite.host.send('/.well-known/openid-configuration')
    t.equal(body.request_parameter_supported, false)
    t.equal(body.request_object_signing_alg_values_supported, undefined, 'no algorithm: none is read')
    // The suite's form_post plan puts response_mode into the object, and expects the refusal by form.
    const parts = (claims: object) =>
      [{ alg: 'none' }, claims].map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
    const posted = await suite.ask({ request: `${parts({ response_mode: 'form_post' }).join('.')}.` }, 'anna')
    t.equal(posted.status, 200)
    t.match(posted.text, /name="error" value="request_not_supported"/)
    for (const request of [
      'eyJ',
      'a.b.c',
      `${parts({ response_mode: ['form_post'] }).join('.')}.`,
      `${parts({ response_mode: 'x' }).join('.')}.`,
    ])
      t.match((await suite.ask({ request }, 'anna')).params, { error: 'request_not_supported' }, request)
  },
)

// The suite warns when there is no name: an app gets no claim by asking that no scope of it allows.
module('oidcc-claims-essential', 'an essential claim is given if a scope allows it', async (t, suite) => {
  const claims = JSON.stringify({ userinfo: { name: { essential: true } } })
  const without = await suite.signIn({ claims })
  t.strictSame((await suite.userinfo(without.body.access_token)).body, { sub: 'anna' })
  const allowed = await suite.signIn({ claims, scope: 'openid profile' })
  t.equal((await suite.userinfo(allowed.body.access_token)).body.name, CLAIMS.profile.name)
  t.notOk('name' in allowed.claims, 'it was asked for at userinfo')
})

module('oidcc-ensure-request-object-with-redirect-uri', 'a request object saves no wrong address', async (t, suite) => {
  const answer = await suite.ask({ request: requestObject(suite), redirect_uri: 'https://app.example/other' }, 'anna')
  t.match(answer, { status: 400, location: undefined, body: { error: 'invalid_request' } })
})

module('oidcc-refresh-token', 'a refresh brings an ID token of the same login, to its own client only', async (t, suite) => {
  const { body, claims } = await suite.signIn()
  suite.host.clock.advance(5)
  const refreshed = await suite.refresh(body.refresh_token)
  t.equal(refreshed.status, 200)
  const again = await suite.idToken(refreshed.body, undefined)
  t.match(again, { iss: claims.iss, sub: claims.sub, aud: claims.aud, auth_time: claims.auth_time })
  t.ok(Number(again.iat) > Number(claims.iat))
  t.not(refreshed.body.access_token, body.access_token)
  t.equal((await suite.userinfo(refreshed.body.access_token)).status, 200)

  const second = new Suite(t, suite.host, await certifiedApp(suite.host))
  const { refresh_token } = (await second.signIn()).body
  t.match(await suite.refresh(refresh_token), { status: 400, body: { error: 'invalid_grant' } })
  t.equal((await second.refresh(refresh_token)).status, 200, 'somebody else’s try does not spend it')
})

module('oidcc-ensure-request-with-valid-pkce-succeeds', 'PKCE is for clients with a secret as well', async (t, suite) => {
  const challenge = { code_challenge: CHALLENGE, code_challenge_method: 'S256' }
  const code = async () => (await suite.finish(await suite.ask(challenge), 'anna')).params.code
  const answer = await suite.redeem(await code(), { code_verifier: VERIFIER })
  t.equal(answer.status, 200)
  await suite.idToken(answer.body, 'nonce-1')
  t.match(await suite.redeem(await code()), { status: 400, body: { error: 'invalid_grant' } })
})

module(
  'oidcc-discovery-endpoint-verification',
  'the document says all it must, of the server it came from, and only what is there',
  async (t, { host }) => {
    const answer = await host.send('/.well-known/openid-configuration')
    const { body } = answer
    t.equal(answer.status, 200)
    t.match(answer.headers.get('content-type'), 'application/json')
    t.equal(body.issuer, 'https://issuer.example', 'the address of the document without what is appended to it')
    for (const [name, url] of Object.entries(body).filter(([name]) => /_(endpoint|uri)$/.test(name)))
      t.match(String(url), /^https:\/\/issuer\.example\//, name)
    for (const name of ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri']) t.ok(name in body, name)
    t.match(body, {
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      code_challenge_methods_supported: ['S256'],
      request_parameter_supported: false,
      request_uri_parameter_supported: false,
      claims_parameter_supported: true,
    })
    const has = (name: string, ...values: readonly string[]) => {
      for (const value of values) t.ok((body[name] as readonly unknown[]).includes(value), `${name}: ${value}`)
    }
    has('grant_types_supported', 'authorization_code')
    has('scopes_supported', 'openid', 'profile', 'email', 'address', 'phone')
    has('claims_supported', 'sub', ...Object.values(CLAIMS).flatMap(claims => Object.keys(claims)))

    const { keys } = (await host.send(new URL(String(body.jwks_uri)).pathname)).body as { keys: readonly JWK[] }
    t.equal(keys.length, 1)
    for (const key of keys) {
      t.strictSame(Object.keys(key).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use'], 'nothing of it is private')
      t.match(key, { kty: 'RSA', alg: 'RS256', use: 'sig', n: /^[\w-]{342}$/, e: 'AQAB', kid: /^[\w-]+$/ })
    }
  },
  // With the keys and the algorithm that a host has if it asks for nothing else.
  { ...OP, signingKeys: undefined, signingAlg: undefined },
)

t.test('every module of both plans is tested', async t => {
  t.strictSame([...tested].sort(), [...BASIC_OP, ...CONFIG_OP].sort())
})
