/** authmount/verify: another service checks tokens, by the published keys or by asking, and guards its routes with either framework. */
import type { AuthmountEvent } from 'authmount'
import { requireToken } from 'authmount/express'
import { requireToken as requireTokenHook } from 'authmount/fastify'
import { memoryStore } from 'authmount/stores/memory'
import { createVerifier, type Verifier } from 'authmount/verify'
import express from 'express'
import Fastify from 'fastify'
import t from 'tap'
import { type Listening, listen, startHost } from './support/host.ts'
import { SIGN_IN } from './support/sign-in.ts'
import { API, ISSUER, express as mount, outcome, start } from './support/verifier.ts'

for (const format of ['opaque', 'jwt'] as const) {
  t.test(`${format}: a token says the same elsewhere as at home`, async t => {
    const claims = { plan: 'team', roles: ['editor'], limits: { seats: 5 } }
    const { host, verifier } = await start(format, {}, { accessTokenClaims: ({ userId }) => (userId === null ? {} : claims) })
    t.teardown(host.close)
    const app = await host.confidentialApp()
    const { access, refresh } = await host.tokens(app)
    const info = await verifier.verify(access, { scopes: ['read:records'] })
    const { expiresAt, ...same } = await host.authmount.checkToken(access)
    t.match(info, same)
    t.strictSame(info.claims, claims)
    t.ok(Math.abs(info.expiresAt - expiresAt) <= 1000)
    const service = await host.clientCredentials(app, { scope: 'read:records' })
    const itself = await verifier.verify(String(service.body.access_token))
    t.match(itself, { userId: null, clientId: app.clientId, orgId: 'org-1' })
    t.strictSame(itself.claims, {})

    t.equal(await outcome(verifier, access, ['write:records']), 'insufficient_scope')
    for (const nonsense of ['', 'x', refresh, `${access}x`, 'a.b.c', access.slice(0, -5)])
      t.equal(await outcome(verifier, nonsense), 'invalid_token', nonsense)
    const mcp = await host.tokens(app, { resource: `${ISSUER}/mcp` })
    t.equal(await outcome(verifier, mcp.access), 'invalid_token', 'it is for another resource')
    host.clock.advance(3602)
    t.equal(await outcome(verifier, access), 'anna', 'clocks differ')
    host.clock.advance(6)
    t.equal(await outcome(verifier, access), 'invalid_token')
  })

  t.test(`${format}: many who present one token ask once, and it is remembered`, async t => {
    const { host, verifier, asked } = await start(format)
    t.teardown(host.close)
    const { access } = await host.tokens(await host.confidentialApp())
    const results = await Promise.all(Array.from({ length: 50 }, () => outcome(verifier, access)))
    t.strictSame(new Set(results), new Set(['anna']))
    t.equal(asked.length, 2, asked.join())
    t.equal(await outcome(verifier, access), 'anna')
    t.equal(asked.length, 2)
  })

  t.test(`${format}: what an event says has been revoked is refused`, async t => {
    const { host, verifier } = await start(format, { cacheSeconds: 60 })
    t.teardown(host.close)
    const [app, other] = [await host.confidentialApp(), await host.confidentialApp()]
    const admin = { method: 'POST', headers: { cookie: 'session=anna' } }
    const revocations: Readonly<Record<string, (token: { access: string; refresh: string }) => Promise<unknown>>> = {
      'by its app': ({ access }) => host.post('/oauth/revoke', app, { token: access }),
      'with its refresh token': ({ refresh }) => host.post('/oauth/revoke', app, { token: refresh }),
      'by its user': () => host.send(`/oauth/connected-apps/${app.clientId}`, { ...admin, method: 'DELETE' }),
      'by the host': () => host.authmount.endUserGrants('anna'),
      'by the host, of one app': () => host.authmount.endUserGrants('anna', app.clientId),
      'with its session': () => host.authmount.endSession({ userId: 'anna', sessionId: 'session-of-anna' }),
      'with all of its app': () => host.send(`/oauth-clients/${app.clientId}/revoke-all-tokens`, admin),
    }
    for (const [name, revoke] of Object.entries(revocations)) {
      host.clock.advance(2)
      const [tokens, apart] = [await host.tokens(app), await host.tokens(other, {}, 'bert')]
      for (const { access } of [tokens, apart]) t.not(await outcome(verifier, access), 'invalid_token')
      host.events.length = 0
      await revoke(tokens)
      t.equal(await outcome(verifier, tokens.access), 'anna', `${name}: it has not heard of it yet`)
      for (const event of host.events) verifier.onEvent(JSON.parse(JSON.stringify(event)) as AuthmountEvent)
      t.equal(await outcome(verifier, tokens.access), 'invalid_token', name)
      t.equal(await outcome(verifier, apart.access), 'bert', `${name}: nobody else`)
    }
    host.clock.advance(2)
    t.equal(await outcome(verifier, (await host.tokens(app)).access), 'anna', 'what was issued since is good')
  })

  t.test(`${format}: a server that does not answer is a 503, and what it answers later counts`, async t => {
    const { host, verifier, network } = await start(format)
    t.teardown(host.close)
    const { access } = await host.tokens(await host.confidentialApp())
    network.down = true
    t.equal(await outcome(verifier, access), 'temporarily_unavailable')
    const refused = await verifier.guard()(bearing(access))
    t.match(refused, { refusal: { status: 503, headers: { 'retry-after': '1' } } })
    network.down = false
    t.equal(await outcome(verifier, access), 'anna')
  })

  for (const framework of ['express', 'fastify'] as const) {
    t.test(`${format}: it guards the routes of another ${framework} service`, async t => {
      const metadata = 'https://api.example/.well-known/oauth-protected-resource'
      const { host, verifier } = await start(format, { resourceMetadata: metadata })
      const service = await (framework === 'express' ? serveExpress(verifier) : serveFastify(verifier))
      t.teardown(() => Promise.all([host.close(), service.close()]))
      const { access } = await host.tokens(await host.confidentialApp())
      const get = (path: string, token?: string) =>
        fetch(`${service.url}${path}`, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })
      const good = await get('/read', access)
      t.equal(good.status, 200)
      t.match(await good.json(), { userId: 'anna', orgId: 'org-1', scopes: ['read:records'] })
      const none = await get('/read')
      t.equal(none.status, 401)
      t.equal(
        none.headers.get('www-authenticate'),
        `Bearer realm="${ISSUER}", resource_metadata="${metadata}", scope="read:records"`,
      )
      const narrow = await get('/write', access)
      t.equal(narrow.status, 403)
      t.match(narrow.headers.get('www-authenticate'), /error="insufficient_scope".*scope="read:records write:records"/)
      t.equal((await get('/read', 'nonsense')).status, 401)
    })
  }
}

for (const format of ['opaque', 'jwt'] as const) {
  t.test(`${format}: an event ends what was ended at home, and nothing else`, async t => {
    const { host, verifier } = await start(format, { cacheSeconds: 60 })
    t.teardown(host.close)
    const app = await host.confidentialApp()
    const hear = () => {
      for (const event of host.events.splice(0)) verifier.onEvent(event)
    }
    const first = await host.tokens(app)
    const { body } = await host.refresh(app, first.refresh)
    await host.post('/oauth/revoke', app, { token: first.access })
    hear()
    t.equal(await outcome(verifier, first.access), 'invalid_token')
    t.equal(await outcome(verifier, String(body.access_token)), 'anna', 'the rest of its grant lives')

    await host.authmount.endUserGrants('anna')
    const [ended] = host.events.splice(0)
    host.clock.advance(2)
    await host.authmount.endUserGrants('anna')
    const [later] = host.events.splice(0)
    if (!ended || !later) throw new Error('no events')
    for (const event of [later, ended]) verifier.onEvent(event)
    t.equal(await outcome(verifier, String(body.access_token)), 'invalid_token', 'events that come out of order undo nothing')
    t.throws(() => verifier.onEvent({ ...ended, at: new Date().toISOString() } as never), TypeError)
    t.throws(() => verifier.onEvent({} as never), TypeError)

    host.clock.advance(2)
    const kept = await host.tokens(app)
    // Remembered, for the connections to the server may not outlive the flood.
    t.equal(await outcome(verifier, kept.access), 'anna')
    const [event] = host.events.filter(({ type }) => type === 'token_issued')
    await host.authmount.endUserGrants('anna')
    hear()
    for (let index = 0; index < 100_010; index++)
      verifier.onEvent({ ...event, type: 'token_revoked', tokenType: 'access', jti: `j${index}` } as never)
    t.equal(await outcome(verifier, kept.access), 'invalid_token', 'an app that revokes much drives nothing out')
  })
}

t.test('a verifier knows what may be required of a token', async t => {
  const { host, verifier } = await start('jwt')
  t.teardown(host.close)
  const { access } = await host.tokens(await host.confidentialApp())
  for (const wrong of [{ scope: ['admin'] }, { resource: 'https://other.example' }, { scopes: 'read:records' }])
    await t.rejects(verifier.verify(access, wrong as never), TypeError)
  const { guard } = verifier
  t.match(await guard()(bearing(access)), { oauth: { userId: 'anna' } })
})

t.test('a server that begins to sign is noticed', async t => {
  const store = memoryStore()
  const options = { ...SIGN_IN, resources: [API], store, scopes: { ...SIGN_IN.scopes } }
  const { sealingKeys: _, ...unsigned } = options
  const before = await startHost(mount, unsigned)
  let host = before
  const verifier = createVerifier({
    issuer: ISSUER,
    audience: API,
    now: () => host.clock.now(),
    log: { error: () => {}, warn: () => {} },
    fetch: (url, init) => fetch(new URL(new URL(String(url)).pathname, host.url), init),
  })
  const app = await before.confidentialApp()
  const after = await startHost(mount, { ...options, accessTokenFormat: 'jwt' })
  t.teardown(() => Promise.all([before.close(), after.close()]))
  const { access } = await after.tokens(app)
  t.equal(await outcome(verifier, access), 'invalid_token')
  host = after
  after.clock.advance(31)
  t.equal(await outcome(verifier, access), 'anna')
})

t.test('an opaque token that was revoked is refused within a second', async t => {
  const { host, verifier } = await start('opaque')
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const { access } = await host.tokens(app)
  t.equal(await outcome(verifier, access), 'anna')
  await host.post('/oauth/revoke', app, { token: access })
  host.clock.advance(1)
  t.equal(await outcome(verifier, access), 'invalid_token')
})

t.test('metadata of another issuer, and endpoints without https, are not believed', async t => {
  const { host } = await start('jwt')
  t.teardown(host.close)
  const { access } = await host.tokens(await host.confidentialApp())
  for (const change of [
    { issuer: 'https://evil.example' },
    { jwks_uri: 'http://evil.example/keys' },
    { introspection_endpoint: 7 },
  ]) {
    const verifier = createVerifier({
      issuer: ISSUER,
      audience: API,
      now: host.clock.now,
      log: { error: () => {}, warn: () => {} },
      fetch: async url => {
        const { body } = await host.send(new URL(String(url)).pathname)
        return Response.json(String(url).includes('oauth-authorization-server') ? { ...body, ...change } : body)
      },
    })
    t.equal(await outcome(verifier, access), 'temporarily_unavailable', JSON.stringify(change))
  }
})

t.test('options and requirements that cannot work are refused where they are said', async t => {
  const good = { issuer: ISSUER, audience: API }
  for (const wrong of [
    { issuer: 'http://issuer.example' },
    { issuer: 'x' },
    { audience: '' },
    { introspection: { clientId: '', clientSecret: '' } },
    { cacheSeconds: 3600 },
    { timeoutMs: Number.NaN },
    { timeoutMs: 1000.5 },
    { now: () => Number.NaN },
    { now: (async () => Date.now()) as unknown as () => number },
    { issuer: `${ISSUER}\n` },
    { resourceMetadata: 'https://api.example/x\n' },
    { audiences: [] },
  ])
    t.throws(() => createVerifier({ ...good, ...wrong }), TypeError, JSON.stringify(wrong))
  const verifier = createVerifier(good)
  t.throws(() => verifier.guard({ resource: 'https://other.example' }), TypeError)
  t.throws(() => verifier.guard({ scope: ['x'] } as never), TypeError)
  t.throws(() => verifier.guard({ scopes: 'x' as never }), TypeError)
})

async function serveExpress(verifier: Verifier): Promise<Listening> {
  const app = express()
  app.get('/read', requireToken(verifier, { scopes: ['read:records'] }), (request, response) => {
    response.json(request.oauth)
  })
  app.get('/write', requireToken(verifier, { scopes: ['write:records'] }), (request, response) => {
    response.json(request.oauth)
  })
  return listen(app)
}

async function serveFastify(verifier: Verifier): Promise<Listening> {
  const app = Fastify({ forceCloseConnections: true })
  app.decorateRequest('oauth', null)
  app.get('/read', { preHandler: requireTokenHook(verifier, { scopes: ['read:records'] }) }, async request => request.oauth)
  app.get('/write', { preHandler: requireTokenHook(verifier, { scopes: ['write:records'] }) }, async request => request.oauth)
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
}

function bearing(token: string) {
  return { method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` } }
}
