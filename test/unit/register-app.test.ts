import { ApiError, createAuthmount, type NewApp } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import t from 'tap'

const store = memoryStore()
const authmount = createAuthmount({
  issuer: 'https://example.com',
  store,
  authenticate: () => null,
  scopes: { read: { description: 'Read' }, write: { description: 'Write' } },
})
const OWNER = { orgId: 'o', userId: 'u' }
const GOOD: NewApp = { name: 'App', redirectUris: ['https://app.example/cb'], allowedScopes: ['read'] }

async function problemsOf(fields: object): Promise<readonly string[]> {
  try {
    await authmount.registerApp({ ...GOOD, ...fields }, OWNER)
    return []
  } catch (error) {
    if (error instanceof ApiError && error.code === 'VALIDATION_ERROR')
      return error.details.map(({ message, path }) => `${path}: ${message}`)
    throw error
  }
}

t.test('an app is registered with safe defaults, and its secret is kept as a hash', async t => {
  const { app, clientId, clientSecret } = await authmount.registerApp(GOOD, OWNER)
  t.match(clientId, /^[0-9a-f]{24}$/)
  t.match(clientSecret, /^am_cs_[\w-]{43}$/)
  t.match(app, { id: clientId, clientId, status: 'active', isConfidential: true })
  t.match(app, {
    accessTokenLifetime: 3600,
    refreshTokenLifetime: 604_800,
    allowedGrantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
  })
  const stored = await store.apps.get(clientId)
  t.match(stored, {
    orgId: 'o',
    createdBy: 'u',
    status: 'active',
    authMethod: 'client_secret',
    origin: 'host',
    epoch: 1,
    version: 1,
  })
  t.notMatch(JSON.stringify([app, stored]), String(clientSecret))
  t.equal((await authmount.registerApp({ ...GOOD, isConfidential: false }, OWNER)).clientSecret, null)
})

t.test('every problem of an app is named at once, with its path', async t => {
  const problems = await problemsOf({
    name: '',
    allowedScopes: ['nope'],
    redirectUris: ['https://ok.example', 'ftp://x'],
    accessTokenLifetime: 1,
    status: 'active',
  })
  for (const path of ['name', 'allowedScopes.0', 'redirectUris.1', 'accessTokenLifetime']) {
    t.ok(
      problems.some(problem => problem.startsWith(`${path}: `)),
      path,
    )
  }
  t.ok(
    problems.some(problem => problem.includes('status')),
    'a field that is not the caller’s to set',
  )
})

t.test('an owner is needed, whole', async t => {
  for (const owner of [null, {}, { orgId: 'o' }, { orgId: 7, userId: 'u' }]) {
    await t.rejects(authmount.registerApp(GOOD, owner as typeof OWNER), { name: 'ApiError', message: /not valid: / })
  }
})

t.test('each rule is enforced', async t => {
  const bad = [
    { name: 'x'.repeat(101) },
    { name: '   ' },
    { name: 7 },
    { description: 'x'.repeat(501) },
    { redirectUris: [] },
    { redirectUris: Array.from({ length: 11 }, (_, index) => `https://a.example/${index}`) },
    { redirectUris: 'https://a.example' },
    { allowedScopes: [] },
    { allowedGrantTypes: [] },
    { allowedGrantTypes: ['password'] },
    { isConfidential: 'yes' },
    { accessTokenLifetime: 299 },
    { accessTokenLifetime: 86_401 },
    { accessTokenLifetime: 300.5 },
    { refreshTokenLifetime: 3599 },
    { refreshTokenLifetime: 31_536_001 },
    { homepageUrl: 'javascript:alert(1)' },
    { privacyPolicyUrl: 'data:text/html,x' },
    { clientId: '' },
    { clientSecret: 'x'.repeat(32) },
    { orgId: 'other' },
    { version: 7 },
  ]
  for (const fields of bad) t.ok((await problemsOf(fields)).length > 0, JSON.stringify(fields).slice(0, 60))
  t.strictSame(await problemsOf({ redirectUris: undefined, allowedGrantTypes: ['client_credentials'] }), [])
})

t.test('redirect URIs that lead astray cannot be registered', async t => {
  const bad = [
    'javascript://localhost/%0aalert(1)',
    'java\tscript://localhost/%0aalert(1)',
    'javascript:alert(1)',
    'data:text/html,x',
    'data://localhost/x',
    'vbscript:x',
    'blob:https://a/b',
    'file:///etc/passwd',
    'about:blank',
    'ws://h/',
    'https://user:pw@h.example/',
    'https://user@h.example/',
    'https://@h.example/',
    'https://h.example/cb#',
    'https://h.example/cb#f',
    'https://*.h.example/cb',
    'https://h.example/*',
    '/relative',
    'relative',
    '',
    `https://h.example/${'x'.repeat(2048)}`,
    'https://h.example/\u0000',
    'https://h.example/\r\n',
    'https://h.example/a b',
    'https://h.example\\cb',
    'https://h.example./cb',
    'https:///cb',
    'https://h;evil.example/',
    'https://a%2eb.example/',
    'https://0x7f.1/',
    'https://127.1/cb',
    'https:h.example/cb',
    'http://h.example/cb',
    'http://localhost.evil.example/cb',
    'http://127.0.0.1@evil.example/cb',
    'https://h.example/cb?code=x',
    'https://h.example/cb?a=1&state=x',
    'https://h.example/cb?iss=x',
    'https://h.example/cb?error=x',
    'myapp:/cb',
    'myapp://cb',
  ]
  for (const uri of bad) t.ok((await problemsOf({ redirectUris: [uri] })).length > 0, JSON.stringify(uri).slice(0, 60))
  const good = [
    'https://app.example/cb',
    'https://app.example',
    'https://APP.example/cb',
    'https://[2001:db8::1]/cb',
    'https://app.example:8443/cb?tenant=1',
    'http://localhost:3000/callback',
    'http://127.0.0.1/cb',
    'http://[::1]:8080/cb',
    'com.example.app:/cb',
    'com.example.app://callback',
  ]
  for (const uri of good) t.strictSame(await problemsOf({ redirectUris: [uri] }), [], uri)
  // A pattern without an anchor would find the good one within.
  for (const uri of good) {
    for (const around of ['javascript:', 'data:text/html,', 'x:', ' ', '\n', '//', 'file:///'])
      t.ok((await problemsOf({ redirectUris: [`${around}${uri}`] })).length > 0, JSON.stringify(`${around}${uri}`))
    for (const behind of ['\njavascript:alert(1)', ' javascript:alert(1)', '\n', '#', '\\'])
      t.ok((await problemsOf({ redirectUris: [`${uri}${behind}`] })).length > 0, JSON.stringify(`${uri}${behind}`))
  }
})

t.test('a link or a logo is of the web, at both of its ends', async t => {
  const link = 'https://app.example/x'
  for (const name of ['homepageUrl', 'privacyPolicyUrl', 'termsOfServiceUrl', 'logoUrl']) {
    t.strictSame(await problemsOf({ [name]: link }), [], name)
    for (const url of [
      `javascript:${link}`,
      `data:${link}`,
      `x${link}`,
      'httpsx://app.example/x',
      `x\n${link}`,
      `//${link}`,
      '/x',
    ])
      t.ok((await problemsOf({ [name]: url })).length > 0, `${name}: ${JSON.stringify(url)}`)
  }
  t.ok((await problemsOf({ logoUrl: 'http://app.example/x' })).length > 0, 'a logo is loaded by https')
})

t.test('private schemes that are not in reverse-domain form are registered where the host names them', async t => {
  const uris = ['cursor://anysphere.cursor-mcp/oauth/callback', 'vscode://x.y/cb']
  for (const uri of uris) t.equal((await problemsOf({ redirectUris: [uri] })).length, 1, uri)
  const options = {
    issuer: 'https://example.com',
    store: memoryStore(),
    authenticate: () => null,
    scopes: { read: { description: 'Read' } },
  }
  const open = createAuthmount({ ...options, redirectSchemes: ['cursor', 'vscode'] })
  const { app } = await open.registerApp({ ...GOOD, isConfidential: false, redirectUris: uris }, OWNER)
  t.strictSame(app.redirectUris, uris)
  for (const uri of ['cursors://x', 'cursor:x', 'xcursor://x', 'CURSOR://x', 'javascript://cursor://x', 'cursor://x#y'])
    await t.rejects(open.registerApp({ ...GOOD, redirectUris: [uri] }, OWNER), { code: 'VALIDATION_ERROR' }, uri)
  for (const scheme of ['javascript', 'data', 'http', 'https', 'file', 'blob', 'intent', 'Cursor', 'cursor:', 'x', ''])
    t.throws(() => createAuthmount({ ...options, redirectSchemes: [scheme] }), /redirectSchemes/, scheme)
})

t.test('what is missing is named in words, not in those of a validator', async t => {
  t.strictSame(await problemsOf({ allowedScopes: undefined }), ["allowedScopes: must be an array of scopes such as ['read']"])
  t.strictSame(await problemsOf({ name: undefined }), ['name: must be a text of 1 to 100 characters'])
})
