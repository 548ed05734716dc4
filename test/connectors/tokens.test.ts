/** `connectorToken`: one refresh for all who wait, and no refresh token is ever lost to a provider, a store or a user who was in the way. */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AuthmountEvent, ConnectorError, type Credential, type Store, StoreError } from 'authmount'
import type { Provider } from 'authmount/connectors'
import t, { type Test } from 'tap'
import { ANNA, begin, comeBack, withConnectors } from '../support/connectors.ts'
import { overMemory } from '../support/everywhere.ts'
import type { Answer } from '../support/fake-provider.ts'
import { FakeProvider } from '../support/fake-provider.ts'
import { FaultyStore, faults } from '../support/faulty-store.ts'
import { frameworks, type HostOptions, startHost, type TestHost } from '../support/host.ts'
import { StoreTimeout } from '../support/store-timeout.ts'
import { connectMemory, newNamespace, stores } from '../support/stores.ts'

const [mount] = Object.values(frameworks)
if (!mount) throw new Error('no framework')

const CLIENT = { clientId: 'the-host', clientSecret: 'secret of the host' }
const OWNER = JSON.stringify([ANNA.orgId, ANNA.userId])
const TOKENS = { token_type: 'Bearer', expires_in: 3600, scope: 'files' }

/** A provider whose refresh tokens work once, as RFC 9700 §4.14.2 has it: one that comes again ends them all. */
class RotatingProvider {
  readonly fake: FakeProvider
  /** The refresh token that works; null: none does any more. */
  live: string | null = null
  /** Stands between a token request and its answer. */
  before: (() => Promise<Answer | undefined>) | undefined
  /** Changes an answer with tokens. */
  with: (tokens: Readonly<Record<string, unknown>>, form: URLSearchParams) => object | Promise<object> = tokens => tokens
  #issued = 0

  constructor(fake: FakeProvider) {
    this.fake = fake
    fake.on('/token', async ({ form }) => {
      const refreshing = form.get('grant_type') === 'refresh_token'
      const own = refreshing ? await this.before?.() : undefined
      if (own) return own
      if (refreshing && form.get('refresh_token') !== this.live) {
        this.live = null
        return { status: 400, body: { error: 'invalid_grant' } }
      }
      this.#issued += 1
      this.live = `refresh-${this.#issued}`
      return { body: await this.with({ ...TOKENS, access_token: `access-${this.#issued}`, refresh_token: this.live }, form) }
    })
    fake.on('/revoke', {})
  }

  /** The refresh tokens it was asked with, the oldest first. */
  get asked(): readonly (string | null)[] {
    const refreshes = this.fake.to('/token').filter(({ form }) => form.get('grant_type') === 'refresh_token')
    return refreshes.map(({ form }) => form.get('refresh_token'))
  }

  /** The next refresh request is held: `arrived` when it is there, and answered after `release`. */
  hold(): { readonly arrived: Promise<void>; readonly release: () => void } {
    let release = () => {}
    const released = new Promise<void>(resolve => {
      release = resolve
    })
    const arrived = new Promise<void>(resolve => {
      this.before = async () => {
        this.before = undefined
        resolve()
        await released
        return undefined
      }
    })
    return { arrived, release }
  }
}

interface Scene {
  readonly host: TestHost
  readonly provider: RotatingProvider
  /** What the host says the provider is. */
  readonly registered: Provider
  readonly get: (refused?: string) => Promise<string>
  readonly connect: (host?: TestHost) => Promise<void>
  readonly types: () => readonly AuthmountEvent['type'][]
}

type SceneOptions = HostOptions & { readonly provider?: Partial<Provider>; readonly marginSeconds?: number | undefined }

async function sceneOf(t: Test, { marginSeconds, provider: more, ...options }: SceneOptions = {}): Promise<Scene> {
  const fake = await FakeProvider.start()
  const provider = new RotatingProvider(fake)
  const registered: Provider = { ...CLIENT, issuer: fake.url, scopes: ['files'], ...more }
  const host = await startHost(mount as NonNullable<typeof mount>, {
    ...withConnectors({ drive: registered }, { marginSeconds }),
    ...options,
  })
  t.teardown(async () => {
    await host.close()
    await fake.close()
  })
  if (registered.scopes.includes('openid')) {
    provider.with = async (tokens, form) => {
      const id_token = await fake.idToken({ aud: CLIENT.clientId, nonce: form.get('code') ?? '' })
      return { ...tokens, id_token }
    }
  }
  const connect = async (through = host) => {
    const { authorizationUrl, cookie, state } = await begin(through, 'drive')
    // A code by which the provider knows the nonce.
    const code = authorizationUrl.searchParams.get('nonce') ?? 'code'
    const { location } = await comeBack(through, { code, state }, { cookie })
    if (location?.pathname !== '/connectors/oauth/success') throw new Error(`not connected: ${location}`)
  }
  await connect()
  const get = async (refused?: string) => (await host.authmount.connectorToken('drive', ANNA, { refused })).accessToken
  return { host, provider, registered, get, connect, types: () => host.events.slice(1).map(({ type }) => type) }
}

const times = <T>(count: number, run: () => Promise<T>) => Promise.all(Array.from({ length: count }, run))
const codeOf = (error: unknown) => (error instanceof ConnectorError ? error.code : String(error))
const credential = (store: Store) => store.credentials.get('drive', OWNER)

// Most of it is waiting.
t.jobs = 4

for (const [name, connect] of Object.entries(stores)) {
  t.test(`${name}: fifty callers when a token is due are one refresh`, async t => {
    const { get, host, provider, types } = await sceneOf(t, { connect })
    host.clock.advance(3600)
    t.strictSame(new Set(await times(50, () => get())), new Set(['access-2']))
    t.strictSame(new Set(await times(50, () => get('access-2'))), new Set(['access-3']), 'and when one is refused')
    t.strictSame(provider.asked, ['refresh-1', 'refresh-2'], 'each refresh token is used once')
    t.strictSame(types(), ['connector_refreshed', 'connector_refreshed'])
  })

  t.test(`${name}: processes that find it due in the same millisecond are one refresh`, async t => {
    const { host, provider, registered } = await sceneOf(t, { connect })
    const moment = host.clock.now() + 3_600_000
    const options = { ...withConnectors({ drive: registered }), store: host.store, now: () => moment }
    const processes = await times(4, () => startHost(mount as NonNullable<typeof mount>, options))
    t.teardown(() => Promise.all(processes.map(({ close }) => close())))
    host.clock.advance(3600)
    const got = await Promise.all(processes.map(({ authmount }) => authmount.connectorToken('drive', ANNA).catch(codeOf)))
    t.strictSame(
      got.map(token => (typeof token === 'string' ? token : token.accessToken)),
      Array(4).fill('access-2'),
    )
    t.strictSame(provider.asked, ['refresh-1'])
  })

  t.test(`${name}: callers that were refused different tokens are one refresh`, async t => {
    const { get, host, provider } = await sceneOf(t, { connect })
    host.clock.advance(3600)
    const got = await Promise.all([undefined, 'access-0', 'access-1', undefined, 'access-1'].map(refused => get(refused)))
    t.strictSame(new Set(got), new Set(['access-2']))
    t.strictSame(provider.asked, ['refresh-1'])
  })

  t.test(`${name}: a refresh token that is refused is said once, to fifty callers, until the user connects again`, async t => {
    const { connect: reconnect, get, host, provider, types } = await sceneOf(t, { connect })
    host.clock.advance(3600)
    provider.live = null
    const codes = await times(50, () => get().catch(codeOf))
    t.strictSame(new Set(codes), new Set(['needs_reconnect']))
    t.strictSame(provider.asked, ['refresh-1'])
    t.strictSame(types(), ['connector_needs_reconnect'])
    t.match(await host.authmount.connectorStatus('drive', ANNA), { connected: true, needsReconnect: true })
    await t.rejects(get(), { code: 'needs_reconnect' })
    await t.rejects(get('access-1'), { code: 'needs_reconnect' })
    t.equal(provider.asked.length, 1, 'the provider is not asked again')

    await reconnect()
    t.equal(await get(), 'access-2')
    t.match(await host.authmount.connectorStatus('drive', ANNA), { connected: true, needsReconnect: false })
    host.clock.advance(3600)
    t.equal(await get(), 'access-3')
    t.strictSame(types(), ['connector_needs_reconnect', 'connector_connected', 'connector_refreshed'])
  })

  t.test(`${name}: an account that is disconnected during a refresh stays so, and the new tokens are ended`, async t => {
    const { get, host, provider } = await sceneOf(t, { connect })
    host.clock.advance(3600)
    const { arrived, release } = provider.hold()
    const refreshing = t.rejects(get(), { code: 'not_connected' })
    await arrived
    t.strictSame(await host.authmount.disconnect('drive', ANNA), { disconnected: true, revoked: true })
    release()
    await refreshing
    t.equal(await credential(host.store), undefined)
    t.strictSame(
      provider.fake.to('/revoke').map(({ form }) => form.get('token')),
      ['refresh-1', 'refresh-2'],
    )
  })

  t.test(`${name}: what a user connects during a refresh is what stays`, async t => {
    const { connect: reconnect, get, host, provider } = await sceneOf(t, { connect })
    host.clock.advance(3600)
    const { arrived, release } = provider.hold()
    const refreshing = get()
    await arrived
    await reconnect()
    provider.live = 'refresh-1'
    release()
    t.equal(await refreshing, 'access-2')
    t.equal(await get(), 'access-2')
    t.match(await host.authmount.connectorStatus('drive', ANNA), { connected: true, needsReconnect: false })
  })

  t.test(`${name}: a user’s new account is never replaced by the tokens of one that was disconnected`, async t => {
    const { connect: reconnect, get, host, provider } = await sceneOf(t, { connect })
    const old = provider.hold()
    const first = get('access-1').catch(codeOf)
    await old.arrived
    await host.authmount.disconnect('drive', ANNA)
    await reconnect()
    const newer = provider.hold()
    const second = get('access-2').catch(codeOf)
    await newer.arrived
    provider.with = tokens => ({ ...tokens, access_token: 'access of the old account' })
    provider.live = 'refresh-1'
    old.release()
    await first
    provider.with = tokens => tokens
    provider.live = 'refresh-2'
    newer.release()
    await second
    t.not(await get(), 'access of the old account')
  })
}

overMemory('a token is refreshed when it is good for less than the margin', async t => {
  for (const [marginSeconds, stillGood, due] of [
    [undefined, 3537, 3541],
    [0, 3597, 3601],
    [300, 3297, 3301],
  ] as const) {
    const { get, host } = await sceneOf(t, { marginSeconds })
    host.clock.advance(stillGood)
    t.equal(await get(), 'access-1', `${stillGood} of 3600 s, margin ${marginSeconds}`)
    host.clock.advance(due - stillGood)
    t.equal(await get(), 'access-2', `${due} of 3600 s, margin ${marginSeconds}`)
  }
})

overMemory('a token that lives shorter than the margin is refreshed at half its life, and not by every call', async t => {
  const { get, host, provider } = await sceneOf(t)
  provider.with = tokens => ({ ...tokens, expires_in: 40 })
  host.clock.advance(3600)
  for (const [seconds, expected] of [
    [0, 'access-2'],
    [17, 'access-2'],
    [4, 'access-3'],
    [17, 'access-3'],
    [41, 'access-4'],
  ] as const) {
    host.clock.advance(seconds)
    t.equal(await get(), expected)
  }
  t.equal(provider.asked.length, 3)
})

overMemory('a refresh goes to the address that the provider has for it', async t => {
  const { get, host, provider, registered } = await sceneOf(t, { provider: { endpoints: {} } })
  const { fake } = provider
  Object.assign(registered, { endpoints: { refresh: `${fake.url}/refresh` } })
  fake.on('/refresh', { body: { ...TOKENS, access_token: 'access-of-refresh' } })
  host.clock.advance(3600)
  t.equal(await get(), 'access-of-refresh')
  t.match(fake.to('/refresh')[0]?.form.get('refresh_token'), 'refresh-1')
  t.strictSame(provider.asked, [], 'the token endpoint is for codes')
})

overMemory('a refresh names the scopes of the connection where the provider wants them, not those of today', async t => {
  const { connect, get, host, provider, registered } = await sceneOf(t, {
    provider: { scopes: ['files', 'mail'], scopeOnRefresh: true, scopeSeparator: ',' },
  })
  const sent = () => provider.fake.to('/token').at(-1)?.form.get('scope')
  Object.assign(registered, { scopes: ['files', 'mail', 'added'] })
  for (const _again of [1, 2]) {
    host.clock.advance(3600)
    await get()
    t.equal(sent(), 'files,mail')
  }
  await connect()
  host.clock.advance(3600)
  await get()
  t.equal(sent(), 'files,mail,added')
  Object.assign(registered, { scopeOnRefresh: false })
  host.clock.advance(3600)
  await get()
  t.equal(sent(), null)
})

overMemory('a token of which the provider does not say how long it lives is refreshed when it has been refused', async t => {
  const { get, host, provider } = await sceneOf(t)
  provider.with = ({ expires_in: _, ...tokens }) => tokens
  host.clock.advance(3600)
  t.match(await host.authmount.connectorToken('drive', ANNA), { accessToken: 'access-2', expiresAt: null })
  host.clock.advance(1e8)
  t.equal(await get(), 'access-2')
  t.equal(await get('another'), 'access-2')
  t.equal(await get('access-2'), 'access-3')
})

overMemory('where the host says how long a token lives, that counts', async t => {
  const { get, host, provider } = await sceneOf(t, { provider: { accessTokenSeconds: 600 } })
  provider.with = ({ expires_in: _, ...tokens }) => tokens
  host.clock.advance(3600)
  t.equal(await get(), 'access-2')
  host.clock.advance(530)
  t.equal(await get(), 'access-2')
  host.clock.advance(20)
  t.equal(await get(), 'access-3')
})

overMemory('a refresh token and scopes that are not given again are still the old ones', async t => {
  const { get, host, provider } = await sceneOf(t)
  provider.with = ({ refresh_token: _, scope: __, ...tokens }) => {
    provider.live = 'refresh-1'
    return tokens
  }
  for (const expected of ['access-2', 'access-3']) {
    host.clock.advance(3600)
    t.match(await host.authmount.connectorToken('drive', ANNA), { accessToken: expected, scopes: ['files'] })
  }
  provider.with = tokens => ({ ...tokens, scope: 'files more' })
  t.equal(await get('access-3'), 'access-4')
  t.strictSame((await host.authmount.connectorStatus('drive', ANNA)).scopes, ['files', 'more'])
  t.strictSame(provider.asked, ['refresh-1', 'refresh-1', 'refresh-1'])
})

overMemory('each refresh uses the refresh token that the one before brought', async t => {
  const { get, host, provider } = await sceneOf(t)
  for (const expected of ['access-2', 'access-3', 'access-4']) {
    host.clock.advance(3600)
    t.equal(await get(), expected)
  }
  t.strictSame(provider.asked, ['refresh-1', 'refresh-2', 'refresh-3'])
})

overMemory('a provider that is busy is asked again, when it says', async t => {
  const cases: readonly (readonly [string, readonly Answer[], number])[] = [
    ['503 twice', [{ status: 503 }, { status: 503 }], 200],
    ['429 with Retry-After', [{ status: 429, headers: { 'retry-after': '1' } }], 1000],
    ['503 with Retry-After', [{ status: 503, headers: { 'retry-after': '1' }, body: 'later' }], 1000],
  ]
  await Promise.all(
    cases.map(async ([what, answers, atLeastMs]) => {
      const { get, host, provider, types } = await sceneOf(t)
      host.clock.advance(3600)
      const left = [...answers]
      const at: number[] = []
      provider.before = async () => {
        at.push(performance.now())
        return left.shift()
      }
      t.equal(await get(), 'access-2', what)
      t.equal(at.length, answers.length + 1, what)
      const gaps = at.slice(1).map((moment, index) => moment - (at[index] ?? 0))
      // Timers may be a millisecond early.
      t.ok(Math.min(...gaps) >= atLeastMs - 2, `${what}: ${gaps.map(Math.round)} ms between requests`)
      t.strictSame(types(), ['connector_refreshed'])
    }),
  )
})

overMemory('a provider that wants to be left alone for longer than anybody waits is', async t => {
  const { get, host, provider } = await sceneOf(t)
  provider.before = async () => ({ status: 429, headers: { 'retry-after': '60' } })
  host.clock.advance(3550)
  t.equal(await get(), 'access-1', 'the old token is used while it lives')
  host.clock.advance(50)
  await t.rejects(get(), { code: 'provider_unavailable', retryAfterSeconds: 60 })
  t.equal(provider.asked.length, 2)
  provider.before = undefined
  t.equal(await get(), 'access-2', 'and it refreshes when it is back')
})

overMemory('what the provider has against the host does not end what the user agreed to', async t => {
  const cases: readonly (readonly [string, Answer])[] = [
    ['400 invalid_client', { status: 400, body: { error: 'invalid_client' } }],
    ['401 invalid_client', { status: 401, body: { error: 'invalid_client' } }],
    ['401 with a challenge', { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' }, body: 'no' }],
    ['400 unauthorized_client', { status: 400, body: { error: 'unauthorized_client' } }],
    ['400 invalid_request', { status: 400, body: { error: 'invalid_request' } }],
    ['400 with an error of its own', { status: 400, body: { error: 'sorry' } }],
  ]
  for (const [what, answer] of cases) {
    const { get, host, provider, types } = await sceneOf(t)
    provider.before = async () => answer
    host.clock.advance(3550)
    t.equal(await get(), 'access-1', `${what}: the old token is used while it lives`)
    host.clock.advance(50)
    await t.rejects(get(), { name: 'ConnectorError', code: 'provider_refused' }, what)
    t.match(await host.authmount.connectorStatus('drive', ANNA), { connected: true, needsReconnect: false }, what)
    provider.before = undefined
    t.equal(await get(), 'access-2', `${what}: it works once the host has mended it`)
    t.strictSame(types(), ['connector_refreshed'], what)
  }
})

overMemory('the code in the body says what is wrong, whatever challenge a gateway adds', async t => {
  const challenged = { 'www-authenticate': 'Key realm="gateway"' }
  for (const [status, error, code] of [
    [400, 'invalid_grant', 'needs_reconnect'],
    [401, 'invalid_grant', 'needs_reconnect'],
    [403, 'invalid_grant', 'needs_reconnect'],
    [400, 'invalid_request', 'provider_refused'],
    [401, 'invalid_client', 'provider_refused'],
  ] as const) {
    const { get, host, provider, types } = await sceneOf(t)
    const what = `${status} ${error}`
    host.clock.advance(3600)
    provider.before = async () => ({ status, headers: challenged, body: { error } })
    await t.rejects(get(), { name: 'ConnectorError', code, message: code === 'provider_refused' ? new RegExp(error) : /./ }, what)
    const over = code === 'needs_reconnect'
    t.match(await host.authmount.connectorStatus('drive', ANNA), { needsReconnect: over }, what)
    t.strictSame(types(), over ? ['connector_needs_reconnect'] : [], what)
  }
  const { host, provider } = await sceneOf(t)
  provider.fake.on('/revoke', { status: 400, headers: challenged, body: { error: 'invalid_token' } })
  t.match(await host.authmount.disconnect('drive', ANNA), { revoked: true }, 'a token that is over has been ended')
})

overMemory('scopes are read from a text or a list', async t => {
  const { get, host, provider } = await sceneOf(t)
  for (const [scope, expected] of [
    ['files mail', ['files', 'mail']],
    [
      ['files', 'mail'],
      ['files', 'mail'],
    ],
    [[], []],
    [' files  mail ', ['files', 'mail']],
  ] as const) {
    provider.with = tokens => ({ ...tokens, scope })
    host.clock.advance(3600)
    await get()
    t.strictSame((await host.authmount.connectorStatus('drive', ANNA)).scopes, expected, JSON.stringify(scope))
  }
  for (const scope of [['files', 5], [null], [['files']], { files: true }, 5]) {
    provider.with = tokens => ({ ...tokens, scope })
    host.clock.advance(3600)
    await t.rejects(get(), { code: 'invalid_response' }, JSON.stringify(scope))
    provider.live = 'refresh-5'
  }
})

overMemory('while the provider is away, the old token is used as long as it lives', async t => {
  const { get, host, provider } = await sceneOf(t)
  await provider.fake.close()
  host.clock.advance(3550)
  t.equal(await get(), 'access-1')
  host.clock.advance(50)
  await t.rejects(get(), { name: 'ConnectorError', code: 'provider_unavailable' })
  t.match(await host.authmount.connectorStatus('drive', ANNA), { connected: true, needsReconnect: false })
})

overMemory('while another process refreshes, or the provider keeps it, the old token is used as long as it lives', async t => {
  const { get, host } = await sceneOf(t)
  host.clock.advance(3550)
  const stored = (await credential(host.store)) as Credential
  t.ok(await host.store.credentials.save({ ...stored, leaseUntil: host.clock.now() + 60_000, version: stored.version + 1 }))
  t.equal(await get().catch(codeOf), 'access-1')
})

overMemory('a token that the provider has refused is not given again', async t => {
  const { get, provider } = await sceneOf(t)
  provider.before = async () => ({ status: 429, headers: { 'retry-after': '60' } })
  t.equal(await get('access-1').catch(codeOf), 'provider_unavailable', 'while the provider is busy')
  provider.before = undefined
  provider.live = null
  t.equal(await get('access-1').catch(codeOf), 'needs_reconnect', 'when it refuses the refresh token too')
  t.equal(await get().catch(codeOf), 'needs_reconnect', 'and afterwards')
})

overMemory('without a refresh token, the user connects again when the token is due', async t => {
  const { connect, get, host, provider, types } = await sceneOf(t)
  provider.with = ({ refresh_token: _, ...tokens }) => tokens
  await connect()
  host.clock.advance(3500)
  t.equal(await get(), 'access-2')
  host.clock.advance(100)
  t.strictSame(new Set(await times(50, () => get().catch(codeOf))), new Set(['needs_reconnect']))
  t.match(await host.authmount.connectorStatus('drive', ANNA), { connected: true, needsReconnect: true })
  t.strictSame(types(), ['connector_connected', 'connector_needs_reconnect'])
  t.equal(provider.asked.length, 0)
})

overMemory('an ID token that comes with a refresh cannot cost the refresh token', async t => {
  const broken: Readonly<Record<string, (provider: FakeProvider) => Promise<unknown>>> = {
    'its keys cannot be had at the moment': async fake => {
      let failures = 1
      const body = await (await fetch(`${fake.url}/jwks`)).json()
      fake.on('/jwks', () => (failures-- > 0 ? { status: 503 } : { body }))
      return fake.idToken({ aud: CLIENT.clientId })
    },
    'its key is not among the provider’s': async fake => {
      fake.on('/jwks', { body: { keys: [] } })
      return fake.idToken({ aud: CLIENT.clientId })
    },
  }
  for (const [what, idToken] of Object.entries(broken)) {
    const { host, provider, registered } = await sceneOf(t, { provider: { scopes: ['openid', 'files'] } })
    // Has read neither metadata nor keys.
    const started = await startHost(mount as NonNullable<typeof mount>, {
      ...withConnectors({ drive: registered }),
      store: host.store,
      now: host.clock.now,
    })
    t.teardown(started.close)
    const get = () =>
      started.authmount.connectorToken('drive', ANNA).then(
        ({ accessToken }) => accessToken,
        error => codeOf(error),
      )
    provider.with = async tokens => ({ ...tokens, id_token: await idToken(provider.fake) })
    host.clock.advance(3600)
    const got = await get()
    t.equal(got.startsWith('access') ? got : await get(), 'access-2', `${what}: ${got}`)
    t.equal((await host.authmount.connectorStatus('drive', ANNA)).needsReconnect, false, what)
  }
})

overMemory('a refresh that brings another account than the connected one ends the connection', async t => {
  const cases: readonly (readonly [string, object, boolean])[] = [
    ['the same account', {}, false],
    ['the same account, in a token that is not for us', { aud: 'other', exp: 1 }, false],
    ['no subject', { sub: undefined }, false],
    ['another subject', { sub: 'user-2' }, true],
    ['another issuer', { iss: 'https://other.example' }, true],
  ]
  for (const [what, claims, over] of cases) {
    const { connect, get, host, provider, types } = await sceneOf(t, { provider: { scopes: ['openid', 'files'] } })
    const connecting = provider.with
    provider.with = async tokens => ({ ...tokens, id_token: await provider.fake.idToken({ aud: CLIENT.clientId, ...claims }) })
    host.clock.advance(3600)
    if (!over) {
      t.equal(await get(), 'access-2', what)
      continue
    }
    await t.rejects(get(), { code: 'needs_reconnect', message: /another account/ }, what)
    await t.rejects(get(), { code: 'needs_reconnect' }, `${what}: and afterwards`)
    t.equal((await host.authmount.connectorStatus('drive', ANNA)).needsReconnect, true, what)
    t.strictSame(types(), ['connector_needs_reconnect'], what)
    const revoked = provider.fake.to('/revoke').map(({ form }) => form.get('token'))
    t.strictSame(revoked, ['refresh-2'], `${what}: nothing of it stays alive`)
    provider.with = connecting
    await connect()
    t.equal(await get(), 'access-3', `${what}: the user connects again`)
  }
})

overMemory('what cannot be read of an ID token of a refresh is not held against it', async t => {
  const { get, host, provider } = await sceneOf(t, { provider: { scopes: ['openid', 'files'] } })
  for (const [index, id_token] of ['garbage', 'a.b.c', 5, {}, ['x'], null, undefined, ''].entries()) {
    provider.with = tokens => ({ ...tokens, id_token })
    host.clock.advance(3600)
    t.equal(await get(), `access-${index + 2}`, JSON.stringify(id_token))
  }
})

overMemory('keys that a provider has replaced at once are read again, once a minute', async t => {
  const { connect, provider } = await sceneOf(t, { provider: { scopes: ['openid', 'files'] } })
  const { fake } = provider
  const read = () => fake.countOf('/jwks')
  await connect()
  t.equal(read(), 1)
  fake.replaceKeys('another-kid')
  await connect()
  t.equal(read(), 2, 'a key id that was not there')
  await connect()
  t.equal(read(), 2)
  fake.replaceKeys('third-kid')
  await t.rejects(connect(), { message: /not connected/ }, 'within the same minute, the provider’s keys are not read again')
  t.equal(read(), 2)
})

overMemory('a key that a provider has replaced under its old name is read again', async t => {
  const { connect, provider } = await sceneOf(t, { provider: { scopes: ['openid', 'files'] } })
  provider.fake.replaceKeys()
  await connect()
  t.equal(provider.fake.countOf('/jwks'), 2)
})

overMemory('an address of keys that a provider has replaced is found', async t => {
  const { connect, provider } = await sceneOf(t, { provider: { scopes: ['openid', 'files'] } })
  const { fake } = provider
  fake.replaceKeys('another-kid')
  fake.on('/jwks', { status: 404 })
  fake.on('/new-jwks', async () => ({ body: await fake.jwks() }))
  fake.on('/.well-known/openid-configuration', { body: fake.metadata({ jwks_uri: `${fake.url}/new-jwks` }) })
  await connect()
  t.equal(fake.countOf('/new-jwks'), 1)
})

overMemory('a host whose hook takes its time keeps others from refreshing for as long as it is at it', async t => {
  const slow = { afterMs: 0 }
  const { host, provider, registered } = await sceneOf(t, { hookTimeoutMs: 5000 })
  const hooked = async () => {
    await sleep(slow.afterMs)
    return registered
  }
  const start = () =>
    startHost(mount as NonNullable<typeof mount>, {
      ...withConnectors({}, { provider: hooked }),
      hookTimeoutMs: 5000,
      store: host.store,
      now: host.clock.now,
    })
  const [one, other] = await Promise.all([start(), start()])
  t.teardown(() => Promise.all([one.close(), other.close()]))
  slow.afterMs = 4500
  host.clock.advance(3600)
  const { arrived, release } = provider.hold()
  const first = one.authmount.connectorToken('drive', ANNA)
  await arrived
  const second = other.authmount.connectorToken('drive', ANNA)
  await sleep(9000)
  release()
  const got = await Promise.all([first, second].map(token => token.then(({ accessToken }) => accessToken, codeOf)))
  t.strictSame(got, ['access-2', 'access-2'])
  t.strictSame(provider.asked, ['refresh-1'])
  t.equal((await host.authmount.connectorStatus('drive', ANNA)).needsReconnect, false)
})

overMemory('a token that is fresh costs one question to the store', async t => {
  const wrapped: FaultyStore[] = []
  const { get } = await sceneOf(t, {
    wrap: inner => {
      wrapped.push(new FaultyStore(inner, new StoreTimeout()))
      return wrapped[0]?.store ?? inner
    },
  })
  await wrapped[0]?.during(0, 'throws', () => get())
  t.strictSame(wrapped[0]?.calls, ['credentials.get'])
})

for (const [name, connect] of Object.entries(stores)) {
  t.test(`${name}: a store that fails at any call of a refresh costs no refresh token`, async t => {
    const wrapped: FaultyStore[] = []
    const timeout = new StoreTimeout()
    const scene = await sceneOf(t, {
      connect,
      wrap: inner => {
        wrapped.push(new FaultyStore(inner, timeout))
        return wrapped[0]?.store ?? inner
      },
      storeTimeoutMs: timeout.ms,
    })
    const { get, host, provider } = scene
    const [faulty] = wrapped
    if (!faulty) throw new Error('the host did not ask for its store')
    const due = () => host.clock.advance(3600)

    due()
    await faulty.during(0, 'throws', () => get())
    const calls = [...faulty.calls]
    t.strictSame(calls.at(-1), 'credentials.save')
    for (const [index, call] of calls.entries()) {
      for (const fault of faults.filter(fault => fault === 'rejects after' || name === 'memory')) {
        due()
        const what = `${index + 1}, ${call} ${fault}`
        const got = await faulty.during(index + 1, fault, () => get().catch(error => error))
        t.ok(got === provider.live?.replace('refresh', 'access') || got instanceof StoreError, `${what}: ${got}`)
        t.notMatch(String(got), /db-password/, what)
        // A lease that was taken without anybody hearing of it runs out.
        host.clock.advance(13)
        t.equal(await get(), provider.live?.replace('refresh', 'access'), `${what}: afterwards it works`)
        t.equal((await host.authmount.connectorStatus('drive', ANNA)).needsReconnect, false, what)
      }
    }
    t.strictSame(new Set(scene.types()), new Set(['connector_refreshed']))
    t.equal(new Set(provider.asked).size, provider.asked.length, 'no refresh token was used twice')
  })

  t.test(`${name}: a store that fails at any call of a disconnect leaves no token alive that nobody can end`, async t => {
    const wrapped: FaultyStore[] = []
    const timeout = new StoreTimeout()
    const {
      connect: reconnect,
      host,
      provider,
    } = await sceneOf(t, {
      connect,
      wrap: inner => {
        wrapped.push(new FaultyStore(inner, timeout))
        return wrapped[0]?.store ?? inner
      },
      storeTimeoutMs: timeout.ms,
    })
    const [faulty] = wrapped
    if (!faulty) throw new Error('the host did not ask for its store')
    const disconnect = () => host.authmount.disconnect('drive', ANNA)
    await faulty.during(0, 'throws', disconnect)
    const calls = [...faulty.calls]
    t.strictSame(calls, ['credentials.get', 'credentials.delete'])
    for (const [index, call] of calls.entries()) {
      for (const fault of faults.filter(fault => fault === 'rejects after' || name === 'memory')) {
        await reconnect()
        const token = provider.live
        const what = `${index + 1}, ${call} ${fault}`
        const ended = await faulty.during(index + 1, fault, () => disconnect().catch(error => error))
        if (ended instanceof Error) t.ok(ended instanceof StoreError, what)
        await disconnect()
        t.equal(await credential(host.store), undefined, what)
        const revoked = provider.fake.to('/revoke').map(({ form }) => form.get('token'))
        t.ok(revoked.includes(token), `${what}: the provider has been told`)
      }
    }
  })
}

overMemory('a store that is away for a moment when a refresh is to be kept costs nothing', async t => {
  let failures = 0
  const wrap = (inner: Store): Store => ({
    ...inner,
    credentials: {
      ...inner.credentials,
      save: async next => {
        if (next.leaseUntil === null && failures > 0) {
          failures -= 1
          throw new Error('ECONNRESET')
        }
        return inner.credentials.save(next)
      },
    },
  })
  const { get, host, provider } = await sceneOf(t, { wrap })
  host.clock.advance(3600)
  failures = 3
  t.equal(await get(), 'access-2')
  t.equal(failures, 0)
  host.clock.advance(3600)
  t.equal(await get(), 'access-3')
  t.strictSame(provider.asked, ['refresh-1', 'refresh-2'])
})

for (const written of [false, true]) {
  const how = written ? 'whose answers are lost' : 'that fails'
  overMemory(`a store ${how} while a refresh is being refused does not keep the refusal from being said`, async t => {
    let failing = false
    const wrap = (inner: Store): Store => ({
      ...inner,
      credentials: {
        ...inner.credentials,
        save: async next => {
          const fails = failing && next.leaseUntil === null
          const saved = fails && !written ? false : await inner.credentials.save(next)
          if (fails) throw new Error('ECONNRESET')
          return saved
        },
      },
    })
    const { get, host, provider, types } = await sceneOf(t, { wrap })
    host.clock.advance(3600)
    provider.live = null
    failing = true
    t.equal(await get().catch(codeOf), 'needs_reconnect')
    failing = false
    host.clock.advance(13)
    t.equal(await get().catch(codeOf), 'needs_reconnect')
    t.strictSame(new Set(types()), new Set(['connector_needs_reconnect']))
  })

  overMemory(`an account that is disconnected over a store ${how} is announced`, async t => {
    let failing = true
    const wrap = (inner: Store): Store => ({
      ...inner,
      credentials: {
        ...inner.credentials,
        delete: async (connectorId, ownerId) => {
          const deleted = failing && !written ? false : await inner.credentials.delete(connectorId, ownerId)
          if (failing) throw new Error('ECONNRESET')
          return deleted
        },
      },
    })
    const { host, types } = await sceneOf(t, { wrap })
    await t.rejects(host.authmount.disconnect('drive', ANNA), StoreError)
    failing = false
    t.match(await host.authmount.disconnect('drive', ANNA), { disconnected: !written })
    t.strictSame(new Set(types()), new Set(['connector_disconnected']))
  })
}

overMemory('connectorToken rejects with ConnectorError or StoreError, whatever happens', async t => {
  const hook = { answer: (): Provider | null => null }
  const shared = await connectMemory(newNamespace())
  const { host, registered } = await sceneOf(t, { store: shared.store })
  const other = await startHost(mount as NonNullable<typeof mount>, {
    ...withConnectors({}, { provider: () => hook.answer() }),
    hookTimeoutMs: 50,
    store: shared.store,
    now: host.clock.now,
  })
  const strangers = await startHost(mount as NonNullable<typeof mount>, {
    ...withConnectors({ drive: registered }),
    sealingKeys: [createHash('sha256').update('another sealing key').digest()],
    store: shared.store,
    now: host.clock.now,
  })
  t.teardown(() => Promise.all([other.close(), strangers.close()]))
  host.clock.advance(3600)
  const cases: Readonly<Record<string, readonly [TestHost, () => unknown]>> = {
    'the hook throws': [
      other,
      () => {
        throw new Error('hook-secret')
      },
    ],
    'the hook hangs': [other, () => new Promise(() => {})],
    'the hook names nothing': [other, () => null],
    'the hook answers garbage': [other, () => ({ endpoints: 5 })],
    'the sealing key is gone': [strangers, () => null],
  }
  for (const [what, [through, answer]] of Object.entries(cases)) {
    hook.answer = answer as typeof hook.answer
    const error = await through.authmount.connectorToken('drive', ANNA).catch((error: unknown) => error)
    t.ok(error instanceof ConnectorError || error instanceof StoreError, `${what}: ${error}`)
    t.notMatch(String(error), /hook-secret/, what)
  }
  await t.rejects(strangers.authmount.connectorStatus('drive', ANNA), { name: 'ConnectorError', code: 'not_configured' })
  t.match(await host.authmount.connectorStatus('drive', ANNA), { connected: true, needsReconnect: false })
  t.equal((await host.authmount.connectorToken('drive', ANNA)).accessToken, 'access-2', 'and nothing is lost')
})
