import { api, createApp, NEW_APP, UNLIMITED } from '../support/apps-api.ts'
import { everywhere } from '../support/everywhere.ts'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

everywhere('an app is created as documented, its secret shown this once', async (t, host) => {
  const { body, headers, status } = await api(host, 'POST', '', {
    body: { ...NEW_APP, description: 'Integrates', homepageUrl: 'https://app.example' },
  })
  t.equal(status, 201)
  t.equal(headers.get('cache-control'), 'no-store')
  t.match(body, {
    id: /^[0-9a-f]{24}$/,
    slug: /^my-integration-app-[0-9a-f]{6}$/,
    clientId: body.id,
    clientSecret: /^am_cs_/,
    name: 'My Integration App',
    description: 'Integrates',
    redirectUris: NEW_APP.redirectUris,
    allowedGrantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
    allowedScopes: NEW_APP.allowedScopes,
    status: 'active',
    homepageUrl: 'https://app.example',
    isConfidential: true,
    accessTokenLifetime: 3600,
    refreshTokenLifetime: 604_800,
    createdAt: ISO,
    updatedAt: ISO,
  })
  const read = await api(host, 'GET', `/${body.id}`)
  const { clientSecret, ...rest } = body
  t.strictSame(read.body, rest)
  t.ok(clientSecret)
  const pub = await api(host, 'POST', '', { body: { ...NEW_APP, isConfidential: false } })
  t.notOk('clientSecret' in pub.body)
  t.match(host.events, [{ type: 'app_created', actorId: 'anna', orgId: 'org-1', clientId: body.id }, { type: 'app_created' }])
})

everywhere(
  'every problem of a body is named at once, with its path',
  async (t, host) => {
    const { body, status } = await api(host, 'POST', '', {
      body: {
        name: '',
        redirectUris: ['https://ok.example/cb', 'javascript:x'],
        allowedScopes: ['nope'],
        accessTokenLifetime: 1,
        orgId: 'org-2',
        __proto__: null,
      },
    })
    t.equal(status, 400)
    const { code, details } = body.error as { code: string; details: { path: string; message: string }[] }
    t.equal(code, 'VALIDATION_ERROR')
    t.strictSame(details.map(({ path }) => path).toSorted(), [
      'accessTokenLifetime',
      'allowedScopes.0',
      'name',
      'orgId',
      'redirectUris.1',
    ])
    t.ok(details.every(({ message }) => message.length > 5))
  },
  UNLIMITED,
)

everywhere(
  'fields that are not the caller’s to set are refused, on create and on update',
  async (t, host) => {
    const { id } = await createApp(host)
    const before = await host.store.apps.get(id)
    const fields = [
      'id',
      'orgId',
      'createdBy',
      'clientId',
      'clientSecret',
      'clientSecretHash',
      'status',
      '_id',
      'createdAt',
      'isFirstParty',
      'skipConsent',
      'epoch',
      'version',
      'secrets',
      'slug',
    ]
    for (const field of fields) {
      for (const [method, path, base] of [
        ['POST', '', NEW_APP],
        ['PUT', `/${id}`, {}],
      ] as const) {
        const { body, status } = await api(host, method, path, { body: { ...base, [field]: 'x' } })
        t.equal(status, 400, `${method} ${field}`)
        t.match(body.error, { code: 'VALIDATION_ERROR', details: [{ path: field }] })
      }
    }
    t.equal((await api(host, 'PUT', `/${id}`, { body: { isConfidential: false } })).status, 400)
    t.strictSame(await host.store.apps.get(id), before)
  },
  UNLIMITED,
)

everywhere(
  'bodies that are not a JSON object are refused',
  async (t, host) => {
    for (const body of ['', '[]', '"x"', 'null', '{', '{"name":{"$ne":null}}', `{"name":"${'x'.repeat(70_000)}"}`]) {
      const answer = await api(host, 'POST', '', { body })
      t.ok([400, 413].includes(answer.status), `${body.slice(0, 20)}: ${answer.status}`)
      t.match(answer.body.error, { code: 'VALIDATION_ERROR', message: String })
    }
    const form = await host.send('/oauth-clients', {
      method: 'POST',
      headers: { authorization: 'Bearer host-anna' },
      body: new URLSearchParams({ name: 'x' }),
    })
    t.equal(form.status, 415)
  },
  UNLIMITED,
)

everywhere('an app is changed field by field, and links are cleared with null', async (t, host) => {
  const { id } = await createApp(host, {
    homepageUrl: 'https://app.example',
    privacyPolicyUrl: 'https://app.example/privacy',
    description: 'Old',
  })
  host.clock.advance(1)
  const { body, status } = await api(host, 'PUT', `/${id}`, {
    body: {
      name: 'New name',
      homepageUrl: null,
      termsOfServiceUrl: 'https://app.example/terms',
      allowedScopes: ['read:records'],
    },
  })
  t.equal(status, 200)
  t.match(body, {
    name: 'New name',
    description: 'Old',
    privacyPolicyUrl: 'https://app.example/privacy',
    termsOfServiceUrl: 'https://app.example/terms',
  })
  t.strictSame(body.allowedScopes, ['read:records'])
  t.notOk('homepageUrl' in body)
  t.notOk('clientSecret' in body)
  t.ok(String(body.updatedAt) > String(body.createdAt))
  t.strictSame((await api(host, 'GET', `/${id}`)).body, body)
  t.equal((await api(host, 'PUT', `/${id}`, { body: { redirectUris: [] } })).status, 400, 'the code grant needs somewhere to go')
  t.equal(
    (await api(host, 'PUT', `/${id}`, { body: { redirectUris: [], allowedGrantTypes: ['client_credentials'] } })).status,
    200,
  )
  t.match(host.events.at(-1), { type: 'app_updated', changed: ['redirectUris', 'allowedGrantTypes'] })
})

everywhere(
  'the list is of one organisation, newest first, paged, filtered and searched',
  async (t, host) => {
    const names = ['Alpha', 'Beta (x)', 'Gamma', 'alphabet', 'Delta']
    for (const name of names) {
      await createApp(host, { name })
      host.clock.advance(1)
    }
    await createApp(host, { name: 'Other' }, 'cora')
    const list = async (query = '', user = 'bert') => {
      const { body, status } = await api(host, 'GET', query, { user })
      return {
        status,
        names: (body.data as { name: string }[] | undefined)?.map(({ name }) => name),
        pagination: body.pagination,
      }
    }
    t.strictSame(await list(), {
      status: 200,
      names: names.toReversed(),
      pagination: { page: 1, limit: 20, total: 5, totalPages: 1 },
    })
    t.strictSame(await list('?page=2&limit=2'), {
      status: 200,
      names: ['Gamma', 'Beta (x)'],
      pagination: { page: 2, limit: 2, total: 5, totalPages: 3 },
    })
    t.strictSame((await list('?page=9')).names, [])
    t.strictSame((await list('?search=ALPHA')).names, ['alphabet', 'Alpha'])
    t.strictSame((await list(`?search=${encodeURIComponent('(x)')}`)).names, ['Beta (x)'])
    for (const search of ['(a+)+$', '^(.*)*$', '[', '\\', '.*', '$where']) {
      t.strictSame((await list(`?search=${encodeURIComponent(search)}`)).names, [], search)
    }
    t.strictSame((await list('', 'cora')).names, ['Other'])
    t.strictSame((await list('?status=suspended')).names, [])
    for (const query of [
      '?page=0',
      '?page=x',
      '?limit=0',
      '?limit=101',
      '?limit=1.5',
      '?status=deleted',
      '?page=1&page=2',
      `?search=${'a'.repeat(201)}`,
    ]) {
      t.equal((await list(query)).status, 400, query)
    }
  },
  UNLIMITED,
)

everywhere('what an app says of signing out is set, changed and removed', async (t, host) => {
  const fields = {
    postLogoutRedirectUris: ['https://app.example/bye'],
    backchannelLogoutUri: 'https://app.example/logout?of=us',
    backchannelLogoutSessionRequired: true,
  }
  const { id } = await createApp(host, fields)
  t.match((await api(host, 'GET', `/${id}`)).body, fields)
  t.match((await api(host, 'PUT', `/${id}`, { body: { name: 'Another' } })).body, fields)
  host.events.length = 0
  const removed = { postLogoutRedirectUris: [], backchannelLogoutUri: null, backchannelLogoutSessionRequired: false }
  const { body, status } = await api(host, 'PUT', `/${id}`, { body: removed })
  t.equal(status, 200)
  t.match(host.events, [{ type: 'app_updated', changed: Object.keys(fields) }])
  for (const name of Object.keys(fields)) t.notOk(name in body, name)
  const record = await host.store.apps.get(id)
  t.ok(record)
  t.notOk(record && 'backchannelLogoutUri' in record)

  const wrong = {
    postLogoutRedirectUris: ['javascript:alert(1)'],
    backchannelLogoutUri: 'https://192.168.0.1/logout',
    backchannelLogoutSessionRequired: 'yes',
  }
  const refused = await api(host, 'PUT', `/${id}`, { body: wrong })
  t.equal(refused.status, 400)
  const { details } = refused.body.error as { readonly details: readonly { readonly path: string }[] }
  t.strictSame(details.map(({ path }) => path.split('.')[0]).toSorted(), Object.keys(wrong).toSorted())
})

everywhere('the catalogue of scopes is a bare array', async (t, host) => {
  const { text } = await api(host, 'GET', '/scopes', { user: 'bert' })
  t.strictSame(JSON.parse(text), [
    { name: 'read:records', description: 'Read your records', category: 'Records' },
    { name: 'write:records', description: 'Change your records', category: 'Records' },
    { name: 'profile', description: 'See your name', category: '' },
  ])
})

const OPERATIONS: readonly (readonly [method: string, path: string, body?: object])[] = [
  ['GET', '/:id'],
  ['PUT', '/:id', { name: 'Stolen' }],
  ['DELETE', '/:id'],
  ['POST', '/:id/regenerate-secret'],
  ['POST', '/:id/suspend'],
  ['POST', '/:id/activate'],
  ['GET', '/:id/tokens'],
  ['POST', '/:id/revoke-all-tokens'],
]

everywhere(
  'nobody but an admin of the app’s own organisation can do anything to it',
  async (t, host) => {
    const app = await createApp(host)
    const { access } = await host.tokens(app)
    const machine = String((await host.clientCredentials(app)).body.access_token)
    const before = await host.store.apps.get(app.id)
    const nowhere = 'f'.repeat(24)
    for (const [method, template, body] of OPERATIONS) {
      const path = template.replace(':id', app.id)
      const what = `${method} ${template}`
      const foreign = await api(host, method, path, { user: 'cora', body })
      t.equal(foreign.status, 404, `${what} of another organisation`)
      t.equal(
        foreign.text,
        (await api(host, method, template.replace(':id', nowhere), { user: 'cora', body })).text,
        'as if it did not exist',
      )
      t.equal(
        (await api(host, method, path, { user: 'bert', body })).status,
        template === '/:id' && method === 'GET' ? 200 : 403,
        `${what} by a non-admin`,
      )
      t.equal((await api(host, method, path, { user: null, body })).status, 401, `${what} by nobody`)
      t.equal((await api(host, method, path, { user: 'nobody', body })).status, 401, `${what} by an unknown bearer`)
      for (const token of [access, machine]) {
        const init = {
          method,
          headers: {
            authorization: `Bearer ${token}`,
            cookie: 'session=anna',
            ...(body ? { 'content-type': 'application/json' } : {}),
          },
        }
        const answer = await host.send(`/oauth-clients${path}`, { ...init, ...(body ? { body: JSON.stringify(body) } : {}) })
        t.equal(answer.status, 401, `${what} with a token of authmount’s own`)
        t.match(answer.body.error, { code: 'UNAUTHORIZED' })
      }
      for (const id of ['x', 'F'.repeat(24), 'f'.repeat(23), 'f'.repeat(25), '%7B%7D', '..%2F..']) {
        t.equal((await api(host, method, template.replace(':id', id), { body })).status, 400, `${what} with the id ${id}`)
      }
    }
    for (const [method, path, body] of [
      ['POST', '', NEW_APP],
      ['GET', ''],
      ['GET', '/scopes'],
    ] as const) {
      t.equal((await api(host, method, path, { user: null, body })).status, 401)
      t.equal((await api(host, method, path, { user: 'bert', body })).status, method === 'POST' ? 403 : 200)
    }
    t.strictSame(await host.store.apps.get(app.id), before, 'and nothing has changed')
    t.equal(await host.records(access), 200)
  },
  UNLIMITED,
)

everywhere('a page of another site cannot make an admin’s browser change anything', async (t, host) => {
  const { id } = await createApp(host)
  const forged = { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } }
  for (const path of [`/${id}/suspend`, `/${id}/revoke-all-tokens`, `/${id}/regenerate-secret`]) {
    t.equal((await host.browse(`/oauth-clients${path}`, 'anna', forged)).status, 403, path)
  }
  t.equal(
    (await host.browse(`/oauth-clients/${id}/suspend`, 'anna', { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } }))
      .status,
    200,
  )
  const spa = { authorization: 'Bearer host-anna', 'sec-fetch-site': 'cross-site' }
  t.equal(
    (await host.send(`/oauth-clients/${id}/activate`, { method: 'POST', headers: spa })).status,
    200,
    'with its own credential it may',
  )
})

everywhere('a foreign Origin changes nothing, with or without a body of a form', async (t, host) => {
  const { id } = await createApp(host)
  const own = new URL(host.url).origin
  const change = (path: string, headers: Record<string, string>, body?: string) =>
    host.browse(`/oauth-clients/${id}${path}`, 'anna', { method: 'POST', headers, ...(body === undefined ? {} : { body }) })
  for (const origin of [
    'https://evil.example',
    'null',
    'https://issuer.example.evil.example',
    `${own}0`,
    'x',
    'https://issuer.example:8443',
  ])
    for (const path of ['/suspend', '/revoke-all-tokens', '/regenerate-secret'])
      t.equal((await change(path, { origin })).status, 403, `${origin} ${path}`)
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
    t.equal((await change('/suspend', { origin: 'https://evil.example', 'content-type': type }, 'a=b')).status, 403, type)
    t.equal((await change('/suspend', { 'content-type': type }, 'a=b')).status, 415, type)
  }
  const deleted = await host.browse(`/oauth-clients/${id}`, 'anna', {
    method: 'DELETE',
    headers: { origin: 'https://evil.example' },
  })
  t.equal(deleted.status, 403)
  t.equal((await api(host, 'GET', `/${id}`)).body.status, 'active', 'nothing has changed')
  for (const origin of [own, 'https://issuer.example']) t.equal((await change('/suspend', { origin })).status, 200, origin)
  const spa = { authorization: 'Bearer host-anna', origin: 'https://spa.example' }
  t.equal((await host.send(`/oauth-clients/${id}/activate`, { method: 'POST', headers: spa })).status, 200)
})

everywhere('wrong methods are 405 with Allow, in the shape of this API', async (t, host) => {
  const { body, headers, status } = await api(host, 'PATCH', `/${'f'.repeat(24)}`)
  t.equal(status, 405)
  t.equal(headers.get('allow'), 'GET, PUT, DELETE')
  t.match(body.error, { code: 'METHOD_NOT_ALLOWED' })
})

everywhere(
  'all of it stands under the mount path',
  async (t, host) => {
    const app = await createApp(host)
    t.equal((await api(host, 'GET', `/${app.id}`)).status, 200)
    t.equal((await host.send('/oauth-clients', { headers: { authorization: 'Bearer host-anna' } })).status, 404)
  },
  { mountPath: '/api/v1' },
)
