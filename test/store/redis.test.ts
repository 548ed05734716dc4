/** What is special to the Redis store: keys and slots, round trips, times to live, formats, replicas, settings. */
import { createRequire } from 'node:module'
import type { Store } from 'authmount'
import { type RedisStoreOptions, redisStore } from 'authmount/stores/redis'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { RedisProcess } from '../servers/redis.ts'
import { installed } from '../servers/server.ts'
import { Clock } from '../support/clock.ts'
import { frameworks, startHost } from '../support/host.ts'
import { SpoilingProxy } from '../support/proxy.ts'
import { newApp, newConsent, newGrant, newToken } from '../support/records.ts'

const slotOf: (key: string) => number = createRequire(import.meta.url)('cluster-key-slot')

if (!(await installed('redis-server', '--version'))) t.bailout('redis-server is not installed')
const server = await RedisProcess.start('--enable-debug-command', 'yes')
t.teardown(() => server.remove())

interface Connected {
  readonly redis: Redis
  readonly store: Store
  /** Every command the server saw, in order. */
  commands(): Promise<readonly (readonly string[])[]>
}

/** An empty database, and a store over it. */
async function connected(t: Test, options: RedisStoreOptions = {}, port = server.port): Promise<Connected> {
  const redis = new Redis(port, { retryStrategy: () => 10 })
  await redis.flushall()
  const monitor = await redis.monitor()
  const seen: string[][] = []
  monitor.on('monitor', (_time: string, args: string[]) => seen.push(args))
  t.teardown(() => {
    monitor.disconnect()
    redis.disconnect()
  })
  const store = redisStore(redis, { warn: () => {}, ...options })
  const commands = async () => {
    await redis.echo('all said')
    while (!seen.some(([name]) => name === 'echo')) await new Promise(resolve => setImmediate(resolve))
    return seen.filter(([name]) => name !== 'echo' && name !== 'info' && name !== 'config')
  }
  return { redis, store, commands }
}

/** Calls every method of a store at least once, with ids as an attacker would choose them. */
async function callEverything({ apps, consents, credentials, grants, keys, oneTime }: Store): Promise<void> {
  const evil = 'a:{b}*\r\nDEL\0$x'
  const app = newApp({ orgId: evil, createdBy: evil })
  await apps.save(app)
  await apps.save({ ...app, name: 'Renamed', version: 2 })
  await apps.get(app.id)
  await apps.get(evil)
  await apps.list({ orgId: evil, offset: 0, limit: 10 })
  const entry = { ...newConsent(), id: evil }
  await oneTime.put(entry)
  await oneTime.peek('consent', evil)
  await oneTime.consume('consent', evil, evil)
  await oneTime.put(newConsent())
  const grant = newGrant({ userId: evil })
  const [access, refresh, next, other] = [newToken('access'), newToken('refresh'), newToken('refresh'), newToken('access')]
  await grants.create(grant, [access, refresh])
  await grants.find({ grantId: grant.id, tokenId: evil })
  await grants.find({ grantId: evil, tokenId: access.id })
  await grants.rotate({ grant, token: refresh }, [next, other], 'replay')
  await grants.revokeToken({ grantId: grant.id, tokenId: other.id })
  await grants.listTokens({ clientId: grant.clientId, epoch: 1, limit: 10 })
  await grants.listTokens({ userId: evil, limit: 10 })
  const second = newGrant({ clientId: grant.clientId, userId: evil })
  await grants.create(second, [newToken('access')])
  await grants.revoke(second.id)
  const third = newGrant({ clientId: grant.clientId })
  await grants.create(third, [newToken('access')])
  await grants.revokeMany({ clientId: grant.clientId, userId: 'nobody' })
  await grants.create(newGrant({ userId: evil }), [newToken('access')])
  await consents.put({ userId: evil, clientId: evil, scopes: [], grantedAt: 1 })
  await consents.get(evil, evil)
  await consents.put({ userId: 'anna', clientId: evil, scopes: [], grantedAt: 1 })
  await consents.delete(evil, evil)
  const credential = { connectorId: evil, ownerId: evil, sealed: 'x', expiresAt: 5, leaseUntil: null, needsReconnect: false }
  await credentials.save({ ...credential, version: 1 })
  await credentials.get(evil, evil)
  await credentials.save({ ...credential, ownerId: 'anna', version: 1 })
  await credentials.delete(evil, evil)
  await keys.save({ sealed: 'x', version: 1 })
  await keys.get()
  await grants.revokeMany({ clientId: grant.clientId })
  await grants.create(newGrant({ userId: evil }), [newToken('access'), newToken('refresh')])
}

/** The keys of a command as Redis sees it. */
function keysOf([name, ...args]: readonly string[]): readonly string[] {
  if (name === 'evalsha' || name === 'eval') return args.slice(2, 2 + Number(args[1]))
  if (name === 'mget') return args
  return args.slice(0, 1)
}

t.test('whatever the ids, every key is plain, and all keys of a script are on one slot', async t => {
  const { commands, store } = await connected(t)
  await callEverything(store)
  const scripts = new Set<string>()
  for (const command of await commands()) {
    // What a script itself does is reported without its keys declared; those must be the declared ones.
    if (command[0] === 'script') continue
    const keys = keysOf(command)
    t.ok(keys.length > 0, String(command[0]))
    for (const key of keys) t.match(key, /^authmount:[\w:{}-]+$/)
    if (command[0] !== 'mget') t.equal(new Set(keys.map(slotOf)).size, 1, `${command[0]} ${keys.join(' ')}`)
    if (command[0] === 'evalsha') scripts.add(String(command[1]))
  }
  t.equal(scripts.size, 9, 'every script was seen')
})

t.test('everything that expires has a time to live, and nothing lives much longer than it must', async t => {
  const { redis, store } = await connected(t)
  await callEverything(store)
  const kinds = new Set<string>()
  for (const key of await redis.keys('*')) {
    const kind = key.split(':')[1] ?? ''
    kinds.add(kind)
    const left = await redis.pttl(key)
    if (['app', 'org', 'consents', 'credential', 'keys'].includes(kind)) t.equal(left, -1, key)
    else t.ok(left > 0 && left <= 1.1 * 3_600_000 + 60_000, `${key} ${left}`)
  }
  t.strictSame([...kinds].sort(), ['app', 'consents', 'credential', 'g', 'keys', 'once', 'org', 'tokens', 'user'])
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

t.test('an index loses what has expired while others are added', async t => {
  const clock = new Clock()
  const { redis, store } = await connected(t, { now: clock.now })
  const { clientId } = newGrant()
  const add = (expiresAt: number) => store.grants.create(newGrant({ clientId }), [{ ...newToken('access'), expiresAt }])
  for (let index = 0; index < 40; index++) await add(clock.now() + 1000)
  clock.advance(2)
  const [issued = ''] = await redis.keys('*:issued')
  t.equal(await redis.zcard(issued), 40)
  for (let index = 0; index < 150; index++) await add(clock.now() + 60_000)
  t.equal(await redis.zcard(issued), 150)
  t.equal(await redis.zcard(issued.replace(/issued$/, 'expires')), 150)
})

t.test('a grant that is refreshed for ever loses what has expired, and the replays nobody can ask for any more', async t => {
  const clock = new Clock()
  const { redis, store } = await connected(t, { now: clock.now })
  const grant = newGrant()
  const refreshToken = () => newToken('refresh', { issuedAt: clock.now(), expiresAt: clock.now() + 3 * 3_600_000 })
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
  const [key = ''] = await redis.keys('authmount:g:*')
  const kept = await redis.hlen(key)
  // Three hours of tokens live; as many again may wait for the next time it is looked for them.
  t.ok(kept <= 2 * 180 + 10, `${kept} fields`)
  t.equal(await redis.hexists(key, `t:${line[0]?.id}`), 0)
  // Still known to be spent.
  const [old] = line.slice(-171)
  if (old) t.equal(await store.grants.rotate({ grant, token: old }, [refreshToken()], replay), 'reused')
  t.equal((await store.grants.find({ grantId: grant.id, tokenId: old?.id ?? '' }))?.spent?.replay, '')
})

t.test('an app that many ask for in one turn of the event loop is read once', async t => {
  const { commands, store } = await connected(t)
  const app = newApp()
  await store.apps.save(app)
  const before = (await commands()).length
  const asked = await Promise.all(Array.from({ length: 50 }, () => store.apps.get(app.id)))
  t.strictSame(new Set(asked.map(found => found?.id)), new Set([app.id]))
  t.strictSame(
    (await commands()).slice(before).map(([name]) => name),
    ['get'],
  )
  // Another turn is another question.
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

t.test('a record of another version, or a damaged one, is refused and left as it is', async t => {
  const { redis, store } = await connected(t)
  const { apps, consents, grants, oneTime } = store
  const [app, entry, grant, token] = [newApp(), newConsent(), newGrant({ userId: 'anna' }), newToken('refresh')]
  await apps.save(app)
  await oneTime.put(entry)
  await grants.create(grant, [token])
  const consent = { userId: 'anna', clientId: 'b', scopes: [], grantedAt: 1 }
  await consents.put(consent)
  const ref = { grantId: grant.id, tokenId: token.id }
  const uses: Readonly<Record<string, readonly (() => Promise<unknown>)[]>> = {
    app: [
      () => apps.get(app.id),
      () => apps.save({ ...app, version: 2 }),
      () => apps.list({ orgId: app.orgId, offset: 0, limit: 5 }),
    ],
    once: [() => oneTime.peek('consent', entry.id), () => oneTime.consume('consent', entry.id, 'attempt')],
    consents: [() => consents.get('anna', 'b'), () => consents.list('anna')],
    g: [
      () => grants.find(ref),
      () => grants.create(grant, [token]),
      () => grants.rotate({ grant, token }, [newToken('refresh')], 'replay'),
      () => grants.revokeToken(ref),
      () => grants.revoke(grant.id),
      () => grants.revokeMany({ clientId: grant.clientId }),
      () => grants.listTokens({ userId: 'anna', limit: 5 }),
    ],
  }
  const refused = /another version of authmount|written by another version, or is damaged/
  for (const [kind, calls] of Object.entries(uses)) {
    const [key = ''] = await redis.keys(`authmount:${kind}:*`)
    const spoil: Readonly<Record<string, () => Promise<unknown>>> =
      kind === 'g'
        ? {
            'broken JSON': () => redis.hset(key, 'g', '1 1700000000000 1 {"canary'),
            'a newer format': () => redis.hset(key, 'g', '2 {"secret":"canary"}'),
            'no format': () => redis.hdel(key, 'g'),
          }
        : kind === 'consents'
          ? { 'a newer format': async () => redis.hset(key, (await redis.hkeys(key))[0] ?? '', '2 canary') }
          : {
              'a newer format': () => redis.set(key, '2 canary', 'KEEPTTL'),
              'broken JSON': () => redis.set(key, `1${kind === 'once' ? '0'.repeat(40) : ' 1 '}{"canary`, 'KEEPTTL'),
            }
    for (const [how, run] of Object.entries(spoil)) {
      await run()
      const before = await redis.dump(key)
      for (const call of calls) {
        // Without its format a grant cannot be told from none by a script that reads only that.
        if (how === 'no format' && call !== calls[0] && call !== calls[1]) continue
        if (how === 'broken JSON' && calls.length > 2 && call === calls[1]) continue
        // Its scripts read no JSON.
        if (how === 'broken JSON' && kind === 'g' && call !== calls[0]) continue
        const failure = await call().then(
          answer => `answered ${JSON.stringify(answer)}`,
          error => String(error),
        )
        t.match(failure, refused, `${kind}: ${how}`)
        t.notMatch(failure, /canary/, 'the record is not quoted')
        if (how !== 'broken JSON') t.equal(await redis.dump(key), before, `${kind} is left as it is`)
      }
      t.equal(await redis.exists(key), 1)
    }
  }
})

t.test('a grant is read as it was written, whatever of it is kept beside its form', async t => {
  const { redis, store } = await connected(t)
  const texts = [
    '',
    'a',
    '=',
    '\n',
    'a\n["read"]\n=b',
    '0\0{}:*',
    ...[20, 24, 28, 43, 44, 45, 64, 65, 255].map(length => 'é'.repeat(length)),
    // One byte more than fits, with one or another of the scopes.
    ...[21, 27, 41].map(length => 'o'.repeat(length)),
  ]
  const scopeSets = [[], ['read'], ['read', 'write'], Array.from({ length: 20 }, (_, index) => `records:${index}`)]
  for (const orgId of texts) {
    for (const scopes of scopeSets) {
      for (const userId of [null, orgId]) {
        const grant = newGrant({ orgId, scopes, userId, context: scopes.length === 1 ? { nonce: 'a\nb' } : {} })
        const token = newToken('access', { scopes })
        const what = `${JSON.stringify(orgId)}, ${scopes.length} scopes, user ${userId !== null}`
        t.equal(await store.grants.create(grant, [token]), true, what)
        t.strictSame(await store.grants.find({ grantId: grant.id, tokenId: token.id }), { grant, token, spent: null }, what)
        t.equal(await store.grants.create(grant, [token]), true, 'a repeat is the same write')
        const short = [`=${orgId}`, JSON.stringify(scopes)].every(text => Buffer.byteLength(text) <= 64)
        const packed = await redis.object('ENCODING', `authmount:g:${grant.id}`)
        t.equal(packed, short ? 'listpack' : 'hashtable', `${what}: one allocation, unless a part of it alone is too long`)
        for (const other of [
          { orgId: `${orgId}x` },
          { userId: userId === null ? 'anna' : null },
          { scopes: [...scopes, 'more'] },
        ])
          t.equal(await store.grants.create({ ...grant, ...other }, [token]), false, 'the id is taken')
      }
    }
  }
  const [grant, token] = [newGrant(), newToken('access')]
  await store.grants.create(grant, [token])
  const key = `authmount:g:${grant.id}`
  const find = () => store.grants.find({ grantId: grant.id, tokenId: token.id })
  for (const [name, value] of [
    ['u', 'no mark'],
    ['o', 'no mark'],
  ] as const) {
    await redis.hset(key, name, value)
    await t.rejects(find(), /is damaged/, `${name} without its mark`)
    await redis.hdel(key, name)
  }
  await t.rejects(find(), /is damaged/, 'a grant of no organisation')
})

t.test('a decision counts once enough replicas have it', async t => {
  const primary = await RedisProcess.start('--repl-diskless-sync-delay', '0')
  const replica = await RedisProcess.start('--replicaof', '127.0.0.1', String(primary.port))
  t.teardown(() => Promise.all([primary.remove(), replica.remove()]))
  const { redis, store } = await connected(t, { waitForReplicas: { count: 1, timeoutMs: 300 } }, primary.port)
  await redis.set('seen', 'by the replica')
  while ((await redis.wait(1, 100)) < 1);
  const entry = newConsent()
  await store.oneTime.put(entry)
  t.equal((await store.oneTime.consume('consent', entry.id, 'first'))?.first, true)
  await redis.script('FLUSH')
  t.equal((await store.oneTime.consume('consent', entry.id, 'second'))?.first, false, 'scripts are told again here too')

  await replica.kill()
  const lost = newConsent()
  await store.oneTime.put(lost)
  await t.rejects(store.oneTime.consume('consent', lost.id, 'first'), /only 0 of 1 replicas/)
  const [grant, token] = [newGrant(), newToken('access')]
  await t.rejects(store.grants.create(grant, [token]), /only 0 of 1 replicas/)
  await t.rejects(store.grants.revoke(grant.id), /only 0 of 1 replicas/)
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
