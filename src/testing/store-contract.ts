import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import type { Credential, Grant, Store, Token } from '../store/store.ts'
import { newApp, newClientId, newCode, newGrant, newId, newToken, refOf } from './records.ts'

/** One sentence of the storage contract, and the code that holds a store to it. */
export interface StoreCase {
  readonly name: string
  /**
   * Rejects with an AssertionError where the store breaks the sentence. Leaves records behind, under random ids.
   * What races is spread over the store and its peers, which must be of the same database on connections of their own.
   */
  run(store: Store, peers?: readonly Store[]): Promise<void>
}

/**
 * Registers every case with a test runner of any make:
 * `runStoreContract(test, () => myStore)` for node:test, `runStoreContract(t.test.bind(t), () => myStore)` for tap.
 *
 * Where a store talks to a server, give several of them, each with a connection of its own to the same database:
 * what shares a connection hardly races.
 */
export function runStoreContract(
  test: (name: string, run: () => Promise<void>) => unknown,
  makeStores: () => Store | readonly [Store, ...Store[]] | Promise<Store | readonly [Store, ...Store[]]>,
): void {
  for (const { name, run } of storeCases) {
    test(name, async () => {
      const made = await makeStores()
      const [store, ...peers] = 'apps' in made ? [made] : made
      await run(store, peers)
    })
  }
}

const PARALLEL = 50

/** Does the same with many stores at once: as many times as is enough for a gap between two statements to be hit. */
function race<T>(store: Store, peers: readonly Store[] = [], run: (store: Store, index: number) => Promise<T>): Promise<T[]> {
  const stores = [store, ...peers]
  return Promise.all(times(PARALLEL, index => run(stores[index % stores.length] ?? store, index)))
}

/** What every Store must do. */
export const storeCases: readonly StoreCase[] = [
  {
    name: 'apps: what is saved is what is read, and an id never saved is absent',
    async run({ apps }) {
      const profile = { homepageUrl: 'https://app.example', nested: { list: [1, null, 'x', [], {}], 'a.b': { $c: 2 ** 53 - 1 } } }
      const app = newApp({ name: 'Zoë \0 𝒳 "\\\'%$1', description: '', scopes: [], profile })
      assert.equal(await apps.get(app.id), undefined)
      assert.equal(await apps.save(app), true)
      assert.deepEqual(await apps.get(app.id), app)
    },
  },
  {
    name: 'apps: a write needs the version before it',
    async run({ apps }) {
      const app = newApp()
      assert.equal(await apps.save({ ...app, version: 2 }), false, 'version 2 of an app that does not exist')
      assert.equal(await apps.get(app.id), undefined)
      await apps.save(app)
      assert.equal(await apps.save({ ...app, name: 'skipped', version: 3 }), false)
      assert.equal(await apps.save({ ...app, name: 'again', version: 1 }), false)
      assert.deepEqual(await apps.get(app.id), app)
      assert.equal(await apps.save({ ...app, name: 'next', version: 2 }), true)
      assert.equal((await apps.get(app.id))?.name, 'next')
    },
  },
  {
    name: 'apps: the same write sent twice succeeds twice',
    async run({ apps }) {
      const app = newApp()
      assert.deepEqual([await apps.save(app), await apps.save(app)], [true, true])
      const next = { ...app, status: 'suspended' as const, version: 2 }
      assert.deepEqual([await apps.save(next), await apps.save(next)], [true, true])
    },
  },
  {
    name: 'apps: of many writers of one version, one succeeds',
    async run(store, peers) {
      const { apps } = store
      const app = newApp()
      await apps.save(app)
      const answers = await race(store, peers, ({ apps }, index) => apps.save({ ...app, name: `writer ${index}`, version: 2 }))
      assert.equal(answers.filter(Boolean).length, 1)
      assert.equal((await apps.get(app.id))?.name, `writer ${answers.indexOf(true)}`)
    },
  },
  {
    name: 'apps: what has been written is what anyone reads from then on, however many are reading',
    async run(store, peers = []) {
      const stores = [store, ...peers]
      const app = newApp()
      await store.apps.save(app)
      let busy = true
      const reading = stores.map(async ({ apps }) => {
        for (; busy; await setImmediate()) await apps.get(app.id)
      })
      try {
        for (let version = 2; version <= 20; version++) {
          await stores[version % stores.length]?.apps.save({ ...app, version })
          const read = await Promise.all(stores.map(({ apps }) => apps.get(app.id)))
          assert.deepEqual(
            read.map(found => found?.version),
            stores.map(() => version),
          )
        }
      } finally {
        busy = false
        await Promise.all(reading)
      }
    },
  },
  {
    name: 'apps: a list is of one organisation, newest first, paged, with the total',
    async run({ apps }) {
      const orgId = newId()
      const made = times(5, index => newApp({ orgId, createdAt: 1000 + index, createdBy: index < 2 ? 'first' : 'second' }))
      for (const app of [...made, newApp()]) await apps.save(app)
      const newest = made.toReversed().map(({ id }) => id)
      const ids = async (query: object) => {
        const { items, total } = await apps.list({ orgId, offset: 0, limit: 10, ...query })
        return { ids: items.map(({ id }) => id), total }
      }
      assert.deepEqual(await ids({}), { ids: newest, total: 5 })
      assert.deepEqual(await ids({ offset: 1, limit: 2 }), { ids: newest.slice(1, 3), total: 5 })
      assert.deepEqual(await ids({ offset: 9 }), { ids: [], total: 5 })
      assert.deepEqual(await ids({ limit: 0 }), { ids: [], total: 5 })
      assert.deepEqual(await ids({ createdBy: 'first' }), { ids: newest.slice(3), total: 2 })
    },
  },
  {
    name: 'apps: a list leaves out deleted apps unless it asks for them',
    async run({ apps }) {
      const orgId = newId()
      const [active, suspended, deleted] = (['active', 'suspended', 'deleted'] as const).map(status => newApp({ orgId, status }))
      for (const app of [active, suspended, deleted]) if (app) await apps.save(app)
      const ids = async (query: object) =>
        (await apps.list({ orgId, offset: 0, limit: 10, ...query })).items.map(({ id }) => id).toSorted()
      assert.deepEqual(await ids({}), [active?.id, suspended?.id].toSorted())
      assert.deepEqual(await ids({ status: 'suspended' }), [suspended?.id])
      assert.deepEqual(await ids({ status: 'deleted' }), [deleted?.id])
    },
  },
  {
    name: 'apps: a search is for a literal part of the name, in any case',
    async run({ apps }) {
      const orgId = newId()
      for (const name of ['Alpha (beta)', 'alphabet', 'Gamma.*', '100%_\\'])
        await apps.save(newApp({ orgId, name, description: 'omega' }))
      const names = async (search: string) =>
        (await apps.list({ orgId, offset: 0, limit: 10, search })).items.map(({ name }) => name).toSorted()
      assert.deepEqual(await names('ALPHA'), ['Alpha (beta)', 'alphabet'])
      assert.deepEqual(await names('(beta)'), ['Alpha (beta)'])
      assert.deepEqual(await names('.*'), ['Gamma.*'])
      assert.deepEqual(await names('%_\\'), ['100%_\\'])
      assert.deepEqual(await names('(a+)+$'), [])
      assert.deepEqual(await names('omega'), [])
    },
  },
  {
    name: 'one-time: what is put is what is read, by kind and id',
    async run({ oneTime }) {
      const entry = newCode()
      assert.equal(await oneTime.peek('code', entry.id), undefined)
      await oneTime.put(entry)
      assert.deepEqual(await oneTime.peek('code', entry.id), entry)
      assert.equal(await oneTime.peek('consent', entry.id), undefined)
      assert.equal(await oneTime.consume('consent', entry.id, newId()), undefined)
    },
  },
  {
    name: 'one-time: the first attempt to consume is told so, however often it asks; every other is not',
    async run({ oneTime }) {
      const entry = newCode()
      await oneTime.put(entry)
      const [mine, other] = [newId(), newId()]
      assert.deepEqual(await oneTime.consume('code', entry.id, mine), { entry, first: true })
      assert.deepEqual(await oneTime.consume('code', entry.id, other), { entry, first: false })
      assert.deepEqual(await oneTime.consume('code', entry.id, mine), { entry, first: true })
      assert.deepEqual(await oneTime.peek('code', entry.id), entry)
      assert.equal(await oneTime.consume('code', newId(), mine), undefined)
    },
  },
  {
    name: 'one-time: of many simultaneous attempts, one is first',
    async run(store, peers) {
      for (const _ of times(5)) {
        const entry = newCode()
        await store.oneTime.put(entry)
        const answers = await race(store, peers, ({ oneTime }) => oneTime.consume('code', entry.id, newId()))
        assert.equal(answers.filter(answer => answer?.first).length, 1)
        assert.ok(answers.every(answer => answer?.entry.id === entry.id))
      }
    },
  },
  {
    name: 'one-time: putting an entry again replaces it and makes it fresh',
    async run({ oneTime }) {
      const entry = newCode()
      await oneTime.put(entry)
      await oneTime.consume('code', entry.id, newId())
      const next = { ...entry, data: { ...entry.data, scopes: ['other'] } }
      await oneTime.put(next)
      assert.deepEqual(await oneTime.consume('code', entry.id, newId()), { entry: next, first: true })
    },
  },
  {
    name: 'one-time: an expired entry is absent',
    async run({ oneTime }) {
      const entry = newCode({ expiresAt: Date.now() - 1 })
      await oneTime.put(entry)
      assert.equal(await oneTime.peek('code', entry.id), undefined)
      assert.equal(await oneTime.consume('code', entry.id, newId()), undefined)
    },
  },
  {
    name: 'grants: what is created is what is found, by grant and token',
    async run({ grants }) {
      const grant = newGrant({ context: { nonce: 'n', authTime: 5 } })
      const [access, refresh] = [newToken('access', { audience: ['https://api.example/a?b', '[["]'] }), newToken('refresh')]
      assert.equal(await grants.find(refOf(grant, access)), undefined)
      assert.equal(await grants.create(grant, [access, refresh]), true)
      assert.deepEqual(await grants.find(refOf(grant, access)), { grant, token: access, spent: null })
      assert.deepEqual(await grants.find(refOf(grant, refresh)), { grant, token: refresh, spent: null })
      assert.equal(await grants.find({ grantId: grant.id, tokenId: newId() }), undefined)
      assert.equal(await grants.find({ grantId: newGrant().id, tokenId: access.id }), undefined)
    },
  },
  {
    name: 'grants: creating the same grant twice is one creation; another grant never takes its id',
    async run({ grants }) {
      const grant = newGrant()
      const token = newToken('access')
      assert.deepEqual([await grants.create(grant, [token]), await grants.create(grant, [token])], [true, true])
      const intruder = newToken('access')
      assert.equal(await grants.create({ ...grant, userId: 'somebody else' }, [intruder]), false)
      assert.equal(await grants.find(refOf(grant, intruder)), undefined)
      assert.deepEqual((await grants.find(refOf(grant, token)))?.grant, grant)
    },
  },
  {
    name: 'grants: an expired token is absent while the rest of its grant lives',
    async run({ grants }) {
      const grant = newGrant()
      const [stale, live] = [newToken('access', { expiresAt: Date.now() - 1 }), newToken('refresh')]
      await grants.create(grant, [stale, live])
      assert.equal(await grants.find(refOf(grant, stale)), undefined)
      assert.equal(await grants.revokeToken(refOf(grant, stale)), false)
      assert.deepEqual((await grants.find(refOf(grant, live)))?.token, live)
    },
  },
  {
    name: 'grants: an expired refresh token cannot be rotated',
    async run({ grants }) {
      const grant = newGrant()
      const [stale, live] = [newToken('refresh', { expiresAt: Date.now() - 1 }), newToken('access')]
      await grants.create(grant, [stale, live])
      const next = newToken('access')
      assert.equal(await grants.rotate({ grant, token: stale }, [next], 'replay'), 'missing')
      assert.equal(await grants.find(refOf(grant, next)), undefined)
    },
  },
  {
    name: 'grants: a rotation spends the old token, keeps its replay and adds the new ones',
    async run({ grants }) {
      const { grant, refresh } = await withGrant(grants)
      const next = [newToken('access', { audience: ['https://api.example'] }), newToken('refresh')] as const
      const before = Date.now()
      assert.equal(await grants.rotate({ grant, token: refresh }, next, 'sealed successor'), 'rotated')
      const found = await grants.find(refOf(grant, refresh))
      assert.deepEqual({ ...found, spent: found?.spent?.replay }, { grant, token: refresh, spent: 'sealed successor' })
      assert.ok(found?.spent && found.spent.at >= before - CLOCK_SKEW_MS && found.spent.at <= Date.now() + CLOCK_SKEW_MS)
      for (const token of next) assert.deepEqual(await grants.find(refOf(grant, token)), { grant, token, spent: null })
    },
  },
  {
    name: 'grants: a second rotation of one token changes nothing; a repeat of the first is that rotation',
    async run({ grants }) {
      const { grant, refresh } = await withGrant(grants)
      const [first, second] = [newToken('refresh'), newToken('refresh')]
      assert.equal(await grants.rotate({ grant, token: refresh }, [first], 'first'), 'rotated')
      assert.equal(await grants.rotate({ grant, token: refresh }, [second], 'second'), 'reused')
      assert.equal(await grants.rotate({ grant, token: refresh }, [first], 'first'), 'rotated')
      assert.equal((await grants.find(refOf(grant, refresh)))?.spent?.replay, 'first')
      assert.equal(await grants.find(refOf(grant, second)), undefined)
      assert.deepEqual((await grants.find(refOf(grant, first)))?.token, first)
      const { total } = await grants.listTokens({ clientId: grant.clientId, epoch: 1, limit: 0 })
      assert.equal(total, 2, 'the access token and the first successor')
    },
  },
  {
    name: 'grants: of many simultaneous rotations of one token, one wins, with its own successor',
    async run(store, peers) {
      const { grants } = store
      for (const _ of times(5)) {
        const { grant, refresh } = await withGrant(grants)
        const successors = times(PARALLEL, () => newToken('refresh'))
        const answers = await race(store, peers, ({ grants }, index) =>
          grants.rotate({ grant, token: refresh }, successors.slice(index, index + 1), `replay ${index}`),
        )
        const winner = answers.indexOf('rotated')
        assert.equal(answers.filter(answer => answer === 'rotated').length, 1)
        assert.equal(answers.filter(answer => answer === 'reused').length, PARALLEL - 1)
        assert.equal((await grants.find(refOf(grant, refresh)))?.spent?.replay, `replay ${winner}`)
        const found = await Promise.all(successors.map(token => grants.find(refOf(grant, token))))
        assert.deepEqual(
          found.map(Boolean),
          times(PARALLEL, index => index === winner),
        )
        const { items, total } = await grants.listTokens({ clientId: grant.clientId, epoch: 1, limit: 10 })
        assert.deepEqual([items.length, total], [2, 2], 'the access token and the one successor')
      }
    },
  },
  {
    name: 'grants: many who create one grant create it once, and of many who revoke it, one did',
    async run(store, peers) {
      const grant = newGrant()
      const [token, intruder] = [newToken('access'), newToken('access')]
      const created = await race(store, peers, ({ grants }, index) =>
        index % 2 === 0 ? grants.create(grant, [token]) : grants.create({ ...grant, userId: 'somebody else' }, [intruder]),
      )
      const [mine, theirs] = [created.filter((_, index) => index % 2 === 0), created.filter((_, index) => index % 2 === 1)]
      assert.notEqual(mine[0], theirs[0])
      assert.deepEqual([new Set(mine).size, new Set(theirs).size], [1, 1], 'everyone who asked the same was told the same')
      const [there, absent] = mine[0] ? [token, intruder] : [intruder, token]
      assert.ok(await store.grants.find(refOf(grant, there)))
      assert.equal(await store.grants.find(refOf(grant, absent)), undefined)
      const revoked = await race(store, peers, ({ grants }) => grants.revoke(grant.id))
      assert.equal(revoked.filter(Boolean).length, 1)
    },
  },
  {
    name: 'grants: only a refresh token of the grant can be rotated',
    async run({ grants }) {
      const { access, grant, refresh } = await withGrant(grants)
      const next = newToken('refresh')
      assert.equal(await grants.rotate({ grant, token: access }, [next], 'replay'), 'missing')
      assert.equal(await grants.rotate({ grant, token: newToken('refresh') }, [next], 'replay'), 'missing')
      assert.equal(await grants.rotate({ grant: newGrant(), token: refresh }, [next], 'replay'), 'missing')
      assert.equal(await grants.find(refOf(grant, next)), undefined)
    },
  },
  {
    name: 'grants: a long line of rotations loses neither the spent tokens nor the live ones',
    async run({ grants }) {
      const { access, grant, refresh } = await withGrant(grants)
      const line = [refresh]
      for (const index of times(80)) {
        const next = newToken('refresh')
        assert.equal(await grants.rotate({ grant, token: line.at(-1) ?? refresh }, [next], `replay ${index}`), 'rotated')
        line.push(next)
      }
      for (const [index, token] of line.entries()) {
        const spent = (await grants.find(refOf(grant, token)))?.spent
        assert.equal(spent?.replay, index < 80 ? `replay ${index}` : undefined)
      }
      assert.deepEqual((await grants.find(refOf(grant, access)))?.token, access)
    },
  },
  {
    name: 'grants: a grant lives as long as the longest of its tokens, rotations included',
    async run({ grants }) {
      const grant = newGrant()
      const soon = newToken('refresh', { expiresAt: Date.now() + 400 })
      await grants.create(grant, [soon])
      const late = newToken('refresh')
      assert.equal(await grants.rotate({ grant, token: soon }, [late], 'replay'), 'rotated')
      await until(soon.expiresAt + CLOCK_SKEW_MS)
      assert.equal(await grants.find(refOf(grant, soon)), undefined)
      assert.deepEqual((await grants.find(refOf(grant, late)))?.token, late)
    },
  },
  {
    name: 'grants: revoking a token leaves the rest of its grant',
    async run({ grants }) {
      const { access, grant, refresh } = await withGrant(grants)
      assert.equal(await grants.revokeToken(refOf(grant, access)), true)
      assert.equal(await grants.find(refOf(grant, access)), undefined)
      assert.equal(await grants.revokeToken(refOf(grant, access)), false)
      assert.deepEqual((await grants.find(refOf(grant, refresh)))?.token, refresh)
    },
  },
  {
    name: 'grants: revoking a grant ends every token of it, and no rotation revives it',
    async run({ grants }) {
      const { access, grant, refresh } = await withGrant(grants)
      assert.equal(await grants.revoke(grant.id), true)
      assert.equal(await grants.revoke(grant.id), false)
      for (const token of [access, refresh]) assert.equal(await grants.find(refOf(grant, token)), undefined)
      const next = newToken('refresh')
      assert.equal(await grants.rotate({ grant, token: refresh }, [next], 'replay'), 'missing')
      assert.equal(await grants.find(refOf(grant, next)), undefined)
    },
  },
  {
    name: 'grants: a revocation ends what simultaneous rotations add',
    async run(store, peers) {
      const { grants } = store
      for (const _ of times(20)) {
        const { access, grant, refresh } = await withGrant(grants)
        const next = newToken('refresh')
        const answers = await race(store, peers, async ({ grants }, index) =>
          index === 3 ? grants.revoke(grant.id) : index < 7 && grants.rotate({ grant, token: refresh }, [next], 'replay'),
        )
        assert.equal(answers[3], true)
        for (const token of [access, refresh, next]) assert.equal(await grants.find(refOf(grant, token)), undefined)
        assert.equal((await grants.listTokens({ clientId: grant.clientId, epoch: 1, limit: 10 })).items.length, 0)
      }
    },
  },
  {
    name: 'grants: revoking by client ends all of its grants, or those of one user, and counts them',
    async run({ grants }) {
      const [clientId, otherId] = [newClientId(), newClientId()]
      const mine = await withGrant(grants, { clientId, userId: 'anna' })
      const hers = await withGrant(grants, { clientId, userId: 'berta' })
      const other = await withGrant(grants, { clientId: otherId, userId: 'anna' })
      assert.equal(await grants.revokeMany({ clientId, userId: 'anna' }), 1)
      assert.equal(await grants.find(refOf(mine.grant, mine.access)), undefined)
      assert.ok(await grants.find(refOf(hers.grant, hers.access)))
      assert.equal(await grants.revokeMany({ clientId }), 1)
      assert.equal(await grants.find(refOf(hers.grant, hers.access)), undefined)
      assert.equal(await grants.revokeMany({ clientId }), 0)
      assert.ok(await grants.find(refOf(other.grant, other.access)))
    },
  },
  {
    name: 'grants: the tokens of a user are listed, and revoked, with every client and whatever their epoch',
    async run({ grants }) {
      const userId = newId()
      const at = Date.now()
      const first = newGrant({ userId })
      const second = newGrant({ userId, epoch: 7 })
      const tokens = times(4, index => newToken('access', { issuedAt: at + index }))
      const [oldest, older, newer, newest] = tokens as [Token, Token, Token, Token]
      await grants.create(first, [oldest, newer])
      await grants.create(second, [older])
      const refresh = newToken('refresh', { issuedAt: at - 1 })
      const elsewhere = await withGrant(grants)
      await grants.create({ ...first, id: `${first.id}2` }, [refresh])
      await grants.rotate({ grant: { ...first, id: `${first.id}2` }, token: refresh }, [newest], 'replay')

      const page = await grants.listTokens({ userId, limit: 3 })
      assert.deepEqual(
        page.items.map(({ grant, token }) => [grant.clientId, token.id]),
        [
          [first.clientId, newest.id],
          [first.clientId, newer.id],
          [second.clientId, older.id],
        ],
      )
      assert.equal(page.total, 4)
      const rest = await grants.listTokens({ userId, limit: 3, after: page.next ?? '' })
      assert.deepEqual(rest, { items: [{ grant: first, token: oldest }], total: 4, next: null })

      assert.equal(await grants.revokeMany({ userId }), 3)
      assert.deepEqual(await grants.listTokens({ userId, limit: 3 }), { items: [], total: 0, next: null })
      assert.equal(await grants.revokeMany({ userId }), 0)
      assert.ok(await grants.find(refOf(elsewhere.grant, elsewhere.access)))
    },
  },
  {
    name: 'grants: an epoch divides what is listed, and what is revoked, from what is not',
    async run({ grants }) {
      const clientId = newClientId()
      const before = await withGrant(grants, { clientId, epoch: 1 })
      const after = await withGrant(grants, { clientId, epoch: 2 })
      const listed = async (epoch: number) => {
        const { items, total } = await grants.listTokens({ clientId, epoch, limit: 10 })
        return { ids: items.map(({ token }) => token.id).toSorted(), total }
      }
      assert.deepEqual(await listed(1), { ids: [before.access.id, before.refresh.id].toSorted(), total: 2 })
      assert.deepEqual(await listed(2), { ids: [after.access.id, after.refresh.id].toSorted(), total: 2 })
      assert.equal(await grants.revokeMany({ clientId, epochBelow: 2 }), 1)
      assert.equal(await grants.find(refOf(before.grant, before.access)), undefined)
      assert.ok(await grants.find(refOf(after.grant, after.access)))
      assert.deepEqual([await listed(1), (await listed(2)).total], [{ ids: [], total: 0 }, 2])
    },
  },
  {
    name: 'grants: a list is of live tokens only, newest first, with the total',
    async run({ grants }) {
      const clientId = newClientId()
      const at = Date.now()
      const grant = newGrant({ clientId })
      const tokens = times(3, index => newToken('access', { issuedAt: at + index }))
      const stale = newToken('access', { issuedAt: at + 10, expiresAt: at - 1 })
      const refresh = newToken('refresh', { issuedAt: at + 20 })
      await grants.create(grant, [...tokens, stale, refresh])
      await withGrant(grants)
      const next = newToken('refresh', { issuedAt: at + 30 })
      await grants.rotate({ grant, token: refresh }, [next], 'replay')
      const expected = [next, ...tokens.toReversed()]
      assert.deepEqual(await grants.listTokens({ clientId, epoch: 1, limit: 10 }), {
        items: expected.map(token => ({ grant, token })),
        total: expected.length,
        next: null,
      })
      assert.deepEqual(await grants.listTokens({ clientId: newClientId(), epoch: 1, limit: 10 }), {
        items: [],
        total: 0,
        next: null,
      })
      await grants.revoke(grant.id)
      assert.equal((await grants.listTokens({ clientId, epoch: 1, limit: 0 })).total, 0)
    },
  },
  {
    name: 'grants: pages neither repeat nor skip while tokens are added',
    async run({ grants }) {
      const clientId = newClientId()
      const at = Date.now() - 10_000
      const made: string[] = []
      for (const index of times(12)) {
        // Two of the same instant, to be told apart by the cursor.
        const token = newToken('access', { issuedAt: at + Math.floor(index / 2) })
        await grants.create(newGrant({ clientId }), [token])
        made.push(token.id)
      }
      const seen: string[] = []
      let after: string | undefined
      do {
        const page = await grants.listTokens({ clientId, epoch: 1, limit: 5, ...(after === undefined ? {} : { after }) })
        seen.push(...page.items.map(({ token }) => token.id))
        after = page.next ?? undefined
        await grants.create(newGrant({ clientId }), [newToken('access', { issuedAt: at + 5000 + seen.length })])
      } while (after !== undefined)
      assert.deepEqual(seen.toSorted(), made.toSorted())
    },
  },
  {
    name: 'consents: one per user and app, replaced by the next, gone when deleted',
    async run({ consents }) {
      const consent = { userId: newId(), clientId: newClientId(), scopes: ['a', 'b'], grantedAt: 5 }
      assert.equal(await consents.get(consent.userId, consent.clientId), undefined)
      await consents.put(consent)
      assert.deepEqual(await consents.get(consent.userId, consent.clientId), consent)
      await consents.put({ ...consent, scopes: ['c'] })
      assert.deepEqual((await consents.get(consent.userId, consent.clientId))?.scopes, ['c'])
      const other = { ...consent, clientId: newClientId() }
      await consents.put(other)
      await consents.put({ ...consent, userId: newId() })
      const listed = async () => (await consents.list(consent.userId)).map(({ clientId }) => clientId).toSorted()
      assert.deepEqual(await listed(), [consent.clientId, other.clientId].toSorted())
      assert.equal(await consents.delete(consent.userId, consent.clientId), true)
      assert.equal(await consents.delete(consent.userId, consent.clientId), false)
      assert.deepEqual(await listed(), [other.clientId])
      assert.deepEqual(await consents.list(newId()), [])
      assert.equal(await consents.get(consent.userId, consent.clientId), undefined)
    },
  },
  {
    name: 'records: an id may be any text, and is never taken for another',
    async run({ apps, credentials, grants, oneTime }) {
      const own = newId()
      const long = 'x'.repeat(65_536)
      const ids = [own, `${own}:`, `{${own}}`, `${own}*`, `${own}\0`, `$${own}`, `${own}.a`, `${own}\r\n`, `${own}é`, own + long]
      const entry = newCode()
      const credential = { sealed: '', expiresAt: null, leaseUntil: null, needsReconnect: false, version: 1 }
      for (const [index, id] of ids.entries()) {
        await apps.save(newApp({ orgId: id, createdBy: id, name: `${index}` }))
        await credentials.save({ ...credential, connectorId: id, ownerId: own, expiresAt: index })
        await credentials.save({ ...credential, connectorId: own, ownerId: `${id}!`, expiresAt: 1000 + index })
        await oneTime.put({ ...entry, id, data: { ...entry.data, userId: id } })
        await grants.create(newGrant({ userId: id }), [newToken('access', { issuedAt: index })])
      }
      for (const [index, id] of ids.entries()) {
        const { items } = await apps.list({ orgId: id, createdBy: id, offset: 0, limit: 9 })
        assert.deepEqual(
          items.map(({ name }) => name),
          [`${index}`],
        )
        assert.equal((await credentials.get(id, own))?.expiresAt, index)
        assert.equal((await credentials.get(own, `${id}!`))?.expiresAt, 1000 + index)
        assert.equal((await oneTime.consume('code', id, own))?.entry.data.userId === id, true)
        const { items: tokens } = await grants.listTokens({ userId: id, limit: 9 })
        assert.deepEqual(
          tokens.map(({ token }) => token.issuedAt),
          [index],
        )
      }
    },
  },
  {
    name: 'consents: ids are never run together',
    async run({ consents }) {
      const [a, b] = [newId(), newId()]
      const pairs = [
        [`${a}:${b}`, 'c'],
        [a, `${b}:c`],
        [`${a}${b}`, 'c'],
        [a, `${b}c`],
        [`${a}*`, 'c'],
        [`${a}{${b}}`, '}'],
        [`${a}\0`, '$where'],
        [a, '.*'],
      ] as const
      for (const [userId, clientId] of pairs) await consents.put({ userId, clientId, scopes: [userId, clientId], grantedAt: 1 })
      for (const [userId, clientId] of pairs) assert.deepEqual((await consents.get(userId, clientId))?.scopes, [userId, clientId])
    },
  },
  {
    name: 'credentials: one per connector and owner, written by version, gone when deleted',
    async run(store, peers) {
      const { credentials } = store
      const credential: Credential = {
        connectorId: newId(),
        ownerId: newId(),
        sealed: 'sealed',
        expiresAt: null,
        leaseUntil: null,
        needsReconnect: false,
        version: 1,
      }
      const { connectorId, ownerId } = credential
      assert.equal(await credentials.get(connectorId, ownerId), undefined)
      assert.deepEqual([await credentials.save(credential), await credentials.save(credential)], [true, true])
      assert.deepEqual(await credentials.get(connectorId, ownerId), credential)
      assert.equal(await credentials.get(ownerId, connectorId), undefined)
      const answers = await race(store, peers, ({ credentials }, index) =>
        credentials.save({ ...credential, leaseUntil: index, version: 2 }),
      )
      assert.equal(answers.filter(Boolean).length, 1)
      assert.equal((await credentials.get(connectorId, ownerId))?.leaseUntil, answers.indexOf(true))
      assert.equal(await credentials.delete(connectorId, ownerId), true)
      assert.equal(await credentials.delete(connectorId, ownerId), false)
      assert.equal(await credentials.get(connectorId, ownerId), undefined)
    },
  },
  {
    name: 'keys: one ring, written by version',
    async run(store, peers) {
      const { keys } = store
      const version = ((await keys.get())?.version ?? 0) + 1
      assert.equal(await keys.save({ sealed: 'skipped', version: version + 1 }), false)
      const answers = await race(store, peers, ({ keys }, index) => keys.save({ sealed: `ring ${index} of ${newId()}`, version }))
      assert.equal(answers.filter(Boolean).length, 1)
      const ring = await keys.get()
      assert.ok(ring?.sealed.startsWith(`ring ${answers.indexOf(true)} `))
      assert.equal(ring && (await keys.save(ring)), true, 'the same write sent twice')
    },
  },
  {
    name: 'records: changing what was given or received never changes the store',
    async run({ apps, consents, grants, oneTime }) {
      const app = newApp()
      const consent = { userId: newId(), clientId: newClientId(), scopes: ['a'], grantedAt: 1 }
      const grant = newGrant()
      const token = newToken('access')
      const code = newCode()
      const read = async () => [
        await apps.get(app.id),
        await consents.get(consent.userId, consent.clientId),
        await grants.find(refOf(grant, token)),
        await oneTime.peek('code', code.id),
      ]
      const given = structuredClone({ app, consent, grant, token, code })
      await apps.save(given.app)
      await consents.put(given.consent)
      await grants.create(given.grant, [given.token])
      await oneTime.put(given.code)
      const before = structuredClone(await read())
      for (const record of [given.app, given.consent, given.grant, given.token, given.code, ...(await read())]) vandalize(record)
      assert.deepEqual(await read(), before)
    },
  },
]

/** How far a database's clock may be from ours, in milliseconds. */
const CLOCK_SKEW_MS = 50

type GrantStore = Store['grants']

/** A grant with an access and a refresh token, stored. */
async function withGrant(grants: GrantStore, fields: Partial<Grant> = {}) {
  const grant = newGrant(fields)
  const [access, refresh] = [newToken('access'), newToken('refresh')]
  assert.equal(await grants.create(grant, [access, refresh]), true)
  return { access, grant, refresh }
}

/** Changes everything that lets itself be changed; a frozen record is as good as a copy. */
function vandalize(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const [name, item] of Object.entries(value)) {
    vandalize(item)
    Reflect.set(value, name, 'vandalized')
  }
  if (Array.isArray(value) && !Object.isFrozen(value)) value.push('vandalized')
}

async function until(instant: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, Math.max(0, instant - Date.now()) + 1))
}

function times(count: number): readonly number[]
function times<T>(count: number, make: (index: number) => T): readonly T[]
function times(count: number, make: (index: number) => unknown = index => index): readonly unknown[] {
  return Array.from({ length: count }, (_, index) => make(index))
}
