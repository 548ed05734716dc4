/** OpenID Connect Back-Channel Logout 1.0: a session of the host's ends for the apps. */
import type { AuthmountEvent, NewApp } from 'authmount'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { REDIRECT_URI, type TestApp } from '../support/client.ts'
import { answerDevice, DEVICE_CODE, deviceApp } from '../support/devices.ts'
import { everyFramework, everywhere, overMemory } from '../support/everywhere.ts'
import { FaultyStore } from '../support/faulty-store.ts'
import { frameworks, type HostOptions, startHost, type TestHost } from '../support/host.ts'
import { LogoutReceiver, until, verifyLogout } from '../support/logout-receiver.ts'
import { SIGN_IN, signInApp } from '../support/sign-in.ts'
import { StoreTimeout } from '../support/store-timeout.ts'

const HOST: HostOptions = { ...SIGN_IN, logoutUrl: '/sign-out', allowLoopbackProviders: true }
const ANNA = { userId: 'anna', sessionId: 'session-of-anna' }
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

async function receiver(t: Test): Promise<LogoutReceiver> {
  const made = await LogoutReceiver.start()
  t.teardown(() => made.close())
  return made
}

const toldApp = (host: TestHost, { uri }: LogoutReceiver, fields: Partial<NewApp> = {}) =>
  signInApp(host, { backchannelLogoutUri: uri, ...fields })

async function signIn(host: TestHost, app: TestApp, { scope = 'openid read:records', user = 'anna' } = {}) {
  const { body } = await host.redeem(app, await host.approve(app, { scope }, user))
  const idToken = String(body.id_token)
  return {
    access: String(body.access_token),
    refresh: String(body.refresh_token),
    idToken,
    sid: scope.includes('openid') ? String(decodeJwt(idToken).sid) : '',
  }
}

/** The events of signing out, without the time. */
const eventsOf = (host: TestHost) =>
  host.events.flatMap(({ at: _, ...event }) => (/^(session|logout)_/.test(event.type) ? [event] : []))

const outcome = (host: TestHost) =>
  host.events.find(({ type }) => type === 'logout_delivered' || type === 'logout_failed') as
    | Extract<AuthmountEvent, { type: 'logout_failed' }>
    | undefined

everyFramework(
  'an app is told of a sign-out by a token that it can verify, and the grants of the session end',
  async (t, host) => {
    const told = await receiver(t)
    const app = await toldApp(host, told)
    const { access, refresh, sid } = await signIn(host, app)
    const { body } = await host.send('/.well-known/openid-configuration')
    t.match(body, { backchannel_logout_supported: true, backchannel_logout_session_supported: true })

    host.events.length = 0
    t.strictSame(await host.authmount.endSession(ANNA), { revoked: 1, told: [app.clientId], untold: [] })
    t.equal(told.received.length, 1)
    const [received] = told.received
    if (!received) throw new Error('nothing was received')
    t.equal(received.method, 'POST')
    t.match(received.contentType, /^application\/x-www-form-urlencoded(;|$)/)
    t.strictSame([...received.form.keys()], ['logout_token'])
    const { exp = 0, iat = 0, jti, ...claims } = await verifyLogout(host, received, app.clientId)
    t.strictSame(claims, { iss: 'https://issuer.example', sub: 'anna', aud: app.clientId, events: { [EVENT]: {} }, sid })
    t.ok(exp - iat <= 120 && typeof jti === 'string' && jti.length > 20)

    t.equal(await host.records(access), 401)
    t.equal((await host.refresh(app, refresh)).body.error, 'invalid_grant')
    const of = { clientId: app.clientId, userId: 'anna' }
    t.match(eventsOf(host), [
      { type: 'session_grant_ended', ...of, orgId: 'org-1', grantId: /^\S+$/ },
      { type: 'session_ended', userId: 'anna', sid, revoked: 1 },
      { type: 'logout_delivered', ...of, sid, tries: 1 },
    ])

    host.events.length = 0
    t.strictSame(await host.authmount.endSession(ANNA), { revoked: 0, told: [], untold: [] }, 'a repeated call')
    t.strictSame([told.received.length, eventsOf(host)], [1, []], 'says nothing twice')
    host.clock.advance(1)
    const again = await signIn(host, app)
    t.equal(again.sid, sid)
    t.equal(await host.records(again.access), 200, 'the same session of a host that uses it again')
    t.match(await host.authmount.endSession(ANNA), { revoked: 1, told: [app.clientId] })
    const tokens = told.received.map(({ form }) => decodeJwt(form.get('logout_token') ?? '').jti)
    t.equal(new Set(tokens).size, 2)
  },
  HOST,
)

everywhere(
  'only what belongs to this user and this session ends, with openid or without',
  async (t, host) => {
    const [told, other] = [await receiver(t), await receiver(t)]
    const app = await toldApp(host, told)
    const [here, phone] = [await signIn(host, app), await signIn(host, app, { user: 'anna#phone' })]
    const plain = await host.tokens(app, { scope: 'read:records' })
    const stays = await signIn(host, app, { scope: 'openid read:records offline_access' })
    const bert = await signIn(host, app, { user: 'bert' })
    const elsewhere = await toldApp(host, other)
    await signIn(host, elsewhere, { user: 'anna#phone' })

    t.match(await host.authmount.endSession({ userId: 'bert', sessionId: 'session-of-anna' }), { revoked: 0, told: [] })
    t.match(await host.authmount.endSession({ userId: 'anna', sessionId: 'no-such-session' }), { revoked: 0, told: [] })
    t.strictSame(await host.authmount.endSession(ANNA), { revoked: 2, told: [app.clientId], untold: [] })
    t.strictSame([told.received.length, other.received.length], [1, 0], 'an app that was not part of the session hears nothing')
    const tokens = [here, plain, phone, bert, stays]
    t.strictSame(await Promise.all(tokens.map(({ access }) => host.records(access))), [401, 401, 200, 200, 200])
    t.equal((await host.refresh(app, stays.refresh)).status, 200, 'offline_access outlives the session')

    const everywhere = await host.authmount.endSession({ userId: 'anna' })
    t.strictSame([everywhere.revoked, everywhere.told.toSorted()], [2, [app.clientId, elsewhere.clientId].toSorted()])
    for (const [at, clientId] of [
      [told, app.clientId],
      [other, elsewhere.clientId],
    ] as const) {
      const last = at.received.at(-1)
      if (!last) throw new Error('nothing was received')
      const { sid, sub } = await verifyLogout(host, last, clientId)
      t.strictSame([sid, sub], [undefined, 'anna'], 'without a session, all of the user have ended')
    }
    t.strictSame(await Promise.all([phone, bert].map(({ access }) => host.records(access))), [401, 200])
  },
  HOST,
)

everyFramework(
  'a session that two users had one after the other ends for each of them alone',
  async (t, host) => {
    const told = await receiver(t)
    const app = await toldApp(host, told)
    const anna = await signIn(host, app)
    const bert = await signIn(host, app, { user: 'bert' })
    t.equal(anna.sid, bert.sid)
    t.equal((await host.authmount.endSession({ userId: 'anna', sessionId: 'shared' })).revoked, 1)
    t.strictSame(
      told.received.map(({ form }) => decodeJwt(form.get('logout_token') ?? '').sub),
      ['anna'],
    )
    t.strictSame([await host.records(anna.access), await host.records(bert.access)], [401, 200])
  },
  {
    ...HOST,
    authenticate: ({ headers }) => {
      const userId = /session=(\w+)/.exec(headers.cookie ?? '')?.[1]
      return userId === undefined ? null : { userId, orgId: 'org-1', isAdmin: false, sessionId: 'shared' }
    },
  },
)

everyFramework(
  'an app that knows sessions by name alone is told of each, and of none that is not known',
  async (t, host) => {
    const [told, unknown] = [await receiver(t), await receiver(t)]
    const app = await toldApp(host, told, { backchannelLogoutSessionRequired: true })
    const sids = [(await signIn(host, app)).sid, (await signIn(host, app, { user: 'anna#phone' })).sid]
    await host.authmount.endSession({ userId: 'anna' })
    t.strictSame(told.received.map(({ form }) => decodeJwt(form.get('logout_token') ?? '').sid).toSorted(), sids.toSorted())

    const fields = { backchannelLogoutSessionRequired: true, backchannelLogoutUri: unknown.uri, clientId: 'nameless' }
    const late = await signInApp(host, { clientId: 'nameless' })
    await host.approve(late, { scope: 'openid' })
    await signInApp(host, fields)
    host.events.length = 0
    t.strictSame(await host.authmount.endSession({ userId: 'anna' }), { revoked: 0, told: [], untold: ['nameless'] })
    t.match(outcome(host), { type: 'logout_failed', clientId: 'nameless', reason: 'no_session', sid: null, tries: 0 })
    t.equal(unknown.received.length, 0)
  },
  HOST,
)

const askFor = (host: TestHost, idToken: string, fields: Record<string, string> = {}) =>
  host.browse(
    `/oauth/logout?${new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: REDIRECT_URI, ...fields })}`,
    'anna',
  )

/** Whether the store can be read just now. */
const down = { now: false }

everyFramework(
  'a logout that an app asks for reaches the apps once the host has ended the session',
  async (t, host) => {
    const told = await receiver(t)
    const app = await toldApp(host, told)
    const { access, idToken, sid } = await signIn(host, app)
    const { returnTo = '' } = (await askFor(host, idToken)).params
    const stayed = await host.browse(returnTo, 'anna')
    t.equal(stayed.location?.href, REDIRECT_URI)
    t.strictSame([told.received.length, await host.records(access)], [0, 200], 'the user decided to stay signed in')

    down.now = true
    t.equal((await host.browse(returnTo, null)).status, 503)
    down.now = false
    t.strictSame([told.received.length, await host.records(access)], [0, 200], 'a store that is down ends nothing')
    t.equal((await host.browse(returnTo, null)).location?.href, REDIRECT_URI)
    t.strictSame([told.received.length, await host.records(access)], [1, 401])
    const [received] = told.received
    if (!received) throw new Error('nothing was received')
    t.match(await verifyLogout(host, received, app.clientId), { sub: 'anna', sid })
    t.equal((await host.browse(returnTo, null)).location?.href, REDIRECT_URI)
    t.equal(told.received.length, 1, 'a reload is harmless')

    host.clock.advance(1)
    const again = await signIn(host, app)
    const next = (await askFor(host, again.idToken)).params.returnTo ?? ''
    await host.authmount.endSession(ANNA)
    t.equal((await host.browse(`${next}&end_grants=true`, null)).location?.href, REDIRECT_URI)
    t.equal(told.received.length, 2, 'a host that has said it itself is not repeated')
    t.ok((await host.authorize(app, { scope: 'openid' })).params.consent_id, 'and the consent is withdrawn')
  },
  {
    ...HOST,
    wrap: store => ({
      ...store,
      consents: {
        get: (...args) => store.consents.get(...args),
        list: (...args) => (down.now ? Promise.reject(new Error('down')) : store.consents.list(...args)),
        save: consent => store.consents.save(consent),
      },
    }),
  },
)

everywhere(
  'no code of an ended session becomes a grant, and no refresh outlives it',
  async (t, host) => {
    const app = await signInApp(host)
    const codes = await Promise.all(Array.from({ length: 6 }, () => host.approve(app, { scope: 'openid read:records' })))
    const offline = await host.approve(app, { scope: 'openid offline_access' })
    const later = await host.approve(app, { scope: 'read:records' })
    const phone = await host.approve(app, { scope: 'read:records' }, 'anna#phone')
    const { refresh } = await signIn(host, app)
    const [refreshed, , ...redeemed] = await Promise.all([
      host.refresh(app, refresh),
      host.authmount.endSession(ANNA),
      ...codes.map(code => host.redeem(app, code)),
    ])
    const answers = [refreshed, ...redeemed].filter(({ status }) => status === 200)
    t.strictSame(
      await Promise.all(answers.map(({ body }) => host.records(body.access_token))),
      answers.map(() => 401),
    )
    t.equal((await host.redeem(app, later)).body.error, 'invalid_grant')
    t.equal((await host.redeem(app, phone)).status, 200, 'another session of the user')
    t.equal((await host.redeem(app, offline)).status, 200, 'what was to outlive the session')
  },
  HOST,
)

everyFramework(
  'what a device was given in a session ends with it, and what it has not taken yet is gone',
  async (t, host) => {
    const told = await receiver(t)
    const app = await deviceApp(host, { allowedScopes: ['openid', 'read:records'], backchannelLogoutUri: told.uri })
    const ask = async () => {
      const { body } = await host.post('/oauth/device_authorization', app, { scope: 'openid read:records' })
      await answerDevice(host, String(body.verification_uri_complete))
      return () => host.post('/oauth/token', app, { grant_type: DEVICE_CODE, device_code: String(body.device_code) })
    }
    const [take, leave] = [await ask(), await ask()]
    const { body } = await take()
    t.equal(await host.records(body.access_token), 200)
    t.match(await host.authmount.endSession(ANNA), { revoked: 1, told: [app.clientId] })
    t.equal(await host.records(body.access_token), 401)
    t.equal((await leave()).body.error, 'invalid_grant')
    host.clock.advance(1)
    t.equal((await (await ask())()).status, 200)
  },
  { ...HOST, devices: {} },
)

/** How an app can fail to be told: what it answers to its requests in turn, and what the event says. */
const FAILURES: Readonly<
  Record<string, { readonly answer: LogoutReceiver['answer']; readonly event: object; readonly requests: number }>
> = {
  'refuses the token': {
    answer: response => response.writeHead(400).end('{"error":"invalid_request"}'),
    event: { type: 'logout_failed', reason: 'answer', status: 400, tries: 1 },
    requests: 1,
  },
  'leads elsewhere': {
    answer: response => response.writeHead(307, { location: '/elsewhere' }).end(),
    event: { type: 'logout_failed', reason: 'redirect', status: null, tries: 1 },
    requests: 1,
  },
  'answers far too much': {
    answer: response => response.end(Buffer.alloc(200_000)),
    event: { type: 'logout_failed', reason: 'too_large', status: null, tries: 1 },
    requests: 1,
  },
  'fails each time': {
    answer: response => response.writeHead(503).end(),
    event: { type: 'logout_failed', reason: 'answer', status: 503, tries: 3 },
    requests: 3,
  },
  'fails twice': {
    answer: (response, count) => (count < 3 ? response.destroy() : response.writeHead(204).end()),
    event: { type: 'logout_delivered', tries: 3 },
    requests: 3,
  },
}

async function oneHost(t: Test, options: HostOptions = HOST): Promise<TestHost> {
  const { express } = frameworks
  if (!express) throw new Error('there is no Express')
  const host = await startHost(express, options)
  t.teardown(host.close)
  return host
}

overMemory('an app that cannot be told is tried three times at most, and an event says why', async t => {
  const host = await oneHost(t)
  const cases = await Promise.all(
    Object.entries(FAILURES).map(async ([name, failure]) => {
      const at = await receiver(t)
      at.answer = failure.answer
      const app = await toldApp(host, at)
      await signIn(host, app)
      return { app, at, name, ...failure }
    }),
  )
  const { told, untold } = await host.authmount.endSession(ANNA)
  t.strictSame([told.length, untold.length], [0, cases.length], 'all of them take longer, or fail')
  await until(() => host.events.filter(({ type }) => type.startsWith('logout_')).length === cases.length)
  for (const { app, at, event, name, requests } of cases) {
    const said = host.events.filter(each => /^logout_/.test(each.type) && 'clientId' in each && each.clientId === app.clientId)
    t.match(said, [{ ...event, clientId: app.clientId, userId: 'anna' }], name)
    t.equal(at.received.length, requests, name)
  }
  // What failed stays to be told.
  for (const { at } of cases) at.answer = response => response.end()
  const again = await host.authmount.endSession(ANNA)
  const failed = cases.filter(({ event }) => 'reason' in event).map(({ app }) => app.clientId)
  t.strictSame(again.told.toSorted(), failed.toSorted())
})

overMemory('an app that hangs does not hold up the sign-out', async t => {
  const host = await oneHost(t)
  const at = await receiver(t)
  const app = await toldApp(host, at)
  const { access } = await signIn(host, app)
  const hanging: (() => void)[] = []
  at.answer = (response, count) => (count === 1 ? hanging.push(() => response.destroy()) : response.end())
  t.strictSame(await host.authmount.endSession(ANNA), { revoked: 1, told: [], untold: [app.clientId] })
  t.equal(outcome(host), undefined)
  t.equal(await host.records(access), 401)
  for (const release of hanging) release()
  await until(() => outcome(host) !== undefined)
  t.match(outcome(host), { type: 'logout_delivered', tries: 2 })
})

overMemory('an app that is deleted or blocked while it is being told is not called again', async t => {
  const host = await oneHost(t)
  const at = await receiver(t)
  const app = await toldApp(host, at)
  await signIn(host, app)
  const [consent] = (await host.store.consents.list({ userId: 'anna' }, { limit: 10 })).items
  const record = await host.store.apps.get(app.clientId)
  if (!record || !consent) throw new Error('there is no such app')
  at.answer = response => {
    host.store.apps.save({ ...record, status: 'deleted', version: record.version + 1 }).then(() => response.writeHead(500).end())
  }
  await host.authmount.endSession(ANNA)
  await until(() => outcome(host) !== undefined)
  t.match(outcome(host), { type: 'logout_failed', reason: 'app_gone', tries: 1 })
  t.equal(at.received.length, 1)
  host.events.length = 0
  t.match(await host.authmount.endSession({ userId: 'anna' }), { told: [], untold: [] })
  t.equal(at.received.length, 1)
})

overMemory('nothing but a public address is called', async t => {
  const at = await receiver(t)
  const lenient = await oneHost(t)
  const app = await toldApp(lenient, at)
  await signIn(lenient, app)
  // The record says what no longer may be registered.
  const strict = await oneHost(t, { ...HOST, allowLoopbackProviders: false, store: lenient.store })
  t.match(await strict.authmount.endSession(ANNA), { untold: [app.clientId] })
  t.match(outcome(strict), { type: 'logout_failed', reason: 'refused', tries: 1 })
  t.equal(at.received.length, 0)

  const refused = [
    'http://app.example/logout',
    'https://10.0.0.1/logout',
    'https://127.0.0.1/logout',
    'https://[::1]/logout',
    'https://[::ffff:169.254.169.254]/',
    'https://0x7f000001/',
    'https://localhost/logout',
    'https://app.example:22/logout',
    'https://app.example/logout#here',
    'https://anna:secret@app.example/logout',
    'https://app.example/log out',
    'ftp://app.example/',
    'javascript:alert(1)',
    '/logout',
    `https://app.example/${'x'.repeat(2048)}`,
  ]
  for (const backchannelLogoutUri of refused)
    await t.rejects(signInApp(strict, { backchannelLogoutUri }), { code: 'VALIDATION_ERROR', message: /backchannelLogoutUri/ })
  await t.resolves(signInApp(strict, { backchannelLogoutUri: 'https://app.example/logout?of=us' }))
})

overMemory('a store that fails at any call makes no false success, and the call can be repeated', async t => {
  const timeout = new StoreTimeout()
  let faulty: FaultyStore | undefined
  const host = await oneHost(t, {
    ...HOST,
    storeTimeoutMs: timeout.ms,
    wrap(store) {
      faulty = new FaultyStore(store, timeout)
      return faulty.store
    },
  })
  if (!faulty) throw new Error('there is no store')
  const at = await receiver(t)
  const app = await toldApp(host, at)
  await signIn(host, app)
  await faulty.during(0, 'throws', () => host.authmount.endSession(ANNA))
  const calls = faulty.calls.length
  t.ok(calls > 6, `${calls} calls`)
  for (const fault of ['rejects before', 'rejects after', 'never answers'] as const) {
    for (let failAt = 1; failAt <= calls; failAt++) {
      host.clock.advance(1)
      const { access } = await signIn(host, app)
      const before = at.received.length
      const what = `${fault} at call ${failAt}`
      const error = await faulty.during(failAt, fault, () =>
        host.authmount.endSession(ANNA).then(
          () => undefined,
          (error: unknown) => error,
        ),
      )
      if (error) {
        t.equal((error as Error).name, 'StoreError', what)
        t.equal(at.received.length, before, `${what}: nobody was told`)
      } else t.equal(await host.records(access), 401, what)
      await host.authmount.endSession(ANNA)
      t.equal(await host.records(access), 401, `${what}, then again`)
      t.ok(at.received.length > before, `${what}, then again: the app was told`)
    }
  }
})

overMemory('of a user’s sessions the newest thirty are kept for an app', async t => {
  const host = await oneHost(t)
  const at = await receiver(t)
  const app = await toldApp(host, at)
  for (let session = 0; session <= 30; session++) await host.approve(app, { scope: 'openid' }, `anna#s${session}`)
  const kept = async () => host.store.consents.get({ userId: 'anna' }, app.clientId)
  t.equal((await kept())?.sessions?.length, 30)
  t.match(await host.authmount.endSession({ userId: 'anna', sessionId: 'session-of-anna-s0' }), { told: [] })
  t.match(await host.authmount.endSession({ userId: 'anna', sessionId: 'session-of-anna-s30' }), { told: [app.clientId] })
  for (let session = 0; session <= 30; session++)
    await host.authmount.endSession({ userId: 'anna', sessionId: `another-${session}` })
  t.equal((await kept())?.signedOut?.length, 30)
  t.equal((await kept())?.sessions?.length, 29)
})

t.test('ids that cannot be any end nothing', async t => {
  const host = await oneHost(t)
  const wrong: readonly unknown[] = [
    {},
    { userId: '' },
    { userId: 7 },
    { userId: 'anna', sessionId: undefined },
    { userId: 'anna', sessionId: '' },
    { userId: 'anna', sessionId: null },
  ]
  for (const session of wrong) await t.rejects(host.authmount.endSession(session as never), TypeError, JSON.stringify(session))
})
