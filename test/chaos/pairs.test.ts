/** Two at once, the race that clients really make: over one database, to a process of each framework. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { HttpRequest, Principal, Store } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import t, { type Test } from 'tap'
import type { Answer, TestApp } from '../support/client.ts'
import { frameworks, type HostOptions, startHost, type TestHost } from '../support/host.ts'
import { type Connect, newNamespace, sharedStores, stores } from '../support/stores.ts'
import { eachOf } from './instances.ts'

/** `RACES=200`, which is what `npm run chaos` says, means a thousand of these. */
const roundsOf = (store: string) =>
  process.env.RACES === undefined ? (store in sharedStores ? 30 : 5) : Number(process.env.RACES) * 5
const AT_ONCE = 4

/** Every call is held up a little, each time differently, so that two requests meet at each point of their ways. */
function shuffled(store: Store): Store {
  const parts = Object.entries(store).map(([part, methods]: [string, Readonly<Record<string, unknown>>]) => {
    const slowed = Object.entries(methods).map(([name, method]) => [
      name,
      async (...args: unknown[]) => {
        for (let turns = Math.floor(Math.random() * 4); turns > 0; turns--) await nextTurn()
        return (method as (...args: unknown[]) => unknown).apply(methods, args)
      },
    ])
    return [part, Object.fromEntries(slowed)]
  })
  return Object.fromEntries(parts) as Store
}

interface Pair {
  readonly one: TestHost
  readonly other: TestHost
  readonly app: TestApp
}

interface Race {
  readonly options?: HostOptions
  /** Runs one round, and returns what was wrong with it. */
  run(pair: Pair, round: number): Promise<readonly string[]>
}

/** Which of these facts are false. */
function broken(facts: Readonly<Record<string, boolean>>): readonly string[] {
  return Object.entries(facts).flatMap(([fact, holds]) => (holds ? [] : [fact]))
}

const isRefused = ({ body, status }: Answer) => status === 400 && body.error === 'invalid_grant'

const races: Readonly<Record<string, Race>> = {
  'of a code that is redeemed twice at most one use succeeds, and no token lives': {
    async run({ app, one, other }) {
      const code = await one.approve(app)
      const answers = await Promise.all([one.redeem(app, code), other.redeem(app, code)])
      const issued = answers.filter(({ status }) => status === 200)
      const tokens = issued.flatMap(({ body }) => [body.access_token, body.refresh_token])
      const alive = await Promise.all(tokens.map(token => other.isActive(app, token)))
      return broken({
        'at most one': issued.length <= 1,
        'the others refused': answers.filter(isRefused).length === 2 - issued.length,
        'nothing alive': !alive.includes(true),
      })
    },
  },
  'a refresh token that is used twice has one successor, which lives': {
    async run({ app, one, other }) {
      const { access, refresh } = await one.tokens(app)
      const answers = await Promise.all([one.refresh(app, refresh), other.refresh(app, refresh)])
      const pairs = new Set(answers.map(({ body }) => `${body.access_token} ${body.refresh_token}`))
      const [successor] = answers.map(({ body }) => body.refresh_token)
      return broken({
        'both answered': answers.every(({ status }) => status === 200),
        'one successor': pairs.size === 1,
        'it lives': (await one.isActive(app, successor)) && (await other.isActive(app, access)),
      })
    },
  },
  'without a grace, one use of a refresh token at most succeeds, and no token of its grant lives': {
    options: { rotationGraceSeconds: 0 },
    async run({ app, one, other }) {
      const { access, refresh } = await one.tokens(app)
      const answers = await Promise.all([one.refresh(app, refresh), other.refresh(app, refresh)])
      const issued = answers.flatMap(({ body, status }) => (status === 200 ? [body.access_token, body.refresh_token] : []))
      const alive = await Promise.all([access, refresh, ...issued].map(token => other.isActive(app, token)))
      return broken({
        'at most one': issued.length <= 2,
        'the others refused': answers.filter(isRefused).length === 2 - issued.length / 2,
        'nothing alive': !alive.includes(true),
      })
    },
  },
  'of two consents for one app none is lost': {
    async run({ app, one, other }, round) {
      const user = `user-${round}`
      const screens = await Promise.all([
        one.authorize(app, { scope: 'read:records' }, user),
        other.authorize(app, { scope: 'write:records' }, user),
      ])
      const [first, second] = screens as [Answer, Answer]
      const answers = await Promise.all([one.decide(first, 'granted', user), other.decide(second, 'granted', user)])
      const consent = await one.store.consents.get({ userId: user }, app.clientId)
      return broken({
        'both have a code': answers.every(({ params }) => params.code !== undefined),
        'both are kept': consent?.scopes.toSorted().join(' ') === 'read:records write:records',
      })
    },
  },
}

/** Anyone who says who they are: each round has a user of its own. */
async function authenticate({ headers }: HttpRequest): Promise<Principal | null> {
  const userId = /session=([^;]+)/.exec(headers.cookie ?? '')?.[1]
  return userId === undefined ? null : { userId, orgId: 'org-1', isAdmin: false }
}

async function startPair(t: Test, name: string, connect: Connect, options: HostOptions = {}): Promise<Pair> {
  const [express, fastify] = [frameworks.express, frameworks.fastify]
  if (!express || !fastify) throw new Error('a framework is missing')
  const namespace = newNamespace()
  const memory = memoryStore()
  const own: HostOptions = {
    connect: async (_own, now) => (name in sharedStores ? connect(namespace, now) : { store: memory, close: async () => {} }),
    wrap: shuffled,
    // A busy machine may be slow, but no answer may be a 503 here.
    storeTimeoutMs: 20_000,
    rotationGraceSeconds: 30,
    authenticate,
    ...options,
  }
  const one = await startHost(express, own)
  const other = await startHost(fastify, own)
  t.teardown(() => Promise.all([one.close(), other.close()]))
  return { one, other, app: await one.confidentialApp() }
}

for (const [store, connect] of Object.entries(stores)) {
  const rounds = roundsOf(store)
  for (const [name, { options, run }] of Object.entries(races)) {
    t.test(`${store}: ${name} (${rounds} rounds)`, async t => {
      const pair = await startPair(t, store, connect, options)
      const wrong = new Map<string, number>()
      await eachOf([...Array(rounds).keys()], AT_ONCE, async round => {
        for (const fact of await run(pair, round)) wrong.set(fact, (wrong.get(fact) ?? 0) + 1)
      })
      t.strictSame(Object.fromEntries(wrong), {})
      t.strictSame([...pair.one.logged, ...pair.other.logged], [])
    })
  }
}
