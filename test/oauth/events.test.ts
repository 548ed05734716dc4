/** Every event: what causes it, once, and all that it says. The compiler wants a row for each type. */
import type { AuthmountEvent } from 'authmount'
import t from 'tap'
import { api, createApp, UNLIMITED } from '../support/apps-api.ts'
import { REDIRECT_URI } from '../support/client.ts'
import { ANNA, begin, comeBack, withConnectors } from '../support/connectors.ts'
import { everyFramework } from '../support/everywhere.ts'
import { FakeProvider } from '../support/fake-provider.ts'
import { authenticate, type TestHost } from '../support/host.ts'
import { type HeldElsewhere, namesTest } from '../support/named-tests.ts'

interface Scene {
  readonly host: TestHost
  readonly provider: FakeProvider
}

/** Causes the event, and says what it must say besides `type` and `at`. */
type Cause = (scene: Scene) => Promise<Readonly<Record<string, unknown>>>

const OF_ADMIN = { orgId: 'org-1', actorId: 'anna' }
const OF_USER = { orgId: 'org-1', userId: 'anna' }
const SCOPES_OF = ['read:records']

async function grantOf(host: TestHost) {
  const app = await host.confidentialApp()
  const { access, refresh } = await host.tokens(app)
  return { app, access, refresh, of: { clientId: app.clientId, ...OF_USER, grantId: /_at_(.+)\./.exec(access)?.[1] } }
}

/** A change by an admin, through the API. */
const changed =
  (method: string, path: string, says: object = {}, body?: object): Cause =>
  async ({ host }) => {
    const { id, clientId } = await createApp(host)
    await api(host, method, `/${id}${path}`, { body })
    return { clientId, ...OF_ADMIN, ...says }
  }

/** The account of one user at one connector, begun, connected or refused. */
async function connect({ host }: Scene, answer: Record<string, string> = { code: 'code' }) {
  const { cookie, state } = await begin(host, 'drive')
  await comeBack(host, { ...answer, state }, { cookie })
  return { connectorId: 'drive', ...ANNA }
}

const EVENTS: Readonly<Record<AuthmountEvent['type'], Cause | HeldElsewhere>> = {
  app_created: async ({ host }) => ({ clientId: (await createApp(host)).clientId, ...OF_ADMIN }),
  app_updated: changed('PUT', '', { changed: ['name'] }, { name: 'Another' }),
  app_deleted: changed('DELETE', ''),
  app_suspended: changed('POST', '/suspend'),
  async app_activated(scene) {
    const { host } = scene
    const { id, clientId } = await createApp(host)
    await api(host, 'POST', `/${id}/suspend`)
    await api(host, 'POST', `/${id}/activate`)
    return { clientId, ...OF_ADMIN }
  },
  app_secret_regenerated: changed('POST', '/regenerate-secret', { overlapSeconds: 60 }, { overlapSeconds: 60 }),
  async app_tokens_revoked({ host }) {
    const { app } = await grantOf(host)
    await api(host, 'POST', `/${app.clientId}/revoke-all-tokens`)
    return { clientId: app.clientId, ...OF_ADMIN, count: 2 }
  },
  policy_denied: ['oauth/rules.test.ts', 'a denial is answered to the client, and said in an event'],
  policy_limited: ['oauth/rules.test.ts', 'a policy takes scopes away'],
  async consent_granted({ host }) {
    const app = await host.confidentialApp()
    await host.approve(app)
    return { clientId: app.clientId, ...OF_USER, scopes: SCOPES_OF, declined: [] }
  },
  async consent_denied({ host }) {
    const app = await host.confidentialApp()
    await host.decide(await host.authorize(app), 'denied')
    return { clientId: app.clientId, ...OF_USER, scopes: SCOPES_OF }
  },
  async consent_withdrawn({ host }) {
    const { app } = await grantOf(host)
    await host.browse(`/oauth/connected-apps/${app.clientId}`, 'anna', { method: 'DELETE' })
    return { clientId: app.clientId, ...OF_USER, revoked: 1 }
  },
  async device_ended({ host }) {
    const { app, of } = await grantOf(host)
    await host.browse(`/oauth/connected-apps/${app.clientId}/devices/${of.grantId}`, 'anna', { method: 'DELETE' })
    return of
  },
  async user_grants_ended({ host }) {
    const { app } = await grantOf(host)
    await host.authmount.endUserGrants('anna', app.clientId)
    return { userId: 'anna', clientId: app.clientId, revoked: 1 }
  },
  step_required: [
    'oauth/steps.test.ts',
    'a browser goes through the steps in their order, and only the server of the host lets it on',
  ],
  step_passed: [
    'oauth/steps.test.ts',
    'a browser goes through the steps in their order, and only the server of the host lets it on',
  ],
  session_ended: ['oidc/back-channel-logout.test.ts', 'an app is told of a sign-out by a token that it can verify'],
  session_grant_ended: ['oidc/back-channel-logout.test.ts', 'an app is told of a sign-out by a token that it can verify'],
  logout_delivered: ['oidc/back-channel-logout.test.ts', 'an app is told of a sign-out by a token that it can verify'],
  logout_failed: ['oidc/back-channel-logout.test.ts', 'an app that cannot be told is tried three times at most'],
  token_issued: async ({ host }) => ({ ...(await grantOf(host)).of, grantType: 'authorization_code', scopes: SCOPES_OF }),
  async token_refreshed({ host }) {
    const { app, of, refresh } = await grantOf(host)
    await host.refresh(app, refresh)
    return { ...of, scopes: SCOPES_OF }
  },
  async token_revoked({ host }) {
    const { access, app, of } = await grantOf(host)
    const { text } = await host.post('/oauth/introspect', app, { token: access })
    await host.post('/oauth/revoke', app, { token: access })
    return { ...of, tokenType: 'access', jti: JSON.parse(text).jti }
  },
  async refresh_reuse({ host }) {
    const { app, of, refresh } = await grantOf(host)
    await host.refresh(app, refresh)
    host.clock.advance(11)
    await host.refresh(app, refresh)
    return of
  },
  async code_replay({ host }) {
    const app = await host.confidentialApp()
    const code = await host.approve(app)
    const { body } = await host.redeem(app, code)
    await host.redeem(app, code)
    return { clientId: app.clientId, ...OF_USER, grantId: /_at_(.+)\./.exec(String(body.access_token))?.[1], revoked: true }
  },
  async error_shown({ host }) {
    const { text } = await host.browse(`/oauth/authorize?client_id=nope&redirect_uri=${REDIRECT_URI}`, 'anna', {
      headers: { accept: 'text/html' },
    })
    const reference = [...text.matchAll(/<code>([\w-]+)<\/code>/g)].at(-1)?.[1]
    return { reference, error: 'invalid_client', description: 'client_id is not the id of an active app' }
  },
  connector_connected: connect,
  connector_failed: async scene => ({ ...(await connect(scene, { error: 'access_denied' })), error: 'access_denied' }),
  async connector_refreshed(scene) {
    const of = await connect(scene)
    scene.host.clock.advance(3600)
    await scene.host.authmount.connectorToken('drive', ANNA)
    return of
  },
  async connector_needs_reconnect(scene) {
    const of = await connect(scene)
    scene.host.clock.advance(3600)
    scene.provider.on('/token', { status: 400, body: { error: 'invalid_grant' } })
    for (let call = 0; call < 2; call++) await scene.host.authmount.connectorToken('drive', ANNA).catch(() => {})
    return of
  },
  async connector_disconnected(scene) {
    const of = await connect(scene)
    await scene.host.authmount.disconnect('drive', ANNA)
    return { ...of, revoked: true }
  },
  client_registered: [
    'self-registered/registration.test.ts',
    'a client registers itself, gets tokens, reads and deletes its registration',
  ],
  client_changed: ['self-registered/documents.test.ts', 'what the user saw is what is issued'],
  client_unregistered: [
    'self-registered/registration.test.ts',
    'a client registers itself, gets tokens, reads and deletes its registration',
  ],
  client_blocked: 'no test looks at what it says',
  client_unblocked: 'no test looks at what it says',
  admission_requested: ['self-registered/admission.test.ts', 'an unknown client waits for an admin'],
  admission_allowed: ['self-registered/admission.test.ts', 'an unknown client waits for an admin'],
  admission_refused: ['self-registered/admission.test.ts', 'refusing a client ends what it holds in the organisation'],
  admission_ended: ['self-registered/admission.test.ts', 'ending what a client holds lets it ask again'],
  rate_limiter_unavailable: ['apps/limits.test.ts', 'when the limiter’s store'],
}

let providerUrl = ''

everyFramework(
  'each event comes once, with all that it says and no secret',
  async (t, host) => {
    const provider = await FakeProvider.start()
    t.teardown(() => provider.close())
    providerUrl = provider.url
    provider.on('/revoke', {})
    for (const [type, cause] of Object.entries(EVENTS)) {
      if (typeof cause !== 'function') continue
      provider.on('/token', {
        body: { access_token: 'at-secret', token_type: 'Bearer', refresh_token: 'rt-secret', expires_in: 3600 },
      })
      host.events.length = 0
      const before = host.clock.now()
      const says = await cause({ host, provider })
      const told = host.events.filter(event => event.type === type)
      t.strictSame(
        told.map(({ at: _, ...event }) => event),
        [{ type, ...says }],
        type,
      )
      t.ok(
        told.every(({ at }) => Number.isInteger(at) && at >= before && at <= host.clock.now()),
        `${type}: when`,
      )
      t.notMatch(JSON.stringify(host.events), /am_(at|rt|ac|cs)_|-secret/, type)
    }
  },
  {
    ...withConnectors({
      drive: () => ({ clientId: 'the-host', clientSecret: 'client-secret', issuer: providerUrl, scopes: ['files'] }),
    }),
    ...UNLIMITED,
    authenticate,
  },
)

t.test('what another test holds of events is there', async t => {
  for (const held of Object.values(EVENTS)) {
    if (Array.isArray(held)) t.ok(await namesTest(...(held as [string, string])), held.join(': '))
  }
})
