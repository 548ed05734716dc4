import { createHash } from 'node:crypto'
import { type App, type CustomGrant, createAuthmount, type GrantCall, type HostGrant, OAuthError, type Store } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import t from 'tap'
import { everyFramework, everywhere, overMemory } from '../support/everywhere.ts'
import { authenticate, frameworks, type HostOptions, SCOPES, startHost } from '../support/host.ts'
import { issuedNothing, OF_ANNA, sleep, unhandledRejections } from '../support/host-grants.ts'

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

everyFramework(
  'a grant that fails or hangs after it has issued, or is late to, leaves no tokens and no event',
  async (t, host) => {
    const unhandled = unhandledRejections(t)
    const names = ['fails', 'hangs', 'late', 'twice', 'swallowed']
    const app = await host.confidentialApp({ allowedGrantTypes: names, redirectUris: [] })
    for (const name of names) {
      const { body, status } = await host.post('/oauth/token', app, { grant_type: name })
      t.strictSame([status, body.error], [500, 'server_error'], name)
      await sleep(200)
      await issuedNothing(t, host, app, name)
    }
    t.strictSame(unhandled, [])
  },
  {
    hookTimeoutMs: 100,
    grants: [
      {
        name: 'fails',
        async handle({ issue }) {
          await issue(OF_ANNA)
          throw new Error('could not be marked as used')
        },
      },
      { name: 'hangs', handle: ({ issue }) => issue(OF_ANNA).then(() => new Promise(() => {})) },
      { name: 'late', handle: ({ issue }) => sleep(150).then(() => issue(OF_ANNA)) },
      { name: 'twice', handle: ({ issue }) => issue(OF_ANNA).then(() => issue(OF_ANNA)) },
      {
        name: 'swallowed',
        handle: ({ issue }) => issue({ ...OF_ANNA, userId: '' }).catch(() => ({}) as never),
      },
    ],
  },
)

everyFramework(
  'a refusal of issue that is awaited later does not end the process, and one that is not awaited is the answer',
  async (t, host) => {
    const unhandled = unhandledRejections(t)
    const app = await host.confidentialApp({ allowedGrantTypes: ['later', 'unheard'], redirectUris: [] })
    for (const grant_type of ['later', 'unheard']) {
      const { body } = await host.post('/oauth/token', app, { grant_type, scope: 'admin' })
      t.equal(body.error, 'invalid_scope', grant_type)
      t.equal((await host.post('/oauth/token', app, { grant_type, scope: 'read:records' })).status, 200, grant_type)
    }
    t.strictSame(unhandled, [])
  },
  {
    grants: [
      {
        name: 'later',
        async handle({ issue }) {
          const issuing = issue(OF_ANNA)
          await sleep(30)
          return issuing
        },
      },
      {
        name: 'unheard',
        async handle({ issue }) {
          void issue(OF_ANNA)
          return {} as never
        },
      },
    ],
  },
)

overMemory('tokens that the store is still writing at the deadline are revoked', async t => {
  for (const mount of Object.values(frameworks)) {
    const held = holdingCreate()
    const grants = [{ name: 'usual', handle: ({ issue }: GrantCall) => issue(OF_ANNA) }]
    const host = await startHost(mount, { wrap: held.wrap, hookTimeoutMs: 100, grants })
    t.teardown(host.close)
    const app = await host.confidentialApp({ allowedGrantTypes: ['usual', 'refresh_token'], redirectUris: [] })
    const { arrived, release } = held.hold()
    const asked = host.post('/oauth/token', app, { grant_type: 'usual' })
    await arrived
    // The deadline was set before the call arrived, and so is over by then.
    await sleep(200)
    release()
    const { body, status } = await asked
    t.strictSame([status, body.error], [500, 'server_error'])
    await issuedNothing(t, host, app, 'create was held')
  }
})

overMemory('a grant that is being stored while the user’s grants are ended does not outlive that', async t => {
  for (const mount of Object.values(frameworks)) {
    const held = holdingCreate()
    const grants: HostGrant[] = [
      { name: 'usual', handle: ({ issue }) => issue(OF_ANNA) },
      {
        name: 'alone',
        async handle({ issue }) {
          await host.authmount.endUserGrants('anna')
          return issue(OF_ANNA)
        },
      },
    ]
    const host = await startHost(mount, { wrap: held.wrap, grants })
    t.teardown(host.close)
    const app = await host.confidentialApp({ allowedGrantTypes: ['usual', 'alone', 'refresh_token'], redirectUris: [] })
    const usual = () => host.post('/oauth/token', app, { grant_type: 'usual' })
    const ends = {
      'all of a user': () => host.authmount.endUserGrants('anna'),
      'those of an app': () => host.authmount.endUserGrants('anna', app.clientId),
    }
    for (const [name, end] of Object.entries(ends)) {
      t.equal((await usual()).status, 200, 'a grant of before')
      const { arrived, release } = held.hold()
      const asked = usual()
      await arrived
      await end()
      release()
      const { body, status } = await asked
      t.strictSame([status, body.error], [400, 'invalid_grant'], name)
      t.equal((await host.store.grants.listTokens({ userId: 'anna', limit: 0 })).total, 0, name)
      t.equal((await usual()).status, 200, 'and whoever comes later is served')
    }
    t.equal((await host.post('/oauth/token', app, { grant_type: 'alone' })).status, 200, 'a grant may end those of before')
    t.equal((await host.store.grants.listTokens({ userId: 'anna', limit: 0 })).total, 2)
  }
})

everyFramework(
  'nobody is named like an app, whatever the app’s name is, and an app that acts for itself is of its own organisation',
  async (t, host) => {
    const app = await host.confidentialApp({ allowedGrantTypes: ['named', 'authorization_code'] })
    const clientId = 'billing-service'
    const id = createHash('sha256').update(clientId).digest('hex').slice(0, 24)
    const { version: _, ...record } = (await host.store.apps.get((await host.confidentialApp()).clientId)) as App
    t.ok(await host.store.apps.save({ ...record, id, clientId, version: 1 }))
    const ask = (of: string) => host.post('/oauth/token', app, { grant_type: 'named', of })
    t.strictSame((await ask(`${clientId}/org-1`)).body.error, 'access_denied')
    t.strictSame((await ask(`${app.clientId}/org-1`)).body.error, 'access_denied')
    t.equal((await ask('billing/org-1')).status, 200)
    t.equal((await ask('/org-1')).status, 200)
    t.equal((await ask('/org-2')).status, 500)
    t.notOk(host.events.some(event => event.type === 'token_issued' && event.orgId === 'org-2'))
    const code = await host.authorize(app, {}, clientId)
    const answer = code.params.consent_id === undefined ? code : await host.decide(code, 'granted', clientId)
    t.equal(answer.params.error, 'access_denied', 'nor does such a user get a code')
  },
  {
    authenticate: async request => {
      const userId = /session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]
      return userId === undefined ? null : { userId, orgId: 'org-1', isAdmin: false }
    },
    grants: [
      {
        name: 'named',
        async handle({ issue, params }) {
          const [userId = '', orgId = ''] = (params.get('of') ?? '').split('/')
          return issue({ userId: userId === '' ? null : userId, orgId })
        },
      },
    ],
  },
)

const odd = ['a~b', 'x:y', '__proto__', 'a-b.c_d', 'x'.repeat(200)]
everywhere(
  'a grant works under every name that the options accept, as a method of its object',
  async (t, host) => {
    const app = await host.confidentialApp({ allowedGrantTypes: [...odd, 'self'], redirectUris: [] })
    for (const name of [...odd, 'self']) t.equal((await host.post('/oauth/token', app, { grant_type: name })).status, 200, name)
  },
  {
    grants: [
      ...odd.map(name => ({ name, handle: ({ issue }: GrantCall) => issue(OF_ANNA), grantType: undefined })),
      {
        name: 'self',
        handle({ issue }) {
          return issue({ ...OF_ANNA, ...(this.name === 'self' ? {} : { userId: '' }) })
        },
      } as CustomGrant,
    ] as readonly HostGrant[],
  },
)

/** A store whose next `grants.create` a test can hold. */
function holdingCreate() {
  let until: Promise<void> | undefined
  let arrive = () => {}
  return {
    /** From now on; `arrived` resolves once a call is held. */
    hold() {
      let release = () => {}
      until = new Promise(resolve => {
        release = () => {
          until = undefined
          resolve()
        }
      })
      const arrived = new Promise<void>(resolve => {
        arrive = resolve
      })
      return { arrived, release }
    },
    wrap(store: Store): Store {
      const grants = new Proxy(store.grants, {
        get(inner, name) {
          const value: unknown = Reflect.get(inner, name)
          if (typeof value !== 'function') return value
          return async (...given: unknown[]) => {
            if (name === 'create') {
              arrive()
              await until
            }
            return Reflect.apply(value, inner, given)
          }
        },
      })
      const { apps, consents, credentials, keys, oneTime } = store
      return { apps, consents, credentials, grants, keys, oneTime }
    },
  }
}

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
