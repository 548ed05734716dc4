/** authmount/verify when the server moves its endpoints, begins to sign, or answers with something else; and what its log says. */
import { createVerifier } from 'authmount/verify'
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose'
import t from 'tap'
import { startHost } from './support/host.ts'
import { SIGN_IN } from './support/sign-in.ts'
import { API, express, ISSUER, outcome, start, tokensOf } from './support/verifier.ts'

const METADATA = '/.well-known/oauth-authorization-server'
const INTROSPECTION = '/oauth/introspect'

t.test('opaque: a server that changes its mountPath is followed, without a restart', async t => {
  const { host, verifier, asked, replace } = await start('opaque')
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const tokens = await tokensOf(host, app, 12)
  t.equal(await outcome(verifier, tokens[0] ?? ''), 'anna')
  host.clock.advance(60)
  await replace({ mountPath: '/auth' })
  asked.length = 0
  t.strictSame(
    await Promise.all(tokens.slice(1, 11).map(token => outcome(verifier, token))),
    Array.from({ length: 10 }, () => 'anna'),
  )
  t.equal(asked.filter(path => path === METADATA).length, 1, 'ten at once share one reading of the metadata')
  asked.length = 0
  t.equal(await outcome(verifier, tokens[11] ?? ''), 'anna')
  t.strictSame(asked, ['/auth/oauth/introspect'])
})

t.test('opaque: while introspection fails, the metadata are read again every ten seconds at most', async t => {
  const { host, verifier, asked, network } = await start('opaque')
  t.teardown(host.close)
  const [token = ''] = await tokensOf(host, await host.confidentialApp(), 1)
  t.equal(await outcome(verifier, token), 'anna')
  host.clock.advance(60)
  network.down = true
  asked.length = 0
  for (let index = 0; index < 20; index++) t.equal(await outcome(verifier, token), 'temporarily_unavailable')
  t.ok(asked.filter(path => path === METADATA).length <= 2, asked.join())
  network.down = false
  t.equal(await outcome(verifier, token), 'anna', 'and a failure to read them loses nothing')
})

t.test('jwt: keys that have moved are found', async t => {
  const { host, asked, network, now } = await start('jwt')
  t.teardown(host.close)
  const [first = '', second = ''] = await tokensOf(host, await host.confidentialApp(), 2)
  let path = '/old-keys'
  const verifier = createVerifier({
    issuer: ISSUER,
    audience: API,
    now,
    log: { error: () => {}, warn: () => {} },
    fetch: async (url, init) => {
      const { pathname } = new URL(String(url))
      asked.push(pathname)
      if (pathname === path) return fetch(new URL('/.well-known/jwks.json', network.host.url), init)
      const response = await fetch(new URL(pathname, network.host.url), init)
      return pathname === METADATA ? Response.json({ ...((await response.json()) as object), jwks_uri: ISSUER + path }) : response
    },
  })
  t.equal(await outcome(verifier, first), 'anna')
  path = '/new-keys'
  host.clock.advance(600)
  asked.length = 0
  t.equal(await outcome(verifier, second), 'anna')
  t.strictSame(asked, ['/old-keys', METADATA, '/new-keys'])
})

t.test('a server that begins to sign is noticed at once', async t => {
  const { host, verifier, replace } = await start('opaque', {}, { sealingKeys: undefined })
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const [opaque = ''] = await tokensOf(host, app, 1)
  t.equal(await outcome(verifier, opaque), 'anna')
  const next = await replace({ sealingKeys: SIGN_IN.sealingKeys, accessTokenFormat: 'jwt' })
  const tokens = await tokensOf(next, app, 10)
  t.strictSame(
    await Promise.all(tokens.map(token => outcome(verifier, token))),
    Array.from({ length: 10 }, () => 'anna'),
  )
})

t.test('an introspection answer without active is a failure of the server, not of the token', async t => {
  const { host } = await start('opaque')
  t.teardown(host.close)
  const [token = ''] = await tokensOf(host, await host.confidentialApp(), 1)
  for (const wrong of [{}, { ok: true }, { active: 'yes' }, { error: 'not found' }, []]) {
    const verifier = createVerifier({
      issuer: ISSUER,
      audience: API,
      introspection: { clientId: 'x', clientSecret: 'y' },
      log: { error: () => {}, warn: () => {} },
      fetch: async (url, init) => {
        const { pathname } = new URL(String(url))
        return pathname === INTROSPECTION ? Response.json(wrong) : fetch(new URL(pathname, host.url), init)
      },
    })
    t.equal(await outcome(verifier, token), 'temporarily_unavailable', JSON.stringify(wrong))
  }
})

t.test('the log says which check failed, and the caller hears the same words each time', async t => {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const signing = { ...(await exportJWK(privateKey)), alg: 'ES256' }
  const other = await generateKeyPair('ES256')
  const host = await startHost(express, {
    ...SIGN_IN,
    sealingKeys: undefined,
    signingKeys: [signing],
    resources: [API],
    accessTokenFormat: 'jwt',
  })
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const { access, refresh } = await host.tokens(app)
  const [header = '', payload = '', signature = ''] = access.split('.')
  const kid = JSON.parse(Buffer.from(header, 'base64url').toString()).kid as string
  const claims = decodeJwt(access)
  const sign = (changed: object, more: object = {}, key = privateKey) =>
    new SignJWT({ ...claims, ...changed }).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid, ...more }).sign(key)
  const service = await startHost(express, { ...SIGN_IN })
  t.teardown(service.close)
  const opaque = await service.tokens(await service.confidentialApp())

  const cases: readonly (readonly [string, RegExp])[] = [
    [await sign({ jti: '7f2c9d' }), /its jti has not the shape that authmount gives it/],
    [await sign({ jti: undefined }), /its jti has not the shape/],
    [await sign({}, { typ: 'JWT' }), /its typ is not at\+jwt/],
    [await sign({ iss: 'https://other.example' }), /its iss is not what it must be/],
    [await sign({ aud: 'https://other.example' }), /its aud is not what it must be/],
    [await sign({ exp: Math.floor(host.clock.now() / 1000) - 60 }), /it has expired/],
    [await sign({ client_id: undefined }), /its client_id is missing/],
    [await sign({ org_id: undefined }), /it lacks client_id, org_id, sub or exp/],
    [await sign({}, { kid: 'another' }), /its key is not among those that the server publishes/],
    [await sign({}, {}, other.privateKey), /its signature is wrong/],
    [
      `${Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'at+jwt', kid })).toString('base64url')}.${payload}.${signature}`,
      /its alg is none of/,
    ],
    ['a.b.c', /it is a malformed JWT/],
    ['nonsense', /it is neither a JWT nor an opaque token/],
    [opaque.access, /it is opaque, and the option introspection is not set/],
    [refresh, /it is a refresh token/],
  ]
  for (const [token, reason] of cases) {
    const warned: string[] = []
    const verifier = createVerifier({
      issuer: ISSUER,
      audience: API,
      now: host.clock.now,
      log: { error: message => t.fail(message), warn: message => warned.push(message) },
      fetch: (url, init) => fetch(new URL(new URL(String(url)).pathname, host.url), init),
    })
    t.equal(await outcome(verifier, access), 'anna')
    for (let index = 0; index < 20; index++)
      await t.rejects(verifier.verify(token), {
        code: 'invalid_token',
        description: 'the access token is unknown, expired, revoked, or for another resource',
      })
    t.equal(warned.length, 1, `${reason}: once, for they cannot fill the log`)
    t.match(warned[0], reason)
    for (const part of token.split('.').filter(part => part.length > 8)) t.notOk(warned[0]?.includes(part), 'no part of it')
  }
})

t.test('the log repeats a reason after a minute, and says what introspection and events say', async t => {
  const { host, verifier, warned } = await start('opaque')
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const [first = '', second = ''] = await tokensOf(host, app, 2)
  t.equal(await outcome(verifier, second), 'anna')
  for (let index = 0; index < 3; index++) t.equal(await outcome(verifier, 'nonsense'), 'invalid_token')
  host.clock.advance(61)
  t.equal(await outcome(verifier, 'nonsense'), 'invalid_token')
  t.equal(warned.length, 2)
  await host.post('/oauth/revoke', app, { token: first })
  t.equal(await outcome(verifier, first), 'invalid_token')
  t.match(warned[2], /the server says that it is not active/)
  const mcp = await host.tokens(app, { resource: `${ISSUER}/mcp` })
  t.equal(await outcome(verifier, mcp.access), 'invalid_token')
  host.events.length = 0
  t.equal(await outcome(verifier, second), 'anna')
  await host.authmount.endUserGrants('anna')
  for (const event of host.events) verifier.onEvent(event)
  t.equal(await outcome(verifier, second), 'invalid_token')
  t.match(warned.at(-1), /an event has revoked it/)
})
