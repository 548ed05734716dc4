/** What the MongoDB store sends: how many commands, to whom, and that each is answered by an index. */
import { mongoStore } from 'authmount/stores/mongo'
import type { Db, Document } from 'mongodb'
import t from 'tap'
import { newConsent as newStoredConsent } from '../../src/testing/records.ts'
import { type SentCommand, watchedMongoDb } from '../support/mongo.ts'
import { urlOf } from '../support/places.ts'
import { newApp, newAppId, newConsent, newGrant, newToken } from '../support/records.ts'

if (urlOf('mongo')) {
  t.test('each method sends as few commands as it can', async t => {
    const { db, take } = await watchedMongoDb(t)
    const { apps, consents, grants, oneTime } = mongoStore(db)
    const app = newApp()
    await apps.get(app.id)
    take()
    const sends = async (expected: readonly string[], call: () => Promise<unknown>) => {
      await call()
      const sent = take().map(({ collection, name }) => `${name} ${collection.replace('authmount_', '')}`)
      t.same(sent, expected, call.toString())
    }
    await sends(['insert apps'], () => apps.save(app))
    await sends(['update apps'], () => apps.save({ ...app, version: 2 }))
    await sends(['find apps'], () => Promise.all([apps.get(app.id), apps.get(app.id)]))
    await sends([], () => apps.get('not the id of an app'))
    await sends(['find apps', 'aggregate apps'], () => apps.list({ orgId: app.orgId, offset: 0, limit: 9 }))
    await sends(['aggregate apps'], () => apps.list({ orgId: app.orgId, offset: 0, limit: 0 }))
    await sends(['aggregate apps', 'find apps'], () => apps.list({ orgId: app.orgId, offset: 0, limit: 9, search: 'con' }))

    const [entry, claimed] = [newConsent(), newConsent()]
    await sends(['insert one_time'], () => oneTime.claim(claimed, 'mine'))
    await sends(['insert one_time', 'find one_time'], () => oneTime.claim(claimed, 'other'))
    await sends(['delete one_time'], () => oneTime.forget('consent', claimed.id, 'mine'))
    await sends(['update one_time'], () => oneTime.put(entry))
    await sends(['find one_time'], () => oneTime.peek('consent', entry.id))
    await sends(['findAndModify one_time'], () => oneTime.consume('consent', entry.id, 'mine'))

    const grant = newGrant()
    const [access, refresh, next] = [newToken('access'), newToken('refresh'), newToken('refresh')]
    await sends(['insert tokens', 'insert tokens', 'insert grants'], () => grants.create(grant, [access, refresh]))
    await sends(['find grants'], () => grants.find({ grantId: grant.id, tokenId: access.id }))
    await sends(['insert tokens', 'findAndModify grants'], () => grants.add({ grant, token: refresh }, [newToken('access')]))
    await sends(['insert tokens', 'findAndModify grants', 'delete tokens'], () =>
      grants.rotate({ grant, token: refresh }, [next], 'replay'),
    )
    await sends(['findAndModify grants', 'delete tokens'], () => grants.revokeToken({ grantId: grant.id, tokenId: access.id }))
    await sends(['findAndModify grants', 'delete tokens'], () => grants.revoke(grant.id))

    const consent = newStoredConsent()
    await sends(['insert consents'], () => consents.save(consent))
    await sends(['update consents'], () => consents.save({ ...consent, version: 2 }))
    await sends(['find consents'], () => consents.get(consent.owner, consent.appId))
    await sends(['find consents'], () => consents.list(consent.owner, { limit: 9 }))
  })

  t.test('everything is read from the primary and written to a majority, whatever the connection prefers', async t => {
    const { db, take } = await watchedMongoDb(t, {
      readPreference: 'secondaryPreferred',
      readConcern: { level: 'local' },
      writeConcern: { w: 1 },
    })
    const preferences: unknown[] = []
    const watched = new Proxy(db, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (name !== 'collection') return typeof value === 'function' ? value.bind(target) : value
        return (...args: Parameters<Db['collection']>) => {
          const collection = target.collection(...args)
          preferences.push(collection.readPreference?.mode)
          return collection
        }
      },
    })
    await mongoStore(watched).keys.get()
    take()
    preferences.length = 0
    await callEverything(watched)
    // The first five were opened to create their indexes.
    t.same(new Set(preferences.slice(5)), new Set(['primary']))
    for (const { command, name } of take()) {
      if (name === 'find' || name === 'aggregate') t.same(command.readConcern, { level: 'majority' }, name)
      else t.same(command.writeConcern, { w: 'majority' }, name)
    }
  })

  t.test('every query has an index that answers it, and every count one that answers it alone', async t => {
    const { db, take } = await watchedMongoDb(t)
    await mongoStore(db).apps.get(newAppId())
    take()
    await callEverything(db)
    const sent = take()
    const seen = new Set(sent.map(({ collection }) => collection))
    t.equal(seen.size, 7, 'every collection was asked')
    for (const one of sent) {
      const indexes = (await db.collection(one.collection).indexes()).map(({ key }) => key as IndexKey)
      for (const query of queriesOf(one))
        t.ok(isAnswered(query, indexes), `${one.name} ${one.collection}: ${JSON.stringify(query)}`)
    }
  })
}

/** Calls every method of a store, with every filter. */
async function callEverything(db: Db): Promise<void> {
  const { apps, consents, credentials, grants, keys, oneTime } = mongoStore(db)
  const { createdBy, id, orgId } = newApp()
  const app = newApp({ id, orgId, createdBy })
  await apps.save(app)
  await apps.save({ ...app, version: 2 })
  await apps.get(id)
  for (const status of [undefined, 'active', 'deleted'] as const)
    for (const search of [undefined, 'con'])
      for (const filters of [{}, { createdBy }, { origin: 'host' }, { createdBy, origin: 'host' }] as const)
        await apps.list({
          ...{ orgId, offset: 0, limit: 2, ...filters },
          ...(status === undefined ? {} : { status }),
          ...(search === undefined ? {} : { search }),
        })
  const [entry, claimed] = [newConsent(), newConsent()]
  await oneTime.put(entry)
  await oneTime.claim(claimed, 'mine')
  await oneTime.claim(claimed, 'other')
  await oneTime.peek('consent', entry.id)
  await oneTime.consume('consent', entry.id, 'mine')
  await oneTime.forget('consent', claimed.id, 'other')
  const grant = newGrant()
  const { appId, userId } = grant
  const [access, refresh, next] = [newToken('access'), newToken('refresh'), newToken('refresh')]
  const found = { grant, token: refresh }
  await grants.create(grant, [access, refresh])
  await grants.create({ ...grant, userId: null }, [access, refresh])
  await grants.find({ grantId: grant.id, tokenId: access.id })
  await grants.add(found, [newToken('access')])
  for (const _ of [1, 2]) await grants.rotate(found, [next], 'replay')
  for (const query of [{ appId, epoch: 1 }, { userId: userId ?? '' }]) {
    const { next: after } = await grants.listTokens({ ...query, limit: 1 })
    await grants.listTokens({ ...query, limit: 1, after: after ?? '' })
  }
  await grants.revokeToken({ grantId: grant.id, tokenId: access.id })
  for (const query of [{ appId }, { userId: 'u' }, { orgId: 'o' }, { appId, userId: 'u' }, { orgId: 'o', epochBelow: 2 }])
    await grants.revokeMany(query)
  await grants.revoke(grant.id)
  const consent = newStoredConsent()
  await consents.save(consent)
  await consents.save(newStoredConsent({ owner: consent.owner }))
  await consents.get(consent.owner, consent.appId)
  const { next: after } = await consents.list(consent.owner, { limit: 1 })
  await consents.list(consent.owner, { limit: 1, after: after ?? '' })
  const credential = { connectorId: 'c', ownerId: 'o', sealed: '', accessExpiresAt: null, leaseUntil: null, version: 1 }
  await credentials.save({ ...credential, needsReconnect: false })
  await credentials.get('c', 'o')
  await credentials.delete('c', 'o')
  await keys.save({ sealed: '', version: 1 })
  await keys.get()
}

type IndexKey = Readonly<Record<string, 1 | -1>>
interface Query {
  readonly filter: Document
  readonly sort: IndexKey
  /** Whether the answer is a number alone. */
  readonly count: boolean
}

function queriesOf({ command, name }: SentCommand): readonly Query[] {
  const query = (filter: Document, sort: IndexKey = {}, count = false): Query => ({ filter, sort, count })
  if (name === 'find') return [query(command.filter, sortOf(command.sort))]
  if (name === 'findAndModify') return [query(command.query)]
  if (name === 'update') return command.updates.map(({ q }: Document) => query(q))
  if (name === 'delete') return command.deletes.map(({ q }: Document) => query(q))
  if (name !== 'aggregate') return []
  const stages: readonly Document[] = command.pipeline
  const sort = stages.find(stage => '$sort' in stage)?.$sort
  return [query(stages[0]?.$match, sortOf(sort), '$group' in (stages[1] ?? {}))]
}

function sortOf(sort: unknown): IndexKey {
  const entries: Iterable<[string, 1 | -1]> = sort instanceof Map ? sort : Object.entries(sort ?? {})
  return Object.fromEntries(entries)
}

/**
 * Whether the server needs to look at no more than what matches: the query names ids, or the fields that it compares for
 * equality begin an index, those of its sort follow in it, and a count looks at no field beyond it.
 */
function isAnswered({ count, filter, sort }: Query, indexes: readonly IndexKey[]): boolean {
  if (isByIds(filter)) return true
  if (Array.isArray(filter.$or) && filter.$or.every(branch => Object.keys(branch).join() === '_id')) return true
  return indexes.some(index => {
    const fields = Object.keys(index)
    const [first = fields.length] = fields.flatMap((field, at) => (isEquality(filter[field]) ? [] : [at]))
    const sorted = Object.entries(sort)
    const inOrder = sorted.every(([field, direction], at) => fields[first + at] === field && index[field] === direction)
    return first > 0 && inOrder && (!count || Object.keys(filter).every(field => fields.includes(field)))
  })
}

function isByIds({ _id }: Document): boolean {
  return typeof _id === 'string' || Array.isArray(_id?.$in)
}

function isEquality(condition: unknown): boolean {
  if (typeof condition !== 'object' || condition === null) return condition !== undefined
  return '$eq' in condition
}
