import { appIdOf } from '../../src/base/ids.ts'
import type { Answer, TestApp } from '../support/client.ts'
import { READS_HERE, startDocuments } from '../support/documents.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { type HostOptions, type TestHost, USERS } from '../support/host.ts'

const documents = await startDocuments()
const REDIRECT = 'https://agent.example/callback'
const LIMITS = { screens: false, codes: false, appChanges: false, documents: false } as const
const ASKED: HostOptions = { ...READS_HERE, clients: { admission: 'organization' }, rateLimits: LIMITS }
const OPEN: HostOptions = { ...READS_HERE, clients: {}, rateLimits: LIMITS }
const ADMIN = { orgId: 'org-1', userId: 'anna' }

let numbered = 0
function publish(name = 'Helper'): TestApp {
  numbered += 1
  const fields = { client_name: name, redirect_uris: [REDIRECT], grant_types: ['authorization_code', 'refresh_token'] }
  return { clientId: documents.publish(`/agents/${numbered}`, fields), clientSecret: null }
}

function ask(host: TestHost, app: TestApp, user = 'bert', fields: Record<string, string> = {}): Promise<Answer> {
  const query = host.authorizeQuery(app, { redirect_uri: REDIRECT, ...fields })
  return host.browse(`/oauth/authorize?${query}`, user, { headers: { accept: 'text/html' } })
}

interface Listed {
  readonly pending: readonly Record<string, unknown>[]
  readonly data: readonly Record<string, unknown>[]
  readonly next: string | null
}

async function list(host: TestHost, user = 'anna'): Promise<Listed> {
  const { body } = await host.browse('/oauth-clients/unregistered', user)
  return body as unknown as Listed
}

function decide(host: TestHost, app: TestApp, verb: 'allow' | 'refuse' | 'end', user = 'anna'): Promise<Answer> {
  return host.browse(`/oauth-clients/unregistered/${appIdOf(app.clientId)}/${verb}`, user, { method: 'POST' })
}

const tokens = (host: TestHost, app: TestApp, user = 'bert') => host.tokens(app, { redirect_uri: REDIRECT }, user)

everywhere(
  'an unknown client waits for an admin, who sees who asks for what; then users let it in',
  async (t, host) => {
    const app = publish()
    const page = await ask(host, app)
    t.equal(page.status, 403)
    t.match(page.text, `must allow <bdi>${new URL(app.clientId).host}</bdi> first`)
    t.match(page.text, 'Nothing has been shared')
    t.equal(page.headers.get('location'), null)
    await ask(host, app)

    const { data, pending } = await list(host)
    t.strictSame(data, [])
    t.match(pending, [
      {
        clientId: app.clientId,
        host: new URL(app.clientId).host,
        name: 'Helper',
        state: 'pending',
        askedBy: 'bert',
        redirectHosts: ['agent.example'],
        scopes: ['read:records'],
        isBlocked: false,
      },
    ])
    t.equal(host.events.filter(({ type }) => type === 'admission_requested').length, 1)

    const allowed = await decide(host, app, 'allow')
    t.match(allowed.body, { client: { state: 'allowed' }, revoked: 0 })
    const { access, refresh } = await tokens(host, app)
    t.equal(await host.records(access), 200)
    t.equal((await host.refresh(app, refresh)).status, 200)
    const after = await list(host)
    t.strictSame(after.pending, [])
    t.match(after.data, [{ clientId: app.clientId, state: 'allowed' }])
    t.equal((await ask(host, app, 'cora')).status, 403, 'for its organisation alone')
  },
  ASKED,
)

everywhere(
  'refusing a client ends what it holds in the organisation, and nothing elsewhere',
  async (t, host) => {
    const app = publish()
    const [ours, theirs] = [await tokens(host, app), await tokens(host, app, 'cora')]
    t.match((await list(host)).data, [{ clientId: app.clientId, state: 'used' }], 'whatever the option says, admins see it')
    const code = await host.approve(app, { redirect_uri: REDIRECT }, 'anna')
    const screen = await host.authorize(app, { redirect_uri: REDIRECT, prompt: 'consent' }, 'anna')

    t.match((await decide(host, app, 'refuse')).body, { client: { state: 'refused' }, revoked: 1 })
    t.equal(await host.records(ours.access), 401)
    t.match((await host.refresh(app, ours.refresh)).body, { error: 'invalid_grant' })
    t.match((await host.redeem(app, code, { redirect_uri: REDIRECT })).body, { error: 'invalid_grant' }, 'a code from before')
    t.equal((await host.decide(screen)).status, 403, 'a screen from before')
    t.equal(await host.records(theirs.access), 200)
    t.equal((await host.refresh(app, theirs.refresh)).status, 200)

    const page = await ask(host, app)
    t.equal(page.status, 403)
    t.match(page.text, 'does not allow')
    const silent = await ask(host, app, 'bert', { prompt: 'none' })
    t.match(silent.params, { error: 'access_denied', state: 'state-1' })
    host.clock.advance(400 * 86_400)
    t.equal((await ask(host, app)).status, 403, 'what is refused stays refused')
    t.equal((await decide(host, app, 'allow')).status, 200)
    t.ok((await ask(host, app)).params.consent_id)
  },
  OPEN,
)

everywhere(
  'ending what a client holds lets it ask again',
  async (t, host) => {
    const app = publish()
    const { access } = await tokens(host, app)
    const code = await host.approve(app, { redirect_uri: REDIRECT }, 'bert')
    host.clock.advance(1)
    t.match((await decide(host, app, 'end')).body, { client: { state: 'used' }, revoked: 1 })
    t.equal(await host.records(access), 401)
    t.match((await host.redeem(app, code, { redirect_uri: REDIRECT })).body, { error: 'invalid_grant' })
    const again = await ask(host, app)
    t.ok(again.params.consent_id, 'its users are asked again')
    const page = await host.browse(String(again.headers.get('location')), 'bert')
    t.notMatch(page.text, 'Already allowed')
    t.equal(await host.records((await tokens(host, app)).access), 200)
  },
  OPEN,
)

everyFramework(
  'only admins see and decide, of their own organisation, and what it does not know is not told',
  async (t, host) => {
    const app = publish()
    await tokens(host, app, 'cora')
    t.equal((await host.browse('/oauth-clients/unregistered', 'bert')).status, 403)
    t.equal((await host.browse('/oauth-clients/unregistered', null)).status, 401)
    t.strictSame((await list(host)).data, [])
    t.equal((await decide(host, app, 'refuse')).status, 404)
    t.equal((await decide(host, app, 'refuse', 'bert')).status, 403)
    t.equal((await decide(host, app, 'refuse', 'cora')).status, 200)
    const own = await host.publicApp()
    t.equal((await host.browse(`/oauth-clients/unregistered/${own.clientId}/refuse`, 'anna', { method: 'POST' })).status, 404)
    t.equal((await host.browse('/oauth-clients/unregistered/x/refuse', 'anna', { method: 'POST' })).status, 404)
    const foreign = await host.browse(`/oauth-clients/unregistered/${appIdOf(app.clientId)}/allow`, 'cora', {
      method: 'POST',
      headers: { origin: 'https://evil.example' },
    })
    t.equal(foreign.status, 403)
  },
  OPEN,
)

everyFramework(
  'of a user five requests wait, and of an organisation fifty: the oldest go',
  async (t, host) => {
    const apps = Array.from({ length: 7 }, (_, index) => publish(`Agent ${index}`))
    for (const app of apps) {
      host.clock.advance(1)
      await ask(host, app)
    }
    const { pending } = await list(host)
    t.strictSame(pending.map(({ name }) => name).toSorted(), ['Agent 2', 'Agent 3', 'Agent 4', 'Agent 5', 'Agent 6'])
    host.clock.advance(31 * 86_400)
    t.strictSame((await list(host)).pending, [], 'none waits for ever')
  },
  ASKED,
)

everyFramework(
  'fifty requests of an organisation wait',
  async (t, host) => {
    for (let user = 0; user < 11; user++) {
      for (let one = 0; one < 5; one++) {
        host.clock.advance(1)
        await ask(host, publish(`${user}/${one}`), `many-${user}`)
      }
    }
    const names = (await list(host)).pending.map(({ name }) => name)
    t.equal(names.length, 50)
    t.notOk(names.includes('0/4'))
    t.ok(names.includes('1/0'))
  },
  {
    ...ASKED,
    authenticate: ({ headers }) => {
      const user = /session=([^;]+)/.exec(headers.cookie ?? '')?.[1] ?? ''
      return USERS[user] ?? { userId: user, orgId: 'org-1', isAdmin: false }
    },
  },
)

everyFramework(
  'host code decides as an admin would, before anybody has come too',
  async (t, host) => {
    const [app, other] = [publish(), publish()]
    await host.authmount.admitClient(app.clientId, ADMIN)
    t.ok((await ask(host, app)).params.consent_id)
    const { access } = await tokens(host, app)
    t.equal(await host.authmount.refuseClient(app.clientId, ADMIN), 1)
    t.equal(await host.records(access), 401)
    await host.authmount.refuseClient(other.clientId, ADMIN)
    t.match((await ask(host, other)).text, 'does not allow')
    t.match(
      host.events.filter(({ type }) => type.startsWith('admission_')),
      [{ type: 'admission_allowed', actorId: 'anna' }, { type: 'admission_refused', revoked: 1 }, { type: 'admission_refused' }],
    )
    await t.rejects(host.authmount.admitClient(app.clientId, { orgId: '', userId: 'anna' }), TypeError)
    await t.rejects(host.authmount.admitClient('unknown', ADMIN), TypeError)
  },
  ASKED,
)

everyFramework(
  'a function of the host decides for each user; one that fails lets nobody in',
  async (t, host) => {
    t.ok((await ask(host, publish('good'))).params.consent_id)
    t.match((await ask(host, publish('bad'))).text, 'does not allow')
    t.equal((await ask(host, publish('broken'))).status, 500)
    t.equal((await ask(host, publish('good'), 'cora')).status, 403)
  },
  {
    ...OPEN,
    clients: {
      admission: ({ host, name, origin }, { orgId }) => {
        if (name === 'broken') throw new Error('the list cannot be read')
        return name === 'good' && orgId === 'org-1' && host !== null && origin === 'metadata'
      },
    },
  },
)

everyFramework(
  'an app that was registered by hand needs no admission',
  async (t, host) => {
    const app = await host.publicApp()
    t.ok((await host.authorize(app, {}, 'bert')).params.consent_id)
    t.strictSame((await list(host)).data, [])
  },
  ASKED,
)

everyFramework(
  'the organisation that a user has chosen in a step decides',
  async (t, host) => {
    const app = publish()
    const choose = async (orgId: string) => {
      const { params } = await ask(host, app)
      const next = await host.authmount.passStep(String(params.step_id), { userId: 'bert', orgId })
      return host.browse(next, 'bert', { headers: { accept: 'text/html' } })
    }
    const screen = await choose('org-1')
    t.ok(screen.params.consent_id)
    await host.authmount.refuseClient(app.clientId, { orgId: 'org-2', userId: 'cora' })
    t.equal((await choose('org-2')).status, 403)
    t.ok((await choose('org-1')).params.consent_id)
    await host.decide(await choose('org-3'), 'granted', 'bert')
    t.strictSame((await list(host, 'anna')).data, [], 'nothing is used in the organisation of their session')
    t.match(await host.store.consents.get({ orgId: 'org-3' }, appIdOf(app.clientId)), { state: 'used' })
  },
  { ...OPEN, steps: () => [{ name: 'organisation', url: '/organisation' }] },
)
