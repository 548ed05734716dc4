/** Whatever ends something: told at least once, and repeated with the same answer, whichever reply of the store was lost. */
import type { AuthmountEvent } from 'authmount'
import t from 'tap'
import { api, createApp, UNLIMITED } from '../support/apps-api.ts'
import type { Answer, TestApp } from '../support/client.ts'
import { settings } from '../support/everywhere.ts'
import { startFaultyHost } from '../support/faulty-host.ts'
import type { Fault } from '../support/faulty-store.ts'
import type { TestHost } from '../support/host.ts'
import { SEALING_KEY } from '../support/sign-in.ts'

/** What a repetition may meet. test/oauth/store-faults.test.ts has every fault of every flow. */
const FAULTS: readonly Fault[] = ['rejects before', 'rejects after', 'never answers', 'goes on hanging']

interface Prepared {
  readonly run: () => Promise<Answer>
  /** Live tokens that must have ended after the request was repeated. */
  readonly tokens: readonly string[]
}

interface Flow {
  readonly event: AuthmountEvent['type']
  /** The status of the repeated request. */
  readonly repeated: number
  prepare(host: TestHost, app: TestApp): Promise<Prepared>
}

const flows: Readonly<Record<string, Flow>> = {
  'revoking an access token': {
    event: 'token_revoked',
    repeated: 200,
    async prepare(host, app) {
      const { access } = await host.tokens(app)
      return { tokens: [access], run: () => host.post('/oauth/revoke', app, { token: access }) }
    },
  },
  'revoking a refresh token': {
    event: 'token_revoked',
    repeated: 200,
    async prepare(host, app) {
      const { access, refresh } = await host.tokens(app)
      return { tokens: [access, refresh], run: () => host.post('/oauth/revoke', app, { token: refresh }) }
    },
  },
  'a stolen refresh token': {
    event: 'refresh_reuse',
    repeated: 400,
    async prepare(host, app) {
      const { refresh } = await host.tokens(app)
      const { body } = await host.refresh(app, refresh)
      host.clock.advance(11)
      return { tokens: [String(body.access_token), String(body.refresh_token)], run: () => host.refresh(app, refresh) }
    },
  },
  'a code that is replayed': {
    event: 'code_replay',
    repeated: 400,
    async prepare(host, app) {
      const code = await host.approve(app)
      const { body } = await host.redeem(app, code)
      return { tokens: [String(body.access_token), String(body.refresh_token)], run: () => host.redeem(app, code) }
    },
  },
  'a user takes an app back': {
    event: 'consent_withdrawn',
    repeated: 200,
    async prepare(host, app) {
      const { access, refresh } = await host.tokens(app)
      const path = `/oauth/connected-apps/${app.clientId}`
      return { tokens: [access, refresh], run: () => host.browse(path, 'anna', { method: 'DELETE' }) }
    },
  },
  'a user ends one device of an app': {
    event: 'device_ended',
    repeated: 200,
    async prepare(host, app) {
      const { access, refresh } = await host.tokens(app)
      const path = `/oauth/connected-apps/${app.clientId}/devices/${/_at_(.+)\./.exec(access)?.[1]}`
      return { tokens: [access, refresh], run: () => host.browse(path, 'anna', { method: 'DELETE' }) }
    },
  },
  'a logout that ends grants': {
    event: 'consent_withdrawn',
    repeated: 200,
    async prepare(host, app) {
      const { access, refresh } = await host.tokens(app)
      const asked = await host.browse(`/oauth/logout?client_id=${app.clientId}`, 'anna')
      return { tokens: [access, refresh], run: () => host.browse(`${asked.params.returnTo}&end_grants=true`, null) }
    },
  },
  'an app is deleted': {
    event: 'app_deleted',
    repeated: 200,
    async prepare(host, app) {
      const { access, refresh } = await host.tokens(app)
      return { tokens: [access, refresh], run: () => api(host, 'DELETE', `/${app.clientId}`) }
    },
  },
  'every token of an app is revoked': {
    event: 'app_tokens_revoked',
    repeated: 200,
    async prepare(host, app) {
      const { access, refresh } = await host.tokens(app)
      return { tokens: [access, refresh], run: () => api(host, 'POST', `/${app.clientId}/revoke-all-tokens`) }
    },
  },
  'an app is suspended': {
    event: 'app_suspended',
    repeated: 200,
    prepare: async (host, app) => ({ tokens: [], run: () => api(host, 'POST', `/${app.clientId}/suspend`) }),
  },
  'a secret is replaced': {
    event: 'app_secret_regenerated',
    repeated: 200,
    prepare: async (host, app) => ({ tokens: [], run: () => api(host, 'POST', `/${app.clientId}/regenerate-secret`) }),
  },
}

for (const { name: setting, mount, connect } of settings) {
  for (const [name, flow] of Object.entries(flows)) {
    t.test(`${setting}: ${name}`, async t => {
      const unhandled: unknown[] = []
      const note = (reason: unknown) => unhandled.push(reason)
      process.on('unhandledRejection', note)
      t.teardown(() => process.off('unhandledRejection', note))
      const { host, store } = await startFaultyHost(t, mount, {
        ...UNLIMITED,
        logoutUrl: '/sign-out',
        sealingKeys: [SEALING_KEY],
        signingAlg: 'ES256',
        connect,
      })
      const newApp = () => createApp(host, { redirectUris: ['https://app.example/cb'] })

      const healthy = await flow.prepare(host, await newApp())
      host.events.length = 0
      await store.during(0, 'throws', healthy.run)
      const calls = [...store.calls]
      t.equal(host.events.filter(({ type }) => type === flow.event).length, 1, 'once where nothing fails')
      for (const [index, call] of calls.entries()) {
        for (const fault of FAULTS.filter(fault => fault === 'rejects after' || setting.endsWith('memory'))) {
          const what = `${call} ${fault}`
          const { run, tokens } = await flow.prepare(host, await newApp())
          host.events.length = 0
          const answer = await store.during(index + 1, fault, run)
          const again = await run()
          // Where the first answer came, what failed was written after it; the second is then another request.
          if (answer.status === 503) t.equal(again.status, flow.repeated, `${what}, repeated`)
          else t.equal(answer.status, flow.repeated, what)
          const told = host.events.filter(({ type }) => type === flow.event)
          t.ok(told.length >= 1, `${what}: told at least once`)
          for (const token of tokens) t.equal(await host.records(token), 401, `${what}: ended`)
        }
      }
      t.strictSame(unhandled, [])
    })
  }
}
