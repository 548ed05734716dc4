import type { PassedStep, Step, StepsRequest } from 'authmount'
import type { Answer, TestApp } from '../support/client.ts'
import { everyFramework, everywhere, overMemory } from '../support/everywhere.ts'
import { startFaultyHost } from '../support/faulty-host.ts'
import { authenticate, frameworks, type HostOptions, type TestHost } from '../support/host.ts'

const FACTOR: Step = { name: 'factor', url: '/step/factor' }
const TERMS: Step = { name: 'terms', url: '/step/terms?of=2026' }

/** A host that wants these steps of every request. */
function wanting(...steps: readonly Step[]): HostOptions {
  return { steps: () => steps }
}

/** What a browser is sent to: the path of the host's page, or the code. */
function reached({ location, params }: Answer): string | undefined {
  return params.code === undefined ? location?.pathname : 'code'
}

/** The host's server says that a step was passed; the browser then follows to where it says. */
async function pass(host: TestHost, step: Answer, passed: PassedStep = {}, user = 'anna'): Promise<Answer> {
  return host.browse(await host.authmount.passStep(String(step.params.step_id), { userId: user, ...passed }), user)
}

/** The way back to the authorization endpoint without the host's server. */
function comeBack(host: TestHost, step: Answer, user: string | null = 'anna'): Promise<Answer> {
  return host.browse(String(step.params.returnTo), user)
}

async function tokensOf(host: TestHost, app: TestApp, screen: Answer, user = 'anna'): Promise<Answer> {
  const answer = screen.params.consent_id === undefined ? screen : await host.decide(screen, 'granted', user)
  return host.redeem(app, String(answer.params.code))
}

everywhere(
  'a browser goes through the steps in their order, and only the server of the host lets it on',
  async (t, host) => {
    const app = await host.confidentialApp()
    const first = await host.authorize(app, { acr_values: 'gold', ui_locales: 'de' })
    t.equal(reached(first), '/step/factor')
    t.match(first.params, { client_id: app.clientId, acr_values: 'gold', ui_locales: 'de' })
    t.match(first.params.returnTo, /^\/oauth\/authorize\?/)

    const again = await comeBack(host, first)
    t.equal(reached(again), '/step/factor', 'coming back proves nothing')
    t.not(again.params.step_id, first.params.step_id)

    const second = await pass(host, again)
    t.equal(reached(second), '/step/terms')
    t.equal(second.params.of, '2026', 'the query of the page is kept')
    t.equal(reached(await comeBack(host, second)), '/step/terms', 'the first step stays passed')
    const third = await host.authorize(app)
    t.equal(reached(third), '/step/factor', 'another request passes its own')

    const last = await pass(host, await host.authorize(app))
    const screen = await pass(host, last)
    t.equal(reached(screen), '/oauth/consent')
    t.equal((await tokensOf(host, app, screen)).status, 200)

    const once = await pass(host, await pass(host, await host.authorize(app)))
    t.equal(reached(once), 'code', 'which the user has allowed before')
    t.equal(reached(await comeBack(host, last)), '/oauth/authorize', 'what was passed counts once: the request begins anew')
    await host.authorize(app)
    const events = host.events.filter(({ type }) => type.startsWith('step_'))
    t.match(events.at(-1), { type: 'step_required', clientId: app.clientId, orgId: 'org-1', userId: 'anna', step: 'factor' })
    t.match(events.at(-2), { type: 'step_passed', clientId: app.clientId, userId: 'anna', step: 'terms', chosenOrgId: null })
  },
  wanting(FACTOR, TERMS),
)

everywhere(
  'the id of a step is of its user, session and request, and passes once',
  async (t, host) => {
    const app = await host.confidentialApp()
    const step = await host.authorize(app)
    const id = String(step.params.step_id)
    const passStep = (passed: PassedStep, of = id) => host.authmount.passStep(of, passed)
    await t.rejects(passStep({ userId: 'bert' }), { code: 'FORBIDDEN' })
    await t.rejects(passStep({ userId: 'anna', sessionId: 'another session of hers' }), { code: 'FORBIDDEN' })
    await t.rejects(passStep({ userId: 'anna' }, 'made-up'), { code: 'NOT_FOUND' })
    t.equal(reached(await comeBack(host, step)), '/step/factor', 'none of these has passed it')

    const passed = await host.authorize(app)
    const back = await host.authmount.passStep(String(passed.params.step_id), {
      userId: 'anna',
      sessionId: 'session-of-anna',
    })
    t.equal(new URL(back, host.url).href, new URL(String(passed.params.returnTo), host.url).href)
    await t.rejects(passStep({ userId: 'anna' }, String(passed.params.step_id)), { code: 'CONFLICT' })

    t.equal(reached(await host.browse(back, 'bert')), '/step/factor', 'in the browser of another user')
    t.equal(reached(await host.browse(back, null)), '/login', 'in the browser of nobody')
    t.equal(reached(await host.browse(back.replace('state-1', 'state-2'), 'anna')), '/step/factor', 'of another request')
    t.equal(reached(await host.browse(back, 'anna')), '/oauth/consent', 'and where it was passed it still counts')
    t.equal(reached(await host.browse(back, 'anna')), '/oauth/authorize', 'once: the request begins anew')

    host.clock.stop()
    const inTime = await host.authorize(app)
    const late = await host.authorize(app)
    host.clock.advance(599.999)
    await passStep({ userId: 'anna' }, String(inTime.params.step_id))
    host.clock.advance(0.001)
    await t.rejects(passStep({ userId: 'anna' }, String(late.params.step_id)), { code: 'NOT_FOUND' })
    t.equal(reached(await comeBack(host, late)), '/step/factor')
  },
  wanting(FACTOR),
)

everywhere(
  'of twenty calls that pass one step at once, one does',
  async (t, host) => {
    const step = await host.authorize(await host.confidentialApp())
    const calls = Array.from({ length: 20 }, () => host.authmount.passStep(String(step.params.step_id), { userId: 'anna' }))
    const passed = (await Promise.allSettled(calls)).filter(({ status }) => status === 'fulfilled')
    t.equal(passed.length, 1)
    const opened = await Promise.all(Array.from({ length: 5 }, () => comeBack(host, step)))
    t.equal(opened.filter(answer => reached(answer) === '/oauth/consent').length, 1, 'and it counts for one consent screen')
  },
  wanting(FACTOR),
)

everywhere(
  'a step may answer another organisation: consent, code and grant are of that one, and so is what is remembered',
  async (t, host) => {
    const app = await host.confidentialApp()
    const screen = await pass(host, await host.authorize(app), { orgId: 'org-2', acr: 'gold', amr: ['otp'] })
    const { body } = await tokensOf(host, app, screen)
    const guarded = await host.send('/any', { headers: { authorization: `Bearer ${body.access_token}` } })
    t.match(guarded.body, { orgId: 'org-2', userId: 'anna', acr: 'gold', amr: ['otp'] })
    t.match(
      host.events.findLast(({ type }) => type === 'consent_granted'),
      { orgId: 'org-2' },
    )
    const renewed = await host.refresh(app, body.refresh_token)
    const after = await host.send('/any', { headers: { authorization: `Bearer ${renewed.body.access_token}` } })
    t.match(after.body, { orgId: 'org-2', acr: 'gold', amr: ['otp'] }, 'a refresh says the same')
  },
  wanting(FACTOR),
)

everywhere(
  'a step is remembered in its session for as long as the host says, and for the request that wants it so long',
  async (t, host) => {
    const app = await host.confidentialApp()
    const other = await host.confidentialApp()
    await tokensOf(host, app, await pass(host, await host.authorize(app), { orgId: 'org-2', acr: 'gold' }))
    t.equal(reached(await host.authorize(app)), 'code')
    const silent = await host.authorize(app, { prompt: 'none' })
    t.equal(reached(silent), 'code', 'as prompt=none does not have to ask')
    t.equal(reached(await host.authorize(other)), '/oauth/consent', 'whatever the app')
    const again = await host.redeem(app, String(silent.params.code))
    const guarded = await host.send('/any', { headers: { authorization: `Bearer ${again.body.access_token}` } })
    t.match(guarded.body, { orgId: 'org-2', acr: 'gold' }, 'with what was said then')
    t.equal(reached(await host.authorize(app, {}, 'anna2')), '/step/factor', 'in no other session')
    t.equal(reached(await host.authorize(app, { scope: 'write:records' })), '/step/factor', 'where the host wants it anew')
    host.clock.advance(300)
    t.equal(reached(await host.authorize(app)), '/step/factor', 'no longer')
  },
  {
    steps: ({ scopes }) => [{ ...FACTOR, rememberSeconds: scopes.includes('write:records') ? 0 : 300 }],
    authenticate: async request => {
      const second = request.headers.cookie === 'session=anna2'
      const user = second ? await authenticate({ ...request, headers: { cookie: 'session=anna' } }) : await authenticate(request)
      return user && second ? { ...user, sessionId: 'second session of anna' } : user
    },
  },
)

const SAYING_LITTLE: HostOptions = {
  steps: () => [{ ...FACTOR, rememberSeconds: 300 }],
  authenticate: async () => ({ userId: 'anna', orgId: 'org-1', isAdmin: false }),
}

everyFramework(
  'where the host names no sessions nothing is remembered',
  async (t, host) => {
    const app = await host.confidentialApp()
    t.equal((await tokensOf(host, app, await pass(host, await host.authorize(app)))).status, 200)
    t.equal(reached(await host.authorize(app)), '/step/factor')
  },
  SAYING_LITTLE,
)

everyFramework(
  'a request that allows no page is answered interaction_required, and one in JSON too',
  async (t, host) => {
    const app = await host.confidentialApp()
    const silent = await host.authorize(app, { prompt: 'none' })
    t.match(silent.params, { error: 'interaction_required', state: 'state-1', iss: 'https://issuer.example' })
    const query = Object.fromEntries(host.authorizeQuery(app))
    const decided = await host.send('/oauth/authorize', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer host-anna' },
      body: JSON.stringify({ ...query, response_type: undefined, consent: 'granted' }),
    })
    t.equal(decided.status, 403)
    t.equal(decided.body.error, 'interaction_required', 'no consent goes round the steps')
    t.equal(reached(await host.authorize(app, {}, null)), '/login', 'nobody who is not signed in gets to a step')
  },
  wanting(FACTOR),
)

everyFramework(
  'a user who had to sign in again does not have to once more after a step',
  async (t, host) => {
    const app = await host.confidentialApp()
    const login = await host.authorize(app, { prompt: 'login' })
    t.equal(reached(login), '/login')
    signedInAt = host.clock.now() + 1000
    const step = await comeBack(host, login)
    t.equal(reached(step), '/step/factor')
    const anew = await comeBack(host, step)
    t.equal(reached(anew), '/step/factor', 'nor where the step was abandoned')
    t.equal(reached(await comeBack(host, step)), '/login', 'each way back is open once')
    t.equal(reached(await pass(host, anew)), '/oauth/consent')
  },
  {
    ...wanting(FACTOR),
    authenticate: async request => {
      const user = await authenticate(request)
      return user && { ...user, authTime: signedInAt }
    },
  },
)
let signedInAt = Date.now() - 60_000

everyFramework(
  'the host is told what is asked, and what was passed',
  async (t, host) => {
    asked.length = 0
    const app = await host.confidentialApp()
    const first = await host.authorize(app, { acr_values: 'gold silver' })
    t.match(asked, [
      { clientId: app.clientId, scopes: ['read:records'], resources: null, acrValues: ['gold', 'silver'], passed: [] },
    ])
    t.match(asked[0]?.principal, { userId: 'anna', orgId: 'org-1', isAdmin: true })
    const second = await pass(host, first, { orgId: 'org-2' })
    t.equal(reached(second), '/step/terms', 'which this organisation wants')
    t.match(asked.at(-1), { passed: ['factor'], principal: { userId: 'anna', orgId: 'org-2', isAdmin: false } })
    t.equal(reached(await pass(host, second)), '/oauth/consent')
  },
  {
    steps: request => {
      asked.push(request)
      return request.passed.includes('factor') ? (request.principal.orgId === 'org-2' ? [TERMS] : null) : [FACTOR]
    },
  },
)
const asked: StepsRequest[] = []

const ABROAD = [
  'https://evil.example/',
  '//evil.example',
  '/\\evil.example',
  'javascript:alert(1)',
  'https:evil.example',
  'step',
  '',
  '/a b',
  '/a#b',
  'http://issuer.example/',
  'https://anna@issuer.example/',
  7,
]
let misbehaves: () => unknown = () => []

/** What the function of the host does, by what it is. */
const MISBEHAVIOURS: Readonly<Record<string, () => unknown>> = {
  throws: () => {
    throw new Error('secret of the host')
  },
  rejects: () => Promise.reject(new Error('secret of the host')),
  hangs: () => new Promise(() => {}),
  'a text': () => 'factor',
  'one step': () => FACTOR,
  'a megabyte': () => Array.from({ length: 10_000 }, (_, index) => ({ name: `step-${index}`, url: `/${'x'.repeat(100)}` })),
  null: () => [null],
  'an option that is none': () => [{ ...FACTOR, remember: 300 }],
  'a name of a megabyte': () => [{ ...FACTOR, name: 'x'.repeat(1e6) }],
  'a page of a megabyte': () => [{ ...FACTOR, url: `/${'x'.repeat(1e6)}` }],
  'a prototype': () => [JSON.parse('{"__proto__": {"name": "factor", "url": "/step"}}')],
  'a time that is none': () => [{ ...FACTOR, rememberSeconds: -1 }],
  ...Object.fromEntries(ABROAD.map(url => [`the page ${url}`, () => [{ ...FACTOR, url }]])),
}

everyFramework(
  'a function of the host that fails, or names what is no page of its own, is answered in fixed words, and nothing is used up',
  async (t, host) => {
    const app = await host.confidentialApp()
    misbehaves = () => [FACTOR]
    const step = await host.authorize(app)
    await host.authmount.passStep(String(step.params.step_id), { userId: 'anna' })
    for (const [what, answer] of Object.entries(MISBEHAVIOURS)) {
      misbehaves = answer
      const { location, status, text } = await comeBack(host, step)
      t.equal(status, 500, what)
      t.strictSame(JSON.parse(text), { error: 'server_error', error_description: 'the server met an unexpected condition' }, what)
      t.equal(location, undefined)
    }
    misbehaves = () => [FACTOR]
    t.equal(reached(await comeBack(host, step)), '/oauth/consent', 'what was passed still counts')
  },
  { steps: () => misbehaves() as readonly Step[], hookTimeoutMs: 10 },
)

everyFramework(
  'pages may be on the origins of the issuer, the login and the consent page',
  async (t, host) => {
    const app = await host.confidentialApp()
    for (const url of ['https://issuer.example/step?x=1', 'https://login.example/step', '/step']) {
      misbehaves = () => [{ ...FACTOR, url }]
      const { location, status } = await host.authorize(app)
      t.equal(status, 302)
      t.match(location?.href, url.startsWith('/') ? '/app/step?step_id=' : url)
    }
  },
  { steps: () => misbehaves() as readonly Step[], loginUrl: 'https://login.example/', proxyPath: '/app' },
)

everyFramework(
  'what a host says of a passed step is checked, and passes nothing where it makes no sense',
  async (t, host) => {
    const step = await host.authorize(await host.confidentialApp())
    const id = String(step.params.step_id)
    const wrong: readonly unknown[] = [
      null,
      7,
      [],
      { user: 'anna' },
      { orgId: '' },
      { orgId: 'x'.repeat(256) },
      { acr: 'two words' },
      { acr: 'q"' },
      { amr: 'otp' },
      { amr: Array(21).fill('otp') },
      { amr: ['x'.repeat(256)] },
      { userId: null },
      { sessionId: 7 },
    ]
    for (const said of wrong) await t.rejects(host.authmount.passStep(id, said as PassedStep), TypeError, JSON.stringify(said))
    for (const none of ['', undefined, {}]) await t.rejects(host.authmount.passStep(none as string), TypeError)
    t.equal(reached(await host.browse(await host.authmount.passStep(id), 'anna')), '/oauth/consent')
  },
  wanting(FACTOR),
)

everyFramework(
  'the steps of one user are bounded, and one app keeps its user out of no other',
  async (t, host) => {
    const [app, other] = [await host.confidentialApp(), await host.confidentialApp()]
    const ask = (of: TestApp, state: string) => host.authorize(of, { state })
    for (const state of ['1', '2', '3']) t.equal((await ask(app, state)).status, 302)
    t.equal((await ask(app, '4')).status, 429)
    t.equal((await ask(other, '1')).status, 302)
  },
  { ...wanting(FACTOR), rateLimits: { screens: { points: 3, seconds: 600 } } },
)

everyFramework(
  'the most that a host may say of its steps is taken, and one more is not',
  async (t, host) => {
    const app = await host.confidentialApp()
    const steps = (count: number) => Array.from({ length: count }, (_, index) => ({ ...FACTOR, name: `step-${index}` }))
    const cases: readonly (readonly [readonly Step[], number])[] = [
      [steps(20), 302],
      [steps(21), 500],
      [[{ ...FACTOR, name: 'x'.repeat(100) }], 302],
      [[{ ...FACTOR, name: 'x'.repeat(101) }], 500],
      [[{ ...FACTOR, url: `/${'x'.repeat(2047)}` }], 302],
      [[{ ...FACTOR, url: `/${'x'.repeat(2048)}` }], 500],
      [[{ ...FACTOR, rememberSeconds: 31_536_000 }], 302],
      [[{ ...FACTOR, rememberSeconds: 31_536_001 }], 500],
    ]
    for (const [answer, status] of cases) {
      misbehaves = () => answer
      t.equal((await host.authorize(app)).status, status)
    }
  },
  { steps: () => misbehaves() as readonly Step[] },
)

for (const [name, mount] of Object.entries(frameworks)) {
  overMemory(`${name}: a store that fails at any call burns no step`, async t => {
    const { host, store } = await startFaultyHost(t, mount, wanting(FACTOR))
    const app = await host.confidentialApp()
    const passed = async () => {
      const { params } = await host.authorize(app)
      return host.authmount.passStep(String(params.step_id), { userId: 'anna' })
    }
    const healthy = await passed()
    await store.during(0, 'throws', () => host.browse(healthy, 'anna'))
    const calls = [...store.calls]
    t.ok(calls.includes('oneTime.consume') && calls.includes('oneTime.put'))
    for (const [index, call] of calls.entries()) {
      for (const fault of ['throws', 'rejects after'] as const) {
        const back = await passed()
        const answer = await store.during(index + 1, fault, () => host.browse(back, 'anna'))
        t.equal(answer.status, 503, `${call} ${fault}`)
        t.equal(answer.location, undefined)
        const again = await host.browse(back, 'anna')
        // Whether it was spent is not known where the answer of the store was lost.
        const expected = call === 'oneTime.consume' && fault === 'rejects after' ? '/oauth/authorize' : '/oauth/consent'
        t.equal(reached(again), expected, `${call} ${fault}`)
      }
    }

    const { params } = await host.authorize(app)
    const pass = () => host.authmount.passStep(String(params.step_id), { userId: 'anna' })
    await t.rejects(store.during(1, 'throws', pass), { name: 'StoreError' })
    await t.rejects(store.during(2, 'throws', pass), { name: 'StoreError' })
    t.equal(reached(await host.browse(await pass(), 'anna')), '/oauth/consent', 'the call can be made again')
  })
}
