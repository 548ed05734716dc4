/** The host's own rules: what they may say, and that a function of the host's that fails costs nobody anything. */
import { type HostGrant, OAuthError, type PolicyAnswer, type PolicyRequest, type TokenClaimsRequest } from 'authmount'
import { decodeJwt } from 'jose'
import type { Test } from 'tap'
import { api, createApp } from '../support/apps-api.ts'
import type { Answer, TestApp } from '../support/client.ts'
import { DEVICE_CODE } from '../support/devices.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import type { HostOptions, TestHost } from '../support/host.ts'
import { SIGN_IN, signInApp, verify } from '../support/sign-in.ts'

const bearer = (token: unknown) => ({ headers: { authorization: `Bearer ${token}` } })
const seen = async (host: TestHost, token: unknown) => (await host.send('/any', bearer(token))).body
const eventsOf = (host: TestHost, type: string) => host.events.filter(event => event.type === type)

const VOUCHER = 'urn:example:grant:voucher'
const voucher: HostGrant = {
  name: VOUCHER,
  handle: ({ issue }) => issue({ userId: 'anna', orgId: 'org-1', refreshable: true }),
}
const ALL_GRANTS = ['authorization_code', 'refresh_token', 'client_credentials', VOUCHER, DEVICE_CODE]

// ── What goes wrong ──────────────────────────────────────────────────────────

const MEGABYTE = 'x'.repeat(1_000_000)
/** Each way in which a function of the host's misbehaves. */
const MISBEHAVIOURS: Readonly<Record<string, () => unknown>> = {
  throws() {
    throw new Error('ECONNREFUSED db-password')
  },
  'throws an error of ours': () => {
    throw new OAuthError('invalid_grant', 'db-password')
  },
  rejects: () => Promise.reject(new Error('ECONNREFUSED db-password')),
  hangs: () => new Promise(() => {}),
  'returns a number': () => 7,
  'returns a list': () => [],
  'returns a text': () => 'yes',
}
const OF_CLAIMS = {
  'returns nothing': () => undefined,
  'returns a megabyte': () => ({ note: MEGABYTE }),
  'returns 2 KiB and a byte': () => ({ n: 'x'.repeat(2048 - '{"n":""}'.length + 1) }),
  'returns __proto__': () => JSON.parse('{"__proto__":{"admin":true}}'),
  'returns __proto__ within': () => JSON.parse('{"roles":{"__proto__":{"admin":true}}}'),
  'returns another prototype': () => ({ __proto__: { admin: true } }),
  'returns constructor': () => ({ constructor: 'admin' }),
  'overrides sub': () => ({ sub: 'bert' }),
  'overrides scope': () => ({ scope: 'everything' }),
  'returns a function': () => ({ roles: () => ['admin'] }),
  'returns what is no number': () => ({ limit: Number.NaN }),
  'returns what JSON cannot have': () => ({ limit: 1n }),
  'returns a getter that throws': () => ({
    get roles() {
      throw new OAuthError('invalid_grant', 'db-password')
    },
  }),
}
const WRONG: Readonly<Record<Hook, Readonly<Record<string, () => unknown>>>> = {
  accessTokenClaims: { ...MISBEHAVIOURS, ...OF_CLAIMS },
  policy: {
    ...MISBEHAVIOURS,
    'returns nothing': () => undefined,
    'returns null': () => null,
    'returns true': () => true,
    'returns an empty object': () => ({}),
    'says something unknown': () => ({ allowed: true }),
    'allows with false': () => ({ allow: false }),
    'denies and allows': () => ({ deny: true, allow: true }),
    'denies with false': () => ({ deny: false }),
    'returns an unknown error': () => ({ deny: true, error: 'server_error' }),
    'returns a megabyte': () => ({ deny: true, description: MEGABYTE }),
    'returns scopes as a text': () => ({ scopes: 'read:records' }),
    'returns no lifetime': () => ({ accessTokenSeconds: 0 }),
    'returns __proto__': () => JSON.parse('{"__proto__":{"deny":false}}'),
    'returns another prototype': () => ({ __proto__: { scopes: ['read:records'] } }),
  },
  claims: {
    ...MISBEHAVIOURS,
    'returns a megabyte': () => ({ email: MEGABYTE }),
    'returns __proto__': () => JSON.parse('{"__proto__":{"email":"bert@host.example"}}'),
  },
}

type Hook = 'accessTokenClaims' | 'policy' | 'claims'
const GOOD: Readonly<Record<Hook, () => unknown>> = {
  accessTokenClaims: () => ({ plan: 'team' }),
  policy: () => ({ allow: true }),
  claims: () => ({ email: 'anna@host.example' }),
}
/** What each function of the host's does at the moment. */
const hooks: Record<Hook, () => unknown> = { ...GOOD }

const FAILING: HostOptions = {
  ...SIGN_IN,
  hookTimeoutMs: 30,
  grants: [voucher],
  devices: {},
  rateLimits: { codes: false, screens: false, userCodes: false },
  claimsInIdToken: true,
  policyAtUse: true,
  accessTokenClaims: () => hooks.accessTokenClaims() as never,
  policy: () => hooks.policy() as PolicyAnswer,
  claims: () => hooks.claims() as never,
}

interface Flow {
  /** The functions of the host's that it calls. */
  readonly calls: readonly Hook[]
  /** The status of the answer if nothing goes wrong. */
  readonly good: number
  /** Makes a request that can be repeated, because nothing is burnt where it fails. */
  prepare(host: TestHost, app: TestApp): Promise<() => Promise<Answer>>
}

const SCOPE = 'openid email read:records'

function askForDevice(host: TestHost, app: TestApp): Promise<Answer> {
  return host.post('/oauth/device_authorization', app, { scope: SCOPE })
}

/** The answer of Anna, who allows a device. */
async function answerFor(host: TestHost, { body: { user_code } }: Answer): Promise<() => Promise<Answer>> {
  const query = new URLSearchParams({ user_code: String(user_code) })
  const { body } = await host.browse(`/oauth/device?${query}`, 'anna', { headers: { accept: 'application/json' } })
  const headers = { 'content-type': 'application/json' }
  const answer = JSON.stringify({ user_code, form_id: body.form_id, consent: 'granted' })
  return () => host.browse('/oauth/device', 'anna', { method: 'POST', headers, body: answer })
}

const FLOWS: Readonly<Record<string, Flow>> = {
  'the authorization endpoint': {
    calls: ['policy'],
    good: 302,
    prepare: async (host, app) => () => host.authorize(app, { scope: SCOPE, prompt: 'consent' }),
  },
  'the answer to the consent screen': {
    calls: ['policy'],
    good: 303,
    async prepare(host, app) {
      const screen = await host.authorize(app, { scope: SCOPE, prompt: 'consent' })
      return () => host.decide(screen)
    },
  },
  'the exchange of a code': {
    calls: ['policy', 'accessTokenClaims', 'claims'],
    good: 200,
    async prepare(host, app) {
      const code = await host.approve(app, { scope: SCOPE })
      return () => host.redeem(app, code)
    },
  },
  'a refresh': {
    calls: ['policy', 'accessTokenClaims', 'claims'],
    good: 200,
    async prepare(host, app) {
      const { refresh } = await host.tokens(app, { scope: SCOPE })
      return () => host.refresh(app, refresh)
    },
  },
  'client credentials': {
    calls: ['policy', 'accessTokenClaims'],
    good: 200,
    prepare: async (host, app) => () => host.clientCredentials(app, { scope: 'read:records' }),
  },
  'a grant of the host’s': {
    calls: ['policy', 'accessTokenClaims', 'claims'],
    good: 200,
    prepare: async (host, app) => () => host.post('/oauth/token', app, { grant_type: VOUCHER, scope: SCOPE }),
  },
  'the answer for a device': {
    calls: ['policy'],
    good: 200,
    prepare: async (host, app) => answerFor(host, await askForDevice(host, app)),
  },
  'a device code': {
    calls: ['policy', 'accessTokenClaims', 'claims'],
    good: 200,
    async prepare(host, app) {
      const asked = await askForDevice(host, app)
      await (await answerFor(host, asked))()
      const fields = { grant_type: DEVICE_CODE, device_code: String(asked.body.device_code) }
      return () => host.post('/oauth/token', app, fields)
    },
  },
  'a guarded route': {
    calls: ['policy'],
    good: 200,
    async prepare(host, app) {
      const { access } = await host.tokens(app, { scope: SCOPE })
      return () => host.send('/records', bearer(access))
    },
  },
  introspection: {
    calls: ['policy'],
    good: 200,
    async prepare(host, app) {
      const { access: token } = await host.tokens(app, { scope: SCOPE })
      return () => host.post('/oauth/introspect', app, { token })
    },
  },
  userinfo: {
    calls: ['policy', 'claims'],
    good: 200,
    async prepare(host, app) {
      const { access } = await host.tokens(app, { scope: SCOPE })
      return () => host.send('/oauth/userinfo', bearer(access))
    },
  },
}

everyFramework(
  'whichever function of the host’s fails, and however: fixed words, nothing issued, nothing burnt, nobody logged out',
  async (t, host) => {
    host.clock.stop()
    const app = await signInApp(host, { allowedGrantTypes: ALL_GRANTS })
    const alive = async () => (await host.store.grants.listTokens({ appId: app.clientId, epoch: 1, limit: 0 })).total
    for (const [name, { calls, good, prepare }] of Object.entries(FLOWS)) {
      for (const hook of calls) {
        const run = await prepare(host, app)
        const [tokens, events] = [await alive(), host.events.length]
        for (const [how, misbehave] of Object.entries(WRONG[hook])) {
          hooks[hook] = misbehave
          const { body, status } = await run()
          const what = `${name}: ${hook} ${how}`
          t.equal(status, 500, what)
          t.strictSame(body, { error: 'server_error', error_description: 'the server met an unexpected condition' }, what)
        }
        hooks[hook] = GOOD[hook]
        t.equal(await alive(), tokens, `${name}: ${hook} had nothing issued or ended`)
        t.strictSame(host.events.slice(events), [], `${name}: ${hook} had nothing announced`)
        t.equal((await run()).status, good, `${name}: after ${hook}, the same request succeeds`)
      }
    }
    t.equal(({} as { admin?: unknown }).admin, undefined)
  },
  FAILING,
)

everywhere(
  'a retry of a refresh gets the same tokens and claims, whatever the functions of the host’s do by then',
  async (t, host) => {
    const app = await signInApp(host)
    const { refresh } = await host.tokens(app, { scope: SCOPE })
    const first = await host.refresh(app, refresh)
    for (const hook of ['accessTokenClaims', 'policy', 'claims'] as const) hooks[hook] = () => Promise.reject(new Error('down'))
    const again = await host.refresh(app, refresh)
    Object.assign(hooks, GOOD, { accessTokenClaims: () => ({ plan: 'another' }), policy: () => ({ deny: true }) })
    const third = await host.refresh(app, refresh)
    Object.assign(hooks, GOOD)
    for (const { body, status } of [again, third]) {
      t.equal(status, 200)
      t.equal(body.access_token, first.body.access_token)
      t.equal(body.refresh_token, first.body.refresh_token)
    }
    t.match(await seen(host, first.body.access_token), { claims: { plan: 'team' } })
    t.equal((await host.refresh(app, first.body.refresh_token)).status, 200, 'the user is still connected')
  },
  { ...FAILING, hookTimeoutMs: 5000 },
)

// ── Claims ───────────────────────────────────────────────────────────────────

const plan = { current: 'free' }
const asked: TokenClaimsRequest[] = []
const CLAIMED: HostOptions = {
  ...SIGN_IN,
  grants: [voucher],
  devices: {},
  resources: ['https://issuer.example', 'https://api.example'],
  accessTokenClaims(request) {
    asked.push(request)
    const { audience, scopes, userId } = request
    if (userId === null) return { roles: ['machine'] }
    return { plan: plan.current, roles: ['editor'], of: [...audience], may: [...scopes], limits: { seats: 5 } }
  },
}

/** Checks that a token says these claims at a guarded route and in introspection. */
async function says(t: Test, host: TestHost, app: TestApp, token: unknown, claims: object): Promise<void> {
  t.strictSame((await seen(host, token)).claims, claims, 'request.oauth.claims')
  const { body } = await host.post('/oauth/introspect', app, { token: String(token) })
  t.match(body, { active: true, ...claims })
}

everywhere(
  'claims of the host’s are kept with the token, and made anew at each refresh',
  async (t, host) => {
    plan.current = 'free'
    const app = await host.confidentialApp({ allowedGrantTypes: ALL_GRANTS })
    const resource = 'https://issuer.example'
    const { access, refresh } = await host.tokens(app, { resource })
    const of = { roles: ['editor'], of: [resource], may: ['read:records'], limits: { seats: 5 } }
    await says(t, host, app, access, { plan: 'free', ...of })
    plan.current = 'team'
    const refreshed = await host.refresh(app, refresh)
    await says(t, host, app, refreshed.body.access_token, { plan: 'team', ...of })
    await says(t, host, app, access, { plan: 'free', ...of })
    const itself = await host.clientCredentials(app)
    await says(t, host, app, itself.body.access_token, { roles: ['machine'] })
    const { body } = await host.post('/oauth/introspect', app, { token: String(refreshed.body.refresh_token) })
    t.equal(body.plan, undefined, 'a refresh token has none')
  },
  CLAIMED,
)

everyFramework(
  'a JWT has the claims as its own, and none of ours is theirs to change',
  async (t, host) => {
    plan.current = 'team'
    const app = await host.confidentialApp()
    const { access } = await host.tokens(app, { resource: 'https://issuer.example' })
    const contents = await verify(host, access)
    t.match(contents, { sub: 'anna', client_id: app.clientId, plan: 'team', roles: ['editor'], limits: { seats: 5 } })
    t.match((await seen(host, access)).claims, { plan: 'team' })
  },
  { ...CLAIMED, accessTokenFormat: 'jwt' },
)

everyFramework(
  'the function learns who asks, for whom, for what and how',
  async (t, host) => {
    const app = await signInApp(host, { allowedGrantTypes: ALL_GRANTS })
    const signedIn = Math.floor(host.clock.now() / 1000)
    const code = await host.approve(app, { scope: 'openid read:records' }, `anna@${signedIn}`)
    asked.length = 0
    const { body } = await host.redeem(app, code)
    await host.refresh(app, body.refresh_token, { scope: 'read:records' })
    await host.clientCredentials(app, { scope: 'read:records' })
    await host.post('/oauth/token', app, { grant_type: VOUCHER, scope: 'read:records' })
    const all = ['https://issuer.example', 'https://api.example']
    const session = { authTime: signedIn * 1000, acr: null, amr: [] }
    const none = { authTime: null, acr: null, amr: [] }
    t.match(asked, [
      {
        grantType: 'authorization_code',
        userId: 'anna',
        orgId: 'org-1',
        scopes: ['openid', 'read:records'],
        audience: all,
        session,
      },
      { grantType: 'refresh_token', userId: 'anna', orgId: 'org-1', scopes: ['read:records'], audience: all, session },
      { grantType: 'client_credentials', userId: null, orgId: 'org-1', scopes: ['read:records'], audience: all, session: none },
      { grantType: VOUCHER, userId: 'anna', orgId: 'org-1', scopes: ['read:records'], audience: all, session: none },
    ])
    for (const { app: told } of asked) t.match(told, { clientId: app.clientId, orgId: 'org-1', name: 'Confidential' })
  },
  CLAIMED,
)

everyFramework(
  'claims of 2 KiB are taken',
  async (t, host) => {
    const { body } = await host.clientCredentials(await host.confidentialApp())
    t.equal(JSON.stringify((await seen(host, body.access_token)).claims).length, 2048)
  },
  { accessTokenClaims: () => ({ n: 'x'.repeat(2048 - '{"n":""}'.length) }) },
)

// ── Denials ──────────────────────────────────────────────────────────────────

/** Each function that can deny, by returning this. */
const DENIES: Readonly<Record<Hook, () => unknown>> = {
  policy: () => ({ deny: true, description: 'this account is disabled' }),
  accessTokenClaims: () => null,
  claims: () => null,
}

everywhere(
  'a denial is answered to the client, and said in an event',
  async (t, host) => {
    const app = await signInApp(host, { allowedGrantTypes: ALL_GRANTS })
    const refused = async (hook: Hook, run: () => Promise<Answer>, error: string) => {
      const events = host.events.length
      hooks[hook] = DENIES[hook]
      t.match(await run(), { status: 400, body: { error } }, hook)
      hooks[hook] = GOOD[hook]
      const [event] = host.events.slice(events).filter(({ type }) => type === 'policy_denied')
      t.match(event, { type: 'policy_denied', by: hook, error, clientId: app.clientId, orgId: 'org-1' })
      return host.events.slice(events)
    }
    for (const hook of ['policy', 'accessTokenClaims', 'claims'] as const) {
      const code = await host.approve(app, { scope: SCOPE })
      await refused(hook, () => host.redeem(app, code), 'invalid_grant')
      t.equal((await host.redeem(app, code)).body.error, 'invalid_grant', 'a denied code is spent')

      const { access, refresh } = await host.tokens(app, { scope: SCOPE })
      const other = await host.tokens(app, { scope: SCOPE })
      const told = await refused(hook, () => host.refresh(app, refresh), 'invalid_grant')
      const { grantId } = told.find(({ type }) => type === 'policy_denied') as unknown as { readonly grantId: string }
      t.match(told, [
        { type: 'policy_denied', during: 'refresh', userId: 'anna' },
        { type: 'token_revoked', jti: null, grantId },
      ])
      t.equal(await host.isActive(app, access), false, 'the grant has ended, with its access token')
      t.equal((await host.refresh(app, refresh)).body.error, 'invalid_grant')
      t.equal(await host.isActive(app, other.access), true, 'another grant goes on')

      await refused(hook, () => host.post('/oauth/token', app, { grant_type: VOUCHER, scope: 'read:records' }), 'invalid_grant')
      if (hook !== 'claims') await refused(hook, () => host.clientCredentials(app), 'unauthorized_client')
    }
    t.notOk(host.logged.length > 0, 'a denial is no failure')
  },
  { ...FAILING, hookTimeoutMs: 5000, policyAtUse: false },
)

everywhere(
  'of a user who is disabled while an app refreshes twice at once, nothing goes on',
  async (t, host) => {
    const app = await host.confidentialApp()
    const { refresh } = await host.tokens(app)
    hooks.policy = () => ({ deny: true })
    const answers = await Promise.all([host.refresh(app, refresh), host.refresh(app, refresh)])
    hooks.policy = GOOD.policy
    for (const { body } of answers) t.equal(body.error, 'invalid_grant')
    t.equal((await host.refresh(app, refresh)).body.error, 'invalid_grant')
    const { total } = await host.store.grants.listTokens({ appId: app.clientId, epoch: 1, limit: 0 })
    t.equal(total, 0)
  },
  { policy: () => hooks.policy() as PolicyAnswer },
)

/** What the policy of the next tests waits for, and what tells that it waits. */
const gate: { open: Promise<unknown>; reached: () => void } = { open: Promise.resolve(), reached: () => {} }
const WAITING: HostOptions = {
  async policy({ event }) {
    if (event === 'token' || event === 'refresh') {
      gate.reached()
      await gate.open
    }
    return { allow: true }
  },
}

/** Begins a request, does something while the policy thinks about it, and resolves to the answer. */
async function meanwhile(request: () => Promise<Answer>, act: () => Promise<unknown>): Promise<Answer> {
  const reached = new Promise<void>(resolve => {
    gate.reached = resolve
  })
  let open = () => {}
  gate.open = new Promise<void>(resolve => {
    open = resolve
  })
  const answering = request()
  await reached
  await act()
  open()
  return answering
}

everywhere(
  'what a user takes back while a policy thinks about it leaves nothing alive',
  async (t, host) => {
    const app = await host.confidentialApp()
    const alive = async () => (await host.store.grants.listTokens({ appId: app.clientId, epoch: 1, limit: 0 })).total
    const withdraw = () => host.browse(`/oauth/connected-apps/${app.clientId}`, 'anna', { method: 'DELETE' })
    const code = await host.approve(app)
    t.equal((await meanwhile(() => host.redeem(app, code), withdraw)).body.error, 'invalid_grant')
    const { refresh } = await host.tokens(app)
    const end = () => host.authmount.endUserGrants('anna')
    t.equal((await meanwhile(() => host.refresh(app, refresh), end)).body.error, 'invalid_grant')
    t.equal(await alive(), 0)

    // Of the same request twice at once, one has tokens, and of a refresh both have the same.
    const second = await host.approve(app)
    const others: Answer[] = []
    const first = await meanwhile(
      () => host.redeem(app, second),
      async () => {
        gate.open = Promise.resolve()
        others.push(await host.redeem(app, second))
      },
    )
    t.strictSame([first.status, others[0]?.status], [400, 200])
    const again = await host.tokens(app)
    const late = await meanwhile(
      () => host.refresh(app, again.refresh),
      async () => {
        gate.open = Promise.resolve()
        others.push(await host.refresh(app, again.refresh))
      },
    )
    t.equal(late.status, 200)
    t.equal(late.body.refresh_token, others[1]?.body.refresh_token)
  },
  WAITING,
)

// ── Policy ───────────────────────────────────────────────────────────────────

const questions: PolicyRequest[] = []
const rule: { current: (request: PolicyRequest) => PolicyAnswer } = { current: () => ({ allow: true }) }
const RULED: HostOptions = {
  policy(request) {
    questions.push(request)
    return rule.current(request)
  },
}
/** Runs something under a rule. */
async function under<T>(current: (request: PolicyRequest) => PolicyAnswer, run: () => Promise<T>): Promise<T> {
  rule.current = current
  try {
    return await run()
  } finally {
    rule.current = () => ({ allow: true })
  }
}
const READ_WRITE = { scope: 'read:records write:records' }

everywhere(
  'a policy takes scopes away at each event, and the answer says so',
  async (t, host) => {
    const app = await host.confidentialApp()
    const onlyAt =
      (event: PolicyRequest['event'], scopes: readonly string[]) =>
      (request: PolicyRequest): PolicyAnswer =>
        request.event === event ? { scopes } : { allow: true }
    const limited = () => eventsOf(host, 'policy_limited').at(-1)

    // What is not asked for is not added.
    const some = onlyAt('authorize', ['read:records', 'profile'])
    const code = await under(some, () => host.approve(app, READ_WRITE))
    t.match(limited(), { during: 'authorize', removedScopes: ['write:records'], userId: 'anna', grantId: null })
    t.equal((await host.redeem(app, code)).body.scope, 'read:records')
    const consent = await host.store.consents.get({ userId: 'anna' }, app.clientId)
    t.strictSame(consent?.scopes, ['read:records'], 'the user was asked for no more')

    const other = await host.approve(app, READ_WRITE)
    const issued = await under(onlyAt('token', ['read:records']), () => host.redeem(app, other))
    t.equal(issued.body.scope, 'read:records')
    t.match(limited(), { during: 'token', removedScopes: ['write:records'] })
    t.equal((await host.refresh(app, issued.body.refresh_token)).body.scope, 'read:records', 'the grant has no more')

    const { refresh } = await host.tokens(app, READ_WRITE)
    const narrow = await under(onlyAt('refresh', ['read:records']), () => host.refresh(app, refresh))
    t.equal(narrow.body.scope, 'read:records')
    t.strictSame((await seen(host, narrow.body.access_token)).scopes, ['read:records'])
    t.equal((await host.refresh(app, narrow.body.refresh_token)).body.scope, READ_WRITE.scope, 'the next one is judged anew')

    const itself = await under(onlyAt('token', ['write:records']), () => host.clientCredentials(app))
    t.equal(itself.body.scope, 'write:records')
  },
  RULED,
)

everyFramework(
  'a policy that leaves no scope costs no code and no refresh token',
  async (t, host) => {
    const app = await host.confidentialApp()
    const none = (): PolicyAnswer => ({ scopes: [] })
    const code = await host.approve(app)
    t.equal((await under(none, () => host.redeem(app, code))).body.error, 'invalid_scope')
    const { body } = await host.redeem(app, code)
    t.equal((await under(none, () => host.refresh(app, body.refresh_token))).body.error, 'invalid_scope')
    t.equal((await host.refresh(app, body.refresh_token)).status, 200)
    t.equal((await under(none, () => host.authorize(app))).params.error, 'invalid_scope')
  },
  RULED,
)

everyFramework(
  'a denied authorization is an error at the app, whether or not it lets a page be shown',
  async (t, host) => {
    const app = await host.confidentialApp()
    const no = (): PolicyAnswer => ({ deny: true, description: 'use the company network' })
    for (const prompt of ['none', undefined]) {
      const { location, params } = await under(no, () => host.authorize(app, { prompt }))
      t.match(params, { error: 'access_denied', error_description: 'use the company network', state: 'state-1' })
      t.equal(location?.host, 'app.example')
    }
    const unauthorized = (): PolicyAnswer => ({ deny: true, error: 'unauthorized_client' })
    t.equal((await under(unauthorized, () => host.authorize(app))).params.error, 'unauthorized_client')
    const screen = await host.authorize(app)
    t.equal((await under(no, () => host.decide(screen))).params.error, 'access_denied')
    t.equal(await host.store.consents.get({ userId: 'anna' }, app.clientId), undefined, 'nothing was recorded')
    t.ok((await host.decide(screen)).params.code, 'the screen is still open')
    t.equal(eventsOf(host, 'policy_denied').length, 4)

    // An answer that spells out the request, without a screen.
    const fields = { ...Object.fromEntries(host.authorizeQuery(app)), consent: 'granted', response_type: undefined }
    const headers = { 'content-type': 'application/json', authorization: 'Bearer host-anna' }
    const init = { method: 'POST', headers, body: JSON.stringify(fields) }
    t.match(await under(no, () => host.send('/oauth/authorize', init)), { status: 400, body: { error: 'access_denied' } })
  },
  RULED,
)

everyFramework(
  'a policy shortens what tokens live, and never prolongs it',
  async (t, host) => {
    const app = await host.confidentialApp()
    const short = (): PolicyAnswer => ({ accessTokenSeconds: 90, refreshTokenSeconds: 3000 })
    const { body } = await under(short, async () => host.redeem(app, await host.approve(app)))
    t.equal(body.expires_in, 90)
    host.clock.advance(91)
    t.equal(await host.isActive(app, body.access_token), false)
    const long = (): PolicyAnswer => ({ accessTokenSeconds: 1e9, refreshTokenSeconds: 1e9 })
    const again = await under(long, () => host.refresh(app, body.refresh_token))
    t.equal(again.body.expires_in, 3600)
    const last = await under(short, () => host.refresh(app, again.body.refresh_token))
    host.clock.advance(3001)
    t.equal((await host.refresh(app, last.body.refresh_token)).body.error, 'invalid_grant')
    t.match(eventsOf(host, 'policy_limited')[0], { removedScopes: [], accessTokenSeconds: 90, refreshTokenSeconds: 3000 })
  },
  RULED,
)

everyFramework(
  'at each use a policy is asked only where the host wants that',
  async (t, host) => {
    const app = await host.confidentialApp()
    const { access } = await host.tokens(app)
    questions.length = 0
    t.equal(await host.records(access), 200)
    t.equal(await host.isActive(app, access), true)
    t.strictSame(questions, [])
  },
  RULED,
)

everyFramework(
  'a policy that is asked at each use can refuse a token and take its scopes away',
  async (t, host) => {
    const app = await signInApp(host)
    const { access } = await host.tokens(app, { scope: 'openid read:records' })
    questions.length = 0
    t.equal(await host.records(access), 200)
    t.match(questions, [{ event: 'use', userId: 'anna', grantType: null, scopes: ['openid', 'read:records'], grantId: /./ }])
    const denied = (): PolicyAnswer => ({ deny: true, error: 'access_denied', description: 'outside office hours' })
    await under(denied, async () => {
      const { headers, status } = await host.send('/records', bearer(access))
      t.equal(status, 401)
      t.match(headers.get('www-authenticate'), /error="invalid_token", error_description="outside office hours"/)
      t.equal(await host.isActive(app, access), false)
      t.equal((await host.send('/oauth/userinfo', bearer(access))).status, 401)
      await t.rejects(host.authmount.checkToken(access), { code: 'invalid_token' })
    })
    const openidOnly = (): PolicyAnswer => ({ scopes: ['openid'] })
    await under(openidOnly, async () => {
      t.equal(await host.records(access), 403)
      t.strictSame((await seen(host, access)).scopes, ['openid'])
      t.equal((await host.post('/oauth/introspect', app, { token: access })).body.scope, 'openid')
    })
    t.equal(await host.records(access), 200, 'the token itself is untouched')
    t.equal(eventsOf(host, 'policy_denied').length, 4)
  },
  { ...SIGN_IN, ...RULED, policyAtUse: true },
)

// ── Tokens by resource, and the end of a grant ───────────────────────────────

const isJwt = (token: unknown) => String(token).startsWith('eyJ')

everyFramework(
  'each resource has tokens of its own format and lifetime',
  async (t, host) => {
    const app = await host.confidentialApp()
    const tokenFor = async (resource?: string) => (await host.clientCredentials(app, { resource })).body
    const signed = await tokenFor('https://jwt.example')
    t.ok(isJwt(signed.access_token))
    t.equal(signed.expires_in, 300)
    t.equal(decodeJwt(String(signed.access_token)).aud, 'https://jwt.example')
    const opaque = await tokenFor('https://opaque.example')
    t.notOk(isJwt(opaque.access_token))
    t.equal(opaque.expires_in, 3600)
    const all = await tokenFor()
    t.notOk(isJwt(all.access_token), 'a token for both is opaque')
    t.equal(all.expires_in, 300, 'and lives as long as the shorter')
    for (const { access_token } of [signed, opaque, all]) t.equal(await host.isActive(app, access_token), true)
  },
  {
    ...SIGN_IN,
    resources: {
      'https://jwt.example': { accessTokenFormat: 'jwt', accessTokenSeconds: 300 },
      'https://opaque.example': {},
    },
  },
)

const DAY = 86_400

everywhere(
  'a grant ends after so many days, however often the app refreshes',
  async (t, host) => {
    const app = await host.confidentialApp({ accessTokenLifetime: DAY, refreshTokenLifetime: 7 * DAY })
    const shorter = await host.confidentialApp({ accessTokenLifetime: DAY, grantDays: 1 })
    let { refresh } = await host.tokens(app)
    const begun = host.clock.now()
    const short = await host.tokens(shorter)
    for (const days of [2, 2, 2, 2, 1.5]) {
      host.clock.advance(days * DAY)
      const { body, status } = await host.refresh(app, refresh)
      t.equal(status, 200)
      refresh = String(body.refresh_token)
      const left = begun / 1000 + 10 * DAY - host.clock.now() / 1000
      t.ok(Number(body.expires_in) <= Math.min(DAY, left + 1), 'an access token does not outlive the grant')
    }
    t.equal((await host.refresh(shorter, short.refresh)).body.error, 'invalid_grant', 'an app can have a shorter one')
    host.clock.advance(DAY / 2)
    t.equal((await host.refresh(app, refresh)).body.error, 'invalid_grant')
    const { total } = await host.store.grants.listTokens({ appId: app.clientId, epoch: 1, limit: 0 })
    t.equal(total, 0)
    t.ok(await host.approve(app), 'the user can begin another')
  },
  { lifetimes: { grantDays: 10 } },
)

everyFramework('a grant that is older than its app now allows ends at its next refresh, with an event', async (t, host) => {
  const app = await host.confidentialApp({ clientId: 'billing' })
  const { access, refresh } = await host.tokens(app)
  host.clock.advance(DAY + 1)
  await host.confidentialApp({ clientId: 'billing', grantDays: 1 })
  t.equal((await host.refresh(app, refresh)).body.error, 'invalid_grant')
  t.match(host.events.at(-1), { type: 'token_revoked', tokenType: 'refresh', clientId: 'billing', userId: 'anna' })
  t.equal(await host.isActive(app, access), false)
  await host.confidentialApp({ clientId: 'billing', grantDays: null })
  const again = await host.tokens(app)
  host.clock.advance(DAY + 1)
  t.equal((await host.refresh(app, again.refresh)).status, 200, 'null takes the end away')
})

everyFramework('an admin sets the end of an app’s grants, and takes it away', async (t, host) => {
  const { id } = await createApp(host, { grantDays: 30 })
  t.equal((await api(host, 'GET', `/${id}`)).body.grantDays, 30)
  t.equal((await api(host, 'PUT', `/${id}`, { body: { grantDays: 5 } })).body.grantDays, 5)
  t.match(host.events.at(-1), { type: 'app_updated', changed: ['grantDays'] })
  t.notOk('grantDays' in (await api(host, 'PUT', `/${id}`, { body: { grantDays: null } })).body)
  t.equal((await api(host, 'PUT', `/${id}`, { body: { grantDays: 0 } })).status, 400)
})
