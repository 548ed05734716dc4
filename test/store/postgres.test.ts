/** What the example store has beside the contract, on a server that stays. */
import { randomUUID } from 'node:crypto'
import type { Grant, Token } from 'authmount'
import { Pool } from 'pg'
import t from 'tap'
import { postgresStore, sweep } from '../../examples/custom-store/postgres-store.ts'
import { urlOf } from '../support/places.ts'
import { connectPostgres, newNamespace } from '../support/stores.ts'

const connectionString = urlOf('postgres')

if (connectionString) {
  const newPool = async (t: { teardown(end: () => Promise<void>): void }) => {
    const namespace = newNamespace()
    await (await connectPostgres(connectionString)(namespace)).close()
    const pool = new Pool({ connectionString, max: 8, options: `-c search_path="${namespace}"` })
    pool.on('error', () => {})
    t.teardown(() => pool.end())
    return pool
  }

  t.test('a sweep deletes what has expired, and nothing else', async t => {
    const pool = await newPool(t)
    const { grants, oneTime } = postgresStore(pool, { now: () => 500 })
    const [dead, alive] = [newGrant(), newGrant()]
    const [access, refresh] = [newToken('access', 1000), newToken('refresh', 3000)]
    await grants.create(dead, [access])
    await grants.create(alive, [access, refresh])
    await oneTime.put({ kind: 'consent_lookup', id: 'dead', expiresAt: 2000, data: { consentId: '' } })
    await oneTime.put({ kind: 'consent_lookup', id: 'alive', expiresAt: 2001, data: { consentId: '' } })
    t.equal(await sweep(pool, 2000), 4, 'two tokens, one grant, one value')
    t.equal(await sweep(pool, 2000), 0)
    t.ok(await grants.find({ grantId: alive.id, tokenId: refresh.id }))
    t.ok(await oneTime.peek('consent_lookup', 'alive'))
    t.equal(await grants.find({ grantId: alive.id, tokenId: access.id }), undefined)
  })

  t.test('a sweep never ends a grant that a rotation prolongs', async t => {
    const pool = await newPool(t)
    for (let round = 0; round < 30; round++) {
      const grant = newGrant()
      const [old, next] = [newToken('refresh', 1000), newToken('refresh', 9000)]
      const { grants } = postgresStore(pool, { now: () => 999 })
      await grants.create(grant, [old])
      const [outcome] = await Promise.all([
        grants.rotate({ grant, token: old }, [next], ''),
        sweep(pool, 1000),
        sweep(pool, 1000),
      ])
      const found = await grants.find({ grantId: grant.id, tokenId: next.id })
      t.equal(found !== undefined, outcome === 'rotated')
    }
  })

  t.test('revocations by client and by user at once, among rotations, lock nobody out and leave nothing', async t => {
    const pool = await newPool(t)
    const { grants } = postgresStore(pool)
    const later = Date.now() + 60_000
    for (let round = 0; round < 10; round++) {
      const [clientId, userId] = [randomUUID(), randomUUID()]
      const made = Array.from({ length: 40 }, () => ({
        grant: newGrant({ clientId, userId }),
        token: newToken('refresh', later),
      }))
      for (const { grant, token } of made) await grants.create(grant, [token])
      const [byClient, byUser] = await Promise.all([
        grants.revokeMany({ clientId }),
        grants.revokeMany({ userId }),
        ...made.slice(0, 10).map(found => grants.rotate(found, [newToken('refresh', later)], '')),
      ])
      t.equal(byClient + byUser, made.length)
      t.equal((await grants.listTokens({ userId, limit: 0 })).total, 0)
    }
  })

  t.test(
    'a connection that ends in the middle rejects what was under way; nothing of it is written, and the next call works',
    async t => {
      const pool = await newPool(t)
      const { grants } = postgresStore(pool)
      const grant = newGrant()
      const [token, next] = [newToken('refresh', Date.now() + 60_000), newToken('refresh', Date.now() + 60_000)]
      await grants.create(grant, [token])
      const holder = await pool.connect()
      await holder.query('BEGIN; SELECT FROM oauth_grants FOR UPDATE')
      const rotation = grants.rotate({ grant, token }, [next], 'replay')
      const ended = t.rejects(rotation)
      const others = `SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
      WHERE wait_event_type = 'Lock' AND query LIKE '%oauth_grants%FOR UPDATE'`
      while ((await pool.query(others)).rowCount === 0) {}
      await ended
      await holder.query('ROLLBACK')
      holder.release()
      t.equal(await grants.rotate({ grant, token }, [next], 'replay'), 'rotated')
      t.equal(pool.totalCount, pool.idleCount, 'every client was given back')
    },
  )

  t.test('a query that fails rolls back and gives its client back', async t => {
    const pool = await newPool(t)
    const { grants } = postgresStore(pool)
    const grant = newGrant()
    const token = newToken('refresh', Date.now() + 60_000)
    const twice = newToken('access', Date.now() + 60_000)
    await grants.create(grant, [token])
    await t.rejects(grants.rotate({ grant, token }, [twice, twice], 'replay'), /duplicate key/)
    t.equal((await grants.find({ grantId: grant.id, tokenId: token.id }))?.spent, null)
    t.equal(pool.totalCount, pool.idleCount)
  })

  t.test('a cursor that is none of ours has nothing after it', async t => {
    const { grants } = postgresStore(await newPool(t))
    const grant = newGrant()
    await grants.create(grant, [newToken('access', Date.now() + 60_000)])
    for (const after of ['', 'x', '1.\0', '9999999999999999.x', "'"]) {
      const page = await grants.listTokens({ clientId: grant.clientId, epoch: 1, limit: 5, after })
      t.strictSame(page, { items: [], total: 1, next: null })
    }
  })

  t.test('a server that is not there rejects', async t => {
    const pool = new Pool({ connectionString: 'postgres://postgres@127.0.0.1:1/postgres' })
    t.teardown(() => pool.end())
    const { grants, oneTime } = postgresStore(pool)
    await t.rejects(oneTime.consume('code', 'id', 'attempt'), { code: 'ECONNREFUSED' })
    await t.rejects(grants.create(newGrant(), []), { code: 'ECONNREFUSED' })
  })
}

function newGrant(fields: Partial<Grant> = {}): Grant {
  const grant = { clientId: randomUUID(), orgId: 'org', userId: randomUUID(), scopes: [], createdAt: 0, epoch: 1, context: {} }
  return { id: randomUUID(), ...grant, ...fields }
}

function newToken(kind: Token['kind'], expiresAt: number): Token {
  return { id: randomUUID(), kind, scopes: [], issuedAt: 0, expiresAt }
}
