/** How the Redis store keeps records: formats, packing to the byte, memory. */
import type { Grant, Token } from 'authmount'
import type { RedisStoreOptions } from 'authmount/stores/redis'
import t, { type Test } from 'tap'
import { newCredential } from '../../src/testing/records.ts'
import { RedisProcess } from '../servers/redis.ts'
import { installed } from '../servers/server.ts'
import { newApp, newAppId, newConsent, newGrant, newToken } from '../support/records.ts'
import { connectedRedis } from '../support/redis.ts'

if (!(await installed('redis-server', '--version'))) t.bailout('redis-server is not installed')
const server = await RedisProcess.start()
t.teardown(() => server.remove())
const connected = (t: Test, options?: RedisStoreOptions) => connectedRedis(t, server.port, options)

/** How long a value may be before Redis takes its hash out of the packed form. */
const PACKED_BYTES = 64

t.test('a record of another version, or a damaged one, is refused and left as it is', async t => {
  const { redis, store } = await connected(t)
  const { apps, consents, credentials, grants, keys, oneTime } = store
  const [app, entry, grant, token] = [newApp(), newConsent(), newGrant({ userId: 'anna' }), newToken('refresh')]
  const owner = { userId: 'anna' }
  const consent = { owner, appId: 'b', scopes: ['read'], grantedAt: 1, version: 1 }
  await apps.save(app)
  await oneTime.put(entry)
  await grants.create(grant, [token])
  await consents.save(consent)
  const credential = newCredential()
  const { connectorId, ownerId } = credential
  await credentials.save(credential)
  await keys.save({ sealed: 'x', version: 1 })
  const ref = { grantId: grant.id, tokenId: token.id }
  const listed = { orgId: app.orgId, offset: 0, limit: 5 }
  const digest = (await redis.hkeys((await redis.keys('authmount:consents:*}'))[0] ?? ''))[0] ?? ''

  type Call = () => Promise<unknown>
  interface Spoilt {
    readonly key: string
    /** How to spoil it, and the calls that must refuse it then. */
    readonly ways: readonly (readonly [how: string, spoil: (key: string) => Promise<unknown>, calls: readonly Call[]])[]
  }
  const ofApp = [() => apps.get(app.id), () => apps.list(listed)]
  const saveApp = () => apps.save({ ...app, version: 2 })
  const ofEntry = [() => oneTime.peek('consent', entry.id), () => oneTime.consume('consent', entry.id, 'attempt')]
  const claims = [
    () => oneTime.put(entry),
    () => oneTime.claim(entry, 'attempt'),
    () => oneTime.forget('consent', entry.id, 'attempt'),
  ]
  const ofCredential = [() => credentials.get(connectorId, ownerId)]
  const changesOfCredential = [
    () => credentials.save({ ...credential, version: 2 }),
    () => credentials.delete(connectorId, ownerId),
  ]
  const saveKeys = () => keys.save({ sealed: 'y', version: 2 })
  const ofConsent = [() => consents.get(owner, 'b'), () => consents.list(owner, { limit: 9 })]
  const saveConsent = () => consents.save({ ...consent, version: 2 })
  const reads = [() => grants.find(ref), () => grants.listTokens({ userId: 'anna', limit: 5 })]
  const writes = [
    () => grants.create(grant, [token]),
    () => grants.rotate({ grant, token }, [newToken('refresh')], 'replay'),
    () => grants.add({ grant, token }, [newToken('access')]),
    () => grants.revokeToken(ref),
  ]
  const ends = [
    () => grants.revoke(grant.id),
    () => grants.revokeMany({ appId: grant.appId }),
    () => grants.revokeMany({ orgId: grant.orgId }),
    () => grants.revokeMany({ userId: 'anna' }),
  ]
  const set = (text: string) => (key: string) => redis.set(key, text, 'KEEPTTL')
  const records: Readonly<Record<string, Spoilt>> = {
    'an app': {
      key: (await redis.keys('authmount:app:*'))[0] ?? '',
      ways: [
        ['of a later format', set('3 1 - {"name":"canary"}'), [...ofApp, saveApp]],
        ['of an earlier format', set('1 1 {"name":"canary"}'), [...ofApp, saveApp]],
        ['of broken JSON', set('2 1 - {"canary'), ofApp],
      ],
    },
    'an entry': {
      key: (await redis.keys('authmount:once:*'))[0] ?? '',
      ways: [
        ['of a later format', set(`3${'0'.repeat(80)}9 {"canary":1}`), [...ofEntry, ...claims]],
        ['of an earlier format', set(`1${'0'.repeat(40)}{"canary":1}`), [...ofEntry, ...claims]],
        // Its scripts read no JSON.
        ['of broken JSON', set(`2${'0'.repeat(80)}9999999999999 {"canary`), ofEntry.slice(0, 1)],
      ],
    },
    'a consent': {
      key: (await redis.keys('authmount:consents:*}'))[0] ?? '',
      ways: [
        ['of a later format', key => redis.hset(key, digest, '3 canary'), [...ofConsent, saveConsent]],
        ['of an earlier format', key => redis.hset(key, digest, '1 1 {"canary":1}'), [...ofConsent, saveConsent]],
        ['of broken JSON', key => redis.hset(key, digest, '2 1 - {"canary'), ofConsent],
      ],
    },
    'a credential': {
      key: (await redis.keys('authmount:credential:*'))[0] ?? '',
      ways: [
        ['of a later format', set('3 1 - {"canary":1}'), [...ofCredential, ...changesOfCredential]],
        ['of an earlier format', set('1 1 {"canary":1}'), [...ofCredential, ...changesOfCredential]],
        ['of broken JSON', set('2 1 - {"canary'), ofCredential],
      ],
    },
    'the key ring': {
      key: 'authmount:keys',
      ways: [
        ['of a later format', set('3 1 - {"canary":1}'), [keys.get, saveKeys]],
        ['of an earlier format', set('1 1 {"canary":1}'), [keys.get, saveKeys]],
        ['of broken JSON', set('2 1 - {"canary'), [keys.get]],
      ],
    },
    'a grant': {
      key: `authmount:g:${grant.id}`,
      ways: [
        ['of broken JSON', key => redis.hset(key, 'g', '2 1700000000000 1 {"canary'), reads],
        ['with a damaged token', key => redis.hset(key, `t:${token.id}`, 'r canary'), [...reads, ...writes.slice(1)]],
        ['of a later format', key => redis.hset(key, 'g', '3 {"secret":"canary"}'), [...reads, ...writes, ...ends]],
        ['of an earlier format', key => redis.hset(key, 'g', '1 1700000000000 1 {}'), [...reads, ...writes, ...ends]],
        ['without its format', key => redis.hdel(key, 'g'), [...reads, ...writes, ...ends]],
      ],
    },
  }
  for (const [what, { key, ways }] of Object.entries(records)) {
    const original = await redis.dumpBuffer(key)
    for (const [how, spoil, calls] of ways) {
      await spoil(key)
      const before = await redis.dumpBuffer(key)
      for (const call of calls) {
        const failure = await call().then(
          answer => `answered ${JSON.stringify(answer)}`,
          error => String(error),
        )
        t.match(failure, /another version of authmount|written by another version, or is damaged/, `${what} ${how}: ${call}`)
        t.notMatch(failure, /canary/, 'the record is not quoted')
        t.ok((await redis.dumpBuffer(key)).equals(before), `${what} ${how} is left as it is`)
      }
      await redis.restore(key, 600_000, original, 'REPLACE')
    }
  }
  t.ok(await grants.find(ref))
})

t.test('an expired record of another version is refused too, and never replaced', async t => {
  const { redis, store } = await connected(t)
  const expiresAt = Date.now() - 1
  const [app, entry, grant] = [newApp({ expiresAt }), newConsent(), newGrant()]
  const consent = { owner: { userId: 'anna' }, appId: 'b', scopes: ['read'], grantedAt: 1, version: 1 }
  await store.apps.save(newApp({ id: app.id }))
  await store.oneTime.put(entry)
  await store.grants.create(grant, [newToken('refresh')])
  await store.consents.save(consent)
  const one = async (pattern: string) => (await redis.keys(pattern))[0] ?? ''
  await redis.set(await one('authmount:app:*'), `3 1 ${expiresAt} {}`)
  await redis.set(await one('authmount:once:*'), `3${'0'.repeat(80)}${expiresAt} {}`)
  const grantKey = `authmount:g:${grant.id}`
  await redis.hset(grantKey, 'g', `3 ${expiresAt} 1 {}`)
  for (const name of await redis.hkeys(grantKey)) if (name.startsWith('t:')) await redis.hset(grantKey, name, `r 1 ${expiresAt}`)
  const consents = await one('authmount:consents:*}')
  for (const name of await redis.hkeys(consents)) await redis.hset(consents, name, `3 1 ${expiresAt} {}`)
  const kept = [await one('authmount:app:*'), await one('authmount:once:*'), grantKey, consents]
  const before = await Promise.all(kept.map(key => redis.dumpBuffer(key)))
  await t.rejects(store.apps.save(app), /another version/)
  await t.rejects(store.oneTime.claim(entry, 'attempt'), /another version/)
  await t.rejects(store.grants.create(grant, [newToken('refresh')]), /another version/)
  await t.rejects(store.consents.save(consent), /another version/)
  t.strictSame(await Promise.all(kept.map(key => redis.dumpBuffer(key))), before)
})

for (const query of [{ appId: 'a'.repeat(24) }, { orgId: 'home' }, { userId: 'anna' }]) {
  t.test(`a grant of another version does not keep the others from being revoked by ${Object.keys(query)}`, async t => {
    const { redis, store } = await connected(t)
    const made = Array.from({ length: 450 }, () => newGrant({ appId: 'a'.repeat(24), orgId: 'home', userId: 'anna' }))
    await Promise.all(made.map(grant => store.grants.create(grant, [newToken('access')])))
    const key = `authmount:g:${made[0]?.id}`
    await redis.hset(key, 'g', '1 1700000000000 1 {}')
    await t.rejects(store.grants.revokeMany(query), /another version/)
    const left = await redis.keys('authmount:g:*')
    t.strictSame([left.length, left[0]], [1, key])
  })
}

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
        for (const others of [{}, { extra: { a: '\n' } }]) {
          const grant = newGrant({ orgId, scopes, userId, context: scopes.length === 1 ? { nonce: 'a\nb' } : {}, ...others })
          const token = newToken('access', { scopes })
          const what = `${JSON.stringify({ orgId, ...others })}, ${scopes.length} scopes, user ${userId !== null}`
          t.equal(await store.grants.create(grant, [token]), true, what)
          t.strictSame(await store.grants.find({ grantId: grant.id, tokenId: token.id }), { grant, token, spent: null }, what)
          t.equal(await store.grants.create(grant, [token]), true, 'a repeat is the same write')
          const { context } = grant
          const form = `2 ${grant.createdAt} 1 ${JSON.stringify('extra' in grant ? [context, others] : context)}`
          const short = [form, `=${orgId}`, JSON.stringify(scopes)].every(text => Buffer.byteLength(text) <= PACKED_BYTES)
          const packed = await redis.object('ENCODING', `authmount:g:${grant.id}`)
          t.equal(packed, short ? 'listpack' : 'hashtable', `${what}: one allocation, unless a part of it alone is too long`)
          for (const other of [
            { orgId: `${orgId}x` },
            { userId: userId === null ? 'anna' : null },
            { scopes: [...scopes, 'more'] },
            { extra: 'other' },
          ])
            t.equal(await store.grants.create({ ...grant, ...other }, [token]), false, 'the id is taken')
          t.equal(await store.grants.revokeMany({ orgId, appId: grant.appId }), 1)
        }
      }
    }
  }
  const [grant, token] = [newGrant(), newToken('access')]
  await store.grants.create(grant, [token])
  const key = `authmount:g:${grant.id}`
  const find = () => store.grants.find({ grantId: grant.id, tokenId: token.id })
  for (const name of ['u', 'o']) {
    await redis.hset(key, name, 'no mark')
    await t.rejects(find(), /is damaged/, `${name} without its mark`)
    await redis.hdel(key, name)
  }
  await t.rejects(find(), /is damaged/, 'a grant of no organisation')
})

t.test('a grant and a token of 64 bytes are packed, and of 65 are not, with other fields and without', async t => {
  const { redis, store } = await connected(t)
  const fieldOf = async (grant: Grant, tokens: readonly Token[], field: string) => {
    await store.grants.create(grant, tokens)
    for (const token of tokens)
      t.strictSame(await store.grants.find({ grantId: grant.id, tokenId: token.id }), { grant, token, spent: null })
    const key = `authmount:g:${grant.id}`
    return { bytes: Buffer.byteLength((await redis.hget(key, field)) ?? ''), encoding: await redis.object('ENCODING', key) }
  }
  const grantOf = (fields: object) => newGrant({ orgId: 'o', userId: null, scopes: ['read'], ...fields })
  const plain = newToken('access', { scopes: ['read'] })

  // Whatever does not fit beside the form of a grant gets a field of its own. The form itself cannot.
  const form = (await fieldOf(grantOf({ orgId: 'o'.repeat(60) }), [plain], 'g')).bytes - '\n["read"]'.length
  for (const [name, make, room] of [
    ['organisation', (length: number) => ({ orgId: 'o'.repeat(length) }), PACKED_BYTES - form - '\n["read"]\n'.length],
    ['scopes', (length: number) => ({ scopes: ['s'.repeat(length)] }), PACKED_BYTES - form - '\n[""]\no'.length],
    ['other', (length: number) => ({ x: 'x'.repeat(length) }), PACKED_BYTES - form - '[,{"x":""}]\n["read"]\no'.length],
  ] as const) {
    const scopes = name === 'scopes' ? make(room).scopes : ['read']
    const token = { ...plain, scopes: scopes ?? ['read'] }
    t.strictSame(await fieldOf(grantOf(make(room)), [token], 'g'), { bytes: PACKED_BYTES, encoding: 'listpack' }, name)
    const longer = await fieldOf(grantOf(make(room + 1)), [plain], 'g')
    t.ok(longer.bytes < PACKED_BYTES && longer.encoding === 'listpack', `${name}, a byte longer, in fields of its own`)
  }
  const bare = PACKED_BYTES - form - '[,{"x":""}]'.length
  const whole = await fieldOf(grantOf({ x: 'x'.repeat(bare) }), [plain], 'g')
  t.strictSame(whole, { bytes: PACKED_BYTES, encoding: 'listpack' }, 'a form that fills its field')
  const over = await fieldOf(grantOf({ x: 'x'.repeat(bare + 1) }), [plain], 'g')
  t.strictSame(over, { bytes: PACKED_BYTES + 1, encoding: 'hashtable' }, 'a form a byte too long')

  const head = `a ${plain.issuedAt} ${plain.expiresAt}`.length
  for (const [what, make, fixed] of [
    ['scopes', (text: string) => ({ scopes: [text] }), ' [""]'],
    ['audience', (text: string) => ({ audience: [text] }), ' [["read"],[""]]'],
    ['other fields', (text: string) => ({ x: text }), ' {"x":""}'],
    ['a key', (text: string) => ({ jkt: text }), ' {"jkt":""}'],
    ['scopes and other fields', (text: string) => ({ scopes: [], x: text }), ' [[],{"x":""}]'],
    ['audience and claims', (text: string) => ({ audience: [], claims: { x: text } }), ' [["read"],[],{"claims":{"x":""}}]'],
  ] as const) {
    const room = PACKED_BYTES - head - fixed.length
    for (const [length, encoding] of [
      [room, 'listpack'],
      [room + 1, 'hashtable'],
    ] as const) {
      const token = { ...plain, ...make('x'.repeat(length)) }
      const found = await fieldOf(grantOf({}), [token], `t:${token.id}`)
      t.strictSame(found, { bytes: PACKED_BYTES - room + length, encoding }, `${what}, ${length} characters`)
    }
  }
})

t.test('a live token costs Redis at most 700 bytes with its grant and its indexes', async t => {
  const { redis, store } = await connected(t)
  const used = async () => Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
  const apps = Array.from({ length: 20 }, newAppId)
  const scopes = ['read:records']
  const create = (appId: string) =>
    store.grants.create(newGrant({ appId, orgId: 'bench', userId: null, scopes }), [newToken('access', { scopes })])
  // Scripts, buffers and indexes are there before it begins.
  await Promise.all(apps.map(create))
  const before = await used()
  const count = 10_000
  for (let start = 0; start < count; start += 1000)
    await Promise.all(Array.from({ length: 1000 }, (_, index) => create(apps[index % apps.length] ?? '')))
  const bytes = ((await used()) - before) / count
  t.comment(`${bytes.toFixed(0)} bytes`)
  t.ok(bytes <= 700, `${bytes.toFixed(0)} bytes`)
})
