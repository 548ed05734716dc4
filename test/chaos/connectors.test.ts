/** Four processes want the token of one outside account when it is due, and one of them dies while it refreshes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { ANNA, begin, comeBack, withConnectors } from '../support/connectors.ts'
import { FakeProvider } from '../support/fake-provider.ts'
import { frameworks, startHost } from '../support/host.ts'
import { newNamespace, sharedStores } from '../support/stores.ts'
import type { Outcome } from './connector-instance.ts'

const [mount] = Object.values(frameworks)
if (!mount) throw new Error('no framework')

/** A provider whose refresh tokens work once: one that comes again ends them all (RFC 9700 §4.14.2). */
class RotatingProvider {
  readonly fake: FakeProvider
  /** Whether the next refresh is never answered: before the provider has done anything, or after. */
  hangs: 'before' | 'after' | null = null
  /** Resolves when a refresh request hangs. */
  readonly hanging: Promise<void>
  #hung = () => {}
  #live: string | null = null
  #issued = 0

  constructor(fake: FakeProvider) {
    this.fake = fake
    this.hanging = new Promise(resolve => {
      this.#hung = resolve
    })
    fake.on('/token', ({ form }) => {
      const refreshing = form.get('grant_type') === 'refresh_token'
      const hangs = refreshing ? this.hangs : null
      if (refreshing) this.hangs = null
      if (hangs === 'before') return this.#hung() as undefined
      if (refreshing && form.get('refresh_token') !== this.#live) {
        this.#live = null
        return { status: 400, body: { error: 'invalid_grant' } }
      }
      this.#issued += 1
      this.#live = `refresh-${this.#issued}`
      if (hangs === 'after') return this.#hung() as undefined
      const tokens = { access_token: `access-${this.#issued}`, refresh_token: this.#live }
      return { body: { ...tokens, token_type: 'Bearer', expires_in: 3600 } }
    })
  }

  /** The refresh tokens it was asked with, the oldest first. */
  get asked(): readonly (string | null)[] {
    const refreshes = this.fake.to('/token').filter(({ form }) => form.get('grant_type') === 'refresh_token')
    return refreshes.map(({ form }) => form.get('refresh_token'))
  }
}

interface Scene {
  readonly children: readonly ChildProcess[]
  readonly provider: RotatingProvider
  readonly ask: (child: ChildProcess, message: object) => Promise<Outcome>
  readonly askAll: (message: object) => Promise<readonly Outcome[]>
  readonly status: () => Promise<{ readonly connected: boolean; readonly needsReconnect: boolean }>
}

/** Anna has connected her account; four processes share the store. */
async function sceneOf(t: Test, store: string): Promise<Scene> {
  const connect = sharedStores[store] as NonNullable<(typeof sharedStores)[string]>
  const provider = new RotatingProvider(await FakeProvider.start())
  const { url } = provider.fake
  const registered = { clientId: 'the-host', clientSecret: 'secret of the host', issuer: url, scopes: ['files'] }
  const namespace = newNamespace()
  const options = {
    ...withConnectors({ drive: registered }),
    connect: (_own: string, now?: () => number) => connect(namespace, now),
  }
  const host = await startHost(mount as NonNullable<typeof mount>, options)
  const script = fileURLToPath(new URL('connector-instance.ts', import.meta.url))
  const children = ['express', 'fastify', 'express', 'fastify'].map(framework =>
    spawn(process.execPath, ['--import=tsx', script, framework, store, namespace, url], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    }),
  )
  t.teardown(async () => {
    for (const child of children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
      child.kill()
      await once(child, 'exit')
    }
    await host.close()
    await provider.fake.close()
  })
  await Promise.all(children.map(({ stdout }) => once(stdout ?? process.stdin, 'data')))

  const { cookie, state } = await begin(host, 'drive')
  t.equal((await comeBack(host, { code: 'code', state }, { cookie })).location?.pathname, '/connectors/oauth/success')
  const ask = async (child: ChildProcess, message: object): Promise<Outcome> => {
    child.send(message)
    return (await once(child, 'message'))[0]
  }
  return {
    children,
    provider,
    ask,
    askAll: message => Promise.all(children.map(child => ask(child, message))),
    status: () => host.authmount.connectorStatus('drive', ANNA),
  }
}

for (const store of Object.keys(sharedStores).slice(0, 2)) {
  t.test(`${store}: of two hundred callers in four processes, one refreshes, and all have the new token`, async t => {
    const { askAll, provider, status } = await sceneOf(t, store)
    t.strictSame(new Set((await askAll({ call: 50 })).flatMap(({ got }) => got)), new Set(['access-1']))
    const rounds = 6
    for (let round = 1; round <= rounds; round++) {
      await askAll({ advance: 3600 })
      const outcomes = await askAll({ call: 50 })
      const got = outcomes.flatMap(outcome => outcome.got)
      t.equal(got.length, 200)
      t.strictSame(new Set(got), new Set([`access-${round + 1}`]), `round ${round}`)
      t.equal(provider.asked.length, round, `round ${round}: one refresh request`)
    }
    const events = (await askAll({})).flatMap(outcome => outcome.events)
    t.strictSame(events, Array(rounds).fill('connector_refreshed'))
    t.match(await status(), { connected: true, needsReconnect: false })
  })
}

// By the lease alone, which the contract holds every store to.
for (const store of Object.keys(sharedStores).slice(0, 1)) {
  for (const [when, outcome, event] of [
    ['before', 'access-2', 'connector_refreshed'],
    ['after', 'needs_reconnect', 'connector_needs_reconnect'],
  ] as const) {
    t.test(
      `${store}: a process dies ${when} the provider has refreshed for it: within 15 s the others have ${outcome}`,
      async t => {
        const { ask, askAll, children, provider, status } = await sceneOf(t, store)
        const [doomed, ...others] = children as [ChildProcess, ...ChildProcess[]]
        await askAll({ advance: 3600 })
        provider.hangs = when
        doomed.send({ call: 50 })
        await provider.hanging
        const began = performance.now()
        const waiting = others.map(child => ask(child, { call: 50 }))
        doomed.kill('SIGKILL')
        await once(doomed, 'exit')
        const outcomes = await Promise.all(waiting)
        const ms = performance.now() - began
        t.ok(ms < 15_000, `after ${Math.round(ms)} ms`)
        const got = outcomes.flatMap(outcome => outcome.got)
        t.equal(got.length, 150)
        t.strictSame(new Set(got), new Set([outcome]))
        t.strictSame(provider.asked, ['refresh-1', 'refresh-1'], 'one other has taken over')
        t.strictSame(
          outcomes.flatMap(({ events }) => events),
          [event],
        )
        t.match(await status(), { connected: true, needsReconnect: when === 'after' })
      },
    )
  }
}
