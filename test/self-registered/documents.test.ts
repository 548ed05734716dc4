import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { appIdOf } from '../../src/base/ids.ts'
import { type TestApp, VERIFIER } from '../support/client.ts'
import { actSigned, assertionOf, newClientKey, postSigned } from '../support/client-keys.ts'
import { READS_HERE, startDocuments } from '../support/documents.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { frameworks, type HostOptions, type Mount, startHost, type TestHost } from '../support/host.ts'

const documents = await startDocuments()
const OPEN: HostOptions = { ...READS_HERE, clients: {} }
const DAY = 86_400
const KEY = newClientKey()

const REDIRECT = 'https://agent.example/callback'
const AGENT = {
  client_name: 'Code Helper',
  redirect_uris: [REDIRECT, 'http://127.0.0.1/callback', 'http://localhost/callback'],
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:jwt-bearer'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
}

let numbered = 0
function path(): string {
  numbered += 1
  return `/clients/${numbered}/client.json`
}

function publish(fields: object = {}, headers?: Readonly<Record<string, string>>): TestApp {
  return named(documents.publish(path(), { ...AGENT, ...fields }, headers))
}

function named(clientId: string): TestApp {
  return { clientId, clientSecret: null }
}

/** What somebody who is sent by this client is shown, in a browser. */
async function shown(host: TestHost, clientId: string, user: string | null = 'anna') {
  const query = host.authorizeQuery(named(clientId), { redirect_uri: REDIRECT })
  return host.browse(`/oauth/authorize?${query}`, user, { headers: { accept: 'text/html' } })
}

everywhere(
  'a client that nobody registered gets tokens by its document, and refreshes',
  async (t, host) => {
    const app = publish()
    const { access, refresh } = await host.tokens(app, { redirect_uri: REDIRECT })
    t.equal(await host.records(access), 200)
    const { body } = await host.refresh(app, refresh)
    t.equal(await host.records(body.access_token), 200)
    const token = await host.send('/any', { headers: { authorization: `Bearer ${body.access_token}` } })
    t.match(token.body, { clientId: app.clientId, userId: 'anna' })
    t.match(host.events[0], { type: 'client_registered', clientId: app.clientId, origin: 'metadata' })
    t.equal(documents.hits(new URL(app.clientId).pathname), 1, 'its document was read once')
  },
  OPEN,
)

everyFramework(
  'discovery says that documents are read, and the page names the host of the client, not the name it gives itself',
  async (t, host) => {
    const { body } = await host.send('/.well-known/oauth-authorization-server')
    t.equal(body.client_id_metadata_document_supported, true)
    t.ok((body.token_endpoint_auth_methods_supported as string[]).includes('none'))
    t.equal(body.registration_endpoint, undefined)

    const app = publish({ client_name: 'Your <b>Bank</b>', logo_uri: 'https://agent.example/logo.png' })
    const screen = await host.authorize(app, { redirect_uri: REDIRECT })
    const page = await host.browse(String(screen.headers.get('location')), 'anna')
    t.match(page.text, `<h1><bdi>${new URL(app.clientId).host}</bdi> wants to act for you</h1>`)
    t.match(page.text, 'It calls itself “<bdi>Your &lt;b&gt;Bank&lt;/b&gt;</bdi>”')
    t.match(page.text, 'agent.example')
    t.notMatch(page.text, 'logo.png', 'its picture is not loaded')
    const json = await host.browse(String(screen.headers.get('location')), 'anna', { headers: { accept: 'application/json' } })
    t.strictSame(json.body.unregistered, { host: new URL(app.clientId).host, on_device: false })

    const here = await host.authorize(app, { redirect_uri: 'http://localhost:51234/callback' })
    const local = await host.browse(String(here.headers.get('location')), 'anna')
    t.match(local.text, 'a program on this computer')
  },
  OPEN,
)

everyFramework(
  'ports of loopback addresses are free, and nothing else of a redirect URI is',
  async (t, host) => {
    const app = publish()
    for (const uri of ['http://localhost:3118/callback', 'http://127.0.0.1:60000/callback', 'http://localhost/callback'])
      t.equal((await host.authorize(app, { redirect_uri: uri })).status, 302, uri)
    for (const uri of ['http://localhost:3118/other', 'https://localhost:3118/callback', 'https://agent.example:8443/callback'])
      t.equal((await host.authorize(app, { redirect_uri: uri })).status, 400, uri)
  },
  OPEN,
)

everyFramework(
  'strangers make this server read nothing and store nothing',
  async (t, host) => {
    const app = publish()
    const answer = await host.authorize(app, { redirect_uri: REDIRECT }, null)
    t.match(answer.location?.pathname, '/login')
    const silent = await host.authorize(app, { redirect_uri: REDIRECT, prompt: 'none' }, null)
    t.equal(silent.status, 400, 'no address of an unknown client is gone to')
    t.match(silent.body, { error: 'login_required' })
    t.equal(documents.hits(new URL(app.clientId).pathname), 0)
    t.equal(await host.store.apps.get(appIdOf(app.clientId)), undefined)
    const back = String(answer.params.returnTo)
    const screen = await host.browse(back, 'anna')
    t.ok(screen.params.consent_id, 'who signs in goes on')
  },
  OPEN,
)

everyFramework(
  'without the option nothing is read',
  async (t, host) => {
    const app = publish()
    t.match((await host.authorize(app, { redirect_uri: REDIRECT })).body, { error: 'invalid_client' })
    t.equal(documents.hits(new URL(app.clientId).pathname), 0)
    const { body } = await host.send('/.well-known/oauth-authorization-server')
    t.notOk('client_id_metadata_document_supported' in body)
  },
  READS_HERE,
)

/** Documents that cannot be used, with what their makers are told. */
const FAULTS: Readonly<Record<string, readonly [publish: () => string, told: RegExp]>> = {
  'not there': [() => `${documents.origin}/nowhere`, /answered 404/],
  'a redirect': [
    () => documents.answer(path(), (_request, response) => response.writeHead(301, { location: '/elsewhere' }).end()),
    /redirect, which is not followed/,
  ],
  'a page': [
    () =>
      documents.answer(path(), (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')),
    /content type/,
  ],
  'plain text': [() => publish({}, { 'content-type': 'text/plain; charset=utf-8' }).clientId, /content type/],
  'no JSON': [
    () =>
      documents.answer(path(), (_request, response) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"client_id":'),
      ),
    /not JSON/,
  ],
  'a list': [
    () =>
      documents.answer(path(), (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('[]')),
    /must be a JSON object/,
  ],
  'of 5 KiB and a byte': [() => ofSize(5 * 1024 + 1), /more than 5120 bytes/],
  'a bomb of gzip': [
    () =>
      documents.answer(path(), (_request, response) =>
        response
          .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
          .end(gzipSync('{"a":"'.padEnd(5_000_000, 'a'))),
      ),
    /more than 5120 bytes/,
  ],
  'of another client': [() => publish({ client_id: `${documents.origin}/another` }).clientId, /its own URL/],
  'with another writing of its URL': [
    () => {
      const at = path()
      return documents.publish(at, { ...AGENT, client_id: `${documents.origin.replace('localhost', 'LOCALHOST')}${at}` })
    },
    /its own URL/,
  ],
  'without client_id': [() => publish({ client_id: null }).clientId, /its own URL/],
  'without a name': [() => publish({ client_name: undefined }).clientId, /client_name/],
  'without redirect URIs': [() => publish({ redirect_uris: [] }).clientId, /redirect_uris/],
  'with redirect URIs that run': [
    () => publish({ redirect_uris: ['javascript:alert(1)//', 'data:,x'] }).clientId,
    /redirect_uris/,
  ],
  'with too many redirect URIs': [
    () => publish({ redirect_uris: Array.from({ length: 21 }, (_, index) => `https://agent.example/${index}`) }).clientId,
    /at most 20/,
  ],
  'with a secret': [() => publish({ client_secret: 'x' }).clientId, /client_secret/],
  'of a secret method': [
    () => publish({ token_endpoint_auth_method: 'client_secret_basic' }).clientId,
    /must be one of private_key_jwt, none/,
  ],
  'of keys alone, without keys': [
    () => publish({ token_endpoint_auth_method: 'private_key_jwt' }).clientId,
    /private_key_jwt needs jwks or jwks_uri/,
  ],
  'with a private key': [
    () =>
      publish({
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [KEY.privateKey.export({ format: 'jwk' })] },
      }).clientId,
    /jwks must have no private or symmetric key/,
  ],
  'with keys in a private network': [
    () => publish({ token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'https://10.0.0.1/jwks' }).clientId,
    /jwks_uri cannot be called/,
  ],
  'without the grant of users': [() => publish({ grant_types: ['client_credentials'] }).clientId, /authorization_code/],
}

/** A document of exactly so many bytes. */
function ofSize(bytes: number): string {
  const at = path()
  const empty = JSON.stringify({ client_id: `${documents.origin}${at}`, ...AGENT, padding: '' }).length
  return documents.publish(at, { ...AGENT, padding: 'x'.repeat(bytes - empty) })
}

everyFramework(
  'a document that cannot be used is a page that names the host and tells its makers what to mend',
  async (t, host) => {
    const before = documents.hits('/nowhere')
    for (const [name, [make, told]] of Object.entries(FAULTS)) {
      const url = make()
      const answer = await shown(host, url)
      t.equal(answer.status, 400, name)
      t.equal(answer.headers.get('location'), null, `${name}: nobody is sent anywhere`)
      t.match(answer.text, told, name)
      t.match(answer.text, `<bdi>${new URL(url).host}</bdi> describes itself`, name)
      await shown(host, url)
    }
    t.equal((await shown(host, ofSize(5 * 1024))).status, 302, 'one of 5 KiB is read')
    t.equal(documents.hits('/nowhere'), before + 2, 'an error is not kept')
  },
  OPEN,
)

everyFramework(
  'what is no URL of a document is an unknown client, and is not called',
  async (t, host) => {
    const { origin } = documents
    const urls = [
      origin,
      `${origin}/`,
      `${origin}/a/../b`,
      `${origin}/a/%2e%2e/b`,
      `${origin}/a/./b`,
      `${origin}/a#b`,
      `${origin}/a#`,
      origin.replace('https://', 'https://user@').concat('/a'),
      origin.replace('https:', 'http:').concat('/a'),
      origin.replace('localhost', 'LOCALHOST').concat('/a'),
      `${origin}/a b`,
      `${origin}\\a`,
      'https:/localhost/a',
      `HTTPS${origin.slice(5)}/a`,
    ]
    for (const url of urls) {
      const answer = await shown(host, url)
      t.equal(answer.status, 400, url)
      t.match(answer.text, 'invalid_client', url)
      t.notMatch(answer.text, 'describes itself', url)
    }
    t.equal(documents.hits('/a'), 0)
    t.equal(documents.hits('/b'), 0)
  },
  OPEN,
)

everyFramework(
  'addresses of this machine and of private networks are not called',
  async (t, host) => {
    const app = publish()
    for (const url of [
      app.clientId,
      'https://10.0.0.1/a',
      'https://[::ffff:127.0.0.1]/a',
      'https://169.254.169.254/a',
      'https://2130706433/a',
    ]) {
      const answer = await shown(host, url)
      t.equal(answer.status, 400, url)
    }
    t.equal(documents.hits(new URL(app.clientId).pathname), 0)
  },
  { clients: {} },
)

everyFramework(
  'two hundred at once read a document once',
  async (t, host) => {
    const at = path()
    let release = () => {}
    const held = new Promise<void>(resolve => {
      release = resolve
    })
    const url = documents.answer(at, async (_request, response) => {
      await held
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ client_id: url, ...AGENT }))
    })
    const asked = Array.from({ length: 200 }, () => shown(host, url))
    await hit(at)
    release()
    const answers = await Promise.all(asked)
    t.ok(answers.every(({ status }) => status === 302))
    t.equal(documents.hits(at), 1)
  },
  OPEN,
)

async function hit(at: string): Promise<void> {
  while (documents.hits(at) === 0) await new Promise(resolve => setTimeout(resolve, 5))
}

everyFramework(
  'a document is believed for as long as it says, within bounds, and its last good copy serves through a bad day',
  async (t, host) => {
    const at = path()
    let status = 200
    let name = 'First'
    const url = documents.answer(at, (_request, response) => {
      const headers = { 'content-type': 'application/json', 'cache-control': 'max-age=600' }
      response.writeHead(status, headers).end(JSON.stringify({ client_id: url, ...AGENT, client_name: name }))
    })
    const nameShown = async () => {
      const screen = await shown(host, url)
      const page = await host.browse(String(screen.headers.get('location')), 'anna', { headers: { accept: 'application/json' } })
      return (page.body.client as { name: string } | undefined)?.name
    }
    t.equal(await nameShown(), 'First')
    name = 'Second'
    host.clock.advance(599)
    t.equal(await nameShown(), 'First', 'within its time')
    host.clock.advance(2)
    t.equal(await nameShown(), 'Second', 'after it')
    t.match(
      host.events.find(({ type }) => type === 'client_changed'),
      { clientId: url },
    )
    status = 503
    host.clock.advance(700)
    const before = documents.hits(at)
    t.equal(await nameShown(), 'Second', 'the last good copy')
    t.equal(await nameShown(), 'Second')
    t.equal(documents.hits(at), before + 1, 'for a minute it is not tried again')
    host.clock.advance(DAY)
    t.equal((await shown(host, url)).status, 400, 'not for ever')
    status = 200
    t.equal((await shown(host, url)).status, 302, 'an error is not kept')
  },
  { ...OPEN, clients: { neverUsedHours: 720 } },
)

everyFramework(
  'what the user saw is what is issued, even if the document changes under it',
  async (t, host) => {
    const at = path()
    let uris = [REDIRECT]
    const url = documents.answer(at, (_request, response) => {
      response
        .writeHead(200, { 'content-type': 'application/json', 'cache-control': 'max-age=300' })
        .end(JSON.stringify({ client_id: url, ...AGENT, redirect_uris: uris }))
    })
    const app = named(url)
    const [first, second] = [
      await host.authorize(app, { redirect_uri: REDIRECT }),
      await host.authorize(app, { redirect_uri: REDIRECT, state: 'b' }),
    ]
    uris = [REDIRECT, 'https://other.example/callback']
    host.clock.advance(301)
    t.match((await host.decide(first)).params, { code: /^am_ac_/ }, 'it is not read anew between question and answer')
    t.ok((await shown(host, url)).params.consent_id ?? (await shown(host, url)).params.code)
    const late = await host.decide(second)
    t.equal(late.status, 403)
    t.match(late.body, { error: 'invalid_request', error_description: /the app has changed/ })
  },
  OPEN,
)

everyFramework(
  'two URLs with one digest: the second is not let in',
  async (t, host) => {
    const app = publish()
    const other = publish()
    await host.authorize(other, { redirect_uri: REDIRECT })
    const record = await host.store.apps.get(appIdOf(other.clientId))
    if (!record) throw new Error('the other client is not stored')
    await host.store.apps.save({ ...record, id: appIdOf(app.clientId), version: 1 })
    const answer = await shown(host, app.clientId)
    t.equal(answer.status, 400)
    t.match(answer.text, 'invalid_client')
  },
  OPEN,
)

everyFramework(
  'the host may keep a client out by its document, and a hook that fails is no permission',
  async (t, host) => {
    t.equal((await shown(host, publish({ software_id: 'good' }).clientId)).status, 302)
    t.equal((await shown(host, publish({ software_id: 'bad' }).clientId)).status, 400)
    t.equal((await shown(host, publish({ software_id: 'broken' }).clientId)).status, 500)
  },
  {
    ...OPEN,
    clients: {
      metadataDocuments: {
        admit: (_url, { software_id }) => {
          if (software_id === 'broken') throw new Error('the list cannot be read')
          return software_id === 'good'
        },
      },
    },
  },
)

everyFramework(
  'a user, and a host of documents, has a budget; what is known goes on',
  async (t, host) => {
    const known = publish()
    t.equal((await shown(host, known.clientId)).status, 302)
    t.equal((await shown(host, publish().clientId)).status, 302)
    const third = await shown(host, publish().clientId)
    t.equal(third.status, 429)
    t.ok(third.headers.get('retry-after'))
    t.equal((await shown(host, publish().clientId, 'bert')).status, 302, 'another user')
    host.clock.advance(3601)
    t.equal((await shown(host, known.clientId)).status, 302)
    t.equal((await shown(host, publish().clientId)).status, 302)
    t.equal((await shown(host, publish().clientId)).status, 429)
    host.clock.advance(3601)
    t.equal((await shown(host, known.clientId)).status, 302, 'its copy serves')
  },
  { ...OPEN, rateLimits: { documents: { points: 2, seconds: 3600 }, screens: false } },
)

everywhere(
  'a client that nobody uses is forgotten, with the consents to it; one that is in use stays',
  async (t, host) => {
    const [unused, used] = [publish(), publish()]
    await host.authorize(unused, { redirect_uri: REDIRECT })
    const { refresh } = await host.tokens(used, { redirect_uri: REDIRECT })
    const [unusedId, usedId] = [appIdOf(unused.clientId), appIdOf(used.clientId)]
    host.clock.advance(DAY)
    t.equal(await host.store.apps.get(unusedId), undefined, 'after a day without a token')
    t.ok(await host.store.apps.get(usedId))
    let token: unknown = refresh
    for (let month = 0; month < 6; month++) {
      host.clock.advance(28 * DAY)
      const { body } = await host.refresh(used, token)
      token = body.refresh_token
    }
    t.ok(token, 'in use for half a year')
    t.ok(await host.store.consents.get({ userId: 'anna' }, usedId))
    host.clock.advance(92 * DAY)
    t.equal(await host.store.apps.get(usedId), undefined)
    t.equal(await host.store.consents.get({ userId: 'anna' }, usedId), undefined)
    t.equal(await host.store.consents.get({ orgId: 'org-1' }, usedId), undefined)
    const again = await host.authorize(used, { redirect_uri: REDIRECT })
    t.ok(again.params.consent_id, 'who comes again is asked again')
  },
  OPEN,
)

everywhere(
  'the host can block a client for everyone, seen before or not, and it does not come back by itself',
  async (t, host) => {
    const app = publish()
    const { access, refresh } = await host.tokens(app, { redirect_uri: REDIRECT })
    await host.authmount.blockClient(app.clientId)
    t.equal(await host.records(access), 401)
    t.match((await host.refresh(app, refresh)).body, { error: 'invalid_client' })
    host.clock.advance(200 * DAY)
    t.equal((await shown(host, app.clientId)).status, 400)
    await host.authmount.unblockClient(app.clientId)
    t.ok((await shown(host, app.clientId)).params.consent_id, 'who comes again is asked again')

    const unseen = publish()
    await host.authmount.blockClient(unseen.clientId)
    t.equal((await shown(host, unseen.clientId)).status, 400)
    t.equal(documents.hits(new URL(unseen.clientId).pathname), 0)
    const own = await host.publicApp()
    await t.rejects(host.authmount.blockClient(own.clientId), TypeError, 'an app of the host is suspended')
    await t.rejects(host.authmount.blockClient('no such client'), TypeError)
  },
  OPEN,
)

everyFramework(
  'a client that prefers keys and has some authenticates with them, as agents do, and cannot act for itself',
  async (t, host) => {
    const keys = documents.publish(path(), { keys: [KEY.jwk] })
    const app = publish({
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
      jwks_uri: keys,
    })
    const code = await host.approve(app, { redirect_uri: REDIRECT })
    t.equal((await host.redeem(app, code, { redirect_uri: REDIRECT })).body.error, 'invalid_client', 'its name is not enough')
    const redeem = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: VERIFIER }
    const aud = 'https://issuer.example/oauth/token'
    const listed = assertionOf(host, app, KEY, { claims: { aud: [aud] } })
    t.equal((await postSigned(host, '/oauth/token', listed, redeem)).body.error, 'invalid_client', 'an aud that is a list')
    const { body } = await postSigned(host, '/oauth/token', assertionOf(host, app, KEY, { claims: { aud } }), redeem)
    t.equal(await host.records(body.access_token), 200)
    const refresh = { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) }
    t.equal(
      (await postSigned(host, '/oauth/token', assertionOf(host, app, KEY), refresh)).status,
      200,
      'and an aud that is the issuer',
    )
    t.match((await actSigned(host, assertionOf(host, app, KEY))).body, { error: 'unauthorized_client' })
    const plain = await host.authorize(app, {
      redirect_uri: REDIRECT,
      code_challenge: undefined,
      code_challenge_method: undefined,
    })
    t.match(plain.params, { error: 'invalid_request' }, 'PKCE is a must')
  },
  OPEN,
)

everyFramework(
  'a client whose document gives keys, but says nothing of how it authenticates, does so as the document lists it',
  async (t, host) => {
    const methodOf = async (document: object) => {
      const { clientId } = publish({ ...document, token_endpoint_auth_method: undefined })
      await host.approve({ clientId, clientSecret: null }, { redirect_uri: REDIRECT })
      return (await host.store.apps.get(appIdOf(clientId)))?.authMethod
    }
    const supported = { token_endpoint_auth_methods_supported: ['private_key_jwt', 'none'] }
    t.equal(await methodOf({ ...supported, jwks: { keys: [KEY.jwk] } }), 'private_key_jwt')
    t.equal(await methodOf(supported), 'none', 'without keys')
    t.equal(await methodOf({ jwks: { keys: [KEY.jwk] } }), 'none', 'without the list')
  },
  OPEN,
)

everyFramework(
  'sensitive scopes, those of connectors and those of OpenID Connect are not for such clients',
  async (t, host) => {
    const app = publish({ scope: 'admin connector:mail openid read:records mcp:*' })
    const { refresh: _, access } = await host.tokens(app, {
      redirect_uri: REDIRECT,
      scope: 'read:records admin connector:mail profile',
    })
    const { body } = await host.send('/any', { headers: { authorization: `Bearer ${access}` } })
    t.strictSame(body.scopes, ['read:records'])
    const none = await host.authorize(app, { redirect_uri: REDIRECT, scope: 'admin' })
    t.match(none.params, { error: 'invalid_scope' })
    const { params } = await host.authorize(app, { redirect_uri: REDIRECT, scope: undefined })
    t.ok(params.code, 'a request without scope asks for all that is open, which is agreed to')
  },
  {
    ...OPEN,
    scopes: {
      'read:records': { description: 'Read your records' },
      admin: { description: 'Everything', sensitive: true },
      'connector:mail': { description: 'Your mail' },
      profile: { description: 'Your name' },
    },
  },
)

t.test('a slow server of documents is not waited for longer than five seconds', async t => {
  const host = await startHost(frameworks.fastify as Mount, OPEN)
  t.teardown(host.close)
  const at = path()
  const url = documents.answer(at, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const timer = setInterval(() => response.write(' '), 200)
    once(response, 'close').then(() => clearInterval(timer))
  })
  const began = performance.now()
  const answer = await shown(host, url)
  t.match(answer.text, /did not answer within 5 seconds/)
  t.ok(performance.now() - began < 15_000)
})
