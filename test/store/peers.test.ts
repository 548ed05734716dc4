/** The oldest version of each package that a host may bring, once: the storage contract over its driver, a flow over its Express. */
import type { Store } from 'authmount'
import { mongoStore } from 'authmount/stores/mongo'
import { redisStore } from 'authmount/stores/redis'
import { runStoreContract } from 'authmount/testing'
import { Redis as Redis5 } from 'ioredis5'
import { MongoClient as MongoClient6 } from 'mongodb6'
import t from 'tap'
import { urlOf } from '../support/places.ts'
import { newNamespace } from '../support/stores.ts'

const redisUrl = urlOf('redis')
if (redisUrl !== undefined) {
  t.test('ioredis 5', async t => {
    const [prefix, redis] = [newNamespace(), new Redis5(redisUrl)]
    t.teardown(() => redis.disconnect())
    runStoreContract(t.test.bind(t), now => [redisStore(redis, { prefix, now, warn: () => {} }) as Store])
  })
}

const mongoUrl = urlOf('mongo')
if (mongoUrl !== undefined) {
  t.test('mongodb 6', async t => {
    const client = await new MongoClient6(mongoUrl).connect()
    t.teardown(() => client.close())
    const db = client.db(newNamespace())
    runStoreContract(t.test.bind(t), now => [mongoStore(db, { now }) as Store])
  })
}
