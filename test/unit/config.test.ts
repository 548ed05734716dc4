import { type AuthmountOptions, createAuthmount, OptionsError, type TokenRequirements } from 'authmount'
import { requireToken } from 'authmount/express'
import { requireToken as requireTokenHook } from 'authmount/fastify'
import { memoryStore } from 'authmount/stores/memory'
import t from 'tap'

const GOOD: AuthmountOptions = {
  issuer: 'https://example.com',
  store: memoryStore(),
  authenticate: () => null,
  scopes: { read: { description: 'Read' } },
}

/** The problems named for options that differ from good ones by `fields`. */
function problemsOf(fields: object): readonly string[] {
  try {
    createAuthmount({ ...GOOD, ...fields })
    return []
  } catch (error) {
    if (error instanceof OptionsError) return error.problems
    throw error
  }
}

t.test('every problem is named at once', async t => {
  const problems = problemsOf({
    issuer: 'nope',
    store: {},
    authenticate: undefined,
    scopes: {},
    mountPath: 'api',
    storeTimeoutMs: 0,
  })
  t.equal(problems.length, 6)
  t.match(problems.join('\n'), /issuer[\s\S]*mountPath|mountPath[\s\S]*issuer/)
})

t.test('an issuer is https, or http on a loopback host, and as clients will compare it', async t => {
  for (const issuer of [
    'https://a.example',
    'https://a.example:8443',
    'https://a.example/tenant',
    'http://localhost:3000',
    'http://127.0.0.1',
    'http://[::1]:1',
  ]) {
    t.strictSame(problemsOf({ issuer }), [], issuer)
  }
  const bad = [
    'http://a.example',
    'https://a.example/',
    'https://a.example/x/',
    'https://a.example?x',
    'https://a.example#x',
    'HTTPS://a.example',
    'https://A.example',
    'https://a.example:443',
    'https://u:p@a.example',
    'ftp://a.example',
    'a.example',
    '',
    7,
    undefined,
  ]
  for (const issuer of bad) t.ok(problemsOf({ issuer }).length > 0, String(issuer))
})

t.test('paths, pages, scopes and limits are checked', async t => {
  const bad = [
    { mountPath: '/api/' },
    { mountPath: 'api' },
    { mountPath: '/a b' },
    { loginUrl: 'login' },
    { loginUrl: '//evil.example' },
    { loginUrl: 'javascript:alert(1)' },
    { loginUrl: '/login#x' },
    { consentUrl: '/\\evil.example' },
    { scopes: { 'two words': { description: 'x' } } },
    { scopes: { 'quo"te': { description: 'x' } } },
    { scopes: { read: {} } },
    { scopes: null },
    { lifetimes: { codeSeconds: 601 } },
    { lifetimes: { consentSeconds: 1 } },
    { rotationGraceSeconds: -1 },
    { rotationGraceSeconds: Number.NaN },
    { storeTimeoutMs: 1 },
    { hookTimeoutMs: 1e6 },
    { rotationGraceSeconds: 2, storeTimeoutMs: 2500 },
    { allowPlainPkce: 'false' },
    { log: {} },
    { onEvent: 'x' },
    { loginUrl: '/вход' },
    { issuer: 'https://a.example/a*b' },
    { issuer: 'https://a.example/caf%C3%A9' },
    { mountpath: '/x' },
    { lifetimes: { accessTokenSeconds: 5 } },
  ]
  for (const fields of bad) t.equal(problemsOf(fields).length, 1, JSON.stringify(fields))
  const good = [
    { mountPath: '/api/v1' },
    { loginUrl: 'https://login.example/in?x=1' },
    { consentUrl: '/consent' },
    { rotationGraceSeconds: 0 },
  ]
  for (const fields of good) t.strictSame(problemsOf(fields), [], JSON.stringify(fields))
})

t.test('a problem says what to do', async t => {
  t.throws(
    () => createAuthmount({ ...GOOD, issuer: 'https://a.example/' }),
    /authmount options are not usable:\n {2}- issuer must/,
  )
})

t.test('a requirement that makes no sense is refused where the route is defined', async t => {
  const authmount = createAuthmount(GOOD)
  const bad: readonly unknown[] = [
    ['read'],
    { scope: ['read'] },
    { scopes: 'read' },
    { scopes: ['wriet'] },
    { scopes: [7] },
    null,
    'read',
  ]
  for (const requirements of bad) {
    for (const define of [requireToken, requireTokenHook]) {
      t.throws(() => define(authmount, requirements as TokenRequirements), TypeError, JSON.stringify(requirements))
    }
    t.throws(() => authmount.checkToken('x', requirements as TokenRequirements), TypeError)
  }
  for (const requirements of [undefined, {}, { scopes: [] }, { scopes: undefined }, { scopes: ['read'] }]) {
    t.doesNotThrow(() => requireToken(authmount, requirements))
  }
})
