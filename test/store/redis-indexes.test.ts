/** The indexes of the Redis store: what they lose, how long they live, how they get over writes that stopped halfway. */
import type { App } from 'authmount'
import type { RedisStoreOptions } from 'authmount/stores/redis'
import type { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { RedisProcess } from '../servers/redis.ts'
import { installed } from '../servers/server.ts'
import { Clock } from '../support/clock.ts'
import { newApp, newAppId, newGrant, newToken } from '../support/records.ts'
import { connectedRedis } from '../support/redis.ts'

if (!(await installed('redis-server', '--version'))) t.bailout('redis-server is not installed')
const server = await RedisProcess.start()
t.teardown(() => server.remove())
const connected = (t: Test, options?: RedisStoreOptions) => connectedRedis(t, server.port, options)

const MINUTE = 60_000

async function keyLike(redis: Redis, pattern: string): Promise<string> {
  const [key = '', ...others] = await redis.keys(pattern)
  if (others.length > 0) throw new Error(`there are ${others.length + 1} keys like ${pattern}`)
  return key
}

// ── Tokens ───────────────────────────────────────────────────────────────────

t.test('an index of tokens loses what has expired while others are added', async t => {
  const clock = new Clock()
  const { redis, store } = await connected(t, { now: clock.now })
  const appId = newAppId()
  const add = (expiresAt: number) => store.grants.create(newGrant({ appId }), [{ ...newToken('access'), expiresAt }])
  for (let index = 0; index < 40; index++) await add(clock.now() + 1000)
  clock.advance(2)
  const issued = await keyLike(redis, '*:issued')
  t.equal(await redis.zcard(issued), 40)
  for (let index = 0; index < 150; index++) await add(clock.now() + MINUTE)
  t.equal(await redis.zcard(issued), 150)
  t.equal(await redis.zcard(issued.replace(/issued$/, 'expires')), 150)
})

t.test('a grant that is refreshed for ever loses what has expired, and replays that nobody needs any more', async t => {
  const clock = new Clock()
  const { redis, store } = await connected(t, { now: clock.now })
  const grant = newGrant()
  const refreshToken = () => newToken('refresh', { issuedAt: clock.now(), expiresAt: clock.now() + 180 * MINUTE })
  const replay = 'line one\n2 line two'
  const line = [refreshToken()]
  await store.grants.create(grant, line)
  for (let index = 0; index < 500; index++) {
    clock.advance(60)
    const [token] = line.slice(-1)
    const next = refreshToken()
    if (token) t.equal(await store.grants.rotate({ grant, token }, [next], replay), 'rotated')
    line.push(next)
    const halfAnHourAgo = line.at(-31)
    if (!halfAnHourAgo) continue
    t.equal((await store.grants.find({ grantId: grant.id, tokenId: halfAnHourAgo.id }))?.spent?.replay, replay)
  }
  const key = await keyLike(redis, 'authmount:g:*')
  const kept = await redis.hlen(key)
  // Three hours of tokens live. As many again may wait for the next pruning.
  t.ok(kept <= 2 * 180 + 10, `${kept} fields`)
  t.equal(await redis.hexists(key, `t:${line[0]?.id}`), 0)
  const [old] = line.slice(-171)
  if (old) t.equal(await store.grants.rotate({ grant, token: old }, [refreshToken()], replay), 'reused', 'still known as spent')
  t.equal((await store.grants.find({ grantId: grant.id, tokenId: old?.id ?? '' }))?.spent?.replay, '')
})

t.test('a grant to which tokens are added for ever loses those that have expired', async t => {
  const clock = new Clock()
  const { redis, store } = await connected(t, { now: clock.now })
  const grant = newGrant()
  const refresh = newToken('refresh', { expiresAt: clock.now() + 600 * MINUTE })
  await store.grants.create(grant, [refresh])
  for (let index = 0; index < 500; index++) {
    clock.advance(60)
    const access = newToken('access', { issuedAt: clock.now(), expiresAt: clock.now() + 10 * MINUTE })
    t.equal(await store.grants.add({ grant, token: refresh }, [access]), 'added')
  }
  const kept = await redis.hlen(await keyLike(redis, 'authmount:g:*'))
  t.ok(kept <= 70, `${kept} fields`)
  t.equal((await store.grants.listTokens({ appId: grant.appId, epoch: 1, limit: 0 })).total, 11)
  t.equal(await store.grants.add({ grant, token: refresh }, [newToken('access')]), 'added')
})

t.test('what a refused or repeated write left in an index is corrected by the record', async t => {
  const { redis, store } = await connected(t)
  const { grants } = store
  const grant = newGrant()
  const [access, refresh, next] = [newToken('access'), newToken('refresh'), newToken('refresh')]
  const { appId, id: grantId, userId } = grant
  const total = async () => {
    const [ofApp, ofUser] = [{ appId, epoch: 1 }, { userId: userId ?? '' }] as const
    const totals = [await grants.listTokens({ ...ofApp, limit: 0 }), await grants.listTokens({ ...ofUser, limit: 0 })]
    return totals.map(({ total }) => total)
  }
  await grants.create(grant, [access, refresh])
  t.equal(await grants.create(grant, [access, newToken('access')]), false)
  t.strictSame(await total(), [2, 2], 'a creation that was refused: the token that is there stays listed')
  await grants.revokeToken({ grantId, tokenId: access.id })
  t.equal(await grants.create(grant, [access, refresh]), false)
  t.strictSame(await total(), [1, 1], 'a token that was revoked is not listed again')
  t.equal(await grants.add({ grant, token: refresh }, [access]), 'added')
  await grants.rotate({ grant, token: refresh }, [next], 'replay')
  t.strictSame(await total(), [2, 2])
  t.equal(await grants.create(grant, [access, refresh]), true)
  t.strictSame(await total(), [2, 2], 'a repeat of the creation does not list the spent token again')
  t.equal(await grants.add({ grant, token: refresh }, [access]), 'missing')
  t.strictSame(await total(), [2, 2], 'an addition that was refused: the token that is there stays listed')
  await grants.revokeToken({ grantId, tokenId: next.id })
  t.equal(await grants.rotate({ grant, token: refresh }, [next], 'replay'), 'rotated', 'a repeat')
  t.strictSame(await total(), [1, 1], 'a repeat of the rotation does not list the revoked successor again')
  t.equal(await grants.rotate({ grant, token: { ...access, kind: 'refresh' } }, [next], 'replay'), 'missing')
  t.strictSame(await total(), [1, 1], 'an access token stays listed')
  // A write that stopped after the index: the entry goes when it is old enough not to be in the making.
  const issued = await keyLike(redis, '*:issued')
  const [member = ''] = await redis.zrange(issued, '0', '0')
  const lost = `${member.slice(0, -43)}${'x'.repeat(43)}`
  await redis.zadd(issued, Date.now() - 2 * MINUTE, lost)
  await redis.zadd(issued.replace(/issued$/, 'expires'), Date.now() + MINUTE, lost)
  t.strictSame(
    (await grants.listTokens({ appId, epoch: 1, limit: 5 })).items.map(({ token }) => token.id),
    [access.id],
  )
  t.strictSame(await total(), [1, 1])
})

t.test('a server without memory refuses to rotate and to add, and what it has stays listed and can be revoked', async t => {
  const { redis, store } = await connected(t)
  const { grants } = store
  const grant = newGrant()
  const [access, refresh] = [newToken('access'), newToken('refresh')]
  const total = async () => (await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 0 })).total
  await grants.create(grant, [access, refresh])
  await redis.config('SET', 'maxmemory', '1')
  t.teardown(() => redis.config('SET', 'maxmemory', '0'))
  await t.rejects(grants.rotate({ grant, token: refresh }, [newToken('refresh')], 'replay'), /OOM/)
  await t.rejects(grants.add({ grant, token: refresh }, [newToken('access')]), /OOM/)
  t.equal(await total(), 2)
  t.equal((await grants.find({ grantId: grant.id, tokenId: refresh.id }))?.spent, null)
  t.equal(await grants.revokeToken({ grantId: grant.id, tokenId: access.id }), true)
  t.equal(await total(), 1)
  t.equal(await grants.revokeMany({ appId: grant.appId }), 1)
  t.equal(await total(), 0)
})

t.test('the grants of an organisation are found without reading those of others', async t => {
  const { commands, store } = await connected(t)
  const { grants } = store
  const [appId, another] = [newAppId(), newAppId()]
  const create = (orgId: string, ofApp = appId) => grants.create(newGrant({ appId: ofApp, orgId }), [newToken('access')])
  for (let index = 0; index < 40; index++)
    await Promise.all(
      Array.from({ length: 25 }, (_, org) => create(`org-${org}`, index % 10 === 0 && org === 7 ? another : appId)),
    )
  const before = (await commands()).length
  t.equal(await grants.revokeMany({ orgId: 'org-7' }), 40)
  const sent = (await commands()).slice(before).map(({ args: [name] }) => name)
  // For each of the 40: revoke, and remove from two indexes.
  t.equal(sent.filter(name => name === 'evalsha' || name === 'zrem').length, 3 * 40)
  t.ok(sent.length <= 3 * 40 + 20, `${sent.length} commands`)
  t.equal((await grants.listTokens({ appId, epoch: 1, limit: 0 })).total, 24 * 40)
  t.equal(await grants.revokeMany({ orgId: 'org-7' }), 0)
})

t.test('a process writes once a minute that an app has grants of an organisation', async t => {
  const clock = new Clock()
  const { another, commands, redis, store } = await connected(t, { now: clock.now })
  const [appId, orgId] = [newAppId(), 'acme']
  const sent = async (on = store, lifetime = 10 * MINUTE) => {
    const before = (await commands()).length
    const token = newToken('access', { expiresAt: clock.now() + lifetime })
    await on.grants.create(newGrant({ appId, orgId, userId: null }), [token])
    // A script that is sent for the first time is sent twice.
    return (await commands()).slice(before).filter(({ args: [name] }) => name === 'evalsha').length
  }
  t.equal(await sent(), 3, 'the first time')
  t.equal(await sent(), 2)
  clock.advance(59)
  t.equal(await sent(), 2, 'a little later')
  t.equal(await sent(store, 20 * MINUTE), 3, 'for a token that lives longer than what was written')
  t.equal(await sent(), 2)
  t.equal(await sent(another()), 3, 'by another process')
  // A failover has lost it.
  const key = await keyLike(redis, 'authmount:org:*')
  await redis.del(key)
  clock.advance(61)
  t.equal(await sent(), 3, 'a minute later')
  t.equal(await store.grants.revokeMany({ orgId }), 7)
  t.ok((await redis.pttl(key)) <= 13 * MINUTE)
})

// ── Consents ─────────────────────────────────────────────────────────────────

t.test('consents: what has expired leaves, and the keys go with the last if all of them expire', async t => {
  const clock = new Clock()
  const { redis, store } = await connected(t, { now: clock.now })
  const owner = { orgId: 'acme' }
  const save = (fields: object) =>
    store.consents.save({ owner, appId: newAppId(), scopes: ['a'], grantedAt: 1, version: 1, ...fields })
  const left = async () => Promise.all((await redis.keys('authmount:consents:*')).map(key => redis.pttl(key)))
  const sizes = async () => {
    const key = (await redis.keys('authmount:consents:*}'))[0] ?? ''
    return Promise.all([redis.hlen(key), redis.zcard(`${key}:order`), redis.zcard(`${key}:expires`)])
  }
  const [short, long] = [newAppId(), newAppId()]
  await save({ appId: short, expiresAt: clock.now() + MINUTE })
  await save({ appId: long, expiresAt: clock.now() + 10 * MINUTE, scopes: [] })
  for (const ms of await left()) t.ok(ms > 9 * MINUTE && ms <= 10 * MINUTE, `all of them expire: ${ms}`)
  const lasting = newAppId()
  await save({ appId: lasting })
  t.ok(
    (await left()).every(ms => ms === -1),
    'one of them does not',
  )
  t.strictSame(await sizes(), [3, 2, 2])
  clock.advance(60)
  t.strictSame(
    (await store.consents.list(owner, { limit: 9 })).items.map(({ appId }) => appId),
    [lasting],
  )
  t.strictSame(await sizes(), [2, 1, 1], 'a list removes what has expired')
  clock.advance(540)
  await save({ appId: lasting, version: 2, expiresAt: clock.now() + 5 * MINUTE })
  t.strictSame(await sizes(), [1, 1, 1], 'so does a save')
  for (const ms of await left()) t.ok(ms > 4 * MINUTE && ms <= 5 * MINUTE, `it was made to expire: ${ms}`)
})

t.test('consents: a page reads a page, in one order', async t => {
  const { commands, store } = await connected(t)
  const owner = { orgId: 'acme' }
  const apps = Array.from({ length: 300 }, newAppId)
  await Promise.all(apps.map(appId => store.consents.save({ owner, appId, scopes: ['a'], grantedAt: 1, version: 1 })))
  const { items, next } = await store.consents.list(owner, { limit: 20 })
  t.equal(items.length, 20)
  await store.consents.list(owner, { limit: 20, after: next ?? '' })
  await store.consents.save({ owner, appId: newAppId(), scopes: ['a'], grantedAt: 1, version: 1 })
  const before = (await commands()).length
  const seen: string[] = []
  let after: string | null | undefined
  for (; after !== null; ) {
    const page = await store.consents.list(owner, after === undefined ? { limit: 20 } : { limit: 20, after })
    seen.push(...page.items.map(({ appId }) => appId))
    after = page.next
  }
  t.equal((await commands()).length - before, 16)
  t.equal(new Set(seen).size, 301)
  t.strictSame((await store.consents.list(owner, { limit: 9, after: 'no cursor of ours' })).items, [])
  t.strictSame(await store.consents.list(owner, { limit: 0 }), { items: [], next: null })
})

// ── Apps ─────────────────────────────────────────────────────────────────────

t.test('apps: an expired one leaves the index, which goes with the last if all of them expire', async t => {
  const clock = new Clock()
  const { redis, store } = await connected(t, { now: clock.now })
  const orgId = 'acme'
  const shown = async () => (await redis.keys('authmount:apps:*:shown'))[0] ?? ''
  const sizes = async () => Promise.all([redis.zcard(await shown()), redis.zcard(`${await shown()}:expires`)])
  const registered = Array.from({ length: 60 }, () => newApp({ orgId, expiresAt: clock.now() + 10 * MINUTE }))
  for (const app of registered) await store.apps.save(app)
  for (const key of await redis.keys('*')) {
    const left = await redis.pttl(key)
    t.ok(left > 9 * MINUTE && left <= 10 * MINUTE, `${key} ${left}`)
  }
  const [first] = registered as [App]
  await store.apps.save({ ...first, expiresAt: clock.now() + 20 * MINUTE, version: 2 })
  t.ok((await redis.pttl(await shown())) > 19 * MINUTE, 'one of them was prolonged')
  const lasting = newApp({ orgId })
  await store.apps.save(lasting)
  t.equal(await redis.pttl(await shown()), -1, 'one of them does not expire')
  t.strictSame(await sizes(), [61, 60])
  clock.advance(600)
  await store.apps.save(newApp({ orgId, createdAt: 2000, id: `f${newAppId().slice(1)}` }))
  t.strictSame(await sizes(), [3, 1], 'what has expired is removed by writes, fifty at a time')
  t.equal((await store.apps.list({ orgId, offset: 0, limit: 9 })).total, 3)
  clock.advance(600)
  t.equal((await store.apps.list({ orgId, offset: 0, limit: 0 })).total, 2)
  t.strictSame(await sizes(), [2, 0], 'and by lists')
  t.equal(await redis.pttl(await shown()), -1)
})

t.test('apps: a list reads a page of records, whatever it filters by, and none of deleted apps', async t => {
  const { commands, store } = await connected(t)
  const orgId = 'acme'
  const made = Array.from({ length: 1500 }, (_, index) =>
    newApp({
      orgId,
      createdAt: index,
      name: `App ${index}`,
      createdBy: index % 2 ? 'anna' : 'bert',
      status: index % 5 ? 'active' : 'deleted',
    }),
  )
  await Promise.all(made.map(store.apps.save))
  const newest = made.filter(({ status }) => status === 'active').toReversed()
  const listed = async (query: object) => {
    const before = (await commands()).length
    const { items, total } = await store.apps.list({ orgId, offset: 0, limit: 10, ...query })
    const sent = (await commands()).slice(before).map(({ args }) => args)
    const read = sent.filter(([name]) => name === 'mget').reduce((sum, args) => sum + args.length - 1, 0)
    return { ids: items.map(({ id }) => id), total, read, calls: sent.length }
  }
  const ids = (apps: readonly App[]) => apps.map(({ id }) => id)
  const ofAnna = newest.filter(({ createdBy }) => createdBy === 'anna')
  t.strictSame(await listed({ offset: 700 }), { ids: ids(newest.slice(700, 710)), total: 1200, read: 10, calls: 2 })
  const filtered = await listed({ createdBy: 'anna', origin: 'host', status: 'active', offset: 5 })
  t.strictSame(filtered, { ids: ids(ofAnna.slice(5, 15)), total: ofAnna.length, read: 10, calls: 2 })
  t.strictSame(await listed({ limit: 0 }), { ids: [], total: 1200, read: 0, calls: 1 })
  t.match(await listed({ status: 'deleted' }), { total: 300, read: 10, calls: 2 })
  const among = newest.slice(0, 1000).filter(({ name }) => name.includes('p 12'))
  const found = await listed({ search: 'P 12', limit: 200 })
  t.strictSame(found, { ids: ids(among), total: among.length, read: 1000, calls: 3 }, 'a search is among the newest 1,000')
})

t.test('apps: an index that a write left halfway is corrected by the next list', async t => {
  const { redis, store } = await connected(t)
  const orgId = 'acme'
  const [app, other] = [newApp({ orgId }), newApp({ orgId })]
  await store.apps.save(app)
  await store.apps.save(other)
  const shown = await keyLike(redis, 'authmount:apps:*:shown')
  const memberOf = async ({ id }: App) => (await redis.zrange(shown, '0', '-1')).find(member => member.startsWith(id)) ?? ''
  const list = async (status?: App['status']) => {
    const { items, total } = await store.apps.list({ orgId, offset: 0, limit: 5, ...(status ? { status } : {}) })
    return [items.map(({ id }) => id), total]
  }
  const former = await memberOf(app)
  await store.apps.save({ ...app, status: 'deleted', version: 2 })
  t.strictSame(
    [await list(), await list('deleted')],
    [
      [[other.id], 1],
      [[app.id], 1],
    ],
  )

  // It stopped after the record: the app still stands where it stood before.
  await redis.zadd(shown, app.createdAt, former)
  t.strictSame(
    [await list(), await list('deleted')],
    [
      [[other.id], 1],
      [[app.id], 1],
    ],
  )
  t.equal(await redis.zcard(shown), 1)
  await redis.zadd(shown, app.createdAt, former)
  await redis.del(shown.replace(/shown$/, 'deleted'))
  t.strictSame(
    [await list(), await list('deleted')],
    [
      [[other.id], 1],
      [[app.id], 1],
    ],
    'put where it belongs',
  )
  // It stopped before the record.
  const otherMember = await memberOf(other)
  await redis.zadd(shown, 5000, newAppId() + otherMember.slice(24))
  t.strictSame(await list(), [[other.id], 1])
  t.equal(await redis.zcard(shown), 1)
})

t.test('apps: of many who change one at once, the lists show what the last to succeed wrote', async t => {
  const { another, redis, store } = await connected(t)
  const stores = [store, another(), another(), another()]
  const [statuses, creators] = [['active', 'suspended', 'deleted'] as const, ['anna', 'bert']]
  for (let round = 0; round < 40; round++) {
    const app = newApp({ orgId: `org-${round}` })
    await store.apps.save(app)
    for (let version = 2; version < 5; version++) {
      await Promise.all(
        stores.map(({ apps }, index) => {
          const status = statuses[(index + round) % 3] ?? 'active'
          const expires = index % 2 ? { expiresAt: Date.now() + (index + 1) * MINUTE } : {}
          return apps.save({ ...app, status, createdBy: creators[(index + version) % 2] ?? '', version, ...expires })
        }),
      )
      const stored = await store.apps.get(app.id)
      for (const status of statuses) {
        for (const createdBy of creators) {
          const query = { orgId: app.orgId, offset: 0, limit: 5, status, createdBy }
          const expected = stored?.status === status && stored.createdBy === createdBy ? [stored] : []
          const { items, total } = await store.apps.list(query)
          t.strictSame([items, total], [expected, expected.length], `${status}, ${createdBy}`)
        }
      }
      const members = await Promise.all((await redis.keys('authmount:apps:*')).map(key => redis.zcard(key)))
      t.ok(members.reduce((sum, count) => sum + count, 0) <= 2 * (round + 1), 'nothing is left over')
    }
  }
})
