/** What somebody tries who may send users here by any client, and knows the standards well. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { sha256 } from '../../src/base/crypto.ts'
import { appIdOf } from '../../src/base/ids.ts'
import type { Answer, TestApp } from '../support/client.ts'
import { READS_HERE, startDocuments } from '../support/documents.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { authenticate, type HostOptions, type TestHost } from '../support/host.ts'
import { register } from '../support/registrations.ts'
import { SIGN_IN } from '../support/sign-in.ts'

const documents = await startDocuments()
const DAY = 86_400
const REDIRECT = 'https://agent.example/callback'
const AGENT = { client_name: 'Helper', redirect_uris: [REDIRECT], grant_types: ['authorization_code', 'refresh_token'] }
const PUBLIC = { ...AGENT, token_endpoint_auth_method: 'none' }
const OPEN: HostOptions = { ...READS_HERE, clients: { registration: 'open' } }
const ASKED: HostOptions = { ...READS_HERE, clients: { registration: 'open', admission: 'organization' } }

let numbered = 0
function publish(fields: object = {}, headers?: Readonly<Record<string, string>>): TestApp {
  numbered += 1
  return { clientId: documents.publish(`/attacks/${numbered}`, { ...AGENT, ...fields }, headers), clientSecret: null }
}

function shown(host: TestHost, app: TestApp, user = 'bert'): Promise<Answer> {
  const query = host.authorizeQuery(app, { redirect_uri: REDIRECT })
  return host.browse(`/oauth/authorize?${query}`, user, { headers: { accept: 'text/html' } })
}

interface Listed {
  readonly pending: readonly Record<string, unknown>[]
  readonly data: readonly Record<string, unknown>[]
}

async function list(host: TestHost, user = 'anna'): Promise<Listed> {
  return (await host.browse('/oauth-clients/unregistered', user)).body as unknown as Listed
}

function decide(host: TestHost, app: TestApp, verb: 'allow' | 'refuse' | 'end', user = 'anna'): Promise<Answer> {
  return host.browse(`/oauth-clients/unregistered/${appIdOf(app.clientId)}/${verb}`, user, { method: 'POST' })
}

everywhere(
  'an admin can decide about a client for as long as its request waits, and its user comes back to it',
  async (t, host) => {
    const { body } = await register(host, PUBLIC)
    const apps = [publish(), { clientId: String(body.client_id), clientSecret: null }]
    for (const app of apps) t.equal((await shown(host, app)).status, 403)
    host.clock.advance(29 * DAY)
    t.equal((await list(host)).pending.length, 2)
    for (const app of apps) t.equal((await decide(host, app, 'allow')).status, 200)
    host.clock.advance(7 * DAY)
    for (const app of apps) t.ok((await shown(host, app)).params.consent_id)
  },
  ASKED,
)

everyFramework(
  'one user cannot tell the admins of one client after another without end',
  async (t, host) => {
    const apps = Array.from({ length: 7 }, () => publish())
    for (const app of apps) t.equal((await shown(host, app)).status, 403)
    const again = await shown(host, apps[0] as TestApp)
    t.equal(again.status, 429)
    t.ok(again.headers.get('retry-after'))
    t.equal(host.events.filter(({ type }) => type === 'admission_requested').length, 7)
  },
  { ...ASKED, rateLimits: { screens: { points: 7, seconds: 600 } } },
)

everyFramework(
  'no organisation has an id by which it sees what waits for another',
  async (t, host) => {
    await shown(host, publish())
    t.equal((await list(host)).pending.length, 1)
    t.strictSame(await list(host, 'mallory'), { pending: [], data: [], next: null })
  },
  {
    ...ASKED,
    authenticate: async request => {
      if (!request.headers.cookie?.includes('session=mallory')) return authenticate(request)
      return { userId: 'mallory', orgId: sha256(JSON.stringify(['pending', 'org-1'])), isAdmin: true }
    },
  },
)

everyFramework(
  'an organisation is not told when others met a client, or use it',
  async (t, host) => {
    const app = publish()
    await host.tokens(app, { redirect_uri: REDIRECT }, 'cora')
    const met = host.clock.now()
    host.clock.advance(3 * DAY)
    await host.authmount.admitClient(app.clientId, { orgId: 'org-1', userId: 'anna' })
    const [seen] = (await list(host)).data
    t.ok(Date.parse(String(seen?.firstSeen)) > met + DAY * 1000)
    t.equal(seen?.lastUsed, null)
    await host.tokens(app, { redirect_uri: REDIRECT }, 'bert')
    t.ok((await list(host)).data[0]?.lastUsed)
  },
  OPEN,
)

everyFramework(
  'a private host that is allowed for the providers of the host is not called for a stranger',
  async (t, host) => {
    const called: unknown[] = []
    const note = (message: unknown) => called.push((message as { request: ClientRequest }).request.host)
    subscribe('http.client.request.start', note)
    t.teardown(() => unsubscribe('http.client.request.start', note))
    const answer = await shown(host, { clientId: 'https://10.1.2.3:8443/a', clientSecret: null })
    t.equal(answer.status, 400)
    t.notOk(called.includes('10.1.2.3'))
  },
  { clients: {}, outbound: { allowPrivateHosts: ['10.1.2.3'] } },
)

everyFramework(
  'whom the host lets in no more has no good copy',
  async (t, host) => {
    const app = publish({}, { 'cache-control': 'max-age=300' })
    t.equal((await shown(host, app)).status, 302)
    admitted = false
    host.clock.advance(301)
    const answer = await shown(host, app)
    t.equal(answer.status, 400)
    t.match(answer.text, /does not let its client in/)
    admitted = true
    t.equal((await shown(host, app)).status, 302)
  },
  { ...OPEN, clients: { metadataDocuments: { admit: () => admitted } } },
)
let admitted = true

everyFramework(
  'the port of a host gives it no second budget, and others of a host cannot use up that of a client that is known',
  async (t, host) => {
    const known = publish({}, { 'cache-control': 'max-age=300' })
    t.equal((await shown(host, known)).status, 302)
    const elsewhere = new URL(
      '/a',
      documents.origin.replace(/\d+$/, port => String(Number(port) - 1)),
    )
    t.equal((await shown(host, { clientId: elsewhere.href, clientSecret: null })).status, 400)
    t.equal((await shown(host, publish())).status, 429)
    const before = documents.hits(new URL(known.clientId).pathname)
    host.clock.advance(301)
    t.equal((await shown(host, known)).status, 302)
    t.equal(documents.hits(new URL(known.clientId).pathname), before + 1, 'it is read anew')
  },
  { ...OPEN, rateLimits: { documentsOfHost: { points: 2, seconds: 3600 }, screens: false } },
)

everyFramework(
  'a document that many ask for at once is counted once, also by a limiter that others share',
  async (t, host) => {
    const app = publish()
    const answers = await Promise.all(['anna', 'bert', 'cora'].flatMap(user => [shown(host, app, user), shown(host, app, user)]))
    t.strictSame(new Set(answers.map(({ status }) => status)), new Set([302]))
  },
  {
    ...OPEN,
    rateLimits: { documentsOfHost: { points: 1, seconds: 3600 } },
    rateLimiter: ({ points }) => {
      const used = new Map<string, number>()
      return {
        points,
        async consume(key: string) {
          await turn()
          const count = (used.get(key) ?? 0) + 1
          used.set(key, count)
          const result = { remainingPoints: Math.max(0, points - count), msBeforeNext: 1000 }
          if (count > points) throw result
          return result
        },
      }
    },
  },
)

everyFramework(
  'registrations that are refused take nothing from the others',
  async (t, host) => {
    for (let round = 0; round < 3; round++) t.equal((await register(host, {})).status, 400)
    t.equal((await register(host, PUBLIC)).status, 201)
    t.equal((await register(host, PUBLIC)).status, 429)
  },
  { ...OPEN, rateLimits: { allRegistrations: { points: 1, seconds: 3600 } } },
)

everyFramework(
  'who reads a registration is told its token and its address again, as RFC 7592 wants',
  async (t, host) => {
    const { body } = await register(host, PUBLIC)
    const path = new URL(String(body.registration_client_uri)).pathname
    const read = await host.send(path, { headers: { authorization: `Bearer ${body.registration_access_token}` } })
    t.strictSame(read.body, body)
  },
  OPEN,
)

everyFramework(
  'a client that anybody may have registered sends nobody anywhere after a logout',
  async (t, host) => {
    const { body } = await register(host, PUBLIC)
    const query = new URLSearchParams({ client_id: String(body.client_id), post_logout_redirect_uri: REDIRECT })
    for (const user of ['anna', null]) {
      const answer = await host.browse(`/oauth/logout?${query}`, user, { headers: { accept: 'text/html' } })
      t.equal(answer.status, 400)
      t.notMatch(answer.text, REDIRECT)
    }
  },
  { ...SIGN_IN, logoutUrl: '/sign-out', clients: { registration: 'open' } },
)

everyFramework(
  'a client that has deleted its registration is not in the list of admins',
  async (t, host) => {
    const { body } = await register(host, PUBLIC)
    await host.tokens({ clientId: String(body.client_id), clientSecret: null }, { redirect_uri: REDIRECT })
    t.equal((await list(host)).data.length, 1)
    const path = new URL(String(body.registration_client_uri)).pathname
    await host.send(path, { method: 'DELETE', headers: { authorization: `Bearer ${body.registration_access_token}` } })
    t.strictSame((await list(host)).data, [])
  },
  OPEN,
)

everyFramework(
  'a client that takes the name of a host is never shown as that host, and one without a name has no empty one',
  async (t, host) => {
    const registered = async (client_name: string): Promise<TestApp> => {
      const { body } = await register(host, { ...PUBLIC, client_name })
      return { clientId: String(body.client_id), clientSecret: null }
    }
    const [liar, nobody] = [await registered('claude.ai'), await registered('')]
    const known = publish({ client_name: 'claude.ai' })
    for (const app of [liar, nobody, known]) await host.tokens(app, { redirect_uri: REDIRECT }, 'bert')
    const page = await host.browse('/oauth/connected-apps', 'bert', { headers: { accept: 'text/html' } })
    t.match(page.text, '<bdi>“claude.ai”</bdi>')
    t.match(page.text, `<bdi>${nobody.clientId}</bdi>`)
    t.match(page.text, `<bdi>${new URL(known.clientId).host}</bdi>`)
    t.notMatch(page.text, '<bdi>claude.ai</bdi>')
    const json = await host.browse('/oauth/connected-apps', 'bert')
    const hosts = (json.body as unknown as readonly { readonly host?: string }[]).flatMap(({ host }) => host ?? [])
    t.strictSame(hosts, [new URL(known.clientId).host])

    for (const app of [liar, nobody]) await decide(host, app, 'refuse')
    t.match((await shown(host, liar)).text, 'does not allow <bdi>“claude.ai”</bdi>')
    t.match((await shown(host, nobody)).text, `does not allow <bdi>${nobody.clientId}</bdi>`)
  },
  OPEN,
)
