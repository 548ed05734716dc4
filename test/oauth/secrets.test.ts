import { inspect } from 'node:util'
import type { Store } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import t from 'tap'
import { VERIFIER } from '../support/client.ts'
import { settings } from '../support/everywhere.ts'
import { frameworks, startHost } from '../support/host.ts'

/** A store that keeps all it was ever given and all it ever answered, as a dump or a wiretap would show it. */
function wiretapped(inner: Store, seen: string[]): Store {
  const parts = Object.entries(inner).map(([part, methods]: [string, object]) => [
    part,
    Object.fromEntries(
      Object.entries(methods).map(([method, operation]) => [
        method,
        async (...args: unknown[]) => {
          const answer = await operation.apply(methods, args)
          seen.push(JSON.stringify([part, method, args, answer]))
          return answer
        },
      ]),
    ),
  ])
  return Object.fromEntries(parts) as Store
}

for (const { name, mount, connect } of settings) {
  t.test(`${name}: no secret, code, token or verifier is ever stored, logged or told to the event sink`, async t => {
    const seen: string[] = []
    const host = await startHost(mount, { connect, wrap: store => wiretapped(store, seen) })
    t.teardown(host.close)
    const app = await host.confidentialApp()

    const screen = await host.authorize(app, { nonce: 'nonce-1' })
    await host.browse(String(screen.headers.get('location')), 'anna')
    const code = (await host.decide(screen)).params.code ?? ''
    const wrongCode = await host.approve(app)
    await host.redeem(app, wrongCode, { code_verifier: 'w'.repeat(43) })
    const granted = (await host.redeem(app, code)).body
    await host.browse('/oauth/connected-apps', 'anna', { headers: { accept: 'text/html' } })
    const machine = (await host.clientCredentials(app)).body
    const refreshed = (await host.refresh(app, granted.refresh_token)).body
    const repeated = (await host.refresh(app, granted.refresh_token)).body
    t.equal(repeated.refresh_token, refreshed.refresh_token)
    await host.records(refreshed.access_token)
    await host.isActive(app, refreshed.access_token)
    await host.redeem(app, code)
    await host.post('/oauth/revoke', app, { token: String(machine.access_token) })
    await host.clientCredentials({ ...app, clientSecret: `wrong-${app.clientSecret}` })

    const secrets = {
      'the client secret': app.clientSecret,
      'a verifier': VERIFIER,
      'the consent screen’s id': screen.params.consent_id,
      'the session id of the host': 'session-of-anna',
      'a code': code,
      'a code that was not redeemed': wrongCode,
      'an access token': granted.access_token,
      'a refresh token': granted.refresh_token,
      'an access token of a refresh': refreshed.access_token,
      'a successor': refreshed.refresh_token,
      'an access token of an app': machine.access_token,
    }
    t.ok(seen.length > 20)
    const places = {
      store: seen.join('\n'),
      log: inspect(host.logged, { depth: null, maxStringLength: null, showHidden: true }),
      events: JSON.stringify(host.events),
    }
    for (const [what, secret] of Object.entries(secrets)) {
      t.ok(typeof secret === 'string' && secret.length >= 15, what)
      for (const [place, text] of Object.entries(places)) t.notOk(text.includes(String(secret)), `${what} is not in the ${place}`)
      // The secret half of a token, without the part that leads to its grant.
      const half = String(secret).split(/[._]/).at(-1) ?? ''
      if (half.length >= 43) t.notOk(places.store.includes(half), `nor is half of ${what} in the store`)
    }
  })
}

t.test(
  'of an error the log receives name, message, code, stack and causes, and nothing that a driver keeps beside them',
  async t => {
    const secret = 'session-of-anna'
    const command = { name: 'set', args: ['once:consent', JSON.stringify({ sessionId: secret })] }
    const driver = Object.assign(new RangeError('OOM command not allowed'), {
      code: 'OOM',
      command,
      request: { headers: { cookie: secret } },
    })
    const looping: Error & { self?: unknown } = new Error('looping')
    looping.cause = looping
    const values = [
      driver,
      new Error('outer', { cause: driver }),
      new AggregateError([driver, new Error('other', { cause: driver })], 'all failed'),
      Object.assign(new Error('own'), { toJSON: () => command, [Symbol.for('nodejs.util.inspect.custom')]: () => secret }),
      { message: 'not an Error', command },
      { command },
      Object.defineProperty({}, 'message', {
        get: () => {
          throw driver
        },
      }),
      looping,
      () => secret,
    ]
    const heard: unknown[] = []
    const store = memoryStore()
    const thrown: { current: unknown } = { current: undefined }
    const log = { error: (_message: string, cause?: unknown) => heard.push(cause), warn: () => {} }
    const [[, mount] = []] = Object.entries(frameworks)
    if (!mount) return t.fail('no framework')
    const host = await startHost(mount, {
      log,
      store: { ...store, apps: { ...store.apps, get: () => Promise.reject(thrown.current) } },
    })
    t.teardown(host.close)
    for (const value of values) {
      thrown.current = value
      t.equal((await host.authorize({ clientId: 'f'.repeat(24), clientSecret: null })).status, 503)
      const said = heard.at(-1)
      t.notMatch(inspect(said, { depth: null, showHidden: true }) + JSON.stringify(said), secret)
    }
    t.equal(heard.length, values.length)
    const [cause] = heard as [Error]
    t.match(cause, { name: 'RangeError', message: 'OOM command not allowed', code: 'OOM' })
    t.match(cause.stack, /secrets\.test/)
  },
)

for (const [framework, mount] of Object.entries(frameworks)) {
  t.test(`${framework}: whatever a store throws, the client hears the same fixed words`, async t => {
    const thrown: { current: unknown } = { current: undefined }
    const broken = memoryStore()
    const store: Store = { ...broken, apps: { ...broken.apps, get: () => Promise.reject(thrown.current) } }
    const host = await startHost(mount, { store })
    t.teardown(host.close)
    const secret = 'mongodb://admin:hunter2@10.0.0.3'
    const values = [
      new Error(secret),
      new Error('outer', { cause: new Error(secret) }),
      new AggregateError([new Error(secret)], secret),
      new TypeError(secret),
      Object.assign(new Error(secret), {
        status: 400,
        statusCode: 400,
        expose: true,
        code: 'invalid_request',
        description: secret,
      }),
      { status: 400, message: secret, error: 'invalid_grant' },
      { name: 'OAuthError', code: 'invalid_grant', description: secret, status: 400 },
      secret,
      Symbol(secret),
      null,
      undefined,
      42,
      () => secret,
    ]
    const texts = new Set<string>()
    for (const value of values) {
      thrown.current = value
      for (const path of ['/oauth/token', '/oauth/revoke', '/oauth/introspect']) {
        const answer = await host.post(
          path,
          { clientId: 'f'.repeat(24), clientSecret: 'x' },
          { grant_type: 'client_credentials', token: 'x' },
        )
        t.equal(answer.status, 503)
        texts.add(answer.text)
      }
      t.equal((await host.authorize({ clientId: 'f'.repeat(24), clientSecret: null })).status, 503)
    }
    t.equal(texts.size, 1)
    t.notMatch([...texts][0], /hunter2/)
  })

  t.test(`${framework}: a hook that throws, hangs or talks nonsense is a fixed 500, never a sign-in or a sign-out`, async t => {
    const hook: { current: () => unknown } = { current: () => null }
    const authenticate = () => hook.current() as never
    const host = await startHost(mount, { authenticate, hookTimeoutMs: 30 })
    t.teardown(host.close)
    const app = await host.confidentialApp()
    const hooks = [
      () => {
        throw new Error('secret of the host')
      },
      () => Promise.reject(new Error('secret of the host')),
      () => new Promise(() => {}),
      () => 'anna',
      () => ({}),
      () => ({ userId: 7, orgId: 'o', isAdmin: true }),
      () => ({ userId: '', orgId: 'o', isAdmin: true }),
      () => ({ userId: 'anna', orgId: 'o', isAdmin: 'yes' }),
      () => ({ userId: 'a'.repeat(256), orgId: 'o', isAdmin: true }),
    ]
    for (const current of hooks) {
      hook.current = current
      const answer = await host.authorize(app)
      t.equal(answer.status, 500)
      t.strictSame(answer.body, { error: 'server_error', error_description: 'the server met an unexpected condition' })
    }
    hook.current = () => undefined
    t.equal((await host.authorize(app)).location?.pathname, '/login')
  })

  t.test(`${framework}: a log that throws fails no request and shows nothing`, async t => {
    const broken = memoryStore()
    const log = {
      error: () => {
        throw new Error('disk full: /var/log/secret-path')
      },
      warn: () => {},
    }
    const store: Store = { ...broken, consents: { ...broken.consents, get: () => Promise.reject(new Error('down')) } }
    const host = await startHost(mount, { log, store, onEvent: (() => Promise.reject(new Error('sink'))) as () => void })
    t.teardown(host.close)
    const app = await host.confidentialApp()
    const answer = await host.authorize(app)
    t.equal(answer.status, 503)
    t.equal(answer.body.error, 'temporarily_unavailable')
    t.equal((await host.clientCredentials(app)).status, 200)
  })

  t.test(`${framework}: an event sink that throws or rejects fails no request`, async t => {
    let heard = 0
    const host = await startHost(mount, {
      onEvent: (() => {
        heard++
        if (heard % 2) throw new Error('sink')
        return Promise.reject(new Error('sink'))
      }) as () => void,
    })
    t.teardown(host.close)
    const app = await host.confidentialApp()
    const { refresh } = await host.tokens(app)
    t.equal((await host.refresh(app, refresh)).status, 200)
    t.ok(heard >= 4)
    t.equal(host.logged.length, heard)
  })
}
