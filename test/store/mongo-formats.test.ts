/** What the MongoDB store refuses to read, and that no text from outside reaches a query as anything but a value. */
import type { Store } from 'authmount'
import { mongoStore } from 'authmount/stores/mongo'
import type { Db } from 'mongodb'
import t from 'tap'
import { newCredential, newConsent as newStoredConsent } from '../../src/testing/records.ts'
import { mongoDb } from '../support/mongo.ts'
import { urlOf } from '../support/places.ts'
import { newApp, newAppId, newConsent, newGrant, newToken } from '../support/records.ts'

if (urlOf('mongo')) {
  t.test('a document of a newer format is refused, in words that quote nothing, and left as it is', async t => {
    const db = await mongoDb(t)
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

  t.test('an expired document of a newer format is refused too, and never taken over', async t => {
    const db = await mongoDb(t)
    const { apps, consents, grants, oneTime } = mongoStore(db)
    const expiresAt = Date.now() - 1
    const [app, consent, entry, grant] = [newApp({ expiresAt }), newStoredConsent({ expiresAt }), newConsent(), newGrant()]
    await apps.save(app)
    await consents.save(consent)
    await oneTime.put({ ...entry, expiresAt })
    await grants.create(grant, [newToken('refresh', { expiresAt })])
    for (const name of DECIDING) await db.collection(name).updateMany({}, { $set: { format: 2 } })
    const before = await contents(db)
    await t.rejects(apps.save(app), /another version/)
    await t.rejects(consents.save(consent), /another version/)
    await t.rejects(oneTime.claim(entry, 'attempt'), /another version/)
    await t.rejects(grants.create(grant, [newToken('refresh')]), /another version/)
    t.same(await contents(db), before)
  })

  t.test('a grant of a newer format does not keep the others from being revoked', async t => {
    const db = await mongoDb(t)
    const { grants } = mongoStore(db)
    const appId = newAppId()
    const made = Array.from({ length: 3 }, () => newGrant({ appId, userId: 'anna' }))
    for (const grant of made) await grants.create(grant, [newToken('access')])
    await db.collection('authmount_grants').updateOne({}, { $set: { format: 2 } })
    await t.rejects(grants.revokeMany({ appId }), /another version/)
    t.equal(await db.collection('authmount_grants').countDocuments(), 1)
  })

  t.test('damaged records are refused, and not quoted', async t => {
    const db = await mongoDb(t)
    const { apps } = mongoStore(db)
    const app = newApp()
    const apps_ = db.collection('authmount_apps')
    for (const damage of [{ record: '{"secret' }, { record: 5 }, { expiresAt: 'secret' }]) {
      await apps_.deleteMany({})
      await apps.save(app)
      await apps_.updateOne({}, { $set: damage })
      await t.rejects(apps.get(app.id), { message: /^an app .* is damaged: it is left as it is$/ }, JSON.stringify(damage))
    }
    await t.rejects(apps.save({ ...app, version: 2 }), /damaged/)
  })

  t.test('no text from outside is the name of a field, an operator or a pattern', async t => {
    const db = await mongoDb(t)
    const { apps, consents, grants, oneTime } = mongoStore(db)
    const evil = ['$where', '{"$ne":null}', 'a.b', '$$ROOT', '\0', '.*', '$name', '__proto__']
    for (const id of evil) {
      const app = newApp({ orgId: 'org', createdBy: id, name: id, profile: { [`$set.${id}`]: { $inc: id } } })
      t.equal(await apps.save(app), true)
      t.same(await apps.get(app.id), app)
      const consent = newStoredConsent({ owner: { userId: id }, appId: id, scopes: [id] })
      await consents.save(consent)
      t.same(await consents.list({ userId: id }, { limit: 9 }), { items: [consent], next: null })
      await oneTime.put({ ...newConsent(), id })
      t.equal((await oneTime.consume('consent', id, id))?.first, true)
      t.equal(await oneTime.claim({ ...newConsent(), id: `claimed ${id}` }, id), true)
      const grant = newGrant({ userId: id, orgId: id, context: { [`$unset.${id}`]: id } })
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
    const collections = await db.collections()
    const names = new Set<string>()
    for (const collection of collections) addFieldNames(names, await collection.find().toArray())
    t.same(
      [...names].filter(name => !/^_id$|^[a-zA-Z]+$/.test(name)),
      [],
    )
  })

  t.test('an object where an id should be finds nothing', async t => {
    const { apps, consents, grants, keys, oneTime } = mongoStore(await mongoDb(t))
    const [app, grant, entry] = [newApp(), newGrant({ userId: 'anna' }), newConsent()]
    await keys.save({ sealed: '', version: 1 })
    await apps.save(app)
    await consents.save(newStoredConsent({ owner: { userId: 'anna' } }))
    await grants.create(grant, [newToken('access')])
    await oneTime.claim(entry, 'attempt')
    const any = { $ne: null } as unknown as string
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      'apps.get': () => apps.get(any),
      'apps.get, a list': () => apps.get([app.id] as unknown as string),
      'apps.list': async () => (await apps.list({ orgId: any, offset: 0, limit: 9 })).items[0],
      'consents.get': () => consents.get({ userId: any }, any),
      'consents.list': async () => (await consents.list({ userId: any }, { limit: 9 })).items[0],
      'consents.list, after': async () => (await consents.list({ userId: 'anna' }, { limit: 9, after: any })).items[0],
      'oneTime.peek': () => oneTime.peek('consent', any),
      'grants.find': () => grants.find({ grantId: grant.id, tokenId: any }),
      'grants.revokeMany': async () => (await grants.revokeMany({ userId: any })) || undefined,
      'grants.revokeMany, org': async () => (await grants.revokeMany({ orgId: any })) || undefined,
      'grants.listTokens': async () => (await grants.listTokens({ userId: any, limit: 9 })).items[0],
    }
    for (const [name, call] of Object.entries(calls)) {
      const answer = await call().catch(() => undefined)
      t.equal(answer, undefined, name)
    }
    await oneTime.forget('consent', entry.id, any).catch(() => undefined)
    t.ok(await oneTime.peek('consent', entry.id), 'nor is anything forgotten')
  })
}

const DECIDING = ['apps', 'one_time', 'grants', 'consents', 'credentials', 'keys'].map(name => `authmount_${name}`)

function contents(db: Db): Promise<unknown> {
  return Promise.all(DECIDING.map(name => db.collection(name).find().toArray()))
}

function addFieldNames(names: Set<string>, value: unknown): void {
  if (typeof value !== 'object' || value === null || value instanceof Date) return
  for (const [name, item] of Object.entries(value)) {
    if (!Array.isArray(value)) names.add(name)
    addFieldNames(names, item)
  }
}

/** One of each record, and every call that would meet it. */
async function callsOn({ apps, consents, credentials, grants, keys, oneTime }: Store) {
  const [app, entry, grant] = [newApp(), newConsent(), newGrant({ userId: 'anna', orgId: 'home' })]
  const [refresh, next] = [newToken('refresh'), newToken('refresh')]
  const consent = newStoredConsent({ owner: { userId: 'anna' }, scopes: ['secret-scope'] })
  const credential = newCredential({ sealed: 'secret-jwe' })
  const { connectorId, ownerId } = credential
  await apps.save(app)
  await oneTime.put(entry)
  await grants.create(grant, [refresh])
  await consents.save(consent)
  await credentials.save(credential)
  await keys.save({ sealed: 'secret-ring', version: 1 })
  const ref = { grantId: grant.id, tokenId: refresh.id }
  const found = { grant, token: refresh }
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    'apps.get': () => apps.get(app.id),
    'apps.save': () => apps.save(app),
    'apps.save, the next': () => apps.save({ ...app, version: 2 }),
    'apps.list': () => apps.list({ orgId: app.orgId, offset: 0, limit: 9 }),
    'apps.list, with a search': () => apps.list({ orgId: app.orgId, offset: 0, limit: 9, search: '' }),
    'oneTime.put': () => oneTime.put(entry),
    'oneTime.peek': () => oneTime.peek('consent', entry.id),
    'oneTime.consume': () => oneTime.consume('consent', entry.id, 'attempt'),
    'oneTime.claim': () => oneTime.claim(entry, 'attempt'),
    'oneTime.forget': () => oneTime.forget('consent', entry.id, 'attempt'),
    'grants.create': () => grants.create(grant, [refresh]),
    'grants.find': () => grants.find(ref),
    'grants.rotate': () => grants.rotate(found, [next], ''),
    'grants.add': () => grants.add(found, [next]),
    'grants.revokeToken': () => grants.revokeToken(ref),
    'grants.revoke': () => grants.revoke(grant.id),
    'grants.revokeMany': () => grants.revokeMany({ userId: 'anna' }),
    'grants.revokeMany, of an organisation': () => grants.revokeMany({ orgId: 'home' }),
    'grants.listTokens': () => grants.listTokens({ userId: 'anna', limit: 9 }),
    'consents.get': () => consents.get(consent.owner, consent.appId),
    'consents.list': () => consents.list(consent.owner, { limit: 9 }),
    'consents.save': () => consents.save(consent),
    'consents.save, the next': () => consents.save({ ...consent, version: 2 }),
    'credentials.get': () => credentials.get(connectorId, ownerId),
    'credentials.save': () => credentials.save(credential),
    'credentials.delete': () => credentials.delete(connectorId, ownerId),
    'keys.get': () => keys.get(),
    'keys.save': () => keys.save({ sealed: 'other', version: 2 }),
  }
  return calls
}
