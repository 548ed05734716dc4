/** A slow provider costs the store's time nothing, and a failing store leaves no token alive that nobody could end. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ConnectorOptions, StoreError } from 'authmount'
import type { Provider } from 'authmount/connectors'
import t, { type Test } from 'tap'
import { ANNA, begin, comeBack, withConnectors } from '../support/connectors.ts'
import { FakeProvider } from '../support/fake-provider.ts'
import { FaultyStore, faults } from '../support/faulty-store.ts'
import { frameworks, type HostOptions, startHost, type TestHost } from '../support/host.ts'
import { StoreTimeout } from '../support/store-timeout.ts'

const SIGNED_IN = 'https://app.example/signed-in'
const CLIENT = { clientId: 'the-host', clientSecret: 'secret of the host' }
const JSON_TYPE = { 'content-type': 'application/json' }

interface Scene {
  readonly host: TestHost
  readonly fake: FakeProvider
  /** How long the provider takes to answer with tokens, in milliseconds. */
  readonly slow: { ms: number }
  /** The refresh tokens that the provider has issued, and those that it was told to end. */
  readonly issued: readonly string[]
  readonly ended: () => readonly (string | null)[]
  /** Whatever nobody handled. */
  readonly unhandled: readonly unknown[]
}

type SceneOptions = HostOptions & { readonly settings?: Partial<ConnectorOptions> }

async function sceneOf(t: Test, { settings, ...options }: SceneOptions = {}): Promise<Scene> {
  const fake = await FakeProvider.start()
  const slow = { ms: 0 }
  const issued: string[] = []
  fake.on('/token', async () => {
    await sleep(slow.ms)
    issued.push(`refresh-${issued.length + 1}`)
    const tokens = { access_token: `access-${issued.length}`, refresh_token: issued.at(-1) }
    const id_token = await fake.idToken({ aud: CLIENT.clientId, email: 'anna@outside.example', email_verified: true })
    return { body: { ...tokens, token_type: 'Bearer', expires_in: 3600, id_token } }
  })
  fake.on('/revoke', {})
  const provider: Provider = { ...CLIENT, issuer: fake.url, scopes: ['files'] }
  const googleWorkspace = { connectorId: 'drive' }
  const host = await startHost(frameworks.fastify as NonNullable<typeof frameworks.fastify>, {
    ...withConnectors({ drive: provider }, { googleWorkspace, ...settings }),
    signInProvider: () => ({ ...provider, scopes: ['openid'], redirectUris: [SIGNED_IN] }),
    ...options,
  })
  const unhandled: unknown[] = []
  const keep = (error: unknown) => unhandled.push(error)
  process.on('unhandledRejection', keep)
  t.teardown(async () => {
    process.off('unhandledRejection', keep)
    await host.close()
    await fake.close()
  })
  return { host, fake, slow, issued, ended: () => fake.to('/revoke').map(({ form }) => form.get('token')), unhandled }
}

async function callback(host: TestHost): Promise<string> {
  const { cookie, state } = await begin(host, 'drive')
  const answer = await comeBack(host, { state, code: 'code' }, { cookie })
  return answer.location?.pathname ?? String(answer.status)
}

const workspaceExchange = (host: TestHost) =>
  host.send('/connectors/getTokenFromCode', {
    method: 'POST',
    headers: { ...JSON_TYPE, authorization: 'Bearer host-anna' },
    body: '{"code":"code"}',
  })

const accountExchange = (host: TestHost) =>
  host.send('/userAccount/oauth/exchange', {
    method: 'POST',
    headers: JSON_TYPE,
    body: JSON.stringify({ code: 'code', email: 'anna@outside.example', provider: 'x', redirectUri: SIGNED_IN }),
  })

t.test('a provider that takes longer than the store may is not the store’s fault', async t => {
  const { ended, host, issued, slow } = await sceneOf(t, { storeTimeoutMs: 100 })
  slow.ms = 600
  t.equal(await callback(host), '/connectors/oauth/success')
  t.equal((await workspaceExchange(host)).status, 200)
  t.equal((await accountExchange(host)).status, 200)
  host.clock.advance(3600)
  t.equal((await host.authmount.connectorToken('drive', ANNA)).accessToken, `access-${issued.length}`)
  t.match(await host.authmount.disconnect('drive', ANNA), { disconnected: true, revoked: true })
  t.equal(issued.length, 4)
  t.strictSame(ended(), [issued.at(-1)])
  t.strictSame(host.logged, [])
})

t.test('a hook that takes longer than the store may is not the store’s fault', async t => {
  const hook = { provider: null as Provider | null }
  const slowHook = async () => {
    await sleep(300)
    return hook.provider
  }
  const { fake, host } = await sceneOf(t, { storeTimeoutMs: 100, settings: { provider: slowHook } })
  hook.provider = { ...CLIENT, issuer: fake.url, scopes: ['files'] }
  t.equal(await callback(host), '/connectors/oauth/success')
  t.equal((await workspaceExchange(host)).status, 200)
  host.clock.advance(3600)
  t.match(await host.authmount.connectorToken('drive', ANNA), { accessToken: 'access-3' })
})

for (const [name, connect] of [
  ['callback', async host => (await callback(host)).endsWith('/success')],
  ['workspace exchange', async host => (await workspaceExchange(host)).status === 200],
] as const satisfies readonly (readonly [string, (host: TestHost) => Promise<boolean>])[]) {
  t.test(`${name}: a store that fails at any call leaves no new token alive that was not kept`, async t => {
    const wrapped: FaultyStore[] = []
    const timeout = new StoreTimeout()
    const { ended, host, issued, unhandled } = await sceneOf(t, {
      storeTimeoutMs: timeout.ms,
      wrap: inner => {
        wrapped.push(new FaultyStore(inner, timeout))
        return wrapped[0]?.store ?? inner
      },
    })
    const [faulty] = wrapped
    if (!faulty) throw new Error('the host did not ask for its store')
    t.ok(await faulty.during(0, 'throws', () => connect(host)))
    const calls = [...faulty.calls]
    t.equal(calls.at(-1), 'credentials.save')
    for (const [index, call] of calls.entries()) {
      for (const fault of faults) {
        const what = `${index + 1}, ${call} ${fault}`
        const before = issued.length
        const connected = await faulty.during(index + 1, fault, async () => {
          const done = await connect(host)
          const fresh = issued.slice(before)
          // When the answer is there, it has been done: not some time later.
          if (!done) t.strictSame(ended().slice(-fresh.length || ended().length), fresh, `${what}: ended at the provider`)
          return done
        })
        if (connected)
          t.match(await host.authmount.connectorToken('drive', ANNA), { accessToken: `access-${issued.length}` }, what)
      }
    }
    t.strictSame(unhandled, [])
  })

  t.test(`${name}: a save whose reply was lost has kept the account`, async t => {
    const wrapped: FaultyStore[] = []
    const { ended, host } = await sceneOf(t, {
      wrap: inner => {
        wrapped.push(new FaultyStore(inner, new StoreTimeout()))
        return wrapped[0]?.store ?? inner
      },
    })
    const [faulty] = wrapped
    if (!faulty) throw new Error('the host did not ask for its store')
    await faulty.during(0, 'throws', () => connect(host))
    t.ok(await faulty.during(faulty.calls.length, 'rejects after', () => connect(host)))
    t.match(await host.authmount.connectorToken('drive', ANNA), { accessToken: 'access-2' })
    t.strictSame(ended(), [])
  })
}

t.test('an account whose record cannot be deleted is ended at the provider all the same', async t => {
  const broken = { now: false }
  const { ended, host, issued } = await sceneOf(t, {
    wrap: inner => ({
      ...inner,
      credentials: {
        ...inner.credentials,
        delete: async (connectorId, ownerId) => {
          if (broken.now) throw new Error('ECONNRESET')
          return inner.credentials.delete(connectorId, ownerId)
        },
      },
    }),
  })
  await callback(host)
  broken.now = true
  await t.rejects(host.authmount.disconnect('drive', ANNA), StoreError)
  t.strictSame(ended(), issued)
  broken.now = false
  t.match(await host.authmount.disconnect('drive', ANNA), { disconnected: true })
})
