/** Races of the MongoDB store over four connections, beside those of the contract. */
import type { OneTime, Store } from 'authmount'
import { mongoStore } from 'authmount/stores/mongo'
import type { Db } from 'mongodb'
import t, { type Test } from 'tap'
import { Clock } from '../support/clock.ts'
import { mongoDb } from '../support/mongo.ts'
import { urlOf } from '../support/places.ts'
import { newConsent, newGrant, newToken } from '../support/records.ts'
import { newNamespace } from '../support/stores.ts'

if (urlOf('mongo')) {
  t.test('of claims over four connections one takes an expired entry over, whoever had claimed and consumed it', async t => {
    const { clock, db, stores } = await fourStores(t)
    for (let round = 0; round < 10; round++) {
      const entry: OneTime<'form'> = { ...newConsent(), kind: 'form', data: { userId: 'old', session: null } }
      const expired = { ...entry, expiresAt: clock.now() + 1000 }
      await stores[0]?.oneTime.claim(expired, 'old')
      await stores[1]?.oneTime.consume('form', entry.id, 'old')
      clock.advance(2)
      const claim = (index: number) => {
        const own = { ...entry, expiresAt: clock.now() + 60_000, data: { userId: `${index >> 1}`, session: null } }
        return stores[index % 4]?.oneTime.claim(own, `attempt ${index >> 1}`)
      }
      // Each attempt is sent twice at once, over two connections; the old claimer is back, too.
      const answers = await Promise.all([
        ...Array.from({ length: 40 }, (_, index) => claim(index)),
        stores[0]?.oneTime.forget('form', entry.id, 'old'),
      ])
      const won = answers.flatMap((answer, index) => (answer ? [index >> 1] : []))
      t.equal(won.length, 2)
      t.equal(won[0], won[1], 'both of one attempt')
      t.equal((await stores[2]?.oneTime.peek('form', entry.id))?.data.userId, `${won[0]}`)
      t.equal((await stores[3]?.oneTime.consume('form', entry.id, 'new'))?.first, true)
    }
    t.equal(await db.collection('authmount_one_time').countDocuments(), 10)
  })

  t.test('additions over four connections store each token once, and lose none while expired ones are removed', async t => {
    const { clock, db, stores } = await fourStores(t)
    const [grant, refresh] = [newGrant(), newToken('refresh')]
    const short = Array.from({ length: 60 }, () => newToken('access', { expiresAt: clock.now() + 1000 }))
    await stores[0]?.grants.create(grant, [refresh, ...short])
    clock.advance(2)
    const tokens = Array.from({ length: 161 }, () => newToken('access'))
    // Neighbours share a token: of two calls that overlap, neither may add it twice or fail.
    const answers = await Promise.all(
      Array.from({ length: 160 }, (_, index) =>
        stores[index % 4]?.grants.add({ grant, token: refresh }, tokens.slice(index, index + 2)),
      ),
    )
    t.ok(answers.every(answer => answer === 'added'))
    const document = await db.collection('authmount_grants').findOne()
    const keys: readonly string[] = document?.tokens.map(({ key }: { key: string }) => key)
    t.equal(new Set(keys).size, keys.length, 'none is there twice')
    t.equal(keys.length, 1 + tokens.length, 'the expired ones are gone')
    t.equal((await stores[1]?.grants.listTokens({ appId: grant.appId, epoch: 1, limit: 0 }))?.total, 1 + tokens.length)
    t.equal(await stores[2]?.grants.revokeMany({ orgId: grant.orgId }), 1)
    t.equal(await db.collection('authmount_tokens').countDocuments({ expiresAt: { $gt: clock.now() } }), 0)
  })
}

async function fourStores(t: Test): Promise<{ readonly clock: Clock; readonly db: Db; readonly stores: readonly Store[] }> {
  const [namespace, clock] = [newNamespace(), new Clock()]
  const dbs = await Promise.all([1, 2, 3, 4].map(() => mongoDb(t, namespace)))
  return { clock, db: await mongoDb(t, namespace), stores: dbs.map(db => mongoStore(db, { now: clock.now })) }
}
