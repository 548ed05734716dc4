import { createAuthmount, OAuthError } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import t from 'tap'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { authenticate, type HostOptions, SCOPES } from '../support/host.ts'

const VOUCHER = 'urn:example:grant:voucher'

/** A voucher is `<user>` or `<user>!<what goes wrong>`. */
const options: HostOptions = {
  grants: [
    {
      name: VOUCHER,
      title: 'Voucher',
      summary: 'It acts for whoever gave it a voucher.',
      parameters: { voucher: { required: true }, note: { required: false } },
      async handle({ app, issue, params }) {
        const [user = '', wrong] = (params.get('voucher') ?? '').split('!')
        if (wrong === 'unknown') throw new OAuthError('invalid_grant', 'there is no such voucher')
        if (wrong === 'throws') throw new Error('ECONNREFUSED db-password')
        if (wrong === 'hangs') await new Promise(() => {})
        if (wrong === 'nothing') return undefined as never
        const scopes = wrong === 'more' ? ['read:records', 'admin'] : undefined
        const orgId = wrong === 'nobody' ? (undefined as never) : app.orgId
        const userId = wrong === 'itself' ? null : user
        const issued = await issue({ userId, orgId, scopes, refreshable: true, accessTokenSeconds: 120 })
        if (wrong === 'twice') await issue({ userId, orgId })
        return issued
      },
    },
  ],
  hookTimeoutMs: 300,
}
const grantTypes = [VOUCHER, 'refresh_token']

everywhere(
  'a grant of the host’s issues tokens like any other: scopes, lifetimes, refresh, events, revocation',
  async (t, host) => {
    const app = await host.confidentialApp({ allowedGrantTypes: grantTypes, redirectUris: [] })
    const { body, status } = await host.post('/oauth/token', app, { grant_type: VOUCHER, voucher: 'anna', scope: 'read:records' })
    t.equal(status, 200)
    t.match(body, { token_type: 'Bearer', expires_in: 120, scope: 'read:records', refresh_token: /^am_rt_/ })
    const { body: oauth } = await host.send('/records', { headers: { authorization: `Bearer ${body.access_token}` } })
    t.match(oauth, { clientId: app.clientId, userId: 'anna', orgId: 'org-1', scopes: ['read:records'] })
    t.match(host.events.at(-1), { type: 'token_issued', grantType: VOUCHER, userId: 'anna', clientId: app.clientId })
    const refreshed = await host.refresh(app, body.refresh_token)
    t.equal(refreshed.status, 200)
    t.equal(await host.authmount.endUserGrants('anna'), 1)
    t.equal(await host.records(refreshed.body.access_token), 401)
  },
  options,
)

everyFramework(
  'what a grant of the host’s does wrong issues nothing, and tells the client nothing it should not know',
  async (t, host) => {
    const app = await host.confidentialApp({ allowedGrantTypes: grantTypes, redirectUris: [] })
    const outcomes = {
      'anna!unknown': [400, 'invalid_grant'],
      'anna!more': [400, 'invalid_scope'],
      'anna!throws': [500, 'server_error'],
      'anna!hangs': [500, 'server_error'],
      'anna!nothing': [500, 'server_error'],
      'anna!nobody': [500, 'server_error'],
      [`${app.clientId}!`]: [400, 'access_denied'],
      [`${'x'.repeat(256)}!`]: [500, 'server_error'],
      '!': [500, 'server_error'],
    } as const
    for (const [voucher, [status, error]] of Object.entries(outcomes)) {
      const answer = await host.post('/oauth/token', app, { grant_type: VOUCHER, voucher })
      t.equal(answer.status, status, voucher)
      t.equal(answer.body.error, error, voucher)
      t.notMatch(answer.text, /ECONNREFUSED|password|TypeError/)
    }
    t.equal((await host.store.grants.listTokens({ appId: app.clientId, epoch: 1, limit: 0 })).total, 0)
    t.equal((await host.post('/oauth/token', app, { grant_type: VOUCHER })).body.error, 'invalid_request', 'a missing parameter')
    t.equal((await host.post('/oauth/token', app, { grant_type: VOUCHER, voucher: 'anna!itself' })).status, 200)
    const beyond = await host.post('/oauth/token', app, { grant_type: VOUCHER, voucher: 'anna', scope: 'read:records admin' })
    t.equal(beyond.body.scope, 'read:records', 'what the app may not have is left out')
    const nothing = await host.post('/oauth/token', app, { grant_type: VOUCHER, voucher: 'anna', scope: 'admin' })
    t.equal(nothing.body.error, 'invalid_scope')
  },
  options,
)

everyFramework(
  'a grant is for the apps that are registered for it, and never a default of new ones',
  async (t, host) => {
    const voucher = { grant_type: VOUCHER, voucher: 'anna' }
    const usual = await host.confidentialApp()
    t.equal((await host.post('/oauth/token', usual, voucher)).body.error, 'unauthorized_client')
    const open = await host.publicApp({ allowedGrantTypes: [VOUCHER], redirectUris: [] })
    t.equal((await host.post('/oauth/token', open, voucher)).body.error, 'unauthorized_client', 'it proves nothing')
    const { body: metadata } = await host.send('/.well-known/oauth-authorization-server')
    t.ok((metadata.grant_types_supported as string[]).includes(VOUCHER))
    const described = JSON.stringify(host.authmount.openapi())
    t.ok(described.includes(VOUCHER) && described.includes('"voucher"'), 'the OpenAPI document knows it')
    const created = await host.send('/oauth-clients', {
      method: 'POST',
      headers: { cookie: 'session=anna', 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'V', allowedScopes: ['read:records'], allowedGrantTypes: [VOUCHER] }),
    })
    t.equal(created.status, 201)
    const page = host.authmount.console().answer({ path: '/', fullPath: '/console/', headers: {} })
    t.match(page?.body, /It acts for whoever gave it a voucher\./, 'the console offers it')
    const unknown = await host.send('/oauth/token', {
      method: 'POST',
      body: new URLSearchParams({ client_id: usual.clientId, grant_type: 'constructor' }),
    })
    t.equal(unknown.body.error, 'unsupported_grant_type')
  },
  options,
)

t.test('grants that cannot work are refused at the start, all problems at once', async t => {
  const handle = async () => undefined as never
  const grants = [
    { name: 'password', handle },
    { name: 'refresh_token', handle },
    { name: 'twice', handle },
    { name: 'twice', handle },
    { name: 'no handle' },
    { name: 'both', handle, grantType: class {}, owner: () => ({}) },
    { name: 'no-owner', grantType: class {} },
    { name: 'misspelt', handle, paramaters: {} },
    { name: 'odd', handle: 'x', parameters: { p: true }, publicApps: 'yes', title: 1 },
    null,
  ]
  const problems = t.throws(() =>
    createAuthmount({
      issuer: 'https://issuer.example',
      store: memoryStore(),
      scopes: SCOPES,
      authenticate,
      grants: grants as never,
    }),
  ) as { readonly problems?: readonly string[] }
  const text = problems.problems?.join('\n') ?? ''
  for (const expected of [
    /grants\[0\].*password.*migrate-node-oauth2-server/,
    /grants\[1\].*built in/,
    /grants\[3\].*two grants with the name "twice"/,
    /grants\[4\]\.name/,
    /grants\[4\] needs a handle/,
    /grants\[5\].*not both/,
    /grants\[6\]\.owner/,
    /grants\[7\]\.paramaters is not/,
    /grants\[8\]\.handle/,
    /grants\[8\]\.parameters/,
    /grants\[8\]\.publicApps/,
    /grants\[8\]\.title/,
    /grants\[9\] must be an object/,
  ])
    t.match(text, expected)
})
