/** The token list of the MongoDB store: it never disagrees with the grants for long. */
import { mongoStore } from 'authmount/stores/mongo'
import t from 'tap'
import { Clock } from '../support/clock.ts'
import { mongoDb } from '../support/mongo.ts'
import { urlOf } from '../support/places.ts'
import { newAppId, newGrant, newToken } from '../support/records.ts'

if (urlOf('mongo')) {
  t.test('a list shows only what a grant confirms, and removes what is stale', async t => {
    const db = await mongoDb(t)
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
    t.same(await listed(), { ids: newestFirst, total: 5, next: null }, 'their writes may be under way')
    clock.advance(120)
    t.same(await listed(), { ids: newestFirst, total: 3, next: null })
    t.equal(await db.collection('authmount_tokens').countDocuments(), 3)
  })

  t.test('a write that is sent again after its effect has been undone lists nothing', async t => {
    const { grants } = mongoStore(await mongoDb(t))
    const grant = newGrant({ userId: 'anna' })
    const [first, second, third] = [newToken('refresh'), newToken('refresh'), newToken('refresh')]
    await grants.create(grant, [first])
    await grants.rotate({ grant, token: first }, [second], 'a')
    await grants.rotate({ grant, token: second }, [third], 'b')
    t.equal(await grants.rotate({ grant, token: first }, [second], 'a'), 'rotated')
    t.equal(await grants.create(grant, [first]), true)
    t.same(await grants.listTokens({ userId: 'anna', limit: 9 }), { items: [{ grant, token: third }], total: 1, next: null })
    t.equal(await grants.create({ ...grant, scopes: [] }, [third]), false)
    t.equal(await grants.create(grant, [{ ...third, scopes: [] }]), false, 'a token of that id, but another')
    t.equal((await grants.listTokens({ userId: 'anna', limit: 9 })).total, 1, 'nor does another remove anything from the list')
    await grants.revoke(grant.id)
    t.equal(await grants.rotate({ grant, token: third }, [newToken('refresh')], 'c'), 'missing')
    t.equal(await grants.add({ grant, token: third }, [newToken('access')]), 'missing')
    t.equal((await grants.listTokens({ userId: 'anna', limit: 9 })).total, 0)
  })

  t.test('an addition that is refused lists nothing, and takes nothing off the list', async t => {
    const db = await mongoDb(t)
    const { grants } = mongoStore(db)
    const grant = newGrant()
    const [access, refresh, fresh] = [newToken('access'), newToken('refresh'), newToken('access')]
    const found = { grant, token: refresh }
    await grants.create(grant, [access, refresh])
    const listed = () => db.collection('authmount_tokens').countDocuments()
    await t.rejects(grants.add(found, [fresh, { ...access, scopes: [] }]), /other content/)
    t.equal(await listed(), 2)
    await t.rejects(grants.add(found, [fresh, { ...fresh, scopes: [] }]), /other content/)
    t.equal(await listed(), 2)
    t.equal(await grants.add(found, [fresh, fresh, access]), 'added', 'what is there already is not added again')
    t.equal(await listed(), 3)
    t.equal(await grants.add({ grant, token: access }, [newToken('access')]), 'missing')
    t.equal(await listed(), 3)
  })

  t.test('revoking by app goes on past the first batch, and leaves nothing listed', async t => {
    const { grants } = mongoStore(await mongoDb(t))
    const appId = newAppId()
    const made = Array.from({ length: 450 }, () => newGrant({ appId }))
    await Promise.all(made.map(grant => grants.create(grant, [newToken('access')])))
    t.equal((await grants.listTokens({ appId, epoch: 1, limit: 0 })).total, 450)
    t.equal(await grants.revokeMany({ appId }), 450)
    t.same(await grants.listTokens({ appId, epoch: 1, limit: 9 }), { items: [], total: 0, next: null })
  })

  t.test('a grant that is extended again and again does not grow without end', async t => {
    const db = await mongoDb(t)
    const clock = new Clock()
    const { grants } = mongoStore(db, { now: clock.now })
    const token = (index: number) => newToken('refresh', { id: `${index}`, expiresAt: clock.now() + 60_000 })
    const grant = newGrant()
    await grants.create(grant, [token(0)])
    for (let index = 0; index < 200; index++) {
      clock.advance(1)
      const outcome = await grants.rotate({ grant, token: token(index) }, [token(index + 1)], 'replay')
      if (outcome !== 'rotated') t.fail(`${outcome} at ${index}`)
    }
    t.ok((await grants.find({ grantId: grant.id, tokenId: '190' }))?.spent, 'what was spent of late is remembered')
    const document = await db.collection('authmount_grants').findOne()
    t.ok(document?.tokens.length < 130, `${document?.tokens.length} tokens`)
    t.equal(document?.spent.length, document?.tokens.length - 1)

    const [steady, presented] = [newGrant(), newToken('refresh', { expiresAt: clock.now() + 10_000_000 })]
    await grants.create(steady, [presented])
    for (let index = 0; index < 200; index++) {
      clock.advance(1)
      await grants.add({ grant: steady, token: presented }, [token(index)])
    }
    const added = await db.collection('authmount_grants').findOne({ 'tokens.expiresAt': presented.expiresAt })
    t.ok(added?.tokens.length < 130, `${added?.tokens.length} tokens`)
    t.ok(await grants.find({ grantId: steady.id, tokenId: presented.id }))
  })
}
