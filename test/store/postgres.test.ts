/** What the example store has beside the contract, on a server that stays. */
import { randomUUID } from 'node:crypto'
import type { Grant, Token } from 'authmount'
import { Pool } from 'pg'
import t from 'tap'
import { keyOf } from '../../examples/custom-store/database.ts'
import { postgresStore, sweep } from '../../examples/custom-store/postgres-store.ts'
import { newApp, newConsent } from '../../src/testing/records.ts'
import { urlOf } from '../support/places.ts'
import { connectPostgres, newNamespace } from '../support/stores.ts'

const connectionString = urlOf('postgres')

if (connectionString) {
  const newPool = async (t: { teardown(end: () => Promise<void>): void }, settings = '') => {
    const namespace = newNamespace()
    await (await connectPostgres(connectionString)(namespace)).close()
    const pool = new Pool({ connectionString, max: 8, options: `-c search_path="${namespace}" ${settings}` })
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

    const { apps, consents } = postgresStore(pool, { now: () => 500 })
    const permanent = [newApp(), newConsent()] as const
    await apps.save(permanent[0])
    await apps.save(newApp({ expiresAt: 2000 }))
    await consents.save(permanent[1])
    await consents.save(newConsent({ expiresAt: 2000, scopes: [] }))
    t.equal(await sweep(pool, 1999), 0)
    t.equal(await sweep(pool, 2000), 2, 'an app and a withdrawn consent')
    t.ok(await apps.get(permanent[0].id))
    t.ok(await consents.get(permanent[1].owner, permanent[1].appId))
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

  t.test('revocations by app and by user at once, among rotations, lock nobody out and leave nothing', async t => {
    const pool = await newPool(t)
    const { grants } = postgresStore(pool)
    const later = Date.now() + 60_000
    for (let round = 0; round < 10; round++) {
      const [appId, userId] = [randomUUID(), randomUUID()]
      const made = Array.from({ length: 40 }, () => ({
        grant: newGrant({ appId, userId }),
        token: newToken('refresh', later),
      }))
      for (const { grant, token } of made) await grants.create(grant, [token])
      const [byApp, byUser] = await Promise.all([
        grants.revokeMany({ appId }),
        grants.revokeMany({ userId }),
        ...made.slice(0, 10).map(found => grants.rotate(found, [newToken('refresh', later)], '')),
      ])
      t.equal(byApp + byUser, made.length)
      t.equal((await grants.listTokens({ userId, limit: 0 })).total, 0)
    }
  })

  t.test('a transaction that PostgreSQL ends to break a deadlock is run again', async t => {
    const pool = await newPool(t, '-c deadlock_timeout=500ms')
    const { grants } = postgresStore(pool)
    const userId = randomUUID()
    let sacrificed = false
    // A transaction looks for a deadlock once, after its timeout. On a busy machine ours may have looked too soon: try again.
    for (let round = 0; round < 5 && !sacrificed; round++) {
      const made = [newGrant({ userId }), newGrant({ userId })].toSorted((a, b) => (keyOf(a.id) < keyOf(b.id) ? -1 : 1))
      for (const grant of made) await grants.create(grant, [newToken('access', Date.now() + 60_000)])
      const holder = await pool.connect()
      const lock = (index: number) =>
        holder.query('SELECT FROM oauth_grants WHERE key = $1 FOR UPDATE', [keyOf(made[index]?.id ?? '')])
      await holder.query("BEGIN; SET LOCAL deadlock_timeout = '5s'")
      await lock(1)
      const revoked = grants.revokeMany({ userId })
      const waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE FROM oauth_grants%'"
      while ((await pool.query(waiting)).rowCount === 0) {}
      sacrificed = await lock(0).then(
        () => true,
        () => false,
      )
      await holder.query('ROLLBACK')
      holder.release()
      t.equal(await revoked, 2)
    }
    t.ok(sacrificed, 'the store’s transaction was the one that PostgreSQL ended')
  })

  t.test('where the server is stricter by default, what it cannot serialize is run again', async t => {
    const pool = await newPool(t, '-c default_transaction_isolation=serializable')
    const { consents, oneTime } = postgresStore(pool)
    for (let round = 0; round < 10; round++) {
      const entry = { kind: 'account_code', id: randomUUID(), expiresAt: Date.now() + 60_000, data: { provider: '' } } as const
      const claimed = await Promise.all([1, 2, 3, 4].map(attempt => oneTime.claim(entry, `${attempt}`)))
      t.equal(claimed.filter(Boolean).length, 1)
      const consumed = await Promise.all([1, 2, 3, 4].map(attempt => oneTime.consume(entry.kind, entry.id, `${attempt}`)))
      t.equal(consumed.filter(answer => answer?.first).length, 1)
      const consent = newConsent()
      const saved = await Promise.all([1, 2, 3, 4].map(grantedAt => consents.save({ ...consent, grantedAt })))
      t.equal(saved.filter(Boolean).length, 1)
    }
  })

  t.test('deleted apps are not looked at by a list, and a page of many is read by an index', async t => {
    const pool = await newPool(t)
    const { apps } = postgresStore(pool)
    const app = newApp()
    await apps.save(app)
    const key = "lpad(to_hex(i), 24, '0')"
    await pool.query(`INSERT INTO oauth_apps
      SELECT ${key}, version, record, expires_at, org_key, creator_key, CASE WHEN i % 100 = 0 THEN 'active' ELSE 'deleted' END,
        origin, i, name FROM oauth_apps, generate_series(1, 20000) AS i WHERE key = '${app.id}'; ANALYZE oauth_apps`)
    const { items, total } = await apps.list({ orgId: app.orgId, offset: 0, limit: 10 })
    t.strictSame([items.length, total], [10, 201])
    const { rows } = await pool.query(`EXPLAIN ANALYZE SELECT record FROM oauth_apps
      WHERE status <> 'deleted' AND org_key = (SELECT org_key FROM oauth_apps LIMIT 1) AND expires_at > 5
      ORDER BY created_at DESC, key DESC LIMIT 10`)
    t.match(rows.map(row => row['QUERY PLAN']).join('\n'), /Index Scan using oauth_apps_of_org/)
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
    const { consents, grants } = postgresStore(await newPool(t))
    const grant = newGrant()
    await grants.create(grant, [newToken('access', Date.now() + 60_000)])
    for (const after of ['', 'x', '1.\0', '9999999999999999.x', "'"]) {
      const page = await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 5, after })
      t.strictSame(page, { items: [], total: 1, next: null })
    }
    const consent = newConsent()
    await consents.save(consent)
    for (const after of ['x', '\0', "'"])
      t.strictSame(await consents.list(consent.owner, { limit: 5, after }), { items: [], next: null })
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
  const grant = { appId: randomUUID(), orgId: 'org', userId: randomUUID(), scopes: [], createdAt: 0, epoch: 1, context: {} }
  return { id: randomUUID(), ...grant, ...fields }
}

function newToken(kind: Token['kind'], expiresAt: number): Token {
  return { id: randomUUID(), kind, scopes: [], issuedAt: 0, expiresAt }
}
