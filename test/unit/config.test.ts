import { type AuthmountOptions, createAuthmount, OptionsError, type TokenRequirements } from 'authmount'
import { authmountRouter, requireToken } from 'authmount/express'
import { requireToken as requireTokenHook } from 'authmount/fastify'
import { memoryStore } from 'authmount/stores/memory'
import { mongoStore } from 'authmount/stores/mongo'
import { redisStore } from 'authmount/stores/redis'
import { createVerifier } from 'authmount/verify'
import t from 'tap'
import { safeLog } from '../../src/base/log.ts'
import { LIMITS } from '../../src/http/limits.ts'
import type { AnyRow } from '../../src/options/kinds.ts'
import { OPTIONS } from '../../src/options/table.ts'
import { sleep, unhandledRejections } from '../support/host-grants.ts'

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
    { mountPath: '/../x' },
    { mountPath: '/a/.' },
    { lifetimes: { consentSeconds: 1000 / 3 } },
    { keyRotation: { everyDays: 1.5 } },
    { hookTimeoutMs: 10.5 },
    { hookTimeoutMs: '100' },
    { now: () => Number.NaN },
    { now: () => undefined },
    { now: async () => Date.now() },
    { now: () => Promise.reject(new Error('nobody listens')) },
    { now: () => new Date() },
    { now: () => '1' },
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
    { lifetimes: { grantDays: 0 } },
    { policy: 'allow' },
    { policyAtUse: true },
    { accessTokenClaims: {} },
    { resources: {} },
    { resources: { 'https://api.example?x': {} } },
    { resources: { 'https://api.example': { accessTokenSeconds: 59 } } },
    { resources: { 'https://api.example': { format: 'jwt' } } },
    { resources: { 'https://api.example': { accessTokenFormat: 'jwt' } } },
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
    { mountPath: '/.well-known/..x/v1.' },
    { now: () => Date.now() / 1000 },
    { loginUrl: 'https://login.example/in?x=1' },
    { consentUrl: '/consent' },
    { rotationGraceSeconds: 0 },
  ]
  for (const fields of good) t.strictSame(problemsOf(fields), [], JSON.stringify(fields))
})

t.test('a name that is no option is a problem, with the name that was probably meant', async t => {
  for (const [fields, problem] of [
    [{ mountpath: '/x' }, 'mountpath is not an option: did you mean mountPath?'],
    [{ lifetimes: { codeSecond: 5 } }, 'lifetimes.codeSecond is not an option: did you mean codeSeconds?'],
    [{ lifetimes: { accessTokenSeconds: 5 } }, 'lifetimes.accessTokenSeconds is not an option'],
    [{ outbound: { allowPrivateHost: [] } }, 'outbound.allowPrivateHost is not an option: did you mean allowPrivateHosts?'],
    [{ zzz: 1 }, 'zzz is not an option'],
  ] as const) {
    t.strictSame(problemsOf(fields), [problem])
  }
})

t.test('every option refuses a value of another kind by its name, and takes undefined for its default', async t => {
  const names = Object.keys(OPTIONS)
  t.ok(names.length > 30)
  const required = ['issuer', 'store', 'authenticate', 'scopes']
  const hostile = {
    get name() {
      throw new Error('read me not')
    },
  }
  for (const name of names) {
    for (const value of [Symbol('x'), 7n, new Date(), [[]], { a: { b: 1 } }, hostile, new Map(), Number.NaN]) {
      const problems = problemsOf({ [name]: value })
      t.ok(problems.length > 0, `${name}: ${typeof value}`)
      for (const problem of problems) t.ok(problem.startsWith(name), problem)
    }
    const problems = problemsOf({ [name]: undefined })
    t.equal(problems.length, required.includes(name) ? 1 : 0, `${name}: undefined`)
  }
  for (const name of ['branding', 'keyRotation', 'lifetimes', 'outbound']) {
    const rows = Object.keys(OPTIONS[name as 'branding' | 'keyRotation' | 'lifetimes' | 'outbound'].kind.rows ?? {})
    t.ok(rows.length > 0)
    t.strictSame(problemsOf({ [name]: Object.fromEntries(rows.map(row => [row, undefined])) }), [], name)
    t.strictSame(problemsOf({ [name]: {} }), [], name)
  }
})

t.test('every option with a range takes both of its ends, and nothing beyond', async t => {
  const ranged = (rows: Readonly<Record<string, AnyRow>>, path: readonly string[]): readonly [readonly string[], string][] =>
    Object.entries(rows).flatMap(([name, { kind }]) => {
      const own: [readonly string[], string][] = kind.range === undefined ? [] : [[[...path, name], kind.range]]
      return [...own, ...ranged(kind.rows ?? {}, [...path, name])]
    })
  const limits = Object.keys(LIMITS).flatMap((name): [readonly string[], string][] => [
    [['rateLimits', name, 'points'], '1–1,000,000 times'],
    [['rateLimits', name, 'seconds'], '1–86,400 seconds'],
  ])
  let found = 0
  for (const [path, range] of [...ranged(OPTIONS, []), ...limits]) {
    const [, low, high] = /^([\d,]+)–([\d,]+) /.exec(range) ?? []
    if (low === undefined || high === undefined) continue
    found++
    const [least, most] = [Number(low.replaceAll(',', '')), Number(high.replaceAll(',', ''))]
    const refused = (value: number) => {
      const allowance = path[0] === 'rateLimits' ? { points: 1, seconds: 1, [String(path.at(-1))]: value } : value
      const names = path[0] === 'rateLimits' ? path.slice(0, -1) : path
      const fields = names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), allowance)
      return problemsOf(fields as object).some(problem => problem.startsWith(`${path.join('.')} must be a whole number`))
    }
    for (const value of [least, most]) t.equal(refused(value), false, `${path.join('.')}: ${value}`)
    for (const value of [least - 1, most + 1]) t.equal(refused(value), true, `${path.join('.')}: ${value}`)
  }
  t.ok(found > 15, `${found} ranges`)
})

t.test('whatever is no set of options is refused with a sentence, at the call', async t => {
  for (const given of [undefined, null, 7, 'https://example.com', [], () => GOOD]) {
    t.throws(() => createAuthmount(given as unknown as AuthmountOptions), { name: 'OptionsError' }, String(given))
  }
})

t.test('options that cannot even be listed are refused by OptionsError', async t => {
  const throws = () => {
    throw new Error('not now')
  }
  const { proxy, revoke } = Proxy.revocable(GOOD, {})
  revoke()
  for (const options of [new Proxy(GOOD, { ownKeys: throws }), new Proxy(GOOD, { get: throws }), proxy])
    t.throws(() => createAuthmount(options), { name: 'OptionsError' })
  t.throws(() => createAuthmount({ ...GOOD, lifetimes: new Proxy({}, { ownKeys: throws }) }), { name: 'OptionsError' })
})

t.test('a log that throws, or rejects in spite of its type, does not end the process', async t => {
  const unhandled = unhandledRejections(t)
  const down = async () => {
    throw new Error('the log is down')
  }
  const throws = () => {
    throw new Error('the log is down')
  }
  for (const write of [down, throws]) {
    const log = safeLog({ error: write, warn: write })
    log.error('x')
    log.warn('x')
    const verifier = createVerifier({
      issuer: 'https://example.com',
      audience: 'https://example.com',
      introspection: { clientId: 'x', clientSecret: 'x' },
      fetch: () => Promise.reject(new Error('no network')),
      log: { error: write, warn: write },
    })
    await t.rejects(verifier.verify('am_at_x'))
    const authmount = createAuthmount({ ...GOOD, log: { error: write, warn: write } })
    authmount.log.error('x')
  }
  await sleep(10)
  t.strictSame(unhandled, [])
})

t.test('a guard that is called by hand with what is no header answers 401', async t => {
  const guard = createAuthmount(GOOD).guard({ scopes: ['read'] })
  const verifier = createVerifier({ issuer: 'https://example.com', audience: 'https://example.com' })
  for (const authorization of [['Bearer x'], ['Bearer x', 'Bearer y'], 5, null, { toString: () => 'Bearer x' }]) {
    const request = { method: 'GET', url: '/', headers: { authorization: authorization as string } }
    t.match(await guard(request), { refusal: { status: 401 } })
    t.match(await verifier.guard()(request), { refusal: { status: 401 } })
  }
})

t.test('problems never show a key, nor the password of a proxy', async t => {
  const sealing = problemsOf({ sealingKeys: ['secret-secret', Buffer.from('secret-secret')] }).join()
  const proxy = problemsOf({ outbound: { proxy: 'ftp://me:secret-secret@proxy.example' } }).join()
  t.match(sealing, /sealingKeys/)
  t.match(proxy, /outbound\.proxy/)
  for (const text of [sealing, proxy]) t.notMatch(text, /secret-secret/)
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

t.test('an issuer of plain http on another machine needs an option that says so', async t => {
  for (const issuer of ['http://app.localhost:3000', 'http://a.b.localhost']) t.strictSame(problemsOf({ issuer }), [], issuer)
  for (const issuer of ['http://server:3000', 'http://192.168.0.2', 'http://localhost.example', 'http://notlocalhost']) {
    t.equal(problemsOf({ issuer }).length, 1, issuer)
    t.strictSame(problemsOf({ issuer, allowInsecureIssuer: true }), [], issuer)
  }
})

t.test('what belongs elsewhere is refused at the call, with the sentence that says what to pass', async t => {
  const authmount = createAuthmount(GOOD)
  const wrong = (value: unknown) => value as never
  t.throws(() => authmountRouter(wrong(undefined)), /authmountRouter needs what createAuthmount returned/)
  t.throws(() => requireToken(wrong({ scopes: ['read'] }), wrong(authmount)), /requireToken takes the server first/)
  t.throws(() => requireTokenHook(wrong(undefined)), /requireToken takes the server first/)
  // As node-redis names its methods.
  t.throws(() => redisStore(wrong({ evalSha: () => {}, sendCommand: () => {} })), /needs a client of ioredis/)
  for (const nothing of [undefined, null, 'redis://localhost'])
    t.throws(() => redisStore(wrong(nothing)), /needs a client of ioredis/)
  for (const nothing of [undefined, {}, 'mongodb://localhost'])
    t.throws(() => mongoStore(wrong(nothing)), /needs a database of the driver/)
})
