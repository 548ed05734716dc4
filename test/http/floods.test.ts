/** Strangers and signed-in users who do the same thing without end: they are told, and everyone else is served. */
import type { AuthmountEvent } from 'authmount'
import { authmountRouter } from 'authmount/express'
import { memoryStore } from 'authmount/stores/memory'
import express from 'express'
import t, { type Test } from 'tap'
import type { Answer } from '../support/client.ts'
import { everyFramework } from '../support/everywhere.ts'
import { frameworks, type HostOptions, listen, type Mount, startHost, type TestHost } from '../support/host.ts'
import { register } from '../support/registrations.ts'
import { SEALING_KEY } from '../support/sign-in.ts'

/** The limits as they are by default. */
const DEFAULTS: HostOptions = { rateLimits: {} }
const FLOOD = 560

/** Express behind a proxy that it trusts: the caller's address is in X-Forwarded-For. */
const behindProxy: Mount = async authmount => {
  const app = express()
  app.set('trust proxy', true)
  app.use(authmountRouter(authmount))
  return listen(app)
}

async function flood(run: (index: number) => Promise<Answer>, times = FLOOD): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  for (let index = 0; index < times; index += 20)
    answers.push(...(await Promise.all(Array.from({ length: 20 }, (_, offset) => run(index + offset)))))
  return answers
}

function refused(t: Test, answers: readonly Answer[], what: string): void {
  const last = answers.at(-1)
  t.equal(last?.status, 429, what)
  t.match(last?.headers.get('retry-after'), /^[1-9]\d{0,2}$/, what)
  t.match(last?.body, { error: 'temporarily_unavailable', error_description: /^too many .*: try again in \d+ s$/ }, what)
  t.notOk(
    answers.some(({ status }) => status >= 500),
    `${what}: never 5xx`,
  )
}

/** Another user and another app are served as if nothing happened. */
async function othersAreServed(t: Test, host: TestHost, what: string): Promise<void> {
  const app = await host.confidentialApp()
  const { access } = await host.tokens(app, {}, 'cora')
  t.equal(await host.records(access), 200, what)
  t.equal((await host.clientCredentials(app)).status, 200, what)
}

/** What does not depend on the framework, and takes hundreds of requests. */
function onExpress(name: string, run: (t: Test, host: TestHost) => Promise<void>, options: HostOptions): void {
  t.test(name, async t => {
    if (!frameworks.express) throw new Error('no Express')
    const host = await startHost(frameworks.express, options)
    t.teardown(host.close)
    await run(t, host)
  })
}

for (const keys of [{}, { sealingKeys: [SEALING_KEY], signingAlg: 'ES256' }] as const) {
  const named = 'sealingKeys' in keys ? 'with sealing keys' : 'without keys'
  const small = () => ({ ...DEFAULTS, ...keys, store: memoryStore({ maxRecords: 500 }) })

  onExpress(
    `${named}: a user who opens screens without end fills the store for nobody`,
    async (t, host) => {
      const app = await host.confidentialApp()
      refused(t, await flood(() => host.authorize(app)), 'consent screens')
      t.equal((await host.authorize(app, { prompt: 'login' })).status, 'sealingKeys' in keys ? 302 : 302)
      await othersAreServed(t, host, 'after consent screens')
      const other = await host.confidentialApp()
      const { access } = await host.tokens(other)
      t.equal(await host.records(access), 200, 'the same user is served for another app')
      const page = await host.browse('/oauth/connected-apps', 'anna', { headers: { accept: 'text/html' } })
      t.equal(page.status, 200, 'and may see what they have allowed')
      host.clock.advance(601)
      t.ok((await host.authorize(app)).params.consent_id, 'and then again')
    },
    small(),
  )

  onExpress(
    `${named}: a user who asks for codes without end fills the store for nobody, and may take the app back`,
    async (t, host) => {
      const app = await host.confidentialApp()
      await host.approve(app)
      refused(t, await flood(() => host.authorize(app)), 'codes')
      await othersAreServed(t, host, 'after codes')
      const taken = await host.browse(`/oauth/connected-apps/${app.clientId}`, 'anna', { method: 'DELETE' })
      t.equal(taken.status, 200, 'a withdrawal is never refused for a budget')
    },
    small(),
  )

  t.test(`${named}: strangers who ask for a login without end fill the store for nobody`, async t => {
    const host = await startHost(behindProxy, small())
    t.teardown(host.close)
    const app = await host.confidentialApp()
    const query = host.authorizeQuery(app, { prompt: 'login', login_hint: 'x'.repeat(2000) })
    const headers = { 'x-forwarded-for': '203.0.113.9' }
    const answers = await flood(() => host.send(`/oauth/authorize?${query}`, { headers }))
    if ('sealingKeys' in keys)
      t.ok(
        answers.every(({ location }) => location?.pathname === '/login'),
        'nothing is stored',
      )
    else refused(t, answers, 'logins')
    const other = await host.send(`/oauth/authorize?${query}`, { headers: { 'x-forwarded-for': '198.51.100.7' } })
    t.equal(other.location?.pathname, '/login', 'from elsewhere')
  })
}

t.test('requests that anyone can have stored in the name of an app are counted by its callers', async t => {
  const host = await startHost(behindProxy, { rateLimits: { publicPushedRequests: { points: 2, seconds: 600 } } })
  t.teardown(host.close)
  const [app, other] = [await host.publicApp(), await host.publicApp()]
  const from = (ip: string, of = app) => host.push(of, {}, { headers: { 'x-forwarded-for': ip } })
  t.equal((await from('203.0.113.9')).status, 201)
  const body = host.authorizeQuery(app, { state: 'x'.repeat(4000) })
  const post = () => host.send('/oauth/authorize', { method: 'POST', body, headers: { 'x-forwarded-for': '203.0.113.9' } })
  t.equal((await post()).status, 303, 'one that a browser posts, and that is too long for a URL, is one of them')
  refused(t, [await from('203.0.113.9')], 'pushed')
  refused(t, [await post()], 'posted')
  t.equal((await from('198.51.100.7')).status, 201, 'from elsewhere')
  t.equal((await from('203.0.113.9', other)).status, 201, 'another app from there')
})

t.test('wrong secrets are refused after a while, and a right one from elsewhere never is', async t => {
  const host = await startHost(behindProxy, DEFAULTS)
  t.teardown(host.close)
  const [app, other] = [await host.confidentialApp(), await host.confidentialApp()]
  const from = (ip: string, of = app, secret = of.clientSecret) =>
    host.post(
      '/oauth/token',
      { ...of, clientSecret: secret },
      { grant_type: 'client_credentials' },
      { headers: { 'x-forwarded-for': ip } },
    )
  const answers = await flood(() => from('203.0.113.9', app, 'wrong'), 100)
  refused(t, answers, 'wrong secrets')
  t.equal(answers.filter(({ status }) => status === 401).length, 60)
  t.equal((await from('203.0.113.9')).status, 429, 'the right one from there too, for a guess must not be confirmed')
  t.equal((await from('198.51.100.7')).status, 200, 'from elsewhere it is good')
  t.equal((await from('203.0.113.9', other)).status, 200, 'and so is another app’s from there')
  for (let index = 0; index < 100; index++) await from(`2001:db8:1:2:${index.toString(16)}::1`, app, 'wrong')
  t.equal((await from('2001:db8:1:2:ffff::1', app, 'wrong')).status, 429, 'a /64 is one caller')
  t.equal((await from('2001:db8:1:3::1')).status, 200)
  for (const path of ['/oauth/introspect', '/oauth/revoke']) {
    const answer = await host.post(path, app, { token: 'x' }, { headers: { 'x-forwarded-for': '203.0.113.9' } })
    t.equal(answer.status, 429, path)
  }
  host.clock.advance(61)
  t.equal((await from('203.0.113.9')).status, 200, 'a minute later')
})

t.test('initial access tokens cannot be guessed at will', async t => {
  const initialAccessToken = (token: string) => token === 'good'
  const rateLimits = { clientFailures: { points: 3, seconds: 60 } }
  const host = await startHost(behindProxy, { clients: { registration: { initialAccessToken } }, rateLimits })
  t.teardown(host.close)
  const metadata = { redirect_uris: ['https://agent.example/callback'] }
  const guess = (token: string, ip = '203.0.113.9') =>
    register(host, metadata, { authorization: `Bearer ${token}`, 'x-forwarded-for': ip })
  const answers = await flood(index => guess(`wrong-${index}`), 20)
  refused(t, answers, 'guesses')
  t.equal(answers.filter(({ status }) => status === 401).length, 3)
  t.equal((await guess('good')).status, 429, 'the right one from there too, for a guess must not be confirmed')
  t.equal((await guess('good', '198.51.100.7')).status, 201)
})

everyFramework(
  'a private address is not limited, and the log says once what to set',
  async (t, host) => {
    const app = await host.confidentialApp()
    const answers = await flood(() => host.clientCredentials({ ...app, clientSecret: 'wrong' }), 200)
    t.ok(answers.every(({ status }) => status === 401))
    t.equal((await host.clientCredentials(app)).status, 200)
    t.equal(host.logged.length, 1)
    t.match(JSON.stringify(host.logged), /too many attempts have failed, from .*trust proxy in Express, trustProxy in Fastify/)
  },
  DEFAULTS,
)

everyFramework(
  'each limit can be switched off, and set',
  async (t, host) => {
    const app = await host.confidentialApp()
    t.ok((await flood(() => host.authorize(app), 200)).every(({ params }) => params.consent_id))
    await host.approve(app)
    const answers = await flood(() => host.authorize(app), 40)
    t.equal(answers.filter(({ params }) => params.code).length, 2)
  },
  { rateLimits: { screens: false, codes: { points: 2, seconds: 10 } } },
)

everyFramework(
  'a person who did too much reads it on a page',
  async (t, host) => {
    const app = await host.confidentialApp()
    const asks = () => host.authorize(app)
    await asks()
    const page = await host.browse(`/oauth/authorize?${host.authorizeQuery(app)}`, 'anna', { headers: { accept: 'text/html' } })
    t.equal(page.status, 429)
    t.match(page.headers.get('content-type'), 'text/html')
    t.match(page.headers.get('retry-after'), /^\d+$/)
    const told: readonly AuthmountEvent[] = host.events
    t.ok(told.some(({ type }) => type === 'error_shown'))
  },
  { rateLimits: { screens: { points: 1, seconds: 60 } } },
)

everyFramework('every kept parameter has a length, and so have all together', async (t, host) => {
  const app = await host.confidentialApp()
  const long: Readonly<Record<string, number>> = {
    login_hint: 2048,
    ui_locales: 2048,
    acr_values: 2048,
    claims: 4096,
    id_token_hint: 8192,
    resource: 2048,
  }
  for (const [name, most] of Object.entries(long)) {
    const answer = await host.authorize(app, { [name]: 'x'.repeat(most + 1) })
    t.match(answer.params, { error: 'invalid_request', error_description: `${name} is longer than ${most} characters` }, name)
    const fits = await host.authorize(app, { [name]: 'x'.repeat(most) })
    t.notMatch(fits.params.error_description ?? '', 'longer', `${name} of ${most}`)
  }
  const all = {
    login_hint: 'x'.repeat(2048),
    ui_locales: 'x'.repeat(2048),
    acr_values: 'x'.repeat(2048),
    state: 's'.repeat(4096),
    display: 'x'.repeat(2048),
  }
  t.match((await host.authorize(app, all)).params, { error: 'invalid_request', error_description: /together$/ })
})
