/** What only the Redis store has: keys and slots, commands and round trips, times to live, scripts, replicas, settings. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { OneTime, Store } from 'authmount'
import { type RedisStoreOptions, redisStore } from 'authmount/stores/redis'
import { Cluster, Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { RedisProcess } from '../servers/redis.ts'
import { installed } from '../servers/server.ts'
import { frameworks, startHost } from '../support/host.ts'
import { urlOf } from '../support/places.ts'
import { SpoilingProxy } from '../support/proxy.ts'
import { newApp, newAppId, newConsent, newGrant, newToken } from '../support/records.ts'
import { connectedRedis } from '../support/redis.ts'

const slotOf: (key: string) => number = createRequire(import.meta.url)('cluster-key-slot')

if (!(await installed('redis-server', '--version'))) t.bailout('redis-server is not installed')
const server = await RedisProcess.start('--enable-debug-command', 'yes')
t.teardown(() => server.remove())

const connected = (t: Test, options?: RedisStoreOptions) => connectedRedis(t, server.port, options)

const CREDENTIAL = {
  connectorId: 'drive',
  ownerId: 'anna',
  sealed: 'x',
  accessExpiresAt: 5,
  leaseUntil: null,
  needsReconnect: false,
} as const

/** Calls every method of a store at least once, with ids as an attacker would choose them. */
async function callEverything({ apps, consents, credentials, grants, keys, oneTime }: Store): Promise<void> {
  const evil = 'a:{b}*\r\nDEL\0$x'
  const app = newApp({ orgId: evil, createdBy: evil })
  await apps.save(app)
  await apps.save({ ...app, name: 'Renamed', version: 2 })
  await apps.get(app.id)
  await apps.get(evil)
  for (const query of [{}, { createdBy: evil, origin: 'host' as const }, { search: evil }])
    await apps.list({ orgId: evil, offset: 0, limit: 10, ...query })
  const deleted = newApp({ orgId: evil })
  await apps.save(deleted)
  await apps.save({ ...deleted, status: 'deleted', version: 2 })
  await apps.list({ orgId: evil, status: 'deleted', offset: 0, limit: 10 })
  const entry = { ...newConsent(), id: evil }
  await oneTime.put(entry)
  await oneTime.peek('consent', evil)
  await oneTime.consume('consent', evil, evil)
  await oneTime.put(newConsent())
  await oneTime.put({ ...entry, kind: evil as OneTime['kind'] })
  const claimed = newConsent()
  await oneTime.claim(claimed, evil)
  await oneTime.forget('consent', claimed.id, evil)
  const grant = newGrant({ orgId: evil, userId: evil })
  const [access, refresh, next, other] = [newToken('access'), newToken('refresh'), newToken('refresh'), newToken('access')]
  await grants.create(grant, [access, refresh])
  await grants.find({ grantId: grant.id, tokenId: evil })
  await grants.find({ grantId: evil, tokenId: access.id })
  await grants.add({ grant, token: refresh }, [newToken('access')])
  await grants.rotate({ grant, token: refresh }, [next, other], 'replay')
  await grants.revokeToken({ grantId: grant.id, tokenId: other.id })
  await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 10 })
  await grants.listTokens({ userId: evil, limit: 10 })
  const second = newGrant({ appId: grant.appId, userId: evil })
  await grants.create(second, [newToken('access')])
  await grants.revoke(second.id)
  const third = newGrant({ appId: grant.appId })
  await grants.create(third, [newToken('access')])
  await grants.revokeMany({ appId: grant.appId, userId: 'nobody' })
  await grants.create(newGrant({ userId: evil }), [newToken('access')])
  for (const owner of [{ userId: evil }, { orgId: evil }]) {
    const consent = { owner, appId: evil, scopes: ['read'], grantedAt: 1, version: 1 }
    await consents.save(consent)
    await consents.get(owner, evil)
    await consents.list(owner, { limit: 10 })
    await consents.list(owner, { limit: 10, after: evil })
    await consents.save({ ...consent, scopes: [], version: 2 })
  }
  const credential = { ...CREDENTIAL, connectorId: evil, ownerId: evil }
  await credentials.save({ ...credential, version: 1 })
  await credentials.get(evil, evil)
  await credentials.save({ ...credential, ownerId: 'anna', version: 1 })
  await credentials.delete(evil, evil)
  await keys.save({ sealed: 'x', version: 1 })
  await keys.get()
  await grants.revokeMany({ orgId: evil })
  await grants.revokeMany({ appId: grant.appId })
  await grants.create(newGrant({ userId: evil }), [newToken('access'), newToken('refresh')])
}

/** The keys of a command as Redis sees it. */
function keysOf([name, ...args]: readonly string[]): readonly string[] {
  if (name === 'evalsha' || name === 'eval') return args.slice(2, 2 + Number(args[1]))
  if (name === 'mget') return args
  return args.slice(0, 1)
}

t.test('whatever the ids, every key is plain, and a script uses the keys of one slot that it was given', async t => {
  const { commandsWithinToo, store } = await connected(t)
  await callEverything(store)
  const scripts = new Set<string>()
  let given: readonly string[] = []
  for (const { args, byScript } of await commandsWithinToo()) {
    const [name = '', digest = ''] = args
    const keys = keysOf(args)
    t.ok(keys.length > 0, name)
    if (byScript) {
      for (const key of keys) t.ok(given.includes(key), `${name} ${key} is a key of the script`)
      continue
    }
    given = keys
    for (const key of keys) t.match(key, /^authmount:[\w:{}-]+$/)
    if (name !== 'mget') t.equal(new Set(keys.map(slotOf)).size, 1, `${name} ${keys.join(' ')}`)
    if (name === 'evalsha') scripts.add(digest)
  }
  t.equal(scripts.size, 19, 'every script was seen')
})

t.test('no command fails, within scripts or outside', async t => {
  const { redis, store } = await connected(t)
  await redis.config('RESETSTAT')
  await callEverything(store)
  const stats = await redis.info('commandstats')
  const failed = stats.split('\r\n').filter(line => /(?:rejected|failed)_calls=[1-9]/.test(line))
  t.notMatch(stats, /cmdstat_(keys|scan):/, 'the keyspace is not walked')
  // A script that the server does not have is sent whole.
  t.strictSame(
    failed.map(line => line.split(':')[0]).filter(name => name !== 'cmdstat_evalsha'),
    [],
  )
  const errors = (await redis.info('errorstats')).match(/errorstat_\w+/g) ?? []
  t.strictSame(
    errors.filter(name => name !== 'errorstat_NOSCRIPT'),
    [],
  )
})

/** The rights that docs/storage.md names for a user of the server, and those it adds on a Cluster. */
async function documentedRights(): Promise<{ readonly rights: readonly string[]; readonly onCluster: readonly string[] }> {
  const page = await readFile(new URL('../../docs/storage.md', import.meta.url), 'utf8')
  const [, rights, onCluster] = /An ACL user needs `([^`]+)`; on a Cluster also `([^`]+)`/.exec(page) ?? []
  if (rights === undefined || onCluster === undefined) throw new Error('docs/storage.md names no rights')
  return { rights: rights.split(' '), onCluster: onCluster.split(' ') }
}

const USER = { username: 'authmount', password: 'secret' }

t.test('the rights that the documentation names are enough, and no more than its keys', async t => {
  const { redis } = await connected(t)
  const { rights } = await documentedRights()
  await redis.acl('SETUSER', USER.username, 'reset', 'on', `>${USER.password}`, ...rights)
  const limited = new Redis(server.port, USER)
  t.teardown(() => limited.disconnect())
  await callEverything(redisStore(limited, { warn: () => {} }))
  await t.rejects(limited.flushall(), /NOPERM/)
  await t.rejects(limited.get('another:key'), /NOPERM/)
})

const clusterUrl = urlOf('redis-cluster')
if (clusterUrl !== undefined) {
  t.test('so are those for a Cluster', async t => {
    const { onCluster, rights } = await documentedRights()
    const nodes = clusterUrl.split(',').map(url => ({ host: '127.0.0.1', port: Number(new URL(url).port) }))
    for (const { port } of nodes) {
      const admin = new Redis(port)
      await admin.acl('SETUSER', USER.username, 'reset', 'on', `>${USER.password}`, ...rights, ...onCluster)
      admin.disconnect()
    }
    const limited = new Cluster(nodes, { redisOptions: USER, clusterRetryStrategy: () => null })
    t.teardown(() => limited.disconnect())
    await callEverything(redisStore(limited, { prefix: `authmount:${randomUUID()}`, warn: () => {} }))
  })
}

t.test('everything that expires has a time to live, and nothing lives much longer than it must', async t => {
  const { redis, store } = await connected(t)
  await callEverything(store)
  const kinds = new Set<string>()
  for (const key of await redis.keys('*')) {
    const kind = key.split(':')[1] ?? ''
    kinds.add(kind)
    const left = await redis.pttl(key)
    if (['app', 'apps', 'consents', 'credential', 'keys'].includes(kind)) t.equal(left, -1, key)
    else t.ok(left > 0 && left <= 1.1 * 3_600_000 + 60_000, `${key} ${left}`)
  }
  const expected = ['app', 'apps', 'consents', 'credential', 'g', 'keys', 'once', 'org', 'tokens', 'user']
  t.strictSame([...kinds].sort(), expected)
})

t.test('no call sends more commands than it must', async t => {
  const { commands, store } = await connected(t)
  const { apps, consents, grants, oneTime } = store
  const sent = async (run: () => Promise<unknown>) => {
    const before = (await commands()).length
    await run()
    return (await commands()).slice(before).map(({ args: [name] }) => name)
  }
  await callEverything(store)
  const [appId, orgId] = [newAppId(), 'acme']
  const [own, ofUser] = [newGrant({ appId, orgId, userId: null }), newGrant({ appId, orgId })]
  const [access, refresh, next] = [newToken('access'), newToken('refresh'), newToken('refresh')]
  await grants.create(newGrant({ appId, orgId }), [newToken('access')])
  t.strictSame(await sent(() => grants.create(own, [newToken('access')])), ['evalsha', 'evalsha'], 'a grant of an app')
  t.strictSame(await sent(() => grants.create(ofUser, [access, refresh])), ['evalsha', 'evalsha', 'evalsha'], 'of a user')
  t.strictSame(await sent(() => grants.find({ grantId: ofUser.id, tokenId: access.id })), ['hmget'])
  t.strictSame(
    await sent(() => grants.add({ grant: ofUser, token: refresh }, [newToken('access')])),
    ['evalsha', 'evalsha', 'evalsha'],
    'add',
  )
  t.strictSame(
    await sent(() => grants.rotate({ grant: ofUser, token: refresh }, [next], 'replay')),
    ['evalsha', 'evalsha', 'evalsha'],
    'rotate',
  )
  const entry = newConsent()
  t.strictSame(await sent(() => oneTime.claim(entry, 'attempt')), ['evalsha'])
  t.strictSame(await sent(() => oneTime.forget('consent', entry.id, 'attempt')), ['evalsha'])
  const consent = { owner: { orgId }, appId, scopes: ['read'], grantedAt: 1, version: 1 }
  t.strictSame(await sent(() => consents.save(consent)), ['evalsha'])
  t.strictSame(await sent(() => consents.get(consent.owner, appId)), ['hget'])
  t.strictSame(await sent(() => consents.list(consent.owner, { limit: 10 })), ['evalsha'])
  t.strictSame(await sent(() => apps.get(appId)), ['get'])
  t.strictSame(await sent(() => apps.save(newApp({ id: appId, orgId }))), ['evalsha', 'evalsha', 'evalsha'])
  for (const query of [{}, { createdBy: 'a', status: 'active' as const, origin: 'host' as const }, { search: 'x' }])
    t.strictSame((await sent(() => apps.list({ orgId, offset: 0, limit: 10, ...query }))).slice(0, 1), ['evalsha'])
})

for (const [framework, mount] of Object.entries(frameworks)) {
  t.test(`${framework}: no operation makes more round trips than the documentation says`, async t => {
    const proxy = await SpoilingProxy.before(server.port)
    t.teardown(() => proxy.close())
    const redis = new Redis(proxy.port)
    t.teardown(() => redis.disconnect())
    const store = redisStore(redis, { warn: () => {} })
    const host = await startHost(mount, { store })
    t.teardown(host.close)
    const app = await host.confidentialApp()
    const { access, refresh } = await host.tokens(app)
    await host.refresh(app, refresh)
    await host.clientCredentials(app)
    const code = await host.approve(app)
    const roundTrips = async (run: () => Promise<unknown>) => {
      const before = proxy.roundTrips
      await run()
      return proxy.roundTrips - before
    }
    t.equal(await roundTrips(async () => t.equal(await host.records(access), 200)), 1, 'checking a token')
    t.equal(await roundTrips(async () => t.equal((await host.clientCredentials(app)).status, 200)), 2, 'client_credentials')
    const granted = { current: '' }
    t.equal(
      await roundTrips(async () => {
        granted.current = String((await host.redeem(app, code)).body.refresh_token)
      }),
      4,
      'exchanging a code',
    )
    t.equal(await roundTrips(async () => t.equal((await host.refresh(app, granted.current)).status, 200)), 3, 'refreshing')
    t.equal(await roundTrips(async () => t.equal(await host.isActive(app, access), true)), 2, 'introspecting')
  })
}

t.test('an app that many ask for in one turn of the event loop is read once', async t => {
  const { commands, store } = await connected(t)
  const app = newApp()
  await store.apps.save(app)
  const before = (await commands()).length
  const asked = await Promise.all(Array.from({ length: 50 }, () => store.apps.get(app.id)))
  t.strictSame(new Set(asked.map(found => found?.id)), new Set([app.id]))
  t.strictSame(
    (await commands()).slice(before).map(({ args: [name] }) => name),
    ['get'],
  )
  // Another turn reads again.
  await store.apps.get(app.id)
  t.equal((await commands()).slice(before).length, 2)
})

t.test('a server that has forgotten the scripts is told them again, under load', async t => {
  const { redis, store } = await connected(t)
  let stop = false
  const flushing = (async () => {
    while (!stop) await redis.script('FLUSH')
  })()
  const outcomes = await Promise.all(
    Array.from({ length: 300 }, async () => {
      const [grant, refresh, next] = [newGrant(), newToken('refresh'), newToken('refresh')]
      const created = await store.grants.create(grant, [refresh])
      return created && (await store.grants.rotate({ grant, token: refresh }, [next], 'replay')) === 'rotated'
    }),
  )
  stop = true
  await flushing
  t.equal(outcomes.filter(Boolean).length, 300)
})

t.test('a decision counts once enough replicas have it', async t => {
  const primary = await RedisProcess.start('--repl-diskless-sync-delay', '0')
  const replica = await RedisProcess.start('--replicaof', '127.0.0.1', String(primary.port))
  t.teardown(() => Promise.all([primary.remove(), replica.remove()]))
  const options = { waitForReplicas: { count: 1, timeoutMs: 700 } }
  const { redis, store } = await connectedRedis(t, primary.port, options)
  const { apps, consents, grants, oneTime } = store
  await redis.set('seen', 'by the replica')
  while ((await redis.wait(1, 100)) < 1);
  const [entry, grant, refresh] = [newConsent(), newGrant(), newToken('refresh')]
  await oneTime.put(entry)
  t.equal((await oneTime.consume('consent', entry.id, 'first'))?.first, true)
  await redis.script('FLUSH')
  t.equal((await oneTime.consume('consent', entry.id, 'second'))?.first, false, 'scripts are sent again here too')
  t.equal(await oneTime.claim(newConsent(), 'attempt'), true)
  t.equal(await grants.create(grant, [refresh]), true)

  await replica.kill()
  const [app, other] = [newApp(), newConsent()]
  const consent = { owner: { userId: 'anna' }, appId: app.id, scopes: [], grantedAt: 1, version: 1 }
  const decisions: Readonly<Record<string, () => Promise<unknown>>> = {
    consume: () => oneTime.consume('consent', entry.id, 'first'),
    claim: () => oneTime.claim(other, 'attempt'),
    forget: () => oneTime.forget('consent', other.id, 'attempt'),
    create: () => grants.create(newGrant(), [newToken('access')]),
    add: () => grants.add({ grant, token: refresh }, [newToken('access')]),
    rotate: () => grants.rotate({ grant, token: refresh }, [newToken('refresh')], 'replay'),
    revokeToken: () => grants.revokeToken({ grantId: grant.id, tokenId: refresh.id }),
    revoke: () => grants.revoke(grant.id),
    'apps.save': () => apps.save(app),
    'consents.save': () => consents.save(consent),
    'credentials.save': () => store.credentials.save({ ...CREDENTIAL, version: 1 }),
    'credentials.delete': () => store.credentials.delete(CREDENTIAL.connectorId, CREDENTIAL.ownerId),
    'keys.save': () => store.keys.save({ sealed: 'x', version: 1 }),
  }
  for (const [name, decide] of Object.entries(decisions)) await t.rejects(decide(), /only 0 of 1 replicas/, name)
})

t.test('a server whose settings lose data is warned of, once', async t => {
  const risky = await RedisProcess.start('--maxmemory', '10mb', '--maxmemory-policy', 'allkeys-lru')
  const safe = await RedisProcess.start('--appendonly', 'yes')
  t.teardown(() => Promise.all([risky.remove(), safe.remove()]))
  const warned = async (port: number) => {
    const warnings: string[] = []
    const redis = new Redis(port)
    redisStore(redis, { warn: message => warnings.push(message) })
    await new Promise(resolve => redis.once('ready', resolve))
    // The questions are answered in turn: when this one is, theirs were.
    await redis.info()
    await redis.config('GET', 'save')
    await new Promise(resolve => setImmediate(resolve))
    redis.disconnect()
    return warnings
  }
  const warnings = await warned(risky.port)
  t.equal(warnings.length, 2)
  t.match(warnings[0], /evicts keys.*allkeys-lru.*noeviction/)
  t.match(warnings[1], /keeps nothing on disk.*appendonly/)
  t.strictSame(await warned(safe.port), [])
})
