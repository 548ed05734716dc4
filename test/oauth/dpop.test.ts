/** Tokens that are bound to a key of the client's (RFC 9449), at the token endpoint and wherever they are used. */
import { createAuthmount } from 'authmount'
import { api, NEW_APP } from '../support/apps-api.ts'
import { REDIRECT_URI, VERIFIER } from '../support/client.ts'
import { askBound, askToken, at, type Proof, ProofKey } from '../support/dpop.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { SCOPES } from '../support/host.ts'
import { SIGN_IN, signInApp, verify } from '../support/sign-in.ts'

const MACHINE = { grant_type: 'client_credentials', scope: 'read:records' }
const CODE = { redirect_uri: REDIRECT_URI, code_verifier: VERIFIER }
const RECORDS = { method: 'GET', url: at('/records') }
const FIXED = '0123456789abcdef01234567'
const key = new ProofKey()
const other = new ProofKey()

everywhere('a client that proves a key gets tokens that are of use with that key alone', async (t, host) => {
  const app = await host.publicApp()
  const fields = { grant_type: 'authorization_code', code: await host.approve(app), ...CODE }
  const { body } = await askToken(host, app, fields, key.proof(host))
  t.match(body, { token_type: 'DPoP', access_token: String, refresh_token: String })
  const token = String(body.access_token)
  t.match(await askBound(host, token, key.proof(host, { ...RECORDS, token })), { status: 200, body: { userId: 'anna' } })

  t.equal(await host.records(token), 401, 'not as a bearer token')
  t.equal((await askBound(host, token, other.proof(host, { ...RECORDS, token }))).status, 401, 'not with another key')
  await t.rejects(host.authmount.checkToken(token), { code: 'invalid_token' }, 'not without a request')

  const refreshing = { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) }
  t.match(await host.refresh(app, body.refresh_token), { status: 400, body: { error: 'invalid_grant' } }, 'no downgrade')
  t.match(await askToken(host, app, refreshing, other.proof(host)), { status: 400, body: { error: 'invalid_grant' } })
  const refreshed = await askToken(host, app, refreshing, key.proof(host))
  t.match(refreshed.body, { token_type: 'DPoP' })
  const next = String(refreshed.body.access_token)
  t.equal((await askBound(host, next, key.proof(host, { ...RECORDS, token: next }))).status, 200)

  t.match(await host.refresh(app, body.refresh_token), { status: 400, body: { error: 'invalid_grant' } }, 'a retry without proof')
  t.match(await askToken(host, app, refreshing, other.proof(host)), { status: 400, body: { error: 'invalid_grant' } })
  t.strictSame((await askToken(host, app, refreshing, key.proof(host))).body.access_token, next, 'a retry gets the same answer')
})

/** Proofs that are refused, by what is wrong with them: at the token endpoint, and beside a token with `ath`. */
const BAD: Readonly<Record<string, (minutes: (count: number) => number) => Proof>> = {
  'another method': () => ({ claims: { htm: 'PATCH' } }),
  'a method in lower case': () => ({ claims: { htm: 'post' } }),
  'no method': () => ({ claims: { htm: undefined } }),
  'another path': () => ({ claims: { htu: at('/oauth/revoke') } }),
  'another host': () => ({ claims: { htu: 'https://evil.example/oauth/token' } }),
  'a URL with a user': () => ({ claims: { htu: 'https://x@issuer.example/oauth/token' } }),
  'no URL': () => ({ claims: { htu: undefined } }),
  'the signature of another key': () => ({ signer: other }),
  'a time six minutes ago': minutes => ({ claims: { iat: minutes(-6) } }),
  'a time two minutes ahead': minutes => ({ claims: { iat: minutes(2) } }),
  'no time': () => ({ claims: { iat: undefined } }),
  'a time that is a text': () => ({ claims: { iat: 'now' } }),
  'no jti': () => ({ claims: { jti: undefined } }),
  'a jti of 300 characters': () => ({ claims: { jti: 'j'.repeat(300) } }),
  'another typ': () => ({ header: { typ: 'JWT' } }),
  'no typ': () => ({ header: { typ: undefined } }),
  'alg none': () => ({ header: { alg: 'none' } }),
  'a symmetric alg': () => ({ header: { alg: 'HS256' } }),
  'a symmetric key': () => ({ header: { alg: 'HS256', jwk: { kty: 'oct', k: 'c2VjcmV0' } } }),
  'an alg of another key': () => ({ header: { alg: 'EdDSA' } }),
  'a private key': () => ({ header: { jwk: key.privateKey.export({ format: 'jwk' }) } }),
  'no key': () => ({ header: { jwk: undefined } }),
  'a key that is a URL': () => ({ header: { jwk: undefined, jku: 'https://evil.example/keys' } }),
  'a point that is not on the curve': () => ({ header: { jwk: { ...key.jwk, y: key.jwk.x } } }),
  'an extension that must be understood': () => ({ header: { crit: ['b64'], b64: false } }),
}

everyFramework('a proof that is not for this very request is refused', async (t, host) => {
  const app = await host.confidentialApp()
  const minutes = (count: number) => Math.floor(host.clock.now() / 1000) + count * 60
  const { body } = await askToken(host, app, MACHINE, key.proof(host))
  const token = String(body.access_token)
  for (const [name, changes] of Object.entries(BAD)) {
    const atToken = await askToken(host, app, MACHINE, key.proof(host, changes(minutes)))
    t.match(atToken, { status: 400, body: { error: 'invalid_dpop_proof' } }, `${name}, at the token endpoint`)
    const atRoute = await askBound(host, token, key.proof(host, { ...RECORDS, token, ...changes(minutes) }))
    t.equal(atRoute.status, 401, `${name}, at a guarded route`)
    t.match(atRoute.headers.get('www-authenticate'), /^DPoP .*algs="ES256 /, name)
  }
  const good = () => key.proof(host, { ...RECORDS, token })
  const refused: Readonly<Record<string, string>> = {
    'another token': key.proof(host, { ...RECORDS, token: `${token}x` }),
    'no token': key.proof(host, RECORDS),
    'two proofs': `${good()}, ${good()}`,
    'no JWT': 'proof',
    'a JWT of five kilobytes': key.proof(host, { ...RECORDS, token, claims: { more: 'x'.repeat(5000) } }),
    'half a proof': good().slice(0, -20),
    'a page of the same route, posted': key.proof(host, { ...RECORDS, token, method: 'POST' }),
  }
  for (const [name, proof] of Object.entries(refused)) t.equal((await askBound(host, token, proof)).status, 401, name)
  const twice = [
    ['authorization', `DPoP ${token}`],
    ['dpop', good()],
    ['dpop', good()],
  ] as [string, string][]
  t.equal((await host.send('/records', { headers: twice })).status, 401, 'two headers')
  t.equal((await host.send('/records', { headers: { authorization: `DPoP ${token}` } })).status, 401, 'no proof')
  t.equal((await askBound(host, token, good())).status, 200, 'and after all of these, a good one is accepted')
})

everyFramework(
  'a proof names the URL of the issuer, whatever host the request was sent to, and without its query',
  async (t, host) => {
    const app = await host.confidentialApp()
    const { body } = await askToken(host, app, MACHINE, key.proof(host))
    const token = String(body.access_token)
    const ask = (url: string, path: string) => askBound(host, token, key.proof(host, { ...RECORDS, token, url }), path)
    for (const url of [at('/records'), at('/records?page=1#top'), 'HTTPS://ISSUER.example:443/x/../%72ecords'])
      t.equal((await ask(url, '/records?page=2')).status, 200, url)
    t.equal((await ask(`${host.url}/records`, '/records')).status, 401)
  },
)

everyFramework(
  'a bearer token is not taken with a proof, and a client that proves nothing gets one as before',
  async (t, host) => {
    const app = await host.confidentialApp()
    const { body } = await host.clientCredentials(app, { scope: 'read:records' })
    t.equal(body.token_type, 'Bearer')
    const token = String(body.access_token)
    t.match(await askBound(host, token, key.proof(host, { ...RECORDS, token })), {
      status: 401,
      body: { error: 'invalid_token' },
    })
    t.equal(await host.records(token), 200)
  },
)

everyFramework('keys of every algorithm in the metadata are accepted', async (t, host) => {
  const { body } = await host.send('/.well-known/oauth-authorization-server')
  t.strictSame(body.dpop_signing_alg_values_supported, ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'])
  const app = await host.confidentialApp()
  for (const another of [new ProofKey('EdDSA'), new ProofKey('PS256')]) {
    const { body } = await askToken(host, app, MACHINE, another.proof(host))
    const token = String(body.access_token)
    t.equal((await askBound(host, token, another.proof(host, { ...RECORDS, token }))).status, 200, another.alg)
  }
  const newer = new ProofKey('EdDSA')
  t.equal((await askToken(host, app, MACHINE, newer.proof(host, { header: { alg: 'Ed25519' } }))).status, 200)
})

everyFramework(
  'introspection, a JWT and its verifiers say which key a token is bound to',
  async (t, host) => {
    const app = await host.confidentialApp()
    const { body } = await askToken(host, app, MACHINE, key.proof(host))
    const introspected = await host.post('/oauth/introspect', app, { token: String(body.access_token) })
    t.match(introspected.body, { active: true, token_type: 'DPoP', cnf: { jkt: key.jkt } })
    t.match(await verify(host, body.access_token), { cnf: { jkt: key.jkt } })
    const token = String(body.access_token)
    t.equal((await askBound(host, token, key.proof(host, { ...RECORDS, token, nonce: undefined }))).status, 200)
    t.equal(await host.records(token), 401)
  },
  { ...SIGN_IN, accessTokenFormat: 'jwt', dpopProofs: { nonces: false } },
)

everyFramework(
  'a proof needs a nonce of the server where it has sealingKeys, at every route',
  async (t, host) => {
    const app = await signInApp(host)
    const nonceOf = async (answer: Promise<{ readonly headers: Headers }>) =>
      (await answer).headers.get('dpop-nonce') ?? undefined
    const fields = { grant_type: 'authorization_code', code: await host.approve(app, { scope: 'openid read:records' }), ...CODE }
    const first = await askToken(host, app, fields, key.proof(host))
    t.match(first, { status: 400, body: { error: 'use_dpop_nonce' } })
    const nonce = first.headers.get('dpop-nonce') ?? undefined
    t.match(nonce, /^[\w-]{22}$/)
    t.match(await askToken(host, app, fields, key.proof(host, { nonce: 'made-up' })), { body: { error: 'use_dpop_nonce' } })
    const { body } = await askToken(host, app, fields, key.proof(host, { nonce }))
    const token = String(body.access_token)
    for (const [path, method] of [
      ['/records', 'GET'],
      ['/oauth/userinfo', 'GET'],
      ['/oauth/userinfo', 'POST'],
    ] as const) {
      const ask = (given: string | undefined) => {
        const dpop = key.proof(host, { method, url: at(path), token, nonce: given })
        return host.send(path, { method, headers: { authorization: `DPoP ${token}`, dpop } })
      }
      const refused = await ask(undefined)
      t.match(refused, { status: 401, body: { error: 'use_dpop_nonce' } }, path)
      t.match(refused.headers.get('www-authenticate'), /^DPoP .*error="use_dpop_nonce"/)
      const answered = await ask(refused.headers.get('dpop-nonce') ?? undefined)
      t.equal(answered.status, 200)
      t.equal(answered.headers.get('dpop-nonce'), null, 'the nonce is the newest')
    }
    const ask = (given: string | undefined) => askBound(host, token, key.proof(host, { ...RECORDS, token, nonce: given }))
    host.clock.advance(150)
    const newer = await nonceOf(ask(nonce))
    t.match(newer, /^[\w-]{22}$/, 'while an old one is good, the answer has the next')
    t.not(newer, nonce)
    host.clock.advance(150)
    t.equal((await ask(nonce)).status, 401, 'five minutes are the end of it')
    t.equal((await ask(newer)).status, 200)
  },
  SIGN_IN,
)

everyFramework(
  'userinfo takes no bound token as a bearer token',
  async (t, host) => {
    const app = await signInApp(host)
    const fields = { grant_type: 'authorization_code', code: await host.approve(app, { scope: 'openid' }), ...CODE }
    const { body } = await askToken(host, app, fields, key.proof(host))
    const authorization = `Bearer ${body.access_token}`
    t.match(await host.send('/oauth/userinfo', { headers: { authorization } }), { status: 401, body: { error: 'invalid_token' } })
  },
  { ...SIGN_IN, dpopProofs: { nonces: false } },
)

everyFramework('an authorization request can bind its code to a key', async (t, host) => {
  const app = await host.publicApp()
  const code = await host.approve(app, { dpop_jkt: key.jkt })
  const fields = { grant_type: 'authorization_code', code, ...CODE }
  t.match(await host.redeem(app, code), { status: 400, body: { error: 'invalid_grant' } }, 'no proof')
  t.match(
    await askToken(host, app, fields, other.proof(host)),
    { status: 400, body: { error: 'invalid_grant' } },
    'of another key',
  )
  t.match(await askToken(host, app, fields, key.proof(host)), { status: 200, body: { token_type: 'DPoP' } })
  t.match(await host.authorize(app, { dpop_jkt: 'x' }), { params: { error: 'invalid_request' } })
})

everyFramework('an app with a secret may change its key at a refresh, and never do without', async (t, host) => {
  const app = await host.confidentialApp()
  const fields = { grant_type: 'authorization_code', code: await host.approve(app), ...CODE }
  const { body } = await askToken(host, app, fields, key.proof(host))
  t.match(await host.refresh(app, body.refresh_token), { status: 400, body: { error: 'invalid_grant' } })
  const refreshing = { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) }
  const { body: next } = await askToken(host, app, refreshing, other.proof(host))
  const token = String(next.access_token)
  t.equal((await askBound(host, token, other.proof(host, { ...RECORDS, token }))).status, 200)
  t.match(
    await askToken(host, app, refreshing, key.proof(host)),
    { body: { error: 'invalid_grant' } },
    'a retry with the old key',
  )
  t.match(await askToken(host, app, refreshing, other.proof(host)), { body: { access_token: token } }, 'a retry with the new one')

  const { body: bearer } = await host.redeem(app, await host.approve(app))
  const upgrading = { grant_type: 'refresh_token', refresh_token: String(bearer.refresh_token) }
  const { body: bound } = await askToken(host, app, upgrading, key.proof(host))
  t.equal(bound.token_type, 'DPoP')
  t.match(await host.refresh(app, bound.refresh_token), { status: 400 }, 'and from then on')
})

everyFramework(
  'where the server requires it, or an app does, there are bound tokens alone',
  async (t, host) => {
    const app = await host.confidentialApp()
    const refused = await host.clientCredentials(app)
    t.match(refused, { status: 400, body: { error: 'invalid_dpop_proof' } })
    t.match((await askToken(host, app, MACHINE, key.proof(host))).body, { token_type: 'DPoP' })
    t.match((await host.send('/records')).headers.get('www-authenticate'), /^DPoP realm=/)
    const { body } = await host.send('/.well-known/oauth-protected-resource')
    const findings = await host.authmount.check(`${host.url}/records`)
    t.notOk(
      findings.some(({ code }) => code === 'challenge_missing'),
      'the doctor finds the challenge',
    )
    t.match(body, { dpop_bound_access_tokens_required: true, dpop_signing_alg_values_supported: ['ES256'] })
  },
  { dpop: 'required' },
)

everyFramework('an app that must have bound tokens gets no others', async (t, host) => {
  const app = await host.confidentialApp({ dpopBoundAccessTokens: true })
  t.match(await host.clientCredentials(app), { status: 400, body: { error: 'invalid_dpop_proof' } })
  t.match((await askToken(host, app, MACHINE, key.proof(host))).body, { token_type: 'DPoP' })
  const change = (dpopBoundAccessTokens: unknown) => api(host, 'PUT', `/${app.clientId}`, { body: { dpopBoundAccessTokens } })
  t.equal((await change('no')).status, 400)
  t.match((await api(host, 'GET', `/${app.clientId}`)).body, { dpopBoundAccessTokens: true })
  t.equal((await change(false)).body.dpopBoundAccessTokens, undefined)
  t.match((await host.clientCredentials(app)).body, { token_type: 'Bearer' })
  const created = await api(host, 'POST', '', { body: { ...NEW_APP, dpopBoundAccessTokens: true } })
  t.match(created.body, { dpopBoundAccessTokens: true })

  const fixed = async (fields: object) => {
    const { clientId } = await host.confidentialApp({ clientId: FIXED, ...fields })
    return (await api(host, 'GET', `/${clientId}`)).body.dpopBoundAccessTokens
  }
  t.equal(await fixed({ dpopBoundAccessTokens: true }), true)
  t.equal(await fixed({ description: 'More' }), true, 'a field that is not given stays')
  t.equal(await fixed({ dpopBoundAccessTokens: false }), undefined)
})

everyFramework(
  'a client that registers itself can ask for bound tokens alone',
  async (t, host) => {
    const register = (bound: unknown) =>
      host.send('/oauth/register', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          redirect_uris: [REDIRECT_URI],
          token_endpoint_auth_method: 'none',
          dpop_bound_access_tokens: bound,
        }),
      })
    t.match(await register('yes'), { status: 400, body: { error: 'invalid_client_metadata' } })
    const { body } = await register(true)
    t.equal(body.dpop_bound_access_tokens, true)
    const app = { clientId: String(body.client_id), clientSecret: null }
    const fields = { grant_type: 'authorization_code', code: await host.approve(app), ...CODE }
    t.match(await host.post('/oauth/token', app, fields), { status: 400, body: { error: 'invalid_dpop_proof' } })
    t.match(await askToken(host, app, fields, key.proof(host)), { body: { token_type: 'DPoP' } })
  },
  { clients: { registration: 'open' } },
)

everyFramework(
  'where it is off, proofs are ignored, and the metadata promise nothing',
  async (t, host) => {
    const app = await host.confidentialApp()
    t.match((await askToken(host, app, MACHINE, key.proof(host))).body, { token_type: 'Bearer' })
    t.equal((await host.send('/.well-known/oauth-authorization-server')).body.dpop_signing_alg_values_supported, undefined)
    const code = await host.approve(await host.publicApp(), { dpop_jkt: key.jkt })
    t.match(code, /^am_ac_/)
  },
  { dpop: 'off' },
)

everyFramework('a proof is good once, also where several guards see it', async (t, host) => {
  const app = await host.confidentialApp()
  const { body } = await askToken(host, app, MACHINE, key.proof(host))
  const token = String(body.access_token)
  const proof = key.proof(host, { ...RECORDS, token })
  const guards = [host.authmount.guard(), host.authmount.guard({ scopes: ['read:records'] })]
  const request = { method: 'GET', url: '/records', headers: { authorization: `DPoP ${token}`, dpop: proof } }
  for (const guard of guards) t.match(await guard(request), { oauth: { clientId: app.clientId } })
  t.match(await host.authmount.guard()({ ...request, headers: { ...request.headers } }), { refusal: { status: 401 } })
  t.equal((await askBound(host, token, proof)).status, 401)
  const again = key.proof(host)
  t.equal((await askToken(host, app, MACHINE, again)).status, 200)
  t.match(await askToken(host, app, MACHINE, again), { status: 400, body: { error: 'invalid_dpop_proof' } })
  const another = await askToken(host, app, MACHINE, other.proof(host, { claims: { jti: 'the same' } }))
  t.equal(another.status, 200, 'the jti of another key is another')
  t.equal((await askToken(host, app, MACHINE, key.proof(host, { claims: { jti: 'the same' } }))).status, 200)
})

everyFramework(
  'a proof can be used for five minutes, from a minute before its time on, and once in all of them',
  async (t, host) => {
    host.clock.stop()
    const app = await host.confidentialApp()
    const ahead = (seconds: number) => ({ claims: { iat: Math.floor(host.clock.now() / 1000) + seconds } })
    host.clock.advance((1000 - (host.clock.now() % 1000)) / 1000)
    t.equal((await askToken(host, app, MACHINE, key.proof(host, ahead(61)))).status, 400)
    const proofs = [60, 60, 0, 0].map(seconds => key.proof(host, ahead(seconds)))
    const [used = '', unused = '', later = '', tooLate = ''] = proofs
    t.equal((await askToken(host, app, MACHINE, used)).status, 200)
    host.clock.advance(300)
    t.equal((await askToken(host, app, MACHINE, later)).status, 200)
    host.clock.advance(1)
    t.equal((await askToken(host, app, MACHINE, tooLate)).status, 400)
    host.clock.advance(59)
    t.equal((await askToken(host, app, MACHINE, used)).status, 400, 'it is remembered to its end')
    t.equal((await askToken(host, app, MACHINE, unused)).status, 200)
  },
)

everywhere(
  'of fifty uses of one proof at once, in two processes, one succeeds where the store keeps them',
  async (t, host) => {
    const second = createAuthmount({
      issuer: 'https://issuer.example',
      store: host.store,
      authenticate: () => null,
      scopes: SCOPES,
      now: host.clock.now,
      dpopProofs: { replays: 'store' },
    })
    const app = await host.confidentialApp()
    const { body } = await askToken(host, app, MACHINE, key.proof(host))
    const token = String(body.access_token)
    const proof = key.proof(host, { ...RECORDS, token })
    const guards = [host.authmount.guard(), second.guard()]
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        guards[index % 2]?.({ method: 'GET', url: '/records', headers: { authorization: `DPoP ${token}`, dpop: proof } }),
      ),
    )
    t.equal(results.filter(result => result && 'oauth' in result).length, 1)
    const proofAtToken = key.proof(host)
    const statuses = await Promise.all(Array.from({ length: 50 }, () => askToken(host, app, MACHINE, proofAtToken)))
    t.equal(statuses.filter(({ status }) => status === 200).length, 1)
  },
  { dpopProofs: { replays: 'store' } },
)
