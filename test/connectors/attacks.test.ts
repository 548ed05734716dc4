/** What an attacker, a hostile provider or a broken host tries with outside accounts: nothing of it connects, leaks, or reaches further. */
import { createHash, createHmac, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import type { Credential, Principal, Store } from 'authmount'
import { errorsUnder200, nestedUnder, type Provider, type SignInProvider, scopesSeparatedBy } from 'authmount/connectors'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import t, { type Test } from 'tap'
import type { Answer } from '../support/client.ts'
import { ANNA, BERT, type Begun, begin, CALLBACK, comeBack, FRONT, OTHER_FRONT, withConnectors } from '../support/connectors.ts'
import { settings } from '../support/everywhere.ts'
import { type Answer as Answered, type AnswerHandler, FakeProvider, type Received } from '../support/fake-provider.ts'
import { authenticate, type HostOptions, startHost, type TestHost, USERS } from '../support/host.ts'
import { newNamespace, stores } from '../support/stores.ts'

/** What must never be seen outside of requests to the provider, and of what the store keeps sealed, has this in it. */
const CANARY = /canary/
const CLIENT = { clientId: 'the-host', clientSecret: 'canary-secret' }
const MIB = 1_048_576
const SIGNED_IN = 'https://app.example/signed-in'
const EMAIL = 'anna@outside.example'

interface Scene {
  readonly host: TestHost
  readonly drive: FakeProvider
  readonly mail: FakeProvider
  /** Connectors by id; more can be added. */
  readonly providers: Record<string, Provider | (() => Provider | null)>
  /** Every record the store was given, as JSON. */
  readonly kept: readonly string[]
  /** What the provider of people's accounts, which is the connector's, has besides. */
  readonly signIn: { -readonly [Name in keyof SignInProvider]?: SignInProvider[Name] }
}

interface SceneOptions extends HostOptions {
  /** Default: every framework over every store. */
  readonly where?: typeof settings
  readonly unboundCallbacks?: boolean
  /** POST /connectors/getTokenFromCode is for the connector `drive`. */
  readonly workspace?: boolean
}

/** Every framework over one store, for what does not depend on the store. */
const overOneStore = settings.filter(({ connect }) => connect === stores.memory)
/** One framework over one store, for what no request to the host is part of: which addresses are called, and for how long. */
const onOneFramework = overOneStore.slice(0, 1)

/** A host with the connectors `drive` and `mail`, each at a provider of its own. Afterwards, no canary must have got out. */
function scene(name: string, run: (t: Test, scene: Scene) => Promise<void>, options: SceneOptions = {}): void {
  const { unboundCallbacks, where = settings, workspace = false, ...more } = options
  for (const { connect, mount, name: setting } of where) {
    t.test(`${setting}: ${name}`, async t => {
      const [drive, mail] = [await startFake(), await startFake()]
      const providers: Scene['providers'] = { drive: at(drive), mail: at(mail) }
      const kept: string[] = []
      const signIn: Scene['signIn'] = { redirectUris: [SIGNED_IN] }
      const host = await startHost(mount, {
        connect,
        ...withConnectors(providers, { unboundCallbacks, ...(workspace ? { googleWorkspace: { connectorId: 'drive' } } : {}) }),
        signInProvider: name => (name === 'drive' ? ({ ...providers.drive, ...signIn } as SignInProvider) : null),
        wrap: store => overheard(store, kept),
        ...more,
      })
      t.teardown(async () => {
        await host.close()
        await Promise.all([drive.close(), mail.close()])
      })
      const heard = listenIn(host)
      await run(t, { host, drive, mail, providers, kept, signIn })
      t.notMatch(
        inspect([host.logged, host.events], { depth: null, maxStringLength: null }),
        CANARY,
        'no secret in log or events',
      )
      t.notMatch(heard.join('\n'), CANARY, 'nor in an answer')
      t.notMatch(kept.join('\n'), CANARY, 'nor in the store')
    })
  }
}

/** An OpenID Connect provider that issues tokens for any code. A code's last part is the nonce. */
async function startFake(): Promise<FakeProvider> {
  const fake = await FakeProvider.start()
  fake.on('/token', async received => ({ body: await tokensFor(fake, received) }))
  fake.on('/revoke', {})
  return fake
}

async function tokensFor(
  fake: FakeProvider,
  { form }: Received,
  claims: object = {},
): Promise<Readonly<Record<string, unknown>>> {
  const nonce = form.get('code')?.split('.').at(-1)
  return {
    access_token: `canary-access-${randomUUID()}`,
    refresh_token: `canary-refresh-${randomUUID()}`,
    token_type: 'Bearer',
    expires_in: 3600,
    scope: 'openid files',
    ...(nonce === undefined ? {} : { id_token: await fake.idToken({ aud: CLIENT.clientId, nonce, ...claims }) }),
  }
}

function at(fake: FakeProvider, more: Partial<Provider> = {}): Provider {
  return { ...CLIENT, issuer: fake.url, scopes: ['openid', 'files'], ...more }
}

function overheard(store: Store, kept: string[]): Store {
  const keep =
    <Given extends readonly unknown[], Result>(operation: (...given: Given) => Result) =>
    (...given: Given) => {
      kept.push(JSON.stringify(given))
      return operation(...given)
    }
  const { credentials, oneTime } = store
  return {
    ...store,
    credentials: { ...credentials, save: keep(credentials.save.bind(credentials)) },
    oneTime: {
      ...oneTime,
      put: keep(oneTime.put.bind(oneTime)) as typeof oneTime.put,
      claim: keep(oneTime.claim.bind(oneTime)) as typeof oneTime.claim,
    },
  }
}

/** Every answer from now on, whole; but for the tokens that the account exchange is there to hand out. */
function listenIn(host: TestHost): readonly string[] {
  const heard: string[] = []
  const send = host.send.bind(host)
  host.send = async (path, init) => {
    const answer = await send(path, init)
    if (!path.startsWith('/userAccount') || answer.status !== 200) heard.push(answer.text, JSON.stringify([...answer.headers]))
    return answer
  }
  return heard
}

/** What the provider sends the browser back with. */
function answerTo({ authorizationUrl, state }: Begun): Record<string, string> {
  return { state, code: `canary-code.${authorizationUrl.searchParams.get('nonce')}` }
}

async function connectAccount(host: TestHost, connectorId = 'drive', user = 'anna'): Promise<Answer> {
  const begun = await begin(host, connectorId, user)
  return comeBack(host, answerTo(begun), { cookie: begun.cookie })
}

/** A front end redeems a code, with everything in order but for `fields`. */
function exchange(host: TestHost, fields: object = {}): Promise<Answer> {
  const inOrder = { provider: 'drive', redirectUri: SIGNED_IN, email: EMAIL, code: `canary-code-${randomUUID()}` }
  const headers = { 'content-type': 'application/json' }
  return host.send('/userAccount/oauth/exchange', { method: 'POST', headers, body: JSON.stringify({ ...inOrder, ...fields }) })
}

function connected(t: Test, answer: Answer, what = ''): void {
  t.equal(answer.status, 302, what)
  t.equal(answer.location?.pathname, '/connectors/oauth/success', what)
}

/** It ended on the front end's error page, with a code of ours and nothing else. */
function failed(t: Test, answer: Answer, error: string, what: string, connectorId = 'drive'): void {
  t.equal(answer.status, 302, what)
  t.equal(answer.headers.get('location'), `${FRONT}/connectors/oauth/error?${new URLSearchParams({ connectorId, error })}`, what)
}

function refused(t: Test, answer: Answer, status: number, what: string): void {
  t.equal(answer.status, status, what)
  t.equal(answer.location, undefined, what)
  t.notMatch(answer.text, /\bat .*:\d+:\d+|node_modules|<script/, what)
}

const stored = (host: TestHost, connectorId = 'drive', { orgId, userId } = ANNA): Promise<Credential | undefined> =>
  host.store.credentials.get(connectorId, JSON.stringify([orgId, userId]))

const isConnected = async (host: TestHost, connectorId = 'drive', owner = ANNA) =>
  (await host.authmount.connectorStatus(connectorId, owner)).connected

const settled = (run: Promise<unknown>): Promise<unknown> => run.catch((error: unknown) => error)

/** Something nobody should reach, on every address of this machine: says how many tried. */
async function canary(t: Test): Promise<{ readonly port: number; heard: number }> {
  const bird = { port: 0, heard: 0 }
  const server = createServer(socket => {
    bird.heard += 1
    socket.on('error', () => {})
    socket.destroy()
  }).listen(0)
  await once(server, 'listening')
  const address = server.address()
  bird.port = typeof address === 'object' ? (address?.port ?? 0) : 0
  t.teardown(() => server.close())
  return bird
}

/** Addresses at which this machine can be reached although it is not `loopback`, and none is public. */
const OWN_ADDRESSES = [
  ...['0.0.0.0', '0', '[::]', '[::ffff:0.0.0.0]'],
  ...Object.values(networkInterfaces())
    .flatMap(list => list ?? [])
    .filter(
      ({ internal, address }) =>
        !internal && /^(10\.|172\.(1[6-9]|2\d|3[01])\.|192\.(168|0\.2)\.|169\.254\.|f[cd]..:)/.test(address),
    )
    .map(({ address, family }) => (family === 'IPv6' ? `[${address}]` : address)),
]

// Most of it is waiting.
t.jobs = 4

// ── The state ────────────────────────────────────────────────────────────────

scene('a state that was not issued, or was altered, is refused, and the flow goes on', async (t, { drive, host }) => {
  const begun = await begin(host, 'drive')
  const { cookie, state } = begun
  const { code = '' } = answerTo(begun)
  const [random = '', id = ''] = state.split('.')
  const other = (await begin(host, 'mail')).state
  const swapped = (index: number) => state.slice(0, index) + (state[index] === 'A' ? 'B' : 'A') + state.slice(index + 1)
  const forged = Buffer.from(JSON.stringify({ connectorId: 'drive', ...ANNA })).toString('base64url')
  const states: readonly string[] = [
    ...['', 'x', 'null', 'undefined', '__proto__', forged, `${forged}.${id}`, 'a'.repeat(4000), '\u0000', '<script>', '../..'],
    ...[swapped(0), swapped(20), swapped(state.length - 1), random, id, `.${id}`, `${random}.`, `${state} `, ` ${state}`],
    ...[`${state}.`],
    ...[state.toUpperCase(), `${random}.${Buffer.from('mail').toString('base64url')}`, `${other.split('.')[0]}.${id}`],
    ...[createHash('sha256').update(state).digest('base64url'), cookie.split('=')[1] ?? '', `${state}\r\n`],
  ]
  for (const headers of [{ cookie }, { cookie: `session=anna; ${cookie}` }])
    for (const wrong of states) {
      const what = JSON.stringify(wrong.slice(0, 80))
      refused(t, await comeBack(host, { code, state: wrong }, headers), 400, what)
      refused(t, await comeBack(host, { error: 'access_denied', state: wrong }, headers), 400, what)
    }
  refused(t, await comeBack(host, { code }, { cookie }), 400, 'none')
  t.equal(drive.countOf('/token'), 0, 'the provider was not asked')
  t.equal(await isConnected(host), false)
  t.strictSame(host.events, [])
  connected(t, await comeBack(host, answerTo(begun), { cookie }))
})

scene(
  'a flow ends only in a browser of the user who began it',
  async (t, { drive, host, mail }) => {
    const own = await host.tokens(await host.confidentialApp())
    const cases: readonly (readonly [string, boolean, (own: Begun, other: Begun) => Record<string, string>])[] = [
      ['nobody', false, () => ({})],
      ['nobody, with the cookie', true, ({ cookie }) => ({ cookie })],
      ['nobody, with the cookie among others', true, ({ cookie }, other) => ({ cookie: `a=b; ${other.cookie}; ${cookie};c=d` })],
      ['nobody, with another’s cookie', false, (_, { cookie }) => ({ cookie })],
      ['nobody, with the cookie of another under this name', false, (own, other) => ({ cookie: crossed(own, other) })],
      ['nobody, with an empty cookie', false, ({ cookie }) => ({ cookie: `${cookie.split('=')[0]}=` })],
      ['nobody, with a shortened cookie', false, ({ cookie }) => ({ cookie: cookie.slice(0, -1) })],
      ['nobody, with the cookie under another name', false, ({ cookie }) => ({ cookie: `x${cookie}` })],
      ['nobody, with the cookie in another header', false, ({ cookie }) => ({ 'x-cookie': cookie, authorization: cookie })],
      ['the user', true, () => ({ cookie: 'session=anna' })],
      ['the user, with another’s cookie', true, (_, { cookie }) => ({ cookie: `session=anna; ${cookie}` })],
      ['another user', false, () => ({ cookie: 'session=bert' })],
      ['another user, with the cookie', false, ({ cookie }) => ({ cookie: `session=bert; ${cookie}` })],
      ['an admin of another organisation', false, ({ cookie }) => ({ cookie: `session=cora; ${cookie}` })],
      ['the same user in another organisation', false, ({ cookie }) => ({ cookie: `session=anna-abroad; ${cookie}` })],
      ['an app with a token of the user’s', false, () => ({ cookie: 'session=anna', authorization: `Bearer ${own.access}` })],
    ]
    for (const [who, allowed, headersOf] of cases) {
      const [hers, his] = [await begin(host, 'drive', 'anna'), await begin(host, 'mail', 'bert')]
      const asked = drive.countOf('/token')
      const answer = await comeBack(host, answerTo(hers), headersOf(hers, his))
      if (allowed) {
        connected(t, answer, who)
        await host.authmount.disconnect('drive', ANNA)
        continue
      }
      refused(t, answer, 403, who)
      refused(t, await comeBack(host, { error: 'access_denied', state: hers.state }, headersOf(hers, his)), 403, `${who}, error`)
      t.equal(drive.countOf('/token'), asked, `${who}: the provider was not asked`)
      for (const owner of [ANNA, BERT, { ...ANNA, orgId: 'org-2' }]) t.notOk(await isConnected(host, 'drive', owner), who)
      connected(t, await comeBack(host, answerTo(hers), { cookie: hers.cookie }), `${who}: the user can go on`)
      await host.authmount.disconnect('drive', ANNA)
    }
    t.equal(mail.countOf('/token'), 0)
  },
  {
    authenticate: async request => {
      const abroad: Principal = { ...(USERS.anna as Principal), orgId: 'org-2' }
      return request.headers.cookie?.includes('session=anna-abroad') ? abroad : authenticate(request)
    },
  },
)

const crossed = (own: Begun, other: Begun) => `${own.cookie.split('=')[0]}=${other.cookie.split('=')[1]}`

scene('two tabs at once do not disturb each other', async (t, { drive, host }) => {
  const tabs = await Promise.all([begin(host, 'drive'), begin(host, 'drive'), begin(host, 'mail')])
  const cookie = tabs.map(tab => tab.cookie).join('; ')
  t.equal(new Set(tabs.map(tab => tab.cookie.split('=')[0])).size, 3)
  for (const answer of await Promise.all(tabs.map(tab => comeBack(host, answerTo(tab), { cookie })))) connected(t, answer)
  t.equal(drive.countOf('/token'), 2)
  for (const [index, tab] of tabs.slice(0, 2).entries()) {
    const { code } = answerTo(tab)
    const { form } = drive.to('/token').find(request => request.form.get('code') === code) ?? { form: new URLSearchParams() }
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    t.equal(challenge, tab.authorizationUrl.searchParams.get('code_challenge'), `tab ${index} sends its own verifier`)
  }
  t.ok(await isConnected(host, 'drive'))
  t.ok(await isConnected(host, 'mail'))
})

scene('a code of another provider goes only where the flow was begun', async (t, { drive, host, mail }) => {
  drive.on('/token', { status: 400, body: { error: 'invalid_grant', error_description: 'canary' } })
  const [here, there] = [await begin(host, 'drive'), await begin(host, 'mail')]
  const mixed = await comeBack(host, { state: here.state, code: answerTo(there).code ?? '' }, { cookie: here.cookie })
  failed(t, mixed, 'provider_refused', 'the code of another')
  t.equal(mail.countOf('/token'), 0)
  t.equal(await isConnected(host, 'drive'), false)
  t.equal(await isConnected(host, 'mail'), false)
  connected(t, await comeBack(host, answerTo(there), { cookie: there.cookie }))
})

scene('an answer that names another issuer is not for this flow, which goes on', async (t, { drive, host, mail }) => {
  const begun = await begin(host, 'drive')
  const { cookie } = begun
  for (const iss of [
    mail.url,
    `${drive.url}/x`,
    `${drive.url}.evil.example`,
    'https://evil.example',
    drive.url.toUpperCase(),
    'x',
  ]) {
    refused(t, await comeBack(host, { ...answerTo(begun), iss }, { cookie }), 400, iss)
    refused(t, await comeBack(host, { state: begun.state, error: 'access_denied', iss }, { cookie }), 400, `an error of ${iss}`)
  }
  t.equal(drive.countOf('/token'), 0)
  t.equal(await isConnected(host), false)
  connected(t, await comeBack(host, { ...answerTo(begun), iss: drive.url }, { cookie }))
})

scene('an issuer that is promised must be named', async (t, { drive, host }) => {
  drive.on('/.well-known/openid-configuration', () => ({
    body: drive.metadata({ authorization_response_iss_parameter_supported: true }),
  }))
  const silent = await begin(host, 'drive')
  failed(t, await comeBack(host, answerTo(silent), { cookie: silent.cookie }), 'invalid_response', 'without iss')
  t.equal(drive.countOf('/token'), 0)
  t.equal(await isConnected(host), false)
  const begun = await begin(host, 'drive')
  connected(t, await comeBack(host, { ...answerTo(begun), iss: drive.url }, { cookie: begun.cookie }))
})

scene('a state works once, one after the other or ten at once', async (t, { drive, host }) => {
  const first = await begin(host, 'drive')
  connected(t, await comeBack(host, answerTo(first), { cookie: first.cookie }))
  const connection = await stored(host)
  for (const params of [answerTo(first), { state: first.state, code: 'another' }, { state: first.state, error: 'access_denied' }])
    refused(t, await comeBack(host, params, { cookie: `session=anna; ${first.cookie}` }), 400, JSON.stringify(params))
  t.equal(drive.countOf('/token'), 1)
  t.strictSame(await stored(host), connection, 'the first connection stays')

  const second = await begin(host, 'drive')
  const answers = await Promise.all(Array.from({ length: 10 }, () => comeBack(host, answerTo(second), { cookie: second.cookie })))
  t.strictSame(answers.map(({ status }) => status).toSorted(), [302, ...Array(9).fill(400)])
  t.equal(drive.countOf('/token'), 2)
  t.ok(await isConnected(host))

  const denied = await begin(host, 'drive')
  failed(
    t,
    await comeBack(host, { state: denied.state, error: 'access_denied' }, { cookie: denied.cookie }),
    'access_denied',
    'denied',
  )
  refused(t, await comeBack(host, answerTo(denied), { cookie: denied.cookie }), 400, 'a code after an error')
  t.equal(drive.countOf('/token'), 2)
  t.ok(await isConnected(host))
})

scene('a state is good for ten minutes', async (t, { drive, host }) => {
  const [early, late] = [await begin(host, 'drive'), await begin(host, 'drive')]
  host.clock.advance(595)
  connected(t, await comeBack(host, answerTo(early), { cookie: early.cookie }))
  host.clock.advance(6)
  refused(t, await comeBack(host, answerTo(late), { cookie: late.cookie }), 400, 'later')
  t.equal(drive.countOf('/token'), 1)
})

scene(
  'where callbacks are not bound, anybody may bring one but another user',
  async (t, { host }) => {
    const begun = await begin(host, 'drive')
    t.equal(begun.answer.headers.get('set-cookie'), null)
    refused(t, await comeBack(host, answerTo(begun), { cookie: 'session=bert' }), 403, 'another user')
    refused(t, await comeBack(host, answerTo(begun), { cookie: 'session=cora' }), 403, 'of another organisation')
    connected(t, await comeBack(host, answerTo(begun)), 'nobody')
    t.equal(await isConnected(host, 'drive', BERT), false)
    refused(t, await comeBack(host, answerTo(begun)), 400, 'again')
  },
  { unboundCallbacks: true },
)

scene('a connector that is gone when the user comes back is not connected', async (t, { drive, host, providers }) => {
  for (const gone of [() => null, () => 'no-oauth' as never]) {
    providers.drive = at(drive)
    const begun = await begin(host, 'drive')
    providers.drive = gone
    failed(t, await comeBack(host, answerTo(begun), { cookie: begun.cookie }), 'not_configured', String(gone))
  }
  t.equal(drive.countOf('/token'), 0)
})

// ── What is kept ─────────────────────────────────────────────────────────────

scene('what the store keeps is sealed, under a fresh IV each time', async (t, { drive, host, kept }) => {
  for (let round = 0; round < 5; round++) connected(t, await connectAccount(host))
  const { accessToken } = await host.authmount.connectorToken('drive', ANNA)
  await host.authmount.connectorToken('drive', ANNA, { refused: accessToken })
  t.match(accessToken, CANARY)
  const credentials = kept.flatMap(json => (JSON.parse(json) as [Partial<Credential>])[0].sealed ?? [])
  const ivs = new Set<string>()
  const all = new Set(credentials)
  t.ok(all.size >= 6)
  for (const sealed of all) {
    const [header = '', key, iv = '', , tag = ''] = sealed.split('.')
    t.match(JSON.parse(Buffer.from(header, 'base64url').toString()), { alg: 'dir', enc: 'A256GCM', kid: /^[\w-]+$/ })
    t.equal(key, '')
    t.equal(Buffer.from(iv, 'base64url').length, 12)
    t.equal(Buffer.from(tag, 'base64url').length, 16)
    ivs.add(iv)
  }
  t.equal(ivs.size, all.size)
  const secret = new RegExp(
    drive
      .to('/token')
      .flatMap(({ form }) => form.get('refresh_token') ?? [])
      .join('|'),
  )
  t.notMatch(kept.join('\n'), secret)
})

scene(
  'what was sealed for one does not open for another, nor altered, and nothing is lost by trying',
  async (t, { drive, host }) => {
    connected(t, await connectAccount(host, 'drive', 'anna'))
    connected(t, await connectAccount(host, 'mail', 'anna'))
    connected(t, await connectAccount(host, 'drive', 'bert'))
    const mine = (await stored(host)) as Credential
    const token = await host.authmount.connectorToken('drive', ANNA)
    const parts = mine.sealed.split('.')
    const withPart = (index: number, change: (bytes: Buffer) => Buffer) =>
      parts.map((part, at) => (at === index ? change(Buffer.from(part, 'base64url')).toString('base64url') : part)).join('.')
    const flipped = (bytes: Buffer) => Buffer.from(bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte)))
    const header = { ...JSON.parse(Buffer.from(parts[0] ?? '', 'base64url').toString()) }
    const wrong: Readonly<Record<string, string>> = {
      'of another connector': (await stored(host, 'mail'))?.sealed ?? '',
      'of another user': (await stored(host, 'drive', BERT))?.sealed ?? '',
      'one bit of the header': withPart(0, flipped),
      'one bit of the IV': withPart(2, flipped),
      'one bit of the text': withPart(3, flipped),
      'one bit of the tag': withPart(4, flipped),
      'four bytes of tag': withPart(4, bytes => bytes.subarray(0, 4)),
      'no tag': withPart(4, () => Buffer.alloc(0)),
      'no text': withPart(3, () => Buffer.alloc(0)),
      'another purpose': withPart(0, () => Buffer.from(JSON.stringify({ ...header, purpose: 'x' }))),
      'another algorithm': withPart(0, () => Buffer.from(JSON.stringify({ ...header, enc: 'A128CBC-HS256' }))),
      'with compression': withPart(0, () => Buffer.from(JSON.stringify({ ...header, zip: 'DEF' }))),
      nothing: '',
      garbage: 'x.y.z',
      plaintext: JSON.stringify({ accessToken: 'mine', refreshToken: null, tokenType: 'Bearer', scopes: null }),
    }
    let { version } = mine
    for (const [what, sealed] of Object.entries(wrong)) {
      version += 1
      t.ok(await host.store.credentials.save({ ...mine, sealed, version }), what)
      for (const options of [{}, { refused: token.accessToken }]) {
        const error = await settled(host.authmount.connectorToken('drive', ANNA, options))
        t.ok(error instanceof Error && error.message !== '', `${what}: ${error}`)
        t.notMatch(inspect(error, { depth: null }), CANARY, what)
        t.not((error as { readonly code?: unknown }).code, 'needs_reconnect', what)
      }
      const now = (await stored(host)) as Credential
      t.equal(now.sealed, sealed, `${what}: it is as it was`)
      t.equal(now.needsReconnect, false, what)
      version = now.version
    }
    t.ok(await host.store.credentials.save({ ...mine, version: version + 1 }))
    t.same(await host.authmount.connectorToken('drive', ANNA), token)
    t.equal(drive.countOf('/token'), 2, 'the provider was not asked')

    t.ok(await host.store.credentials.save({ ...mine, sealed: wrong.garbage ?? '', version: version + 2 }))
    t.strictSame(await host.authmount.disconnect('drive', ANNA), { disconnected: true, revoked: false })
    connected(t, await connectAccount(host), 'the user can always connect again')
  },
)

const [OLD, NEW, OTHER] = ['old', 'new', 'other'].map(name => createHash('sha256').update(`sealing key ${name}`).digest()) as [
  Buffer,
  Buffer,
  Buffer,
]

/** Hosts one after the other over one store. */
async function overOne(t: Test, { connect, mount }: (typeof settings)[number], drive: FakeProvider) {
  const { close, store } = await connect(newNamespace())
  t.teardown(close)
  return async (...sealingKeys: readonly Uint8Array[]) => {
    const host = await startHost(mount, { ...withConnectors({ drive: at(drive) }), sealingKeys, store })
    t.teardown(host.close)
    return host
  }
}

for (const setting of settings) {
  t.test(`${setting.name}: sealing keys are rotated while two hosts run, and nothing fails`, async t => {
    const drive = await startFake()
    t.teardown(() => drive.close())
    const start = await overOne(t, setting, drive)
    const before = await start(OLD)
    const owners = ['anna', 'bert', 'cora'].map(name => USERS[name] as Principal)
    for (const { userId } of owners) connected(t, await connectAccount(before, 'drive', userId))
    const readAll = async (...hosts: readonly TestHost[]) => {
      const reads = owners.flatMap(owner => [...hosts, ...hosts].map(host => host.authmount.connectorToken('drive', owner)))
      return new Set((await Promise.all(reads)).map(({ accessToken }) => accessToken))
    }
    const tokens = await readAll(before)
    t.equal(tokens.size, 3)
    const kid = async (owner: Principal) =>
      JSON.parse(Buffer.from((await stored(before, 'drive', owner))?.sealed.split('.')[0] ?? '', 'base64url').toString()).kid
    const oldKid = await kid(owners[0] as Principal)

    const [both, newest] = [await start(OLD, NEW), await start(NEW, OLD)]
    t.strictSame(await readAll(before, both), tokens, 'it is known everywhere')
    t.strictSame(await readAll(both, newest), tokens, 'it comes first at one')
    const refreshed = await Promise.all(
      owners.map(async (owner, index) => {
        const host = index % 2 === 0 ? both : newest
        const { accessToken } = await host.authmount.connectorToken('drive', owner)
        return (await host.authmount.connectorToken('drive', owner, { refused: accessToken })).accessToken
      }),
    )
    t.strictSame(await readAll(both, newest), new Set(refreshed))
    t.strictSame(await readAll(newest, await start(NEW, OLD)), new Set(refreshed), 'and then everywhere')
    const after = await start(NEW)
    t.strictSame(await readAll(after), new Set(refreshed), 'the old one is not needed any more')
    for (const owner of owners) t.not(await kid(owner), oldKid)

    const stranger = await start(OTHER)
    const kept = await stored(after)
    for (let round = 0; round < 2; round++) {
      const error = await settled(stranger.authmount.connectorToken('drive', ANNA))
      t.match(error, { message: /sealing ?keys?/i }, 'a key that is missing is said to be')
    }
    t.equal((await stored(after))?.sealed, kept?.sealed)
    t.strictSame(await readAll(after), new Set(refreshed), 'and nothing is lost')
  })

  t.test(`${setting.name}: what is sealed anew while it is refreshed keeps what the refresh brings`, async t => {
    const drive = await startFake()
    t.teardown(() => drive.close())
    const start = await overOne(t, setting, drive)
    const [older, newer] = [await start(OLD, NEW), await start(NEW, OLD)]
    connected(t, await connectAccount(older))
    const first = await older.authmount.connectorToken('drive', ANNA)
    let live: unknown
    const rotating: AnswerHandler = async received => {
      const given = received.form.get('refresh_token')
      if (live !== undefined && given !== live) return { status: 400, body: { error: 'invalid_grant' } }
      const { id_token: _, ...tokens } = await tokensFor(drive, received)
      live = tokens.refresh_token
      if (given !== null && drive.countOf('/token') === 2) await newer.authmount.connectorToken('drive', ANNA)
      return { body: tokens }
    }
    drive.on('/token', rotating)
    const second = await settled(older.authmount.connectorToken('drive', ANNA, { refused: first.accessToken }))
    t.match(second, { accessToken: /^canary-access/ }, inspect(second))
    t.not((second as typeof first).accessToken, first.accessToken)
    t.equal(drive.countOf('/token'), 2, 'no refresh token is used twice')
    t.match(await older.authmount.connectorStatus('drive', ANNA), { connected: true, needsReconnect: false })
    t.same(await settled(newer.authmount.connectorToken('drive', ANNA)), second)
  })
}

// ── Where it leads ───────────────────────────────────────────────────────────

scene(
  'the browser returns to a front end of the host’s, whatever is asked for',
  async (t, { host }) => {
    const wrong: readonly string[] = [
      ...['https://evil.example', '//evil.example', '/\\evil.example', '\\\\evil.example', 'javascript:alert(1)', 'None'],
      ...['null', ''],
      ...[`${FRONT}.evil.example`, `${FRONT}@evil.example`, `${FRONT}:8443`, `${FRONT}/path`, `${FRONT}//`, `${FRONT}?x`],
      ...[`${FRONT}#x`],
      ...['http://app.example', 'HTTPS://APP.EXAMPLE', ' https://app.example', `${FRONT}\r\nx: y`, `${FRONT},${OTHER_FRONT}`],
      ...['*', '/'],
      ...['data:text/html,x', 'https://app.example\u0000', 'https://аpp.example', `${FRONT}/..`, 'app.example', 'x'.repeat(5000)],
    ]
    for (const baseUrl of wrong) {
      const { answer } = await begin(host, 'drive', 'anna', `?${new URLSearchParams({ baseUrl })}`)
      refused(t, answer, 400, baseUrl.slice(0, 80))
      t.equal(answer.headers.get('set-cookie'), null)
      const begun = await begin(host, 'drive')
      const back = await comeBack(host, { ...answerTo(begun), baseUrl }, { cookie: begun.cookie })
      t.equal(back.headers.get('location'), `${FRONT}/connectors/oauth/success?connectorId=drive`, baseUrl.slice(0, 80))
    }
    for (const [baseUrl, expected] of [
      [FRONT, FRONT],
      [OTHER_FRONT, OTHER_FRONT],
      [`${OTHER_FRONT}/`, OTHER_FRONT],
    ] as const) {
      const begun = await begin(host, 'drive', 'anna', `?${new URLSearchParams({ baseUrl })}`)
      const back = await comeBack(host, { ...answerTo(begun), baseUrl: 'https://evil.example' }, { cookie: begun.cookie })
      t.equal(back.location?.origin, expected)
      t.equal(back.headers.get('referrer-policy'), 'no-referrer')
    }
  },
  { where: overOneStore },
)

scene(
  'what the provider says went wrong comes out as a code of ours',
  async (t, { drive, host }) => {
    connected(t, await connectAccount(host))
    const connection = await stored(host)
    const errors: readonly (readonly [string, string])[] = [
      ['access_denied', 'access_denied'],
      ['server_error', 'provider_unavailable'],
      ['temporarily_unavailable', 'provider_unavailable'],
      ['invalid_scope', 'provider_refused'],
      ['<script>canary(1)</script>', 'provider_refused'],
      [`canary${'a'.repeat(6000)}`, 'provider_refused'],
      ['canary\r\nSet-Cookie: session=canary', 'provider_refused'],
      ['canary"\'`;--', 'provider_refused'],
      ['canary&error=success', 'provider_refused'],
      ['canary\u0000\ud800', 'provider_refused'],
      ['toString', 'provider_refused'],
    ]
    for (const [error, expected] of errors) {
      for (const more of [{}, { code: 'canary' }]) {
        const begun = await begin(host, 'drive')
        const said = {
          error,
          error_description: '<b>canary</b>',
          error_uri: 'https://canary.example',
          state: begun.state,
          ...more,
        }
        const answer = await comeBack(host, said, { cookie: begun.cookie })
        failed(t, answer, expected, error.slice(0, 40))
        t.equal(answer.headers.getSetCookie().length, 1)
      }
    }
    const empty = await begin(host, 'drive')
    failed(t, await comeBack(host, { state: empty.state }, { cookie: empty.cookie }), 'invalid_response', 'neither')
    t.strictSame(await stored(host), connection)
    t.equal(drive.countOf('/token'), 1)
  },
  { where: overOneStore },
)

scene(
  'a wrong method is 405, and a parameter that is given twice 400',
  async (t, { drive, host }) => {
    const headers = { authorization: 'Bearer host-anna' }
    for (const [path, allow] of [
      ['/connectors/drive/oauth/authorize', 'GET'],
      ['/connectors/oauth/callback', 'GET, POST'],
      ['/connectors/getTokenFromCode', 'POST'],
    ] as const) {
      const allowed = allow.split(', ')
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'].filter(name => !allowed.includes(name))) {
        const answer = await host.send(path, { method, headers })
        t.equal(answer.status, 405, `${method} ${path}`)
        t.equal(answer.headers.get('allow'), allow, `${method} ${path}`)
      }
    }
    const begun = await begin(host, 'drive')
    const query = new URLSearchParams(answerTo(begun))
    for (const twice of ['state', 'code', 'iss', 'error', 'baseUrl', 'anything']) {
      const doubled = new URLSearchParams([...query, [twice, 'x'], [twice, 'x']])
      const answer = await host.send(`/connectors/oauth/callback?${doubled}`, { headers: { cookie: begun.cookie } })
      refused(t, answer, 400, `${twice} twice`)
    }
    t.equal(drive.countOf('/token'), 0)
    for (const wrong of [`baseUrl=${FRONT}&baseUrl=${FRONT}`, 'more=1', 'baseUrl[]=x', `baseUrl[$ne]=${FRONT}`, 'state=mine'])
      refused(t, await host.send(`/connectors/drive/oauth/authorize?${wrong}`, { headers }), 400, wrong)
    connected(t, await comeBack(host, answerTo(begun), { cookie: begun.cookie }))
  },
  { where: overOneStore },
)

scene(
  'an app that holds a user’s token is not that user',
  async (t, { host }) => {
    const { access, refresh } = await host.tokens(await host.confidentialApp())
    for (const token of [access, refresh]) {
      for (const headers of [
        { authorization: `Bearer ${token}` },
        { authorization: `Bearer ${token}`, cookie: 'session=anna' },
        { cookie: `session=anna; token=${token}` },
      ]) {
        refused(t, await host.send('/connectors/drive/oauth/authorize', { headers: { ...headers } }), 401, 'authorize')
        const posted = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: '{"code":"x"}' }
        refused(t, await host.send('/connectors/getTokenFromCode', posted), 401, 'getTokenFromCode')
      }
    }
    refused(t, await host.send('/connectors/drive/oauth/authorize'), 401, 'nobody')
    refused(t, await host.send('/connectors/nothing/oauth/authorize', { headers: { cookie: 'session=anna' } }), 404, 'unknown')
  },
  { where: overOneStore },
)

scene(
  'what the callback says is kept where the provider names it, and nothing else of it',
  async (t, { drive, host, providers }) => {
    providers.drive = at(drive, { keep: ['realmId', 'more', 'code', 'state', 'iss', 'access_token', '__proto__', 'constructor'] })
    drive.on('/token', async received => ({ body: { ...(await tokensFor(drive, received)), more: 'of the answer' } }))
    const back = async (extra: Readonly<Record<string, string>>) => {
      const begun = await begin(host, 'drive')
      return comeBack(host, { ...answerTo(begun), ...extra }, { cookie: begun.cookie })
    }
    connected(t, await back({ realmId: '4620816365', more: 'of the callback', other: 'x' }))
    const { access_token, ...details } = (await host.authmount.connectorToken('drive', ANNA)).details
    t.match(access_token, CANARY, 'a field of the answer')
    t.strictSame(details, { realmId: '4620816365', more: 'of the answer' })
    host.clock.advance(3600)
    drive.on('/token', { body: { access_token: 'canary-2', token_type: 'Bearer', expires_in: 3600 } })
    t.match((await host.authmount.connectorToken('drive', ANNA)).details, { realmId: '4620816365' }, 'it outlives a refresh')

    drive.on('/token', async received => ({ body: await tokensFor(drive, received) }))
    const asked = drive.countOf('/token')
    failed(t, await back({ realmId: 'x'.repeat(1025) }), 'invalid_response', '1,025 characters')
    t.equal(drive.countOf('/token'), asked)
    connected(t, await back({ realmId: 'x'.repeat(1024) }), '1,024 characters')
    connected(t, await back({ realmId: '' }), 'none')
    t.strictSame((await host.authmount.connectorToken('drive', ANNA)).details.realmId, undefined, 'a new connection has its own')
  },
  { where: overOneStore },
)

scene(
  'an account lives at the site that its callback has named, among those declared',
  async (t, { drive, host, mail, providers }) => {
    const site = { token: `${mail.url}/token`, revocation: `${mail.url}/revoke` }
    const endpoints = { authorization: `${drive.url}/authorize`, token: `${drive.url}/token`, revocation: `${drive.url}/revoke` }
    const of = (sites: Provider['sites']): Provider => ({ ...CLIENT, scopes: ['files'], endpoints, sites })
    const both = { parameter: 'accounts-server', endpoints: { 'https://eu.example': site } }
    providers.drive = of(both)
    const back = async (extra: Readonly<Record<string, string>>) => {
      const begun = await begin(host, 'drive')
      return comeBack(host, { ...answerTo(begun), ...extra }, { cookie: begun.cookie })
    }
    const counts = () => [drive.countOf('/token'), mail.countOf('/token'), drive.countOf('/revoke'), mail.countOf('/revoke')]
    connected(t, await back({}))
    t.strictSame(counts(), [1, 0, 0, 0], 'the callback names none')
    connected(t, await back({ 'accounts-server': 'https://eu.example' }))
    t.strictSame(counts(), [1, 1, 0, 0])
    host.clock.advance(3600)
    await host.authmount.connectorToken('drive', ANNA)
    t.strictSame(counts(), [1, 2, 0, 0], 'it is refreshed there')
    for (const wrong of [
      `${mail.url}`,
      'https://evil.example',
      'https://eu.example/',
      '__proto__',
      'constructor',
      'toString',
      'token',
    ])
      failed(t, await back({ 'accounts-server': wrong }), 'invalid_response', wrong)
    t.strictSame(counts(), [1, 2, 0, 0])

    providers.drive = of(undefined)
    host.clock.advance(3600)
    await t.rejects(host.authmount.connectorToken('drive', ANNA), { code: 'not_configured' })
    t.match(await stored(host), { needsReconnect: false, leaseUntil: null }, 'a site that is not declared any more costs nothing')
    providers.drive = of(both)
    await host.authmount.connectorToken('drive', ANNA)
    t.strictSame(await host.authmount.disconnect('drive', ANNA), { disconnected: true, revoked: true })
    t.strictSame(counts(), [1, 3, 0, 1], 'and ended there')
    for (const sites of [
      { parameter: 5, endpoints: {} },
      { parameter: 'x', endpoints: { a: { token: 'http://10.0.0.1/' } } },
      { endpoints: {} },
      null,
    ] as never[]) {
      providers.drive = of(sites)
      refused(t, (await begin(host, 'drive')).answer, 400, JSON.stringify(sites))
    }
  },
)

const post = (host: TestHost, form: Readonly<Record<string, string>> | string, headers = {}): Promise<Answer> =>
  host.send('/connectors/oauth/callback', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: 'https://provider.example', ...headers },
    body: String(new URLSearchParams(form)),
  })

/** What a browser does with the answer to a POST: it goes to the same address, with its cookies. */
const follow = (host: TestHost, { headers }: Answer, cookie: string): Promise<Answer> =>
  host.send(new URL(headers.get('location') ?? '', 'http://x/connectors/oauth/callback').href.slice('http://x'.length), {
    headers: { cookie },
  })

scene('a callback that is posted is bound to its browser like any other', async (t, { drive, host, providers }) => {
  providers.drive = at(drive, { keep: ['user'] })
  const user = '{"name":{"firstName":"canary-Änna"},"email":"canary@outside.example"}'
  const begun = await begin(host, 'drive')
  // The browser leaves its cookies at home when another site makes it post.
  const posted = await post(host, { ...answerTo(begun), user })
  t.equal(posted.status, 303)
  t.match(posted.headers.get('location'), /^\?posted=[\w.-]+$/, 'and what was posted stands in no log')
  t.equal(posted.headers.get('cache-control'), 'no-store')
  t.equal(posted.headers.get('set-cookie'), null)
  t.equal(drive.countOf('/token'), 0)
  refused(t, await follow(host, posted, ''), 403, 'nobody')
  refused(t, await follow(host, posted, 'session=bert'), 403, 'another user')
  refused(t, await follow(host, posted, (await begin(host, 'drive')).cookie), 403, 'another browser')
  connected(t, await follow(host, posted, begun.cookie))
  t.strictSame((await host.authmount.connectorToken('drive', ANNA)).details, { user })
  refused(t, await follow(host, posted, begun.cookie), 400, 'again')

  const second = await begin(host, 'drive')
  connected(t, await follow(host, await post(host, answerTo(second)), 'session=anna'), 'by the session')
  const third = await begin(host, 'drive')
  const denied = await follow(host, await post(host, { state: third.state, error: 'user_cancelled_authorize' }), third.cookie)
  failed(t, denied, 'provider_refused', 'an error')
})

scene(
  'nothing but a callback can be posted, and nothing but what was posted opens',
  async (t, { host }) => {
    const begun = await begin(host, 'drive')
    const good = answerTo(begun)
    const { code = '', state = '' } = good
    refused(t, await post(host, {}), 400, 'nothing')
    refused(t, await post(host, { code }), 400, 'no state')
    refused(t, await post(host, `code=a&code=b&state=${state}`), 400, 'twice')
    refused(t, await post(host, { ...good, more: 'x'.repeat(4096) }), 413, 'over four kibibytes')
    refused(t, await post(host, { ...good, more: 'x'.repeat(20_000) }), 413, 'over the limit of bodies')
    refused(t, await post(host, good, { 'content-type': 'text/plain' }), 415, 'text')
    refused(t, await host.send(`/connectors/oauth/callback?state=${state}`, { method: 'POST' }), 400, 'in the URL')
    t.equal((await post(host, { ...good, more: 'x'.repeat(3600) })).status, 303, 'long')

    connected(t, await connectAccount(host))
    const others = (await stored(host))?.sealed ?? ''
    for (const posted of ['x', 'a.b.c.d.e', others, `${others}x`])
      refused(t, await comeBack(host, { posted }, { cookie: begun.cookie }), 400, posted.slice(0, 20))
    const sealed = (await post(host, good)).headers.get('location')?.slice('?posted='.length) ?? ''
    connected(
      t,
      await comeBack(host, { posted: sealed, state: 'x', error: 'access_denied' }, { cookie: begun.cookie }),
      'alone counts',
    )
  },
  { where: overOneStore },
)

// ── Providers that lead elsewhere ────────────────────────────────────────────

const KINDS = ['issuer', 'authorization', 'token', 'revocation', 'userinfo', 'jwks'] as const

/** A provider that is complete without discovery, but for one address. */
function misled(kind: (typeof KINDS)[number], url: string): Provider {
  const [issuer, here] = ['https://accounts.example', 'https://accounts.example/oauth']
  const endpoints = { authorization: here, token: here, ...(kind === 'issuer' ? {} : { [kind]: url }) }
  return { ...CLIENT, scopes: ['files'], issuer: kind === 'issuer' ? url : issuer, endpoints }
}

scene(
  'no address is called that is not public, whatever a connector says, at the start and at every later use',
  async (t, { host, providers }) => {
    const bird = await canary(t)
    const hosts = ['127.0.0.1', '127.1', '0x7f000001', '2130706433', '[::1]', '[::ffff:127.0.0.1]', 'localhost', ...OWN_ADDRESSES]
    const urls: readonly string[] = [
      ...hosts.flatMap(name => [`http://${name}:${bird.port}/`, `https://${name}:${bird.port}/`]),
      ...['http://169.254.169.254/latest/meta-data/', 'http://[::ffff:169.254.169.254]/', 'http://10.0.0.1/'],
      ...['https://10.0.0.1/'],
      ...['http://100.64.0.1/', 'https://[fd00::1]/', 'https://[64:ff9b::7f00:1]/', 'http://0/', 'https://192.168.0.1/'],
      ...['gopher://accounts.example/', 'file:///etc/passwd', 'ftp://accounts.example/', 'javascript:alert(1)'],
      ...['data:text/plain,x'],
      ...['https://accounts.example:22/', 'https://accounts.example:6379/', 'http://accounts.example/', '/token', '', 'x', '//x'],
      ...['https://user:pass@accounts.example/', 'https://user@accounts.example/'],
    ]
    for (const kind of KINDS) {
      for (const url of urls) {
        providers.drive = misled(kind, url)
        const { answer } = await begin(host, 'drive')
        refused(t, answer, 400, `${kind} ${url}`)
        t.match(answer.body, { error: { code: 'VALIDATION_ERROR' } })
      }
      for (const url of [`http://127.0.0.1:${bird.port}/`, `https://127.0.0.1:${bird.port}/`, 'http://169.254.169.254/']) {
        providers.drive = misled('token', 'https://accounts.example/token')
        const begun = await begin(host, 'drive')
        t.equal(begun.answer.status, 200)
        providers.drive = misled(kind, url)
        failed(t, await comeBack(host, answerTo(begun), { cookie: begun.cookie }), 'not_configured', `${kind} ${url}, callback`)
        refused(t, await exchange(host), 400, `${kind} ${url}, exchange`)
      }
    }
    t.equal(bird.heard, 0)
  },
  { where: onOneFramework, allowLoopbackProviders: false },
)

for (const { connect, mount, name } of overOneStore) {
  t.test(`${name}: a provider on this machine is not called where that is not allowed, account or no account`, async t => {
    const drive = await startFake()
    const developing = await startHost(mount, { connect, ...withConnectors({ drive: at(drive) }) })
    const strict = { ...withConnectors({ drive: at(drive) }), allowLoopbackProviders: false, store: developing.store }
    const live = await startHost(mount, { ...strict, now: developing.clock.now })
    t.teardown(async () => {
      await Promise.all([developing.close(), live.close()])
      await drive.close()
    })
    connected(t, await connectAccount(developing))
    const { requests } = drive
    const asked = requests.length
    developing.clock.advance(3600)
    await t.rejects(live.authmount.connectorToken('drive', ANNA), { code: 'not_configured' })
    t.match(await live.authmount.connectorStatus('drive', ANNA), { connected: true, needsReconnect: false })
    t.strictSame(await live.authmount.disconnect('drive', ANNA), { disconnected: true, revoked: false })
    t.equal(requests.length, asked)
  })
}

scene(
  'no address is called that is not public, whatever a provider’s metadata say',
  async (t, { host, providers }) => {
    const bird = await canary(t)
    const urls: readonly unknown[] = [
      ...OWN_ADDRESSES.flatMap(name => [`http://${name}:${bird.port}/`, `https://${name}:${bird.port}/`]),
      ...['http://169.254.169.254/latest/', 'https://169.254.169.254/', 'https://10.0.0.1/', 'http://accounts.example/'],
      ...['https://accounts.example:22/', 'https://u:p@accounts.example/', 'file:///etc/passwd', 'javascript:alert(1)'],
      ...['data:,x'],
      ...['not a URL', '/token', '', 5, {}, ['https://accounts.example/'], null, true],
    ]
    const misleading = async (field: string, url: unknown) => {
      const fake = await startFake()
      t.teardown(() => fake.close())
      fake.on('/.well-known/openid-configuration', () => ({ body: fake.metadata({ [field]: url }) }))
      providers.drive = at(fake)
      return fake
    }
    for (const url of urls) {
      const what = JSON.stringify(url)
      await misleading('authorization_endpoint', url)
      const { answer } = await begin(host, 'drive')
      t.ok([400, 502].includes(answer.status), `authorization_endpoint ${what}: ${answer.status}`)
      t.equal(answer.body.authorizationUrl, undefined, `authorization_endpoint ${what}`)

      for (const field of ['token_endpoint', 'jwks_uri']) {
        await misleading(field, url)
        const begun = await begin(host, 'drive')
        const back = await comeBack(host, answerTo(begun), { cookie: begun.cookie })
        failed(t, back, 'invalid_response', `${field} ${what}`)
        t.equal(await isConnected(host), false, `${field} ${what}`)
      }
      await misleading('revocation_endpoint', url)
      connected(t, await connectAccount(host))
      const ended = await settled(host.authmount.disconnect('drive', ANNA))
      t.strictSame(ended, { disconnected: true, revoked: false }, `revocation_endpoint ${what}`)

      await misleading('userinfo_endpoint', url)
      refused(t, await exchange(host), 401, `userinfo_endpoint ${what}`)
    }
    t.equal(bird.heard, 0)
  },
  { where: onOneFramework },
)

scene(
  'a provider that redirects is not followed, and what was sent to it is not sent again',
  async (t, { host, mail, providers }) => {
    mail.on('/elsewhere', async received => ({ body: await tokensFor(mail, received) }))
    for (const status of [300, 301, 302, 303, 304, 307, 308]) {
      for (const path of ['/token', '/jwks', '/userinfo', '/revoke', '/.well-known/openid-configuration']) {
        const what = `${path} answering ${status}`
        const fake = await startFake()
        t.teardown(() => fake.close())
        fake.on(path, { status, headers: { location: `${mail.url}/elsewhere` }, body: 'canary' })
        providers.drive = at(fake)
        if (path === '/userinfo') refused(t, await exchange(host), 401, what)
        else if (path === '/revoke') {
          connected(t, await connectAccount(host), what)
          t.strictSame(await host.authmount.disconnect('drive', ANNA), { disconnected: true, revoked: false }, what)
        } else if (path.startsWith('/.well-known')) refused(t, (await begin(host, 'drive')).answer, 502, what)
        else {
          failed(t, await connectAccount(host), 'invalid_response', what)
          t.equal(await isConnected(host), false, what)
        }
      }
    }
    t.strictSame(mail.requests, [])
  },
  { where: overOneStore },
)

// ── Providers that answer what they please ───────────────────────────────────

type Tokens = Readonly<Record<string, unknown>>
/** Undefined: the answer is under way. */
type Hostile = (good: Tokens, response: ServerResponse) => Answered | undefined

const json =
  (change: object): Hostile =>
  good => ({ body: { ...good, ...change } })
const without =
  (name: string): Hostile =>
  good => ({ body: Object.fromEntries(Object.entries(good).filter(([own]) => own !== name)) })
const raw =
  (body: string | Uint8Array, headers: Record<string, string> = { 'content-type': 'application/json' }, status = 200): Hostile =>
  () => ({ status, headers, body })

const BOMB = gzipSync(Buffer.alloc(64 * MIB, ' '))
const FAKE_PROTO = { access_token: 'canary', token_type: 'Bearer', polluted: 'canary' }

/** By the code with which it ends. */
const HOSTILE: Readonly<Record<string, Readonly<Record<string, Hostile>>>> = {
  invalid_response: {
    'a body of two mebibytes': json({ more: 'x'.repeat(2 * MIB) }),
    'a gzip bomb': raw(BOMB, { 'content-type': 'application/json', 'content-encoding': 'gzip' }),
    'a body without end': (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(64 * 1024))) {}
      }
      response.on('drain', pour).on('error', () => {})
      pour()
      return undefined
    },
    nothing: raw(''),
    'a page': raw('<html>canary</html>', { 'content-type': 'text/html' }),
    'a page that says it is JSON': raw('<html>canary</html>'),
    'half an answer': good => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(good).slice(0, -9) }),
    'no content': raw('', {}, 204),
    'an array': good => ({ body: [good] }),
    null: raw('null'),
    'a string': raw('"canary"'),
    'a number': raw('5'),
    'ten thousand brackets': raw('['.repeat(10_000) + ']'.repeat(10_000)),
    'tokens in the prototype': raw(
      JSON.stringify({ x: FAKE_PROTO, constructor: { prototype: FAKE_PROTO } }).replace('"x"', '"__proto__"'),
    ),
    'keys twice, the last one wrong': raw('{"access_token":"canary","token_type":"Bearer","access_token":{"canary":1}}'),
    'no access_token': without('access_token'),
    'an error under 200': raw('{"canary":"canary"}'),
    'no token_type': without('token_type'),
    'token_type mac': json({ token_type: 'mac' }),
    'token_type 5': json({ token_type: 5 }),
    'token_type empty': json({ token_type: '' }),
    'expires_in abc': json({ expires_in: 'abc' }),
    'expires_in -1': json({ expires_in: -1 }),
    'expires_in 1e99': json({ expires_in: 1e99 }),
    'expires_in 1e999': good => ({
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(good).replace('3600', '1e999'),
    }),
    'expires_in true': json({ expires_in: true }),
    'expires_in {}': json({ expires_in: {} }),
    'expires_in empty': json({ expires_in: '' }),
    'refresh_token as an object': json({ refresh_token: { canary: 1 } }),
    'refresh_token as an array': json({ refresh_token: ['canary'] }),
    'refresh_token as a number': json({ refresh_token: 5 }),
    'refresh_token as false': json({ refresh_token: false }),
    'access_token as an object': json({ access_token: { canary: 1 } }),
    'access_token as an array': json({ access_token: ['canary'] }),
    'access_token empty': json({ access_token: '' }),
    'access_token true': json({ access_token: true }),
    'scope as an object': json({ scope: { canary: 1 } }),
    'an error without JSON': raw('canary', { 'content-type': 'text/plain' }, 400),
    'an error that is an object': raw('{"error":{"canary":1}}', { 'content-type': 'application/json' }, 400),
    'not found': raw('canary', {}, 404),
  },
  provider_refused: {
    'an error with a page in it': raw('{"error":"<script>canary</script>","error_description":"canary"}', undefined, 400),
    'an error of many letters': raw(`{"error":"canary${'x'.repeat(100_000)}"}`, undefined, 400),
    'an error with line ends': raw('{"error":"canary\\r\\nset-cookie: canary"}', undefined, 400),
    invalid_grant: raw('{"error":"invalid_grant","error_description":"canary"}', undefined, 400),
    'a challenge': raw('canary', { 'www-authenticate': 'Basic realm="canary", error="<script>canary"' }, 401),
  },
  provider_unavailable: {
    'a failure': raw('<html>canary</html>', {}, 500),
    'an outage': raw('{"error":"canary"}', undefined, 503),
    'too much': raw('canary', { 'retry-after': 'canary' }, 429),
    'a connection that is cut': (_, response) => {
      response.destroy()
      return undefined
    },
    'an answer that is cut': (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '5000' })
      response.write('{"access_token":"canary"', () => response.destroy())
      return undefined
    },
    'headers without end': raw('{}', { 'content-type': 'application/json', canary: 'x'.repeat(200_000) }),
  },
}

/** Another dialect, so that what mends answers meets them too. */
const QUIRKS = [errorsUnder200, nestedUnder('authed_user'), scopesSeparatedBy(',')]

scene(
  'whatever a provider answers, a flow ends on the error page, and what was connected before stays',
  async (t, { drive, host, providers }) => {
    connected(t, await connectAccount(host))
    const connection = await stored(host)
    for (const quirks of [[], QUIRKS]) {
      providers.drive = at(drive, { quirks })
      for (const [code, answers] of Object.entries(HOSTILE)) {
        for (const [what, hostile] of Object.entries(answers)) {
          drive.on('/token', async (received, response) => hostile(await tokensFor(drive, received), response))
          const began = performance.now()
          failed(t, await connectAccount(host), code, `${what}, ${quirks.length} quirks`)
          t.ok(performance.now() - began < 5000, what)
          t.strictSame(await stored(host), connection, what)
          t.match(host.events.at(-1), { type: 'connector_failed', error: code })
        }
      }
    }
    const clean: Readonly<Record<string, unknown>> = {}
    t.equal(clean.polluted, undefined)
  },
  { where: overOneStore },
)

scene(
  'whatever a provider answers to a refresh, the connection is as it was, and works again afterwards',
  async (t, { drive, host, providers }) => {
    connected(t, await connectAccount(host))
    host.clock.advance(3600)
    for (const quirks of [[], QUIRKS]) {
      providers.drive = at(drive, { quirks })
      for (const code of ['invalid_response', 'provider_refused']) {
        for (const [what, hostile] of Object.entries(HOSTILE[code] ?? {}).filter(([what]) => what !== 'invalid_grant')) {
          drive.on('/token', async (received, response) => hostile(await tokensFor(drive, received), response))
          const error = await settled(host.authmount.connectorToken('drive', ANNA))
          t.match(error, { name: 'ConnectorError', code }, `${what}, ${quirks.length} quirks`)
          t.notMatch(inspect(error, { depth: null }), CANARY, what)
          t.match(await stored(host), { needsReconnect: false, leaseUntil: null }, what)
        }
      }
    }
    drive.on('/token', async received => ({ body: await tokensFor(drive, received) }))
    t.match(await host.authmount.connectorToken('drive', ANNA), { accessToken: /^canary-access/ })
    const used = drive.to('/token').flatMap(({ form }) => form.get('refresh_token') ?? [])
    t.equal(new Set(used).size, 1, 'by the refresh token of the beginning')
  },
  { where: overOneStore },
)

scene(
  'what a JSON reader takes in its stride pollutes nothing',
  async (t, { drive, host }) => {
    const odd: Readonly<Record<string, (good: string) => string>> = {
      'keys twice': good => good.replace('{', '{"access_token":"canary-first","__proto__":{"a":1},'),
      'a prototype': good => good.replace('{', '{"__proto__":{"polluted":"canary","scope":"admin"},'),
      'a constructor': good => good.replace('{', '{"constructor":{"prototype":{"polluted":"canary"}},"toString":"canary",'),
    }
    for (const [what, change] of Object.entries(odd)) {
      drive.on('/token', async received => {
        const body = change(JSON.stringify(await tokensFor(drive, received)))
        return { headers: { 'content-type': 'application/json' }, body }
      })
      connected(t, await connectAccount(host), what)
      const { accessToken, scopes } = await host.authmount.connectorToken('drive', ANNA)
      t.match(accessToken, /^canary-access/, what)
      t.strictSame(scopes, ['openid', 'files'], what)
      const clean: Readonly<Record<string, unknown>> = {}
      t.equal(clean.polluted, undefined, what)
    }
  },
  { where: overOneStore },
)

scene(
  'an ID token that is not this provider’s, for this host and this flow, connects nothing',
  async (t, { drive, host, mail }) => {
    connected(t, await connectAccount(host))
    const connection = await stored(host)
    const now = Math.floor(Date.now() / 1000)
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const good = (nonce: string) => ({ iss: drive.url, aud: CLIENT.clientId, sub: 'user-1', nonce, iat: now, exp: now + 300 })
    const hmac = (secret: string, nonce: string, alg = 'HS256') => {
      const input = `${part({ alg })}.${part(good(nonce))}`
      return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
    }
    const published = JSON.stringify(await (await fetch(`${drive.url}/jwks`)).json())
    const own = (claims: object) => (nonce: string) => drive.idToken({ aud: CLIENT.clientId, nonce, ...claims })
    const cases: Readonly<Record<string, (nonce: string) => unknown>> = {
      'is missing': () => undefined,
      'is empty': () => '',
      'is garbage': () => 'canary.canary.canary',
      'is an object': () => ({ canary: 1 }),
      'is an array': () => ['canary'],
      'has alg none': nonce => `${part({ alg: 'none' })}.${part(good(nonce))}.`,
      'has alg NONE': nonce => `${part({ alg: 'NONE' })}.${part(good(nonce))}.x`,
      'has no alg': nonce => `${part({})}.${part(good(nonce))}.x`,
      'has no signature': async nonce => (await own({})(nonce)).replace(/[^.]+$/, ''),
      'has half a signature': async nonce => (await own({})(nonce)).slice(0, -40),
      'is signed by the host’s secret': nonce => hmac(CLIENT.clientSecret, nonce),
      'is signed by the public key': nonce => hmac(published, nonce),
      'says it is ES256 and is not': nonce => hmac(published, nonce, 'ES256'),
      'is another provider’s': nonce => mail.idToken({ aud: CLIENT.clientId, nonce }),
      'is of another key': nonce => mail.idToken({ iss: drive.url, aud: CLIENT.clientId, nonce }),
      'brings its key': nonce => `${part({ alg: 'ES256', jwk: { kty: 'EC' }, jku: mail.url })}.${part(good(nonce))}.x`,
      'is for another': own({ aud: 'other' }),
      'is for nobody': own({ aud: undefined }),
      'is for several, of another': own({ aud: [CLIENT.clientId, 'other'], azp: 'other' }),
      'is for several, of nobody': own({ aud: [CLIENT.clientId, 'other'] }),
      'is of another issuer': own({ iss: mail.url }),
      'is of no issuer': own({ iss: undefined }),
      'is of an issuer with a slash': own({ iss: `${drive.url}/` }),
      'has expired': own({ iat: now - 900, exp: now - 600 }),
      'never expires': own({ exp: undefined }),
      'is not yet good': own({ nbf: now + 600 }),
      'has no date': own({ iat: undefined }),
      'has no subject': own({ sub: undefined }),
      'has another nonce': own({ nonce: 'canary' }),
      'has no nonce': own({ nonce: undefined }),
      'has a nonce in an array': nonce => own({ nonce: [nonce] })(nonce),
    }
    for (const [what, idToken] of Object.entries(cases)) {
      drive.on('/token', async received => {
        const nonce = received.form.get('code')?.split('.').at(-1) ?? ''
        return { body: { ...(await tokensFor(drive, received)), id_token: await idToken(nonce) } }
      })
      failed(t, await connectAccount(host), 'invalid_response', what)
      t.strictSame(await stored(host), connection, what)
    }
    t.strictSame(mail.requests, [])
    t.equal(host.events.filter(({ type }) => type === 'connector_connected').length, 1)
  },
  { where: overOneStore },
)

scene(
  'a provider whose ID tokens have no nonce is connected where the host says so, and verified in all else',
  async (t, { drive, host, mail, providers }) => {
    const own = (claims: object) => () => drive.idToken({ aud: CLIENT.clientId, ...claims })
    const issue = (idToken: () => Promise<unknown>) =>
      drive.on('/token', async received => ({ body: { ...(await tokensFor(drive, received)), id_token: await idToken() } }))
    issue(own({}))
    failed(t, await connectAccount(host), 'invalid_response', 'where nothing is said')
    providers.drive = at(drive, { nonce: false })
    const { authorizationUrl } = await begin(host, 'drive')
    t.equal(authorizationUrl.searchParams.get('nonce'), null)
    t.match(authorizationUrl.searchParams.get('code_challenge'), /^[\w-]{43}$/)
    connected(t, await connectAccount(host))
    const wrong: Readonly<Record<string, () => Promise<unknown>>> = {
      'a nonce that nobody sent': own({ nonce: 'canary' }),
      'another audience': own({ aud: 'other' }),
      'another issuer': own({ iss: mail.url }),
      'another key': () => mail.idToken({ iss: drive.url, aud: CLIENT.clientId }),
      'no ID token': async () => undefined,
    }
    for (const [what, idToken] of Object.entries(wrong)) {
      issue(idToken)
      failed(t, await connectAccount(host), 'invalid_response', what)
    }
    for (const nonce of ['false', 0, null] as never[]) {
      providers.drive = at(drive, { nonce })
      refused(t, (await begin(host, 'drive')).answer, 400, JSON.stringify(nonce))
    }
  },
  { where: overOneStore },
)

scene(
  'a provider that keeps everybody waiting is given up after ten seconds',
  async (t, { drive, host, mail }) => {
    connected(t, await connectAccount(host))
    const connection = await stored(host)
    const silent = () => undefined
    const dripping: AnswerHandler = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const drip = setInterval(() => response.write(' '), 200)
      response.on('close', () => clearInterval(drip)).on('error', () => {})
      return undefined
    }
    for (const [fake, handler] of [
      [drive, silent],
      [mail, dripping],
    ] as const)
      fake.on('/token', handler)
    const began = performance.now()
    const ended = await Promise.all([connectAccount(host, 'drive'), connectAccount(host, 'mail'), exchange(host)])
    t.ok(performance.now() - began < 12_000, `${Math.round(performance.now() - began)} ms`)
    failed(t, ended[0], 'provider_unavailable', 'silent')
    failed(t, ended[1], 'provider_unavailable', 'dripping', 'mail')
    refused(t, ended[2], 503, 'exchange')
    t.strictSame(await stored(host), connection)
    t.equal(await isConnected(host, 'mail'), false)
  },
  { where: onOneFramework },
)

scene(
  'a code from Google’s own front end gets no further with a hostile provider',
  async (t, { drive, host }) => {
    const post = () =>
      host.send('/connectors/getTokenFromCode', {
        method: 'POST',
        headers: { authorization: 'Bearer host-anna', 'content-type': 'application/json' },
        body: '{"code":"canary"}',
      })
    for (const [code, answers] of Object.entries(HOSTILE)) {
      for (const [what, hostile] of Object.entries(answers)) {
        drive.on('/token', async (received, response) => hostile(await tokensFor(drive, received), response))
        const answer = await post()
        refused(t, answer, { invalid_response: 502, provider_refused: 400 }[code] ?? 503, what)
        if (answer.status === 503) t.match(answer.headers.get('retry-after'), /^[1-9]\d*$/, what)
        t.equal(await isConnected(host), false, what)
      }
    }
  },
  { where: overOneStore, workspace: true, rateLimiter: limit => new RateLimiterMemory({ ...limit, points: 1000 }) },
)

// ── The host's own hook ──────────────────────────────────────────────────────

const GARBAGE: readonly unknown[] = [
  ...[42, '', 'canary', true, [], {}, () => {}, Symbol('canary'), new Date(0), 5n, new Map()],
  ...[{ clientId: 5 }, { clientId: '' }, { scopes: 'openid' }, { scopes: [5] }],
  ...[{ issuer: 5 }, { issuer: 'x' }, { issuer: {} }, { scopes: null }, { scopes: undefined }, { endpoints: null }],
  ...[{ endpoints: { token: 5 } }, { endpoints: { token: null } }, { clientSecret: '' }, { clientSecret: {} }],
].map(wrong =>
  typeof wrong === 'object' && !Array.isArray(wrong) && Object.keys(wrong).length > 0
    ? { ...CLIENT, scopes: ['openid', 'files'], issuer: 'https://accounts.example', ...wrong }
    : wrong,
)

scene(
  'a hook that throws, hangs or answers garbage costs its own connector and no more',
  async (t, { drive, host, providers }) => {
    const answers: readonly (readonly [string, () => unknown])[] = [
      [
        'throws',
        () => {
          throw new Error('canary: no such table at /srv/host/db.js:1:2')
        },
      ],
      ['throws what is no error', () => Promise.reject('canary')],
      ['hangs', () => new Promise(() => {})],
      ...GARBAGE.map(garbage => [`answers ${inspect(garbage, { breakLength: 1000 })}`, () => garbage] as const),
    ]
    const log = host.logged
    for (const [what, answer] of answers) {
      const hook = answer as () => null
      providers.drive = hook
      const start = (await begin(host, 'drive')).answer
      t.ok([400, 404, 500].includes(start.status), `${what}: ${start.status}`)
      t.match(start.body, { error: { code: String, message: String } }, what)
      t.equal(start.headers.get('set-cookie'), null, what)

      providers.drive = at(drive)
      const begun = await begin(host, 'drive')
      providers.drive = hook
      const back = await comeBack(host, answerTo(begun), { cookie: begun.cookie })
      t.ok([302, 500].includes(back.status), `${what}: ${back.status}`)
      if (back.status === 302) failed(t, back, 'not_configured', what)
      t.equal(await isConnected(host), false, what)

      providers.drive = at(drive)
      connected(t, await connectAccount(host), what)
      providers.drive = hook
      t.strictSame(await host.authmount.disconnect('drive', ANNA), { disconnected: true, revoked: false }, what)
      const exchanged = await exchange(host)
      t.ok([400, 404, 500].includes(exchanged.status), `${what}: exchange ${exchanged.status}`)
    }
    // The host's own error is in its own log.
    t.match(inspect(log, { depth: null }), /canary: no such table/)
    log.length = 0
  },
  { where: overOneStore, hookTimeoutMs: 50 },
)

scene(
  'parameters of the host’s do not replace those that protect the flow',
  async (t, { drive, host, providers }) => {
    const authorizationParams = {
      state: 'mine',
      redirect_uri: 'https://evil.example',
      nonce: 'x',
      code_challenge: 'x',
      prompt: 'consent',
    }
    providers.drive = at(drive, { authorizationParams })
    const { authorizationUrl, state } = await begin(host, 'drive')
    const params = Object.fromEntries(authorizationUrl.searchParams)
    t.match(params, { state, redirect_uri: CALLBACK, nonce: /^[\w-]{22}$/, code_challenge: /^[\w-]{43}$/, prompt: 'consent' })
  },
  { where: overOneStore },
)

// ── Accounts ─────────────────────────────────────────────────────────────────

/** From now on, whoever signs in there has these claims in their ID token. */
function signsIn(drive: FakeProvider, claims: object): void {
  drive.on('/token', async received => ({ body: await tokensFor(drive, received, claims) }))
}

scene('an account is signed in by an address that its provider has verified, and by nothing less', async (t, { drive, host }) => {
  signsIn(drive, { email: EMAIL, email_verified: true })
  const good = await exchange(host)
  t.equal(good.status, 200)
  t.strictSame(Object.keys(good.body).toSorted(), ['access_token', 'expires_in', 'id_token', 'token_type'])
  t.match(good.body, { access_token: /^canary-access/, token_type: 'Bearer', expires_in: 3600 })
  t.equal((await exchange(host, { email: 'ANNA@Outside.Example' })).status, 200)

  for (const email_verified of [false, 'false', 'true', 1, 0, null, undefined, {}, [], [true], 'yes']) {
    signsIn(drive, { email: EMAIL, email_verified })
    refused(t, await exchange(host), 401, `email_verified ${JSON.stringify(email_verified)}`)
  }
  for (const email of [
    undefined,
    null,
    '',
    [EMAIL],
    { email: EMAIL },
    5,
    `${EMAIL}.evil.example`,
    `x${EMAIL}`,
    `${EMAIL},x@y.example`,
  ]) {
    signsIn(drive, { email, email_verified: true })
    refused(t, await exchange(host), 401, `email ${JSON.stringify(email)}`)
  }
  signsIn(drive, { email: 'an\u212Aa@outside.example', email_verified: true })
  refused(t, await exchange(host, { email: 'anka@outside.example' }), 401, 'a letter that only looks like k')
})

scene(
  'tokens that were issued to another, or for another, sign nobody in',
  async (t, { drive, host, mail }) => {
    const good = { email: EMAIL, email_verified: true }
    await drive.idToken({})
    const now = Math.floor(Date.now() / 1000)
    for (const wrong of [
      { aud: 'other' },
      { aud: ['other', CLIENT.clientId], azp: 'other' },
      { iss: mail.url },
      { iat: now - 900, exp: now - 600 },
      { sub: undefined },
    ]) {
      signsIn(drive, { ...good, ...wrong })
      refused(t, await exchange(host), 401, JSON.stringify(wrong))
    }
    const foreign: Readonly<Record<string, () => Promise<unknown>>> = {
      'another key': () => mail.idToken({ ...good, iss: drive.url, aud: CLIENT.clientId }),
      none: async () => undefined,
      garbage: async () => 'canary',
    }
    for (const [what, idToken] of Object.entries(foreign)) {
      drive.on('/token', async received => ({ body: { ...(await tokensFor(drive, received)), id_token: await idToken() } }))
      refused(t, await exchange(host), 401, what)
    }
  },
  { where: overOneStore },
)

scene(
  'what a userinfo endpoint says counts for the subject of the ID token, and where that says nothing',
  async (t, { drive, host, providers }) => {
    const verified = { email: EMAIL, email_verified: true }
    const cases: readonly (readonly [string, object, unknown, number])[] = [
      ['of the subject', {}, { sub: 'user-1', ...verified }, 200],
      ['of another', {}, { sub: 'user-2', ...verified }, 401],
      ['of nobody', {}, verified, 401],
      ['of the subject, not verified', {}, { sub: 'user-1', email: EMAIL, email_verified: 'true' }, 401],
      ['with another address', {}, { sub: 'user-1', ...verified, email: 'bert@outside.example' }, 401],
      ['against the ID token', { email: EMAIL, email_verified: false }, { sub: 'user-1', ...verified }, 401],
      [
        'another address than the ID token',
        { email: 'bert@outside.example', email_verified: true },
        { sub: 'user-1', ...verified },
        401,
      ],
      ['an array', {}, [{ sub: 'user-1', ...verified }], 401],
      ['a page', {}, '<html>canary</html>', 401],
    ]
    for (const [what, claims, told, status] of cases) {
      signsIn(drive, claims)
      drive.on('/userinfo', { body: told })
      const answer = await exchange(host)
      t.equal(answer.status, status, what)
      if (status !== 200) t.notMatch(answer.text, CANARY, what)
    }
    // Without OpenID Connect, the access token alone says whose it is.
    providers.drive = at(drive, { scopes: ['files'], endpoints: { userinfo: `${drive.url}/userinfo` } })
    drive.on('/userinfo', { body: { sub: 'user-1', ...verified } })
    t.equal((await exchange(host)).status, 200)
    drive.on('/userinfo', { status: 401, headers: { 'www-authenticate': 'Bearer error="canary"' } })
    refused(t, await exchange(host), 401, 'a token that the userinfo endpoint refuses')
  },
  { where: overOneStore },
)

scene('a code that comes again is refused before the provider hears of it', async (t, { drive, host }) => {
  signsIn(drive, { email: EMAIL, email_verified: true })
  const code = 'canary-code'
  t.equal((await exchange(host, { code })).status, 200)
  const asked = drive.requests.length
  for (let round = 0; round < 3; round++) refused(t, await exchange(host, { code }), 401, 'again')
  refused(t, await exchange(host, { code, email: 'bert@outside.example' }), 401, 'for another')
  refused(t, await exchange(host, { code, redirectUri: 'https://evil.example' }), 400, 'for another page')
  t.equal(drive.requests.length, asked)
})

scene('of two hundred concurrent requests with one code, one reaches the provider', async (t, { drive, host }) => {
  signsIn(drive, { email: EMAIL, email_verified: true })
  for (const [count, code] of [
    [10, 'canary-code-10'],
    [200, 'canary-code-200'],
  ] as const) {
    const asked = drive.countOf('/token')
    const answers = await Promise.all(Array.from({ length: count }, () => exchange(host, { code })))
    t.equal(drive.countOf('/token') - asked, 1, `${count} at once`)
    t.strictSame(answers.map(({ status }) => status).toSorted(), [200, ...Array(count - 1).fill(401)])
  }
})

scene('a code that the provider was too busy to redeem may come again, once', async (t, { drive, host, providers }) => {
  const code = 'canary-code'
  for (const status of [503, 429, 500]) {
    drive.on('/token', { status })
    t.equal((await exchange(host, { code })).status, 503, String(status))
  }
  providers.drive = at(drive, { clientId: '' })
  t.equal((await exchange(host, { code })).status, 400, 'nor a provider that is not configured')
  providers.drive = at(drive)
  signsIn(drive, { email: EMAIL, email_verified: true })
  const answers = await Promise.all(Array.from({ length: 10 }, () => exchange(host, { code })))
  t.strictSame(answers.map(({ status }) => status).toSorted(), [200, ...Array(9).fill(401)])
  t.equal(drive.countOf('/token'), 4)
})

scene(
  'a request that is not in order is refused before the provider hears of it',
  async (t, { drive, host, signIn }) => {
    signIn.redirectUris = [SIGNED_IN, 'https://app.example/other?x=1']
    signsIn(drive, { email: EMAIL, email_verified: true })
    for (const redirectUri of [
      ...['https://evil.example/', `${SIGNED_IN}/`, `${SIGNED_IN}?x`, `${SIGNED_IN}#x`, SIGNED_IN.toUpperCase(), `${SIGNED_IN} `],
      ...['javascript:alert(1)', '', 'https://app.example/other', 'http://app.example/signed-in', CALLBACK, null, 5],
      ...[[SIGNED_IN], {}],
    ])
      refused(t, await exchange(host, { redirectUri }), 400, JSON.stringify(redirectUri))
    for (const fields of [
      ...[{ code: undefined }, { code: '' }, { code: 'x'.repeat(5000) }, { code: ['x'] }, { code: { $ne: null } }],
      ...[{ email: undefined }, { email: 'x' }, { email: [EMAIL] }, { email: `${EMAIL}\n` }, { provider: undefined }],
      ...[{ provider: {} }],
    ])
      refused(t, await exchange(host, fields), 400, JSON.stringify(fields).slice(0, 80))
    for (const provider of ['other', 'Drive', '__proto__', 'constructor', 'drive ']) {
      const answer = await exchange(host, { provider })
      refused(t, answer, 404, provider)
      t.match(answer.body, { error: 'Not Found', code: 'NOT_FOUND', statusCode: 404, message: String })
    }
    t.equal(drive.requests.length, 0)
    t.equal((await exchange(host, { redirectUri: 'https://app.example/other?x=1' })).status, 200)
  },
  { where: overOneStore },
)

scene(
  'an organisation’s provider signs in only addresses of its domains',
  async (t, { drive, host, signIn }) => {
    signIn.emailDomains = ['outside.example']
    for (const [email, status] of [
      [EMAIL, 200],
      ['ANNA@OUTSIDE.EXAMPLE', 200],
      ['anna@other.example', 403],
      ['anna@sub.outside.example', 403],
      ['anna@evil-outside.example', 403],
      ['anna@outside.example.evil.example', 403],
    ] as const) {
      signsIn(drive, { email, email_verified: true })
      t.equal((await exchange(host, { email })).status, status, email)
    }
  },
  { where: overOneStore },
)

scene(
  'a provider that is away, or busy, is 503 with the time to come back',
  async (t, { drive, host, providers, signIn }) => {
    const good = { sub: 'user-1', email: EMAIL, email_verified: true }
    signsIn(drive, {})
    drive.on('/userinfo', { body: good })
    t.equal((await exchange(host)).status, 200)
    const away: readonly (readonly [string, Answered, string])[] = [
      ['an outage', { status: 503, body: 'canary' }, '1'],
      ['an outage with a time', { status: 503, headers: { 'retry-after': '7' } }, '7'],
      ['too much', { status: 429, headers: { 'retry-after': '30' }, body: 'canary' }, '30'],
      ['at once', { status: 429, headers: { 'retry-after': '0' } }, '1'],
      ['garbage', { status: 500, headers: { 'retry-after': 'canary' } }, '1'],
    ]
    const unavailable = (answer: Answer, after: string, what: string) => {
      refused(t, answer, 503, what)
      t.equal(answer.headers.get('retry-after'), after, what)
      t.match(answer.body, { error: 'Service Unavailable', code: 'UNAVAILABLE', statusCode: 503, message: String }, what)
    }
    for (const [what, answer, after] of away) {
      drive.on('/token', answer)
      unavailable(await exchange(host), after, `the token endpoint: ${what}`)
      signsIn(drive, {})
      drive.on('/userinfo', answer)
      unavailable(await exchange(host), after, `the userinfo endpoint: ${what}`)
      signIn.verifiedEmails = async (accessToken, call) => {
        const response = await call(`${drive.url}/emails`, { headers: { authorization: `Bearer ${accessToken}` } })
        return [((await response.json()) as { readonly email: string }).email]
      }
      drive.on('/emails', answer)
      unavailable(await exchange(host), after, `the host’s own question for addresses: ${what}`)
      drive.on('/emails', { body: good })
      t.equal((await exchange(host)).status, 200)
      delete signIn.verifiedEmails
      drive.on('/userinfo', { body: good })
    }
    const closed = await startFake()
    providers.drive = at(closed)
    await closed.close()
    unavailable(await exchange(host), '1', 'no server')
  },
  { where: overOneStore },
)
