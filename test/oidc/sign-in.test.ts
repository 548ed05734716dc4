/** Signing in: ID tokens, userinfo and claims, prompts, and how an answer travels. */
import { createHash } from 'node:crypto'
import { VERIFIER } from '../support/client.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import type { TestHost } from '../support/host.ts'
import { SIGN_IN, signInApp, verify } from '../support/sign-in.ts'

const seconds = (host: TestHost) => Math.floor(host.clock.now() / 1000)
const bearer = (token: unknown) => ({ headers: { authorization: `Bearer ${token}` } })

everywhere(
  'an ID token says who signed in, when, for whom, and to what request it answers',
  async (t, host) => {
    const app = await signInApp(host)
    const signedIn = seconds(host) - 100
    const code = await host.approve(app, { scope: 'openid email', nonce: 'n-1' }, `anna@${signedIn}`)
    const { body } = await host.redeem(app, code)
    const claims = await verify(host, body.id_token)
    t.match(claims, {
      iss: 'https://issuer.example',
      sub: 'anna',
      aud: app.clientId,
      auth_time: signedIn,
      nonce: 'n-1',
      sid: String,
    })
    t.equal(claims.exp, Number(claims.iat) + 3600)
    t.ok(Math.abs(Number(claims.iat) - seconds(host)) <= 2)
    const half = createHash('sha256').update(String(body.access_token)).digest().subarray(0, 16).toString('base64url')
    t.equal(claims.at_hash, half)
    t.equal(claims.email, undefined, 'claims are at userinfo unless the ID token is asked for them')
    t.notMatch(JSON.stringify(claims), /session-of-anna/)

    const refreshed = (await host.refresh(app, body.refresh_token)).body
    const again = await verify(host, refreshed.id_token)
    t.match(again, { iss: claims.iss, sub: 'anna', aud: app.clientId, auth_time: signedIn, sid: claims.sid })
    t.equal(again.nonce, undefined)
    t.not(again.at_hash, claims.at_hash)

    const plain = await host.redeem(app, await host.approve(app, { scope: 'read:records' }))
    t.equal(plain.body.id_token, undefined, 'without openid nobody signs in')
    t.equal((await host.clientCredentials(app, { scope: 'read:records' })).body.id_token, undefined)
  },
  SIGN_IN,
)

everywhere(
  'a nonce is that of the request, whatever the decision carries',
  async (t, host) => {
    const app = await signInApp(host)
    const screen = await host.authorize(app, { scope: 'openid', nonce: 'of the request' })
    const { params } = await host.decide(screen, 'granted', 'anna', { nonce: 'of the form' })
    t.equal((await verify(host, (await host.redeem(app, params.code ?? '')).body.id_token)).nonce, 'of the request')
  },
  SIGN_IN,
)

everywhere(
  'userinfo tells what the scopes allow, to GET and POST, and nothing to anyone else',
  async (t, host) => {
    const app = await signInApp(host)
    const tokens = async (scope: string) => (await host.tokens(app, { scope })).access
    const both = await tokens('openid profile email')
    for (const method of ['GET', 'POST']) {
      const { body, headers, status } = await host.send('/oauth/userinfo', { method, ...bearer(both) })
      t.equal(status, 200)
      t.equal(headers.get('cache-control'), 'no-store')
      t.strictSame(body, { name: 'Anna', given_name: 'Anna', email: 'anna@host.example', email_verified: true, sub: 'anna' })
    }
    t.strictSame((await host.send('/oauth/userinfo', bearer(await tokens('openid')))).body, { sub: 'anna' })
    t.strictSame((await host.send('/oauth/userinfo', bearer(await tokens('openid read:shoes')))).body, {
      shoe_size: '38',
      sub: 'anna',
    })

    const none = await host.send('/oauth/userinfo')
    t.equal(none.status, 401)
    t.equal(none.headers.get('www-authenticate'), 'Bearer realm="https://issuer.example"')
    const without = await host.send('/oauth/userinfo', bearer(await tokens('read:records')))
    t.equal(without.status, 403)
    t.match(without.headers.get('www-authenticate'), /error="insufficient_scope"/)
    const { refresh } = await host.tokens(app, { scope: 'openid' })
    const machine = (await host.clientCredentials(app, { scope: 'read:records' })).body.access_token
    for (const token of ['garbage', refresh, `${both}x`]) {
      const refused = await host.send('/oauth/userinfo', bearer(token))
      t.equal(refused.status, 401)
      t.match(refused.headers.get('www-authenticate'), /error="invalid_token"/)
    }
    t.equal((await host.send('/oauth/userinfo', bearer(machine))).status, 403)
    await host.post('/oauth/revoke', app, { token: both })
    t.equal((await host.send('/oauth/userinfo', bearer(both))).status, 401)
  },
  SIGN_IN,
)

everyFramework(
  'userinfo takes the token from the form of a POST: once, and from nowhere else',
  async (t, host) => {
    const { access } = await host.tokens(await signInApp(host), { scope: 'openid' })
    const post = (body: string, headers: Readonly<Record<string, string>> = {}) =>
      host.send('/oauth/userinfo', {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body,
      })
    const good = await post(`access_token=${access}`)
    t.strictSame([good.status, good.body, good.headers.get('cache-control')], [200, { sub: 'anna' }, 'no-store'])

    const twice = 'access_token must not be sent in the body and in the Authorization header'
    const both = await post(`access_token=${access}`, { authorization: `Bearer ${access}` })
    t.match(both, { status: 400, body: { error: 'invalid_request', error_description: twice } })
    const repeated = await post(`access_token=${access}&access_token=${access}`)
    t.match(repeated, { status: 400, body: { error: 'invalid_request', error_description: /given more than once/ } })
    const wrong = await post('access_token=garbage')
    t.equal(wrong.status, 401)
    t.match(wrong.headers.get('www-authenticate'), /error="invalid_token"/)

    const none = [
      await post('access_token='),
      await post('token=x'),
      await post(JSON.stringify({ access_token: access }), { 'content-type': 'application/json' }),
      await host.send(`/oauth/userinfo?access_token=${access}`, { method: 'POST' }),
      await host.send(`/oauth/userinfo?access_token=${access}`),
    ]
    for (const { headers, status } of none)
      t.strictSame([status, headers.get('www-authenticate')], [401, 'Bearer realm="https://issuer.example"'])
    t.equal((await post('unrelated=1', { authorization: `Bearer ${access}` })).status, 200, 'a form without a token says nothing')
  },
  SIGN_IN,
)

everywhere(
  'claims asked for by name are given where they are asked for, if a granted scope allows them',
  async (t, host) => {
    const app = await signInApp(host)
    const claims = JSON.stringify({
      id_token: { email: { essential: true }, name: null },
      userinfo: { given_name: null, nonsense: null },
    })
    const { body } = await host.redeem(app, await host.approve(app, { scope: 'openid email', claims }))
    const idToken = await verify(host, body.id_token)
    t.equal(idToken.email, 'anna@host.example')
    t.equal(idToken.name, undefined, 'profile was not granted')
    const { body: info } = await host.send('/oauth/userinfo', bearer(body.access_token))
    t.strictSame(info, { email: 'anna@host.example', email_verified: true, sub: 'anna' })

    for (const wrong of ['{', '[]', '"x"', 'null', '{"userinfo":[]}', '{"id_token":7}', `{"a":"${'x'.repeat(5000)}"}`])
      t.equal((await host.authorize(app, { scope: 'openid', claims: wrong })).params.error, 'invalid_request', wrong.slice(0, 20))
    const other = await host.authorize(app, { scope: 'openid', prompt: 'none', claims: '{"id_token":{"sub":{"value":"bert"}}}' })
    t.equal(other.params.error, 'login_required')
  },
  SIGN_IN,
)

everywhere(
  'prompt=none answers at once: with a code, or with what is missing',
  async (t, host) => {
    const app = await signInApp(host)
    const silent = (user: string | null) => host.authorize(app, { scope: 'openid', prompt: 'none' }, user)
    t.match((await silent(null)).params, { error: 'login_required', state: 'state-1', iss: 'https://issuer.example' })
    t.match((await silent('anna')).params, { error: 'consent_required', state: 'state-1' })
    await host.approve(app, { scope: 'openid' })
    t.ok((await silent('anna')).params.code)
    t.equal((await host.authorize(app, { scope: 'openid', prompt: 'none login' })).params.error, 'invalid_request')
    t.equal((await host.authorize(app, { scope: 'openid', prompt: 'create' })).params.error, 'invalid_request')
  },
  SIGN_IN,
)

everywhere(
  'prompt=consent asks again what has been agreed to',
  async (t, host) => {
    const app = await signInApp(host)
    await host.approve(app, { scope: 'openid' })
    t.ok((await host.authorize(app, { scope: 'openid' })).params.code)
    t.ok((await host.authorize(app, { scope: 'openid', prompt: 'consent' })).params.consent_id)
  },
  SIGN_IN,
)

everywhere(
  'prompt=login and max_age take the user through the login once more, and no further',
  async (t, host) => {
    const app = await signInApp(host)
    await host.approve(app, { scope: 'openid' })
    const long = seconds(host) - 5000
    for (const fields of [{ prompt: 'login' }, { max_age: '1000' }, { max_age: '0' }]) {
      const sent = await host.authorize(app, { scope: 'openid', login_hint: 'anna@host.example', ...fields }, `anna@${long}`)
      t.equal(sent.location?.pathname, '/login')
      t.equal(sent.params.login_hint, 'anna@host.example')
      if (fields.prompt) t.equal(sent.params.prompt, 'login')
      const back = sent.params.returnTo ?? ''
      t.match(back, /^\/oauth\/authorize\?.*login_proof=/)

      const unmoved = await host.browse(back, `anna@${long}`)
      t.equal(unmoved.params.error, 'login_required', 'coming back is not signing in')
      const proof = new URL(back, host.url).searchParams.get('login_proof') ?? ''
      const elsewhere = await host.authorize(
        app,
        { scope: 'openid', nonce: 'another', login_proof: proof, ...fields },
        `anna@${long}`,
      )
      t.equal(elsewhere.location?.pathname, '/login', 'a proof is of one request')

      host.clock.advance(2)
      const signedIn = seconds(host)
      const done = await host.browse(back, `anna@${signedIn}`)
      t.ok(done.params.code, JSON.stringify(fields))
      if (fields.prompt)
        t.equal((await host.browse(back, `anna@${signedIn}`)).location?.pathname, '/login', 'a proof is good once')
      const { body } = await host.redeem(app, done.params.code ?? '')
      t.equal((await verify(host, body.id_token)).auth_time, signedIn)
    }
    t.ok((await host.authorize(app, { scope: 'openid', max_age: '6000' }, `anna@${long}`)).params.code, 'not yet too long ago')
    const refused = await host.authorize(app, { scope: 'openid', max_age: '1000', prompt: 'none' }, `anna@${long}`)
    t.equal(refused.params.error, 'login_required')
    t.equal((await host.authorize(app, { scope: 'openid', max_age: '-1' })).params.error, 'invalid_request')
  },
  SIGN_IN,
)

everywhere(
  'a host that does not say when its users signed in is asked once, and believed',
  async (t, host) => {
    const app = await signInApp(host)
    await host.approve(app, { scope: 'openid' })
    const sendAway = async (prompt: string) => (await host.authorize(app, { scope: 'openid', prompt })).params.returnTo ?? ''
    t.ok((await host.browse(await sendAway('select_account'), 'anna')).params.code)
    const back = await sendAway('login')
    t.equal((await host.browse(back, 'anna')).params.error, 'login_required', 'the same session is no new login')
    t.ok((await host.browse(back, 'anna#2')).params.code)
    // An ID token would have to say when (Core §2), and nobody knows.
    const sent = await host.authorize(app, { scope: 'openid', max_age: '1000', request: '' })
    t.equal((await host.browse(sent.params.returnTo ?? '', 'anna')).params.error, 'login_required')
  },
  SIGN_IN,
)

everywhere(
  'an id_token_hint names who is expected',
  async (t, host) => {
    const app = await signInApp(host)
    const { body } = await host.redeem(app, await host.approve(app, { scope: 'openid' }))
    await host.approve(app, { scope: 'openid' }, 'bert')
    const hint = { scope: 'openid', id_token_hint: String(body.id_token) }
    t.ok((await host.authorize(app, { ...hint, prompt: 'none' })).params.code)
    host.clock.advance(7200)
    t.ok((await host.authorize(app, hint)).params.code, 'also when it has expired')
    t.equal((await host.authorize(app, { ...hint, prompt: 'none' }, 'bert')).params.error, 'login_required')
    const sent = await host.authorize(app, hint, 'bert')
    t.equal(sent.location?.pathname, '/login')
    t.equal((await host.browse(sent.params.returnTo ?? '', 'bert')).params.error, 'login_required', 'still somebody else')
    t.ok((await host.browse(sent.params.returnTo ?? '', 'anna')).params.code)
    const forged = `${String(body.id_token).slice(0, -4)}AAAA`
    t.equal((await host.authorize(app, { scope: 'openid', id_token_hint: forged })).params.error, 'invalid_request')
  },
  SIGN_IN,
)

everywhere(
  'response_mode=form_post has the browser post the answer',
  async (t, host) => {
    const app = await signInApp(host)
    const fields = { scope: 'openid', response_mode: 'form_post', state: '"><script>alert(1)</script>' }
    const screen = await host.authorize(app, fields)
    const page = await host.decide(screen)
    t.equal(page.status, 200)
    t.match(page.headers.get('content-type'), 'text/html')
    t.match(page.text, '<form method="post" action="https://app.example/cb">')
    t.notMatch(page.text, '<script>alert')
    t.match(page.headers.get('content-security-policy'), /script-src 'sha256-[^;]+; frame-ancestors 'none'/)
    t.match(page.text, 'name="iss" value="https://issuer.example"')
    const code = /name="code" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
    t.equal((await host.redeem(app, code, { code_verifier: VERIFIER })).status, 200)

    const refused = await host.authorize(app, { ...fields, prompt: 'none', scope: 'openid profile' }, null)
    t.match(refused.text, 'name="error" value="login_required"')
    const denied = await host.decide(await host.authorize(app, { ...fields, prompt: 'consent' }), 'denied')
    t.match(denied.text, 'name="error" value="access_denied"')
  },
  SIGN_IN,
)

everywhere(
  'a user the host no longer knows gets no token, and nothing is left of the attempt',
  async (t, host) => {
    const app = await signInApp(host)
    const claims = '{"id_token":{"email":null}}'
    const answer = await host.redeem(app, await host.approve(app, { scope: 'openid email', claims }, 'cora'))
    t.strictSame([answer.status, answer.body.error], [400, 'invalid_grant'])
    const { total } = await host.store.grants.listTokens({ appId: app.clientId, epoch: 1, limit: 0 })
    t.equal(total, 0)
  },
  SIGN_IN,
)

const known = { now: true }
everywhere(
  'a user who is gone gets no token, whatever they are for, and their grants end at the next refresh',
  async (t, host) => {
    known.now = true
    const app = await signInApp(host)
    for (const scope of ['read:records', 'openid', 'openid email']) {
      known.now = true
      const before = await host.tokens(app, { scope })
      const code = await host.approve(app, { scope })
      known.now = false
      t.match(await host.redeem(app, code), { status: 400, body: { error: 'invalid_grant' } }, scope)
      if (scope !== 'read:records') t.equal((await host.send('/oauth/userinfo', bearer(before.access))).status, 401, scope)
      const events = host.events.length
      t.match(await host.refresh(app, before.refresh), { status: 400, body: { error: 'invalid_grant' } }, scope)
      t.ok(
        host.events.slice(events).some(({ type }) => type === 'token_revoked'),
        'and an event says so',
      )
      known.now = true
      t.equal(await host.isActive(app, before.access), false, 'the grant has ended')
      t.match(await host.refresh(app, before.refresh), { status: 400, body: { error: 'invalid_grant' } })
    }
  },
  { ...SIGN_IN, claims: () => (known.now ? { email: 'anna@host.example' } : null) },
)

everywhere(
  'the claims of the granted scopes are in the ID token where the host wants that',
  async (t, host) => {
    const app = await signInApp(host)
    const { body } = await host.redeem(app, await host.approve(app, { scope: 'openid email' }))
    t.match(await verify(host, body.id_token), { email: 'anna@host.example', sub: 'anna' })
    const bare = await host.redeem(app, await host.approve(app, { scope: 'openid' }))
    t.equal((await verify(host, bare.body.id_token)).email, undefined)
  },
  { ...SIGN_IN, claimsInIdToken: true, claims: () => ({ email: 'anna@host.example' }) },
)

everywhere(
  'response_mode=fragment has the answer behind the #',
  async (t, host) => {
    const app = await signInApp(host)
    const fields = { scope: 'openid', response_mode: 'fragment' }
    const done = await host.decide(await host.authorize(app, fields))
    t.equal(done.location?.search, '')
    const answer = new URLSearchParams(done.location?.hash.slice(1))
    t.equal(answer.get('state'), 'state-1')
    t.equal((await host.redeem(app, answer.get('code') ?? '')).status, 200)
    const refused = await host.authorize(app, { ...fields, prompt: 'none' }, null)
    t.equal(new URLSearchParams(refused.location?.hash.slice(1)).get('error'), 'login_required')
  },
  SIGN_IN,
)

everywhere(
  'what a user takes back while their code is being redeemed leaves nothing alive',
  async (t, host) => {
    const app = await signInApp(host)
    const code = await host.approve(app, { scope: 'openid' })
    const { create } = host.store.grants
    const held: { release?: () => void } = {}
    const waiting = new Promise<void>(resolve => {
      held.release = resolve
    })
    const begun = new Promise<void>(resolve => {
      Object.assign(host.store.grants, {
        create: async (...args: Parameters<typeof create>) => {
          resolve()
          await waiting
          return create(...args)
        },
      })
    })
    const redeeming = host.redeem(app, code)
    await begun
    t.equal(await host.authmount.endUserGrants('anna'), 0)
    held.release?.()
    t.equal((await redeeming).body.error, 'invalid_grant')
    const { total } = await host.store.grants.listTokens({ appId: app.clientId, epoch: 1, limit: 0 })
    t.equal(total, 0)
  },
  SIGN_IN,
)

const hook = { current: async (): Promise<object | null> => ({}) }
everywhere(
  'a claims hook that fails or hangs logs nobody out, and leaves no token of a code behind',
  async (t, host) => {
    const app = await signInApp(host)
    const plain = await host.tokens(app, { scope: 'openid email', claims: '{"userinfo":{"email":null}}' })
    hook.current = () => Promise.reject(new Error('the directory is down'))
    t.equal((await host.send('/oauth/userinfo', bearer(plain.access))).status, 500)
    hook.current = () => new Promise(() => {})
    const claims = '{"id_token":{"email":null}}'
    const answer = await host.redeem(app, await host.approve(app, { scope: 'openid email', claims }))
    t.equal(answer.status, 500)
    const { total } = await host.store.grants.listTokens({ appId: app.clientId, epoch: 1, limit: 0 })
    t.equal(total, 2, 'those of the first alone')
    const refreshed = await host.refresh(app, plain.refresh)
    t.equal(refreshed.status, 200)
    t.equal(refreshed.body.id_token, undefined)
    hook.current = async () => ({})
  },
  { ...SIGN_IN, hookTimeoutMs: 100, claims: () => hook.current() as Promise<null> },
)

everywhere(
  'an authTime in seconds is an error, not a login long ago',
  async (t, host) => {
    const app = await signInApp(host)
    t.equal((await host.authorize(app, { scope: 'openid' })).status, 500)
    t.match(JSON.stringify(host.logged.map(entry => String((entry as unknown[])[1]))), /milliseconds/)
  },
  { ...SIGN_IN, authenticate: () => ({ userId: 'anna', orgId: 'org-1', isAdmin: false, authTime: 1_700_000_000 }) },
)
