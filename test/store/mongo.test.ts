/** What is special to the MongoDB store: indexes, what was not swept yet, formats, names of fields, a server that is away. */
import type { Store } from 'authmount'
import { mongoStore } from 'authmount/stores/mongo'
import { type Db, MongoClient } from 'mongodb'
import t, { type Test } from 'tap'
import { freePort } from '../servers/server.ts'
import { Clock } from '../support/clock.ts'
import { urlOf } from '../support/places.ts'
import { newApp, newAppId, newConsent, newGrant, newToken } from '../support/records.ts'
import { newNamespace } from '../support/stores.ts'

const url = urlOf('mongo')
if (url) {
  const connected = async (t: Test, namespace = newNamespace()): Promise<Db> => {
    const client = await new MongoClient(url).connect()
    t.teardown(() => client.close())
    return client.db(namespace)
  }

  t.test('eight stores that boot at once make the indexes once, and all work', async t => {
    const namespace = newNamespace()
    const dbs = await Promise.all(Array.from({ length: 8 }, () => connected(t, namespace)))
    const stores = dbs.map(db => mongoStore(db))
    const saved = await Promise.all(stores.map(({ keys }, index) => keys.save({ sealed: `ring ${index}`, version: 1 })))
    t.equal(saved.filter(Boolean).length, 1)
    const grants = stores.map(() => newGrant({ userId: 'anna' }))
    await Promise.all(stores.map(({ grants: own }, index) => own.create(grants[index] ?? newGrant(), [newToken('access')])))
    t.equal((await stores[0]?.grants.listTokens({ userId: 'anna', limit: 0 }))?.total, 8)
    const [db] = dbs
    const indexes = async (name: string) =>
      (await db?.collection(name).indexes())?.map(({ key }) => Object.keys(key).join(' ')).sort()
    t.same(await indexes('authmount_apps'), ['_id', 'org createdAt _id'])
    t.same(await indexes('authmount_one_time'), ['_id', 'sweepAt'])
    t.same(await indexes('authmount_grants'), ['_id', 'client epoch', 'sweepAt', 'user'])
    t.same(await indexes('authmount_tokens'), [
      '_id',
      'client epoch issuedAt _id expiresAt',
      'sweepAt',
      'user issuedAt _id expiresAt',
    ])
    const sweeps = (await db?.collection('authmount_tokens').indexes())?.filter(
      ({ expireAfterSeconds }) => expireAfterSeconds === 0,
    )
    t.same(
      sweeps?.map(({ key }) => key),
      [{ sweepAt: 1 }],
    )
  })

  t.test('indexes that could not be made are tried again by the next call, and made once', async t => {
    const db = await connected(t)
    let opened = 0
    const failing = new Proxy(db, {
      get(target, name) {
        if (name === 'collection' && opened++ === 0) throw new Error('not now')
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const { apps } = mongoStore(failing)
    await t.rejects(apps.get('x'), { message: 'not now' })
    t.equal(await apps.get('x'), undefined)
    t.equal((await db.collection('authmount_grants').indexes()).length, 4)
    const before = opened
    t.equal(await apps.get('x'), undefined)
    t.equal(opened, before + 1, 'nothing but the app was asked for')
  })

  t.test('what has expired is absent, though the server has not swept it', async t => {
    const db = await connected(t)
    const clock = new Clock()
    const { grants, oneTime } = mongoStore(db, { now: clock.now })
    const entry = newConsent()
    await oneTime.put(entry)
    const grant = newGrant({ userId: 'anna' })
    const refresh = newToken('refresh')
    await grants.create(grant, [refresh])
    clock.advance(3601)
    const ref = { grantId: grant.id, tokenId: refresh.id }
    t.equal(await oneTime.peek('consent', entry.id), undefined)
    t.equal(await oneTime.consume('consent', entry.id, 'attempt'), undefined)
    t.equal(await grants.find(ref), undefined)
    t.equal(await grants.rotate({ grant, token: refresh }, [newToken('refresh')], ''), 'missing')
    t.equal(await grants.revokeToken(ref), false)
    t.same(await grants.listTokens({ userId: 'anna', limit: 9 }), { items: [], total: 0, next: null })
    t.equal(await grants.revokeMany({ userId: 'anna' }), 0)
    t.equal(await grants.revoke(grant.id), false)
    t.equal(await db.collection('authmount_grants').countDocuments(), 1)
    t.equal(await db.collection('authmount_one_time').countDocuments(), 1)
    const again = newToken('access', { expiresAt: clock.now() + 1000 })
    t.equal(await grants.create(grant, [again]), true, 'nor does it take the id of a new one')
    t.ok(await grants.find({ grantId: grant.id, tokenId: again.id }))
    t.equal(await grants.find(ref), undefined)
  })

  t.test('the server may sweep only what has been expired for long', async t => {
    const db = await connected(t)
    const { grants, oneTime } = mongoStore(db)
    const entry = newConsent()
    await oneTime.put(entry)
    const soon = newToken('refresh')
    const late = newToken('refresh', { expiresAt: soon.expiresAt + 10_000_000 })
    const grant = newGrant()
    await grants.create(grant, [soon])
    const swept = async (name: string) => (await db.collection(name).findOne())?.sweepAt.getTime()
    t.ok((await swept('authmount_one_time')) > entry.expiresAt)
    t.ok((await swept('authmount_grants')) > soon.expiresAt)
    await grants.rotate({ grant, token: soon }, [late], '')
    t.ok((await swept('authmount_grants')) > late.expiresAt, 'a rotation puts it off')
  })

  /** One of each record, and every call that would meet it. */
  async function callsOn({ apps, consents, credentials, grants, keys, oneTime }: Store) {
    const [app, entry, grant] = [newApp(), newConsent(), newGrant({ userId: 'anna' })]
    const [refresh, next] = [newToken('refresh'), newToken('refresh')]
    const consent = { userId: 'anna', clientId: app.id, scopes: ['secret-scope'], grantedAt: 1 }
    const credential = {
      connectorId: 'c',
      ownerId: 'o',
      sealed: 'secret-jwe',
      expiresAt: null,
      leaseUntil: null,
      needsReconnect: false,
      version: 1,
    }
    await apps.save(app)
    await oneTime.put(entry)
    await grants.create(grant, [refresh])
    await consents.put(consent)
    await credentials.save(credential)
    await keys.save({ sealed: 'secret-ring', version: 1 })
    const ref = { grantId: grant.id, tokenId: refresh.id }
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      'apps.get': () => apps.get(app.id),
      'apps.save': () => apps.save(app),
      'apps.save, the next': () => apps.save({ ...app, version: 2 }),
      'apps.list': () => apps.list({ orgId: app.orgId, offset: 0, limit: 9 }),
      'oneTime.put': () => oneTime.put(entry),
      'oneTime.peek': () => oneTime.peek('consent', entry.id),
      'oneTime.consume': () => oneTime.consume('consent', entry.id, 'attempt'),
      'grants.create': () => grants.create(grant, [refresh]),
      'grants.find': () => grants.find(ref),
      'grants.rotate': () => grants.rotate({ grant, token: refresh }, [next], ''),
      'grants.revokeToken': () => grants.revokeToken(ref),
      'grants.revoke': () => grants.revoke(grant.id),
      'grants.revokeMany': () => grants.revokeMany({ userId: 'anna' }),
      'grants.listTokens': () => grants.listTokens({ userId: 'anna', limit: 9 }),
      'consents.get': () => consents.get('anna', app.id),
      'consents.put': () => consents.put(consent),
      'consents.delete': () => consents.delete('anna', app.id),
      'credentials.get': () => credentials.get('c', 'o'),
      'credentials.save': () => credentials.save(credential),
      'credentials.delete': () => credentials.delete('c', 'o'),
      'keys.get': () => keys.get(),
      'keys.save': () => keys.save({ sealed: 'other', version: 2 }),
    }
    return calls
  }
  const DECIDING = ['apps', 'one_time', 'grants', 'consents', 'credentials', 'keys'].map(name => `authmount_${name}`)
  const contents = (db: Db) => Promise.all(DECIDING.map(name => db.collection(name).find().toArray()))

  t.test('a document of a newer format is refused, in words that quote nothing, and left as it is', async t => {
    const db = await connected(t)
    const calls = await callsOn(mongoStore(db))
    for (const name of DECIDING) await db.collection(name).updateMany({}, { $set: { format: 2 } })
    const before = await contents(db)
    for (const [name, call] of Object.entries(calls)) {
      const error: unknown = await call().then(
        answer => `answered ${JSON.stringify(answer)}`,
        error => error,
      )
      t.match(
        error,
        { message: /^an? .* was written by another version of authmount, or is damaged: it is left as it is$|^the key ring / },
        name,
      )
      t.notMatch(String(error), /secret|anna/, name)
    }
    t.same(await contents(db), before)
  })

  t.test('a grant of a newer format does not keep the others from being revoked', async t => {
    const db = await connected(t)
    const { grants } = mongoStore(db)
    const clientId = newAppId()
    const made = Array.from({ length: 3 }, () => newGrant({ clientId, userId: 'anna' }))
    for (const grant of made) await grants.create(grant, [newToken('access')])
    await db.collection('authmount_grants').updateOne({}, { $set: { format: 2 } })
    await t.rejects(grants.revokeMany({ clientId }), /another version/)
    t.equal(await db.collection('authmount_grants').countDocuments(), 1)
  })

  t.test('damaged text is refused, and not quoted', async t => {
    const db = await connected(t)
    const { apps } = mongoStore(db)
    const app = newApp()
    await apps.save(app)
    await db.collection('authmount_apps').updateOne({}, { $set: { record: '{"secret' } })
    await t.rejects(apps.get(app.id), { message: /^an app .* is damaged: it is left as it is$/ })
  })

  t.test('no text of a client is the name of a field, an operator or a pattern', async t => {
    const db = await connected(t)
    const { apps, consents, grants, oneTime } = mongoStore(db)
    const evil = ['$where', '{"$ne":null}', 'a.b', '$$ROOT', '\0', '.*', '$name', '__proto__']
    for (const id of evil) {
      const app = newApp({ orgId: 'org', createdBy: id, name: id, profile: { [`$set.${id}`]: { $inc: id } } })
      t.equal(await apps.save(app), true)
      t.same(await apps.get(app.id), app)
      await consents.put({ userId: id, clientId: id, scopes: [id], grantedAt: 1 })
      await oneTime.put({ ...newConsent(), id })
      t.equal((await oneTime.consume('consent', id, id))?.first, true)
      const grant = newGrant({ userId: id, context: { [`$unset.${id}`]: id } })
      const [refresh, next] = [newToken('refresh', { id: `$old ${id}`, scopes: [id] }), newToken('refresh', { id: `$new ${id}` })]
      await grants.create(grant, [refresh])
      t.equal(await grants.rotate({ grant, token: refresh }, [next], `$replay ${id}`), 'rotated')
      t.same((await grants.find({ grantId: grant.id, tokenId: refresh.id }))?.spent?.replay, `$replay ${id}`)
      t.same((await grants.listTokens({ userId: id, limit: 9 })).items, [{ grant, token: next }])
    }
    for (const search of evil) {
      const { items } = await apps.list({ orgId: 'org', offset: 0, limit: 9, search })
      t.same(
        items.map(({ name }) => name),
        [search],
      )
    }
    const names = new Set<string>()
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null || value instanceof Date) return
      for (const [name, item] of Object.entries(value)) {
        if (!Array.isArray(value)) names.add(name)
        walk(item)
      }
    }
    const collections = await db.collections()
    for (const collection of collections) walk(await collection.find().toArray())
    t.same(
      [...names].filter(name => !/^_id$|^[a-zA-Z]+$/.test(name)),
      [],
    )
  })

  t.test('an object where an id should be finds nothing', async t => {
    const { apps, consents, grants, keys } = mongoStore(await connected(t))
    await keys.save({ sealed: '', version: 1 })
    await apps.save(newApp())
    await consents.put({ userId: 'anna', clientId: 'c', scopes: [], grantedAt: 1 })
    const grant = newGrant({ userId: 'anna' })
    await grants.create(grant, [newToken('access')])
    const any = { $ne: null } as unknown as string
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      'apps.get': () => apps.get(any),
      'apps.list': async () => (await apps.list({ orgId: any, offset: 0, limit: 9 })).items[0],
      'consents.get': () => consents.get(any, any),
      'grants.find': () => grants.find({ grantId: grant.id, tokenId: any }),
      'grants.revokeMany': async () => (await grants.revokeMany({ userId: any })) || undefined,
      'grants.listTokens': async () => (await grants.listTokens({ userId: any, limit: 9 })).items[0],
    }
    for (const [name, call] of Object.entries(calls)) {
      const answer = await call().catch(() => undefined)
      t.equal(answer, undefined, name)
    }
  })

  t.test('a list shows only what a grant confirms, and takes out what is stale', async t => {
    const db = await connected(t)
    const clock = new Clock()
    const { grants } = mongoStore(db, { now: clock.now })
    const made = Array.from({ length: 5 }, (_, index) => {
      const token = newToken('access', { issuedAt: clock.now() + index })
      return { grant: newGrant({ userId: 'anna' }), token }
    })
    for (const { grant, token } of made) await grants.create(grant, [token])
    // As after a crash between the two writes: the entries are there, two of the grants are not.
    const kept = made.filter((_, index) => index !== 4 && index !== 2)
    const ids = await db.collection('authmount_grants').find().project({ _id: 1, grant: 1 }).toArray()
    const keptIds = new Set(kept.map(({ grant }) => grant.id))
    await db.collection('authmount_grants').deleteMany({
      _id: { $in: ids.filter(({ grant }) => !keptIds.has(JSON.parse(grant).id)).map(({ _id }) => _id) },
    })
    const listed = async () => {
      const page = await grants.listTokens({ userId: 'anna', limit: 2 })
      const rest = await grants.listTokens({ userId: 'anna', limit: 2, after: page.next ?? '' })
      return { ids: [...page.items, ...rest.items].map(({ token }) => token.id), total: rest.total, next: rest.next }
    }
    const newestFirst = kept.map(({ token }) => token.id).toReversed()
    t.same(await listed(), { ids: newestFirst, total: 5, next: null }, 'they may be in the making')
    clock.advance(120)
    t.same(await listed(), { ids: newestFirst, total: 3, next: null })
    t.equal(await db.collection('authmount_tokens').countDocuments(), 3)
  })

  t.test('a write that is sent again after its effect has been undone lists nothing', async t => {
    const { grants } = mongoStore(await connected(t))
    const grant = newGrant({ userId: 'anna' })
    const [first, second, third] = [newToken('refresh'), newToken('refresh'), newToken('refresh')]
    await grants.create(grant, [first])
    await grants.rotate({ grant, token: first }, [second], 'a')
    await grants.rotate({ grant, token: second }, [third], 'b')
    t.equal(await grants.rotate({ grant, token: first }, [second], 'a'), 'rotated')
    t.equal(await grants.create(grant, [first]), true)
    t.same(await grants.listTokens({ userId: 'anna', limit: 9 }), { items: [{ grant, token: third }], total: 1, next: null })
    t.equal(await grants.create({ ...grant, scopes: [] }, [third]), false)
    t.equal((await grants.listTokens({ userId: 'anna', limit: 9 })).total, 1, 'nor does another take anything off the list')
    await grants.revoke(grant.id)
    t.equal(await grants.rotate({ grant, token: third }, [newToken('refresh')], 'c'), 'missing')
    t.equal((await grants.listTokens({ userId: 'anna', limit: 9 })).total, 0)
  })

  t.test('revoking by client goes on past the first batch, and leaves nothing listed', async t => {
    const { grants } = mongoStore(await connected(t))
    const clientId = newAppId()
    const made = Array.from({ length: 450 }, () => newGrant({ clientId }))
    await Promise.all(made.map(grant => grants.create(grant, [newToken('access')])))
    t.equal((await grants.listTokens({ clientId, epoch: 1, limit: 0 })).total, 450)
    t.equal(await grants.revokeMany({ clientId }), 450)
    t.same(await grants.listTokens({ clientId, epoch: 1, limit: 9 }), { items: [], total: 0, next: null })
  })

  t.test('a grant that goes on being refreshed does not grow without end', async t => {
    const db = await connected(t)
    const clock = new Clock()
    const { grants } = mongoStore(db, { now: clock.now })
    const grant = newGrant()
    const token = (index: number) => newToken('refresh', { id: `${index}`, expiresAt: clock.now() + 60_000 })
    await grants.create(grant, [token(0)])
    for (let index = 0; index < 200; index++) {
      clock.advance(1)
      const outcome = await grants.rotate({ grant, token: token(index) }, [token(index + 1)], 'replay')
      if (outcome !== 'rotated') t.fail(`${outcome} at ${index}`)
    }
    t.ok((await grants.find({ grantId: grant.id, tokenId: '190' }))?.spent, 'what was spent of late is remembered')
    const [document] = await db.collection('authmount_grants').find().toArray()
    t.ok(document?.tokens.length < 130, `${document?.tokens.length} tokens`)
    t.equal(document?.spent.length, document?.tokens.length - 1)
  })

  t.test('a server that is away is an error, not an answer', async t => {
    const client = new MongoClient(`mongodb://127.0.0.1:${await freePort()}`, { serverSelectionTimeoutMS: 100 })
    t.teardown(() => client.close())
    const { apps, consents, credentials, grants, keys, oneTime } = mongoStore(client.db('x'))
    const ref = { grantId: 'g', tokenId: 't' }
    await Promise.all([
      t.rejects(apps.get('x')),
      t.rejects(apps.save(newApp())),
      t.rejects(apps.list({ orgId: 'o', offset: 0, limit: 0 })),
      t.rejects(oneTime.put(newConsent())),
      t.rejects(oneTime.peek('consent', 'x')),
      t.rejects(oneTime.consume('consent', 'x', 'y')),
      t.rejects(grants.create(newGrant(), [newToken('access')])),
      t.rejects(grants.find(ref)),
      t.rejects(grants.rotate({ grant: newGrant(), token: newToken('refresh') }, [], '')),
      t.rejects(grants.revokeToken(ref)),
      t.rejects(grants.revoke('g')),
      t.rejects(grants.revokeMany({ clientId: 'c' })),
      t.rejects(grants.listTokens({ userId: 'anna', limit: 0 })),
      t.rejects(consents.get('u', 'c')),
      t.rejects(credentials.delete('c', 'o')),
      t.rejects(keys.get()),
    ])
  })
}
