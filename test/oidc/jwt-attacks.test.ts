/** Forged, confused and stolen JWTs: none of them is worth anything, and none makes the server ask anybody. */
import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { memoryStore } from 'authmount/stores/memory'
import { createVerifier } from 'authmount/verify'
import { decodeJwt, decodeProtectedHeader, exportSPKI, importJWK, type JWTPayload, SignJWT } from 'jose'
import { everyFramework, overMemory } from '../support/everywhere.ts'
import { frameworks, type HostOptions, startHost, type TestHost } from '../support/host.ts'
import { SIGN_IN, signInApp } from '../support/sign-in.ts'

const JWT: HostOptions = { ...SIGN_IN, accessTokenFormat: 'jwt' }
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** How every place that takes an access token answers to one. */
async function answersTo(host: TestHost, app: Awaited<ReturnType<typeof signInApp>>, token: string): Promise<readonly unknown[]> {
  const headers = { authorization: `Bearer ${token}` }
  const { body } = await host.post('/oauth/introspect', app, { token })
  const verifier = createVerifier({
    issuer: 'https://issuer.example',
    audience: 'https://issuer.example',
    now: host.clock.now,
    log: { error: () => {}, warn: () => {} },
    // Where the issuer's name leads is not where the tests can go.
    fetch: (url, init) => fetch(new URL(new URL(String(url)).pathname, host.url), init),
  })
  const verified = await verifier.verify(token).then(
    () => 'verified',
    error => error.code,
  )
  return [
    (await host.send('/oauth/userinfo', { headers })).status,
    (await host.send('/records', { headers })).status,
    body.active,
    verified,
  ]
}
const REFUSED = [401, 401, false, 'invalid_token']

everyFramework(
  'a JWT that was forged, altered or confused with another is refused everyFramework, and nobody is asked about it',
  async (t, host) => {
    let calls = 0
    const listener = createServer((_request, response) => {
      calls++
      response.end('{}')
    }).listen(0, '127.0.0.1')
    t.teardown(() => listener.close())
    await new Promise(resolve => listener.once('listening', resolve))
    const address = listener.address()
    const evil = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/jwks.json`

    const app = await signInApp(host)
    const { body } = await host.redeem(app, await host.approve(app, { scope: 'openid read:records' }))
    const good = String(body.access_token)
    t.strictSame(await answersTo(host, app, good), [200, 200, true, 'verified'])
    t.match(decodeProtectedHeader(good), { typ: 'at+jwt', alg: 'ES256', kid: String })
    const payload = decodeJwt(good)
    t.match(payload, {
      iss: 'https://issuer.example',
      sub: 'anna',
      aud: 'https://issuer.example',
      client_id: app.clientId,
      scope: 'openid read:records',
      org_id: 'org-1',
    })
    const [header = '', claims = '', signature = ''] = good.split('.')
    const { kid } = decodeProtectedHeader(good)
    const { keys } = (await host.send('/.well-known/jwks.json')).body as { keys: Record<string, string>[] }
    const publicJwk = keys[0] ?? {}
    const pem = await exportSPKI((await importJWK(publicJwk, 'ES256')) as Parameters<typeof exportSPKI>[0])
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const sign = (payload: JWTPayload, header: object) =>
      new SignJWT(payload).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', ...header }).sign(stranger.privateKey)
    const hmac = (secret: string) => {
      const signed = `${part({ alg: 'HS256', typ: 'at+jwt', kid })}.${claims}`
      return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
    }
    const first = signature.startsWith('A') ? 'B' : 'A'
    const forged: Readonly<Record<string, string>> = {
      'alg none': `${part({ alg: 'none', typ: 'at+jwt' })}.${claims}.`,
      'alg None': `${part({ alg: 'None', typ: 'at+jwt', kid })}.${claims}.`,
      'alg NONE, with the signature': `${part({ alg: 'NONE', typ: 'at+jwt', kid })}.${claims}.${signature}`,
      'no signature': `${header}.${claims}.`,
      'two parts': `${header}.${claims}`,
      'an altered signature': `${header}.${claims}.${first}${signature.slice(1)}`,
      'an altered scope': `${header}.${part({ ...payload, scope: 'openid read:records write:records' })}.${signature}`,
      'HS256 with the public key as PEM': hmac(pem),
      'HS256 with the public key as JWK': hmac(JSON.stringify(publicJwk)),
      'HS256 with an empty secret': hmac(''),
      'another key, our kid': await sign(payload, { kid }),
      'an embedded key': await sign(payload, { kid: 'mine', jwk: stranger.publicKey.export({ format: 'jwk' }) }),
      'a key elsewhere': await sign(payload, { kid: 'mine', jku: evil, x5u: evil }),
      'a certificate inside': await sign(payload, { kid, x5c: ['MIIB'] }),
      'a critical header': await sign(payload, { kid, crit: ['exp'], exp: 1 }).catch(
        () => `${part({ alg: 'ES256', typ: 'at+jwt', kid, crit: ['x'], x: 1 })}.${claims}.${signature}`,
      ),
      'no kid': await sign(payload, {}),
      'a kid that is a path': await sign(payload, { kid: '../../dev/null' }),
      'a kid that is a query': await sign(payload, { kid: "' OR 1=1" }),
      'a kid that is __proto__': await sign(payload, { kid: '__proto__' }),
      'a kid of 10 KB': await sign(payload, { kid: 'k'.repeat(7000) }),
      'an ID token': String(body.id_token),
      'an ID token that says it is an access token': `${header}.${String(body.id_token).split('.')[1]}.${String(body.id_token).split('.')[2]}`,
      'a jti of a grant that is not there': await sign(
        { ...payload, jti: `${app.clientId}${'A'.repeat(22)}.${'A'.repeat(22)}` },
        { kid },
      ),
      'a jti that is an object': `${header}.${part({ ...payload, jti: { $ne: null } })}.${signature}`,
      'a jti that is __proto__': `${header}.${part({ ...payload, jti: '__proto__' })}.${signature}`,
      'another issuer': await sign({ ...payload, iss: 'https://evil.example' }, { kid }),
      'not JSON': `${Buffer.from('{').toString('base64url')}.${claims}.${signature}`,
      null: `${part(null)}.${part(null)}.${signature}`,
    }
    for (const [name, token] of Object.entries(forged)) t.strictSame(await answersTo(host, app, token), REFUSED, name)
    t.equal(calls, 0)
    t.strictSame(await answersTo(host, app, good), [200, 200, true, 'verified'], 'and the good one still is')

    host.clock.advance(3700)
    t.strictSame(await answersTo(host, app, good), REFUSED, 'expired')
  },
  JWT,
)

everyFramework(
  'a JWT access token is no ID token hint, no refresh token, no code, and no login',
  async (t, host) => {
    const app = await signInApp(host)
    const { body } = await host.redeem(app, await host.approve(app, { scope: 'openid read:records' }))
    const token = String(body.access_token)
    t.equal((await host.authorize(app, { scope: 'openid', id_token_hint: token })).params.error, 'invalid_request')
    t.equal((await host.refresh(app, token)).body.error, 'invalid_grant')
    t.equal((await host.redeem(app, token)).body.error, 'invalid_grant')

    const query = host.authorizeQuery(app, { scope: 'openid read:records' })
    for (const headers of [
      { authorization: `Bearer ${token}`, cookie: 'session=anna' },
      { cookie: `session=anna; other=${token}` },
      { cookie: `session=anna; other=s%3A${token}` },
      { cookie: 'session=anna', 'x-token': token },
      { cookie: `session=anna; id=${body.id_token}` },
      { cookie: `session=anna; other=${token.replaceAll('.', '%2E')}` },
      { cookie: `session=anna; other=${token.replaceAll('.e', '.%65')}` },
      { cookie: `session=anna; id=${String(body.id_token).replaceAll('.', '%2e')}` },
      { cookie: `session=anna; other=${String(body.refresh_token).replace('am_', '%61m%5F')}` },
    ]) {
      const answer = await host.send(`/oauth/authorize?${query}`, { headers: headers as Record<string, string> })
      // A cookie would come back from the login with the browser.
      const inCookie = headers.cookie !== 'session=anna'
      t.match([answer.status, answer.location?.pathname], inCookie ? [403, undefined] : [302, '/login'], JSON.stringify(headers))
      t.equal((await host.send('/oauth-clients', { headers: headers as Record<string, string> })).status, 401)
    }
    const own = `${part({ alg: 'HS256' })}.${part({ iss: 'https://issuer.example', sub: 'anna', jti: randomUUID() })}.x`
    const hosts = await host.send('/oauth-clients', { headers: { cookie: `session=anna; own=${own}` } })
    t.equal(hosts.status, 200, 'a session token that the host signs itself is its own')
    const before = { cookie: 'session=anna', referer: `https://issuer.example/?id_token_hint=${body.id_token}` }
    t.equal((await host.send('/oauth-clients', { headers: before })).status, 200, 'the page before is no credential')
  },
  JWT,
)

everyFramework(
  'a JWT is revoked here at once: by itself, with its grant, and with its app',
  async (t, host) => {
    const app = await signInApp(host)
    const [first, second, third] = [await host.tokens(app), await host.tokens(app), await host.tokens(app)]
    await host.post('/oauth/revoke', app, { token: first.access })
    t.equal(await host.records(first.access), 401)
    t.notOk(await host.isActive(app, first.access))
    t.equal((await host.refresh(app, first.refresh)).status, 200, 'the rest of the grant lives')
    await host.post('/oauth/revoke', app, { token: second.refresh })
    t.equal(await host.records(second.access), 401)
    t.equal(await host.records(third.access), 200)
    await host.send(`/oauth-clients/${app.clientId}/revoke-all-tokens`, {
      method: 'POST',
      headers: { cookie: 'session=anna' },
    })
    t.equal(await host.records(third.access), 401)
    const spent = await host.tokens(app)
    const refreshed = await host.refresh(app, spent.refresh)
    t.strictSame(
      (await host.refresh(app, spent.refresh)).body.access_token,
      refreshed.body.access_token,
      'a retry gets the same JWT',
    )
    const service = await host.clientCredentials(app, { scope: 'read:records' })
    const { sub } = decodeJwt(String(service.body.access_token))
    t.equal(sub, app.clientId)
    t.equal(await host.records(service.body.access_token), 200)
    t.equal(
      (await host.send('/oauth/userinfo', { headers: { authorization: `Bearer ${service.body.access_token}` } })).status,
      403,
    )
  },
  JWT,
)

overMemory('both formats are accepted while a host changes from one to the other', async t => {
  const { express } = frameworks
  if (!express) throw new Error('no Express')
  const store = memoryStore()
  const [opaque, jwt] = await Promise.all(
    (['opaque', 'jwt'] as const).map(accessTokenFormat => startHost(express, { ...SIGN_IN, store, accessTokenFormat })),
  )
  t.teardown(() => Promise.all([opaque?.close(), jwt?.close()]))
  if (!opaque || !jwt) throw new Error('no host')
  const app = await signInApp(opaque)
  for (const [from, to, shape] of [
    [opaque, jwt, /^am_at_/],
    [jwt, opaque, /^ey.*\./],
  ] as const) {
    const { access, refresh } = await from.tokens(app)
    t.match(access, shape)
    t.equal(await to.records(access), 200)
    t.equal(await to.isActive(app, access), true)
    t.equal((await to.refresh(app, refresh)).status, 200)
    await to.post('/oauth/revoke', app, { token: access })
    t.equal(await from.records(access), 401)
  }
})
