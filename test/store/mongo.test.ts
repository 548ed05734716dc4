/** What is special to the MongoDB store: its indexes, what the server has not swept yet, its lists of apps, a server that is away. */
import { mongoStore } from 'authmount/stores/mongo'
import { MongoClient } from 'mongodb'
import t from 'tap'
import { newConsent as newStoredConsent } from '../../src/testing/records.ts'
import { freePort } from '../servers/server.ts'
import { Clock } from '../support/clock.ts'
import { mongoDb } from '../support/mongo.ts'
import { urlOf } from '../support/places.ts'
import { newApp, newAppId, newConsent, newGrant, newToken } from '../support/records.ts'
import { newNamespace } from '../support/stores.ts'

if (urlOf('mongo')) {
  t.test('eight stores that boot at once create the indexes once, beside those of a database that is in use', async t => {
    const namespace = newNamespace()
    const dbs = await Promise.all(Array.from({ length: 8 }, () => mongoDb(t, namespace)))
    const [db = await mongoDb(t, namespace)] = dbs
    await db.collection('authmount_grants').createIndex({ app: 1, epoch: 1 })
    await db.collection('authmount_grants').createIndex({ mine: 1 })
    const stores = dbs.map(db => mongoStore(db))
    const saved = await Promise.all(stores.map(({ keys }, index) => keys.save({ sealed: `ring ${index}`, version: 1 })))
    t.equal(saved.filter(Boolean).length, 1)
    const grants = stores.map(() => newGrant({ userId: 'anna' }))
    await Promise.all(stores.map(({ grants: own }, index) => own.create(grants[index] ?? newGrant(), [newToken('access')])))
    t.equal((await stores[0]?.grants.listTokens({ userId: 'anna', limit: 0 }))?.total, 8)
    const indexes = async (name: string) =>
      (await db.collection(name).indexes()).map(({ key }) => Object.keys(key).join(' ')).sort()
    t.same(await indexes('authmount_apps'), ['_id', 'lists createdAt _id expiresAt', 'sweepAt'])
    t.same(await indexes('authmount_consents'), ['_id', 'owner given _id', 'sweepAt'])
    t.same(await indexes('authmount_one_time'), ['_id', 'sweepAt'])
    t.same(await indexes('authmount_grants'), ['_id', 'app epoch', 'mine', 'org', 'sweepAt', 'user'])
    t.same(await indexes('authmount_tokens'), [
      '_id',
      'app epoch issuedAt _id expiresAt',
      'sweepAt',
      'user issuedAt _id expiresAt',
    ])
    for (const name of ['apps', 'consents', 'grants', 'one_time', 'tokens']) {
      const sweeping = (await db.collection(`authmount_${name}`).indexes()).filter(index => index.expireAfterSeconds === 0)
      t.same(
        sweeping.map(({ key }) => key),
        [{ sweepAt: 1 }],
        name,
      )
    }
  })

  t.test('indexes that could not be created are tried again by the next call, and created once', async t => {
    const db = await mongoDb(t)
    let opened = 0
    const failing = new Proxy(db, {
      get(target, name) {
        if (name === 'collection' && opened++ === 0) throw new Error('not now')
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const { keys } = mongoStore(failing)
    await t.rejects(keys.get(), { message: 'not now' })
    t.equal(await keys.get(), undefined)
    t.equal((await db.collection('authmount_grants').indexes()).length, 5)
    const before = opened
    t.equal(await keys.get(), undefined)
    t.equal(opened, before + 1, 'the key ring alone was opened')
  })

  t.test('what has expired is absent, though the server has not swept it', async t => {
    const db = await mongoDb(t)
    const clock = new Clock()
    const { apps, consents, grants, oneTime } = mongoStore(db, { now: clock.now })
    const expiresAt = clock.now() + 600_000
    const [app, consent, entry, grant] = [newApp({ expiresAt }), newStoredConsent({ expiresAt }), newConsent(), newGrant()]
    const refresh = newToken('refresh')
    const { orgId, userId } = grant
    await apps.save(app)
    await consents.save(consent)
    await oneTime.put(entry)
    await grants.create(grant, [refresh])
    clock.advance(3601)
    const ref = { grantId: grant.id, tokenId: refresh.id }
    t.equal(await apps.get(app.id), undefined)
    t.equal((await apps.list({ orgId: app.orgId, offset: 0, limit: 9 })).total, 0)
    t.equal(await consents.get(consent.owner, consent.appId), undefined)
    t.equal(await oneTime.peek('consent', entry.id), undefined)
    t.equal(await oneTime.consume('consent', entry.id, 'attempt'), undefined)
    t.equal(await grants.find(ref), undefined)
    t.equal(await grants.rotate({ grant, token: refresh }, [newToken('refresh')], ''), 'missing')
    t.equal(await grants.add({ grant, token: refresh }, [newToken('access')]), 'missing')
    t.equal(await grants.revokeToken(ref), false)
    t.same(await grants.listTokens({ userId: userId ?? '', limit: 9 }), { items: [], total: 0, next: null })
    t.equal(await grants.revokeMany({ orgId }), 0)
    t.equal(await grants.revoke(grant.id), false)
    for (const name of ['apps', 'consents', 'grants', 'one_time'])
      t.equal(await db.collection(`authmount_${name}`).countDocuments(), 1, `${name}: it is still there`)
    const again = newToken('access', { expiresAt: clock.now() + 1000 })
    t.equal(await grants.create(grant, [again]), true, 'it does not take the id of a new one')
    t.ok(await grants.find({ grantId: grant.id, tokenId: again.id }))
    t.equal(await grants.find(ref), undefined)
  })

  t.test('the server sweeps only what has been expired for a while, and nothing that is permanent', async t => {
    const db = await mongoDb(t)
    const { apps, consents, credentials, grants, keys, oneTime } = mongoStore(db)
    const swept = async (name: string): Promise<Date | undefined> => (await db.collection(`authmount_${name}`).findOne())?.sweepAt
    const sweptAfter = async (name: string, expiresAt: number) =>
      t.ok(((await swept(name))?.getTime() ?? 0) > expiresAt, `${name}: later than it expires`)
    const expiresAt = Date.now() + 60_000
    const [{ expiresAt: _, ...app }, consent] = [newApp(), newStoredConsent()]
    await apps.save({ ...app, expiresAt })
    await consents.save({ ...consent, scopes: [], expiresAt })
    for (const name of ['apps', 'consents']) await sweptAfter(name, expiresAt)
    await apps.save({ ...app, version: 2 })
    await consents.save({ ...consent, version: 2 })
    // A field of a later version, which is no expiry of ours.
    const credential = { connectorId: 'c', ownerId: 'o', sealed: '', accessExpiresAt: 1, leaseUntil: null, expiresAt: 1 }
    await credentials.save({ ...credential, needsReconnect: false, version: 1 })
    t.ok(await credentials.get('c', 'o'))
    await keys.save({ sealed: '', version: 1 })
    for (const name of ['apps', 'consents', 'credentials', 'keys']) t.equal(await swept(name), undefined, `${name}: never`)

    const entry = newConsent()
    await oneTime.claim(entry, 'mine')
    await sweptAfter('one_time', entry.expiresAt)
    const [soon, later] = [newToken('refresh'), newToken('access', { expiresAt: expiresAt + 10_000_000 })]
    const late = newToken('refresh', { expiresAt: expiresAt + 20_000_000 })
    const grant = newGrant()
    await grants.create(grant, [soon])
    await sweptAfter('grants', soon.expiresAt)
    await grants.add({ grant, token: soon }, [later])
    await sweptAfter('grants', later.expiresAt)
    await grants.rotate({ grant, token: soon }, [late], '')
    await sweptAfter('grants', late.expiresAt)
  })

  t.test('a grant of which only expired tokens are left is absent, whatever was revoked before', async t => {
    const clock = new Clock()
    const { grants } = mongoStore(await mongoDb(t), { now: clock.now })
    const grant = newGrant()
    const [short, long] = [newToken('access'), newToken('refresh', { expiresAt: clock.now() + 10_000_000 })]
    await grants.create(grant, [short, long])
    await grants.revokeToken({ grantId: grant.id, tokenId: long.id })
    clock.advance(601)
    t.equal(await grants.revoke(grant.id), false)
    t.equal(await grants.create({ ...grant, userId: 'somebody else' }, [newToken('access')]), true, 'its id is free')
  })

  t.test('a search looks through the newest thousand names, and deleted apps do not count among them', async t => {
    const { apps } = mongoStore(await mongoDb(t))
    const orgId = 'org'
    const made = Array.from({ length: 1100 }, (_, index) =>
      newApp({ orgId, createdAt: index, name: `App ${index}`, status: index % 11 === 0 ? 'deleted' : 'active' }),
    )
    for (let at = 0; at < made.length; at += 100) await Promise.all(made.slice(at, at + 100).map(app => apps.save(app)))
    await apps.save(newApp({ orgId, createdAt: -1, name: 'App of old' }))
    t.equal((await apps.list({ orgId, offset: 0, limit: 0 })).total, 1001)
    const search = await apps.list({ orgId, offset: 998, limit: 9, search: 'APP' })
    t.same([search.items.map(({ name }) => name), search.total], [['App 2', 'App 1'], 1000])
    t.equal((await apps.list({ orgId, offset: 0, limit: 9, search: 'of old' })).total, 0)
  })

  t.test('an app that changes leaves the lists that it no longer belongs to', async t => {
    const { apps } = mongoStore(await mongoDb(t))
    const app = newApp({ createdBy: 'anna' })
    const { orgId } = app
    await apps.save(app)
    await apps.save({ ...app, createdBy: 'berta', orgId: 'other', status: 'suspended', version: 2 })
    const total = async (query: object) => (await apps.list({ orgId, offset: 0, limit: 0, ...query })).total
    for (const query of [{}, { status: 'active' }, { createdBy: 'anna' }, { origin: 'host' }]) t.equal(await total(query), 0)
    t.equal(await total({ orgId: 'other', createdBy: 'berta', origin: 'host', status: 'suspended' }), 1)
    t.equal(await total({ orgId: 'other', createdBy: 'anna' }), 0)
  })

  t.test('a cursor that is none of ours has nothing after it', async t => {
    const { consents, grants } = mongoStore(await mongoDb(t))
    await consents.save(newStoredConsent({ owner: { userId: 'anna' } }))
    await grants.create(newGrant({ userId: 'anna' }), [newToken('access')])
    for (const after of ['', '0', 'next', '1.x', '\0']) {
      t.same(await consents.list({ userId: 'anna' }, { limit: 9, after }), { items: [], next: null })
      t.same((await grants.listTokens({ userId: 'anna', limit: 9, after })).items, [])
    }
  })

  t.test('a server that is away is an error, not an answer', async t => {
    const client = new MongoClient(`mongodb://127.0.0.1:${await freePort()}`, { serverSelectionTimeoutMS: 100 })
    t.teardown(() => client.close())
    const { apps, consents, credentials, grants, keys, oneTime } = mongoStore(client.db('x'))
    const ref = { grantId: 'g', tokenId: 't' }
    const found = { grant: newGrant(), token: newToken('refresh') }
    await Promise.all([
      t.rejects(apps.get(newAppId())),
      t.rejects(apps.save(newApp())),
      t.rejects(apps.list({ orgId: 'o', offset: 0, limit: 0 })),
      t.rejects(oneTime.put(newConsent())),
      t.rejects(oneTime.peek('consent', 'x')),
      t.rejects(oneTime.consume('consent', 'x', 'y')),
      t.rejects(oneTime.claim(newConsent(), 'y')),
      t.rejects(oneTime.forget('consent', 'x', 'y')),
      t.rejects(grants.create(newGrant(), [newToken('access')])),
      t.rejects(grants.find(ref)),
      t.rejects(grants.rotate(found, [], '')),
      t.rejects(grants.add(found, [])),
      t.rejects(grants.revokeToken(ref)),
      t.rejects(grants.revoke('g')),
      t.rejects(grants.revokeMany({ appId: 'c' })),
      t.rejects(grants.listTokens({ userId: 'anna', limit: 0 })),
      t.rejects(consents.get({ userId: 'u' }, 'c')),
      t.rejects(consents.list({ userId: 'u' }, { limit: 9 })),
      t.rejects(consents.save(newStoredConsent())),
      t.rejects(credentials.delete('c', 'o')),
      t.rejects(keys.get()),
    ])
  })
}
