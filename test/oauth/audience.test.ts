/** What a token is for: `resource` narrows it (RFC 8707), and a route of another resource refuses it. */
import { createAuthmount } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import t from 'tap'
import { defined } from '../support/client.ts'
import { everyFramework } from '../support/everywhere.ts'
import { frameworks, type HostOptions, startHost, type TestHost } from '../support/host.ts'
import { SEALING_KEY, verify } from '../support/sign-in.ts'

const [ORIGIN, MCP, API] = ['https://issuer.example', 'https://issuer.example/mcp', 'https://api.example']
const RESOURCES: HostOptions = { resources: [MCP, API] }

/** The audience of a token, as introspection says it. */
async function audienceOf(host: TestHost, app: Awaited<ReturnType<TestHost['confidentialApp']>>, token: unknown) {
  return (await host.post('/oauth/introspect', app, { token: String(token) })).body.aud
}

/** Whether a route of a resource accepts a token. */
function isGoodFor(host: TestHost, resource: string, token: unknown): Promise<boolean> {
  return host.authmount.checkToken(String(token), { resource }).then(
    () => true,
    error => {
      if (error.code !== 'invalid_token') throw error
      return false
    },
  )
}

for (const accessTokenFormat of ['opaque', 'jwt'] as const) {
  const options: HostOptions = { ...RESOURCES, accessTokenFormat, sealingKeys: [SEALING_KEY], signingAlg: 'ES256' }

  everyFramework(
    `${accessTokenFormat}: a token is for the resource that was asked for, and for no other; without one, for all`,
    async (t, host) => {
      const app = await host.confidentialApp()
      const all = await host.tokens(app)
      t.strictSame(await audienceOf(host, app, all.access), [MCP, API])
      for (const resource of [MCP, API]) t.ok(await isGoodFor(host, resource, all.access))
      if (accessTokenFormat === 'jwt') t.strictSame((await verify(host, all.access)).aud, [MCP, API])

      const { access, refresh } = await host.tokens(app, { resource: MCP })
      t.equal(await audienceOf(host, app, access), MCP)
      t.ok(await isGoodFor(host, MCP, access))
      t.notOk(await isGoodFor(host, API, access))
      if (accessTokenFormat === 'jwt') t.equal((await verify(host, access)).aud, MCP)
      const refreshed = await host.refresh(app, refresh)
      t.equal(await audienceOf(host, app, refreshed.body.access_token), MCP, 'a refresh does not widen it')
    },
    options,
  )

  everyFramework(
    `${accessTokenFormat}: a token request asks for as much as was authorized, or less`,
    async (t, host) => {
      const app = await host.confidentialApp()
      const query = host.authorizeQuery(app)
      query.append('resource', MCP)
      query.append('resource', API)
      const screen = await host.browse(`/oauth/authorize?${query}`, 'anna')
      const { params } = await host.decide(screen)
      const code = String(params.code)
      const [escalated, narrowed] = [
        await host.redeem(app, code, { resource: 'https://evil.example' }),
        await host.redeem(app, code, { resource: API }),
      ]
      t.equal(escalated.body.error, 'invalid_target')
      t.equal(narrowed.status, 200, 'a target that cannot be had burns no code')
      t.equal(await audienceOf(host, app, narrowed.body.access_token), API)
      const both = await host.refresh(app, narrowed.body.refresh_token)
      t.strictSame(await audienceOf(host, app, both.body.access_token), [MCP, API], 'the grant is for both')
      const one = await host.refresh(app, both.body.refresh_token, { resource: MCP })
      t.equal(await audienceOf(host, app, one.body.access_token), MCP)

      const mcp = await host.tokens(app, { resource: MCP })
      t.equal((await host.refresh(app, mcp.refresh, { resource: API })).body.error, 'invalid_target')
      t.equal((await host.refresh(app, mcp.refresh)).status, 200, 'nor does it spend a refresh token')
      const own = await host.approve(app, { resource: MCP })
      t.equal((await host.redeem(app, own, { resource: API })).body.error, 'invalid_target')
      t.equal((await host.redeem(app, own)).status, 200)
      const service = await host.clientCredentials(app, { resource: API })
      t.equal(await audienceOf(host, app, service.body.access_token), API)
    },
    options,
  )
}

everyFramework(
  'a client may write a resource with a slash more, or name what is below or above it',
  async (t, host) => {
    const app = await host.confidentialApp()
    const audiences: Record<string, string> = {
      [`${MCP}/`]: MCP,
      [`${MCP}/tools?x=1`]: MCP,
      'HTTPS://ISSUER.example/mcp': MCP,
      [ORIGIN]: MCP,
      [`${API}/`]: API,
    }
    for (const [resource, audience] of Object.entries(audiences)) {
      const { access } = await host.tokens(app, { resource })
      t.equal(await audienceOf(host, app, access), audience, resource)
    }
    for (const resource of [
      'https://issuer.example/mcpx',
      'http://issuer.example/mcp',
      `${MCP}#f`,
      'mcp',
      'https://evil.example/mcp',
    ])
      t.equal((await host.authorize(app, { resource })).params.error, 'invalid_target', resource)
    const body = defined({ grant_type: 'client_credentials', client_id: app.clientId, client_secret: app.clientSecret ?? '' })
    body.append('resource', MCP)
    body.append('resource', 'https://evil.example')
    t.equal((await host.send('/oauth/token', { method: 'POST', body })).body.error, 'invalid_target', 'each of them counts')
  },
  { ...RESOURCES },
)

everyFramework(
  'a guarded route is of the first resource, unless it says which',
  async (t, host) => {
    const app = await host.confidentialApp()
    const [mcp, api] = [await host.tokens(app, { resource: MCP }), await host.tokens(app, { resource: API })]
    t.equal(await host.records(mcp.access), 200)
    const refused = await host.send('/records', { headers: { authorization: `Bearer ${api.access}` } })
    t.equal(refused.status, 401)
    t.match(refused.headers.get('www-authenticate'), /oauth-protected-resource\/mcp".*error="invalid_token"/)
  },
  { ...RESOURCES },
)

everyFramework(
  'a JSON decision says the resource itself where no screen is open, and cannot change that of one that is',
  async (t, host) => {
    const app = await host.confidentialApp()
    const decide = (fields: Record<string, string>) =>
      host.send('/oauth/authorize', {
        method: 'POST',
        headers: { authorization: 'Bearer host-anna', 'content-type': 'application/json' },
        body: JSON.stringify({
          ...Object.fromEntries(host.authorizeQuery(app, { response_type: undefined })),
          consent: 'granted',
          ...fields,
        }),
      })
    const granted = await decide({ resource: API })
    const code = new URL(String(granted.body.redirect_uri)).searchParams.get('code') ?? ''
    t.equal(await audienceOf(host, app, (await host.redeem(app, code)).body.access_token), API)
    t.equal((await decide({ resource: 'https://evil.example' })).body.error, 'invalid_target')

    t.ok((await host.authorize(app, { resource: API, prompt: 'consent' })).params.consent_id)
    t.equal((await decide({ resource: MCP })).status, 400)
    const answered = await decide({})
    const second = new URL(String(answered.body.redirect_uri)).searchParams.get('code') ?? ''
    t.equal(await audienceOf(host, app, (await host.redeem(app, second)).body.access_token), API, 'it is the screen’s')
  },
  { ...RESOURCES },
)

everyFramework(
  'a refresh that is repeated for another resource is told so, and costs nothing',
  async (t, host) => {
    const app = await host.confidentialApp()
    const { refresh } = await host.tokens(app)
    const first = await host.refresh(app, refresh, { resource: MCP })
    t.equal((await host.refresh(app, refresh, { resource: API })).body.error, 'invalid_target')
    t.equal((await host.refresh(app, refresh, { resource: MCP })).body.access_token, first.body.access_token)
    const next = await host.refresh(app, first.body.refresh_token, { resource: API })
    t.equal(await audienceOf(host, app, next.body.access_token), API)
    t.equal((await host.post('/oauth/token?resource=x', app, { grant_type: 'client_credentials' })).body.error, 'invalid_request')
    t.equal((await host.clientCredentials(app, { resource: '' })).status, 200, 'nothing is named')
    t.equal((await host.clientCredentials(app, { resource: 'https://u:p@api.example' })).body.error, 'invalid_target')
    const many = Array.from({ length: 30 }, (_, index) => `${MCP}/${index}`).join(' ')
    t.equal((await host.clientCredentials(app, { resource: many })).body.error, 'invalid_target')
  },
  { ...RESOURCES },
)

everyFramework(
  'of a resource and one below it, a token is for the one that was named',
  async (t, host) => {
    const app = await host.confidentialApp()
    const { access } = await host.tokens(app, { resource: MCP })
    t.equal(await audienceOf(host, app, access), MCP)
    t.equal(await audienceOf(host, app, (await host.tokens(app, { resource: `${MCP}/admin/x` })).access), `${MCP}/admin`)
  },
  { resources: [MCP, `${MCP}/admin`] },
)

everyFramework(
  'userinfo is for the app: a token for a server elsewhere gets nothing there',
  async (t, host) => {
    const app = await host.confidentialApp({ allowedScopes: ['openid', 'read:records'] })
    const ask = async (resource?: string) => {
      const { access } = await host.tokens(app, { scope: 'openid', ...(resource && { resource }) })
      return (await host.send('/oauth/userinfo', { headers: { authorization: `Bearer ${access}` } })).status
    }
    t.strictSame([await ask(), await ask(MCP), await ask(API)], [200, 200, 401])
  },
  { ...RESOURCES, sealingKeys: [SEALING_KEY], signingAlg: 'ES256' },
)

for (const [framework, mount] of Object.entries(frameworks)) {
  t.test(`${framework}: a resource server asks about access tokens for its own resources, whosever they are`, async t => {
    const store = memoryStore()
    const before = await startHost(mount, { ...RESOURCES, store })
    t.teardown(before.close)
    const server = await before.confidentialApp({ name: 'Resource server', allowedGrantTypes: ['client_credentials'] })
    const host = await startHost(mount, { ...RESOURCES, store, resourceServers: { [server.clientId]: [API] } })
    t.teardown(host.close)
    const app = await host.confidentialApp()
    const [mcp, api, all] = [
      await host.tokens(app, { resource: MCP }),
      await host.tokens(app, { resource: API }),
      await host.tokens(app),
    ]
    const { body } = await host.post('/oauth/introspect', server, { token: api.access })
    t.match(body, { active: true, client_id: app.clientId, sub: 'anna', aud: API, org_id: 'org-1', scope: 'read:records' })
    t.ok(await host.isActive(server, all.access))
    t.strictSame((await host.post('/oauth/introspect', server, { token: mcp.access })).body, { active: false })
    t.notOk(await host.isActive(server, api.refresh), 'a refresh token is between the app and us')
    t.ok(await host.isActive(app, api.refresh))
    t.notOk(await host.isActive(await host.confidentialApp(), api.access), 'another app hears nothing')
    await host.post('/oauth/revoke', app, { token: api.access })
    t.notOk(await host.isActive(server, api.access))
    await host.send(`/oauth-clients/${app.clientId}/revoke-all-tokens`, {
      method: 'POST',
      headers: { authorization: 'Bearer host-anna' },
    })
    t.notOk(await host.isActive(server, all.access))
  })
}

t.test('what is asked of resources and tokens is checked at the start', async t => {
  const base = { issuer: ORIGIN, store: memoryStore(), authenticate: () => null, scopes: { read: { description: 'Read' } } }
  for (const wrong of [
    { accessTokenFormat: 'jwt' as const },
    { accessTokenFormat: 'JWT' as 'jwt', sealingKeys: [SEALING_KEY] },
    { resourceServers: { 'kein Schlüssel': [ORIGIN] } },
    { resourceServers: { '0123456789abcdef01234567': ['https://elsewhere.example'] } },
    { resourceServers: { '0123456789abcdef01234567': [] } },
    { logoutUrl: '/logout' },
    { logoutUrl: '//evil.example', sealingKeys: [SEALING_KEY] },
    { resources: ['https://a.example/x y'] },
    { resources: ['https://a.example/*'] },
    { resources: ['https://a.example/a:b'] },
  ])
    t.throws(() => createAuthmount({ ...base, ...wrong }), { name: 'OptionsError' }, JSON.stringify(wrong))
  t.doesNotThrow(() => createAuthmount({ ...base, resourceServers: { '0123456789abcdef01234567': [ORIGIN] } }))
})
