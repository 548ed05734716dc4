import t, { type Test } from 'tap'
import type { Answer, TestApp } from '../support/client.ts'
import { settings } from '../support/everywhere.ts'
import { startFaultyHost } from '../support/faulty-host.ts'
import { type Fault, lastingFaults } from '../support/faulty-store.ts'
import type { TestHost } from '../support/host.ts'

interface Flow {
  /** Prepares a fresh state, and says how to run the flow and what must hold after it failed. */
  prepare(
    host: TestHost,
    app: TestApp,
  ): Promise<{ readonly run: () => Promise<Answer>; readonly holds: (t: Test, call: string, fault: Fault) => Promise<unknown> }>
}

const liveTokens = async (host: TestHost, app: TestApp) =>
  (await host.store.grants.listTokens({ appId: app.clientId, epoch: 1, limit: 0 })).total

const flows: Readonly<Record<string, Flow>> = {
  'authorize, to be asked': {
    prepare: async (host, app) => ({
      run: () => host.authorize(app),
      holds: async t => t.ok((await host.authorize(app)).params.consent_id),
    }),
  },
  'authorize, already agreed': {
    async prepare(host, app) {
      await host.approve(app)
      return { run: () => host.authorize(app), holds: async t => t.ok((await host.authorize(app)).params.code) }
    },
  },
  'the consent page': {
    async prepare(host, app) {
      const path = String((await host.authorize(app)).headers.get('location'))
      return { run: () => host.browse(path, 'anna'), holds: async t => t.equal((await host.browse(path, 'anna')).status, 200) }
    },
  },
  'pushing a request': {
    prepare: async (host, app) => ({
      run: () => host.push(app),
      holds: async t => t.equal((await host.push(app)).status, 201),
    }),
  },
  agreeing: {
    async prepare(host, app) {
      const screen = await host.authorize(app)
      return {
        run: () => host.decide(screen),
        async holds(t, call, fault) {
          const retry = await host.decide(screen)
          // Whether a lost "consume" happened cannot be known; opening the screen again could then allow a second code.
          // A store that goes on hanging cannot open it again.
          if (call !== 'oneTime.consume' && fault !== 'goes on hanging') t.ok(retry.params.code, 'the same click works now')
          else if (!retry.params.code) t.ok(await host.approve(app), 'the user can start again')
        },
      }
    },
  },
  'redeeming a code': {
    async prepare(host, app) {
      const code = await host.approve(app)
      return {
        run: () => host.redeem(app, code),
        async holds(t) {
          const retry = await host.redeem(app, code)
          const refused = retry.status === 400 && retry.body.error === 'invalid_grant'
          t.ok(refused || retry.status === 200, 'the retry succeeds or is refused')
          t.equal(await liveTokens(host, app), refused ? 0 : 2, 'no token lives that nobody was given')
        },
      }
    },
  },
  'replaying a code': {
    async prepare(host, app) {
      const code = await host.approve(app)
      const first = await host.redeem(app, code)
      return {
        run: () => host.redeem(app, code),
        async holds(t) {
          t.equal((await host.redeem(app, code)).body.error, 'invalid_grant')
          t.equal(await host.isActive(app, first.body.access_token), false)
        },
      }
    },
  },
  refreshing: {
    async prepare(host, app) {
      const { refresh } = await host.tokens(app)
      return {
        run: () => host.refresh(app, refresh),
        async holds(t) {
          const retry = await host.refresh(app, refresh)
          t.equal(retry.status, 200, 'the old token still refreshes')
          t.equal((await host.refresh(app, retry.body.refresh_token)).status, 200, 'and so does its successor')
        },
      }
    },
  },
  'repeating a refresh': {
    async prepare(host, app) {
      const { refresh } = await host.tokens(app)
      const first = await host.refresh(app, refresh)
      return {
        run: () => host.refresh(app, refresh),
        holds: async t => t.equal((await host.refresh(app, refresh)).body.refresh_token, first.body.refresh_token),
      }
    },
  },
  'reusing a refresh token': {
    async prepare(host, app) {
      const { refresh } = await host.tokens(app)
      const next = await host.refresh(app, refresh)
      host.clock.advance(11)
      return {
        run: () => host.refresh(app, refresh),
        async holds(t) {
          t.equal((await host.refresh(app, refresh)).body.error, 'invalid_grant')
          t.equal(await host.isActive(app, next.body.access_token), false)
        },
      }
    },
  },
  'client credentials': {
    prepare: async (host, app) => ({
      run: () => host.clientCredentials(app),
      holds: async t => t.equal((await host.clientCredentials(app)).status, 200),
    }),
  },
  'revoking a refresh token': {
    async prepare(host, app) {
      const { access, refresh } = await host.tokens(app)
      return {
        run: () => host.post('/oauth/revoke', app, { token: refresh }),
        async holds(t) {
          t.equal((await host.post('/oauth/revoke', app, { token: refresh })).status, 200)
          t.equal(await host.isActive(app, access), false)
        },
      }
    },
  },
  'revoking an access token': {
    async prepare(host, app) {
      const { access } = await host.tokens(app)
      return {
        run: () => host.post('/oauth/revoke', app, { token: access }),
        async holds(t) {
          t.equal((await host.post('/oauth/revoke', app, { token: access })).status, 200)
          t.equal(await host.isActive(app, access), false)
        },
      }
    },
  },
  introspecting: {
    async prepare(host, app) {
      const { access } = await host.tokens(app)
      return {
        run: () => host.post('/oauth/introspect', app, { token: access }),
        holds: async t => t.equal(await host.isActive(app, access), true),
      }
    },
  },
  'a guarded route': {
    async prepare(host, app) {
      const { access } = await host.tokens(app)
      return {
        run: () => host.send('/records', { headers: { authorization: `Bearer ${access}` } }),
        holds: async t => t.equal(await host.records(access), 200),
      }
    },
  },
}

for (const { name: setting, mount, connect } of settings) {
  for (const [name, flow] of Object.entries(flows)) {
    t.test(`${setting}: ${name} survives a store that fails at any of its calls`, async t => {
      const { host, store } = await startFaultyHost(t, mount, { connect })

      const healthy = await flow.prepare(host, await host.confidentialApp())
      await store.during(0, 'throws', healthy.run)
      const calls = [...store.calls]
      t.ok(calls.length > 0)
      for (const [index, call] of calls.entries()) {
        // Over a server, what matters is what it did although nobody heard of it; the others never reach it.
        for (const fault of lastingFaults.filter(fault => fault === 'rejects after' || setting.endsWith('memory'))) {
          const { holds, run } = await flow.prepare(host, await host.confidentialApp())
          const answer = await store.during(index + 1, fault, run)
          const what = `${call} ${fault}`
          t.equal(answer.status, 503, what)
          t.equal(answer.headers.get('retry-after'), '1', what)
          t.equal(answer.location, undefined, what)
          t.strictSame(
            answer.body,
            { error: 'temporarily_unavailable', error_description: 'the server cannot answer at the moment: try again shortly' },
            what,
          )
          await holds(t, call, fault)
        }
      }
    })
  }
}
