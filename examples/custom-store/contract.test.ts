/** The storage contract on our own store: `POSTGRES_URL=postgres://… npx tsx --test contract.test.ts`, on a database for tests. */
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { runStoreContract } from 'authmount/testing'
import { Pool } from 'pg'
import { postgresStore } from './postgres-store.ts'

const connectionString = process.env.POSTGRES_URL

if (connectionString) {
  // Each with connections of its own: what shares one connection hardly races.
  const newPool = () => new Pool({ connectionString, max: 3 })
  const pools = [newPool(), newPool(), newPool(), newPool()] as const
  before(async () => void (await pools[0].query(await readFile(new URL('schema.sql', import.meta.url), 'utf8'))))
  after(() => Promise.all(pools.map(pool => pool.end())))

  // Called once for each case, with the clock of that case.
  runStoreContract(test, now => {
    const [store, ...peers] = pools
    return [postgresStore(store, { now }), ...peers.map(pool => postgresStore(pool, { now }))]
  })
} else {
  test('the storage contract', { skip: 'set POSTGRES_URL to a database for tests' })
}
