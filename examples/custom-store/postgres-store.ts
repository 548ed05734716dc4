import { createHash } from 'node:crypto'
import type { App, Consent, Credential, Grant, KeyRing, OneTime, OneTimeKind, Spent, Store, Token } from 'authmount'
import type { Pool, PoolClient } from 'pg'

/** Milliseconds since 1970: what decides, in every query, whether something has expired. */
type Clock = () => number

/** Everything in the tables of schema.sql, found through the pool's search_path. Needs READ COMMITTED, PostgreSQL's default. */
export function postgresStore(pool: Pool, { now = Date.now }: { readonly now?: Clock } = {}): Store {
  return {
    apps: apps(pool),
    oneTime: oneTime(pool, now),
    grants: grants(pool, now),
    consents: {
      get: (...ids) => record<Consent>(pool, 'SELECT record FROM oauth_consents WHERE key = $1', keyOf(...ids)),
      async list(userId) {
        const found = await rows<{ record: string }>(pool, 'SELECT record FROM oauth_consents WHERE user_key = $1', keyOf(userId))
        return found.map(({ record }) => JSON.parse(record) as Consent)
      },
      async put(consent) {
        const { clientId, userId } = consent
        const insert = 'INSERT INTO oauth_consents VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET record = excluded.record'
        await change(pool, insert, keyOf(userId, clientId), keyOf(userId), JSON.stringify(consent))
      },
      delete: async (...ids) => (await change(pool, 'DELETE FROM oauth_consents WHERE key = $1', keyOf(...ids))) === 1,
    },
    credentials: {
      get: (...ids) => record<Credential>(pool, 'SELECT record FROM oauth_credentials WHERE key = $1', keyOf(...ids)),
      save: credential => save(pool, 'oauth_credentials', keyOf(credential.connectorId, credential.ownerId), credential),
      delete: async (...ids) => (await change(pool, 'DELETE FROM oauth_credentials WHERE key = $1', keyOf(...ids))) === 1,
    },
    keys: {
      get: () => record<KeyRing>(pool, 'SELECT record FROM oauth_keys WHERE key = $1', keyOf()),
      save: ring => save(pool, 'oauth_keys', keyOf(), ring),
    },
  }
}

/** Deletes what has expired, at most 5000 rows of a table. Returns how many: call it again until that is 0. */
export async function sweep(pool: Pool, now = Date.now()): Promise<number> {
  let swept = 0
  for (const table of ['oauth_one_time', 'oauth_tokens', 'oauth_grants']) {
    // What a request has locked is left for the next time, so that neither waits for the other.
    const expired = `SELECT key FROM ${table} WHERE expires_at <= $1 LIMIT 5000 FOR UPDATE SKIP LOCKED`
    swept += await change(pool, `DELETE FROM ${table} WHERE key IN (${expired})`, now)
  }
  return swept
}

function apps(pool: Pool): Store['apps'] {
  return {
    get: id => record<App>(pool, 'SELECT record FROM oauth_apps WHERE key = $1', keyOf(id)),
    save: app =>
      save(pool, 'oauth_apps', keyOf(app.id), app, {
        org_key: keyOf(app.orgId),
        creator_key: keyOf(app.createdBy),
        status: app.status,
        name: searchable(app.name),
        created_at: app.createdAt,
      }),
    async list({ orgId, createdBy, status, search, offset, limit }) {
      const found = `FROM oauth_apps WHERE org_key = $1 AND ($2::text IS NULL OR creator_key = $2)
        AND CASE WHEN $3::text IS NULL THEN status <> 'deleted' ELSE status = $3 END
        AND ($4::bytea IS NULL OR position($4 IN name) > 0)`
      const values = [keyOf(orgId), orNull(createdBy, keyOf), status, orNull(search, searchable)]
      const page = `SELECT record ${found} ORDER BY created_at DESC, key DESC OFFSET $5 LIMIT $6`
      const items = await rows<{ record: string }>(pool, page, ...values, offset, limit)
      return { items: items.map(({ record }) => JSON.parse(record) as App), total: await count(pool, found, ...values) }
    },
  }
}

function oneTime(pool: Pool, now: Clock): Store['oneTime'] {
  return {
    async put(entry) {
      const insert = `INSERT INTO oauth_one_time (key, expires_at, record) VALUES ($1, $2, $3) ON CONFLICT (key)
        DO UPDATE SET expires_at = excluded.expires_at, record = excluded.record, attempt = NULL`
      await change(pool, insert, keyOf(entry.kind, entry.id), entry.expiresAt, JSON.stringify(entry))
    },

    peek: (kind, id) =>
      record(pool, 'SELECT record FROM oauth_one_time WHERE key = $1 AND expires_at > $2', keyOf(kind, id), now()),

    async consume<K extends OneTimeKind>(kind: K, id: string, attempt: string) {
      // One statement: of two at once, the second waits for the row, and then finds the first one's attempt in it.
      const update = `UPDATE oauth_one_time SET attempt = coalesce(attempt, $3) WHERE key = $1 AND expires_at > $2
        RETURNING record, attempt = $3 AS first`
      const [row] = await rows<{ record: string; first: boolean }>(pool, update, keyOf(kind, id), now(), keyOf(attempt))
      return row && { entry: JSON.parse(row.record) as OneTime<K>, first: row.first }
    },
  }
}

function grants(pool: Pool, now: Clock): Store['grants'] {
  return {
    create: (grant, tokens) =>
      transaction(pool, async client => {
        const { id, clientId, userId, epoch } = grant
        await change(client, 'DELETE FROM oauth_grants WHERE key = $1 AND expires_at <= $2', keyOf(id), now())
        const insert = `INSERT INTO oauth_grants (key, record, client_key, user_key, epoch, expires_at)
          VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (key) DO NOTHING`
        const [text, user] = [JSON.stringify(grant), orNull(userId, keyOf)]
        if (await change(client, insert, keyOf(id), text, keyOf(clientId), user, epoch, lastExpiry(tokens))) {
          await addTokens(client, id, tokens)
          return true
        }
        // The id is taken: by this very call, which somebody has sent again, or by another grant.
        const known = `FROM oauth_grants WHERE key = $1 AND record = $2
          AND $3 = (SELECT count(*) FROM oauth_tokens WHERE key = ANY($4))`
        const tokenKeys = tokens.map(token => keyOf(id, token.id))
        return (await count(client, known, keyOf(id), text, tokens.length, tokenKeys)) === 1
      }),

    async find({ grantId, tokenId }) {
      const select = `SELECT g.record AS of_grant, t.record AS of_token, t.spent FROM oauth_tokens t
        JOIN oauth_grants g ON g.key = t.grant_key WHERE t.key = $1 AND t.expires_at > $2`
      const [row] = await rows<GrantedRow & { spent: string | null }>(pool, select, keyOf(grantId, tokenId), now())
      return row && { ...parseGranted(row), spent: row.spent === null ? null : (JSON.parse(row.spent) as Spent) }
    },

    rotate: ({ grant, token }, next, replay) =>
      transaction(pool, async client => {
        const [grantKey, tokenKey] = [keyOf(grant.id), keyOf(grant.id, token.id)]
        // The grant's row first: whoever else rotates or revokes it waits here until we are done.
        await rows(client, 'SELECT FROM oauth_grants WHERE key = $1 FOR UPDATE', grantKey)
        const at = now()
        const select = 'SELECT record, spent FROM oauth_tokens WHERE key = $1 AND expires_at > $2 FOR UPDATE'
        const [row] = await rows<{ record: string; spent: string | null }>(client, select, tokenKey, at)
        if (!row || (JSON.parse(row.record) as Token).kind !== 'refresh') return 'missing'
        if (row.spent !== null) return (JSON.parse(row.spent) as Spent).replay === replay ? 'rotated' : 'reused'

        const spent: Spent = { at, replay }
        await change(client, 'UPDATE oauth_tokens SET spent = $2 WHERE key = $1', tokenKey, JSON.stringify(spent))
        const prolong = 'UPDATE oauth_grants SET expires_at = greatest(expires_at, $2) WHERE key = $1'
        await change(client, prolong, grantKey, lastExpiry(next))
        await addTokens(client, grant.id, next)
        return 'rotated'
      }),

    async revokeToken({ grantId: id, tokenId }) {
      return (await change(pool, 'DELETE FROM oauth_tokens WHERE key = $1 AND expires_at > $2', keyOf(id, tokenId), now())) === 1
    },

    async revoke(grantId) {
      // Its tokens go with it (ON DELETE CASCADE), those included that a rotation added while we waited for the row.
      const remove = 'DELETE FROM oauth_grants WHERE key = $1 RETURNING expires_at > $2 AS live'
      const [row] = await rows<{ live: boolean }>(pool, remove, keyOf(grantId), now())
      return row?.live ?? false
    },

    async revokeMany({ clientId, userId, epochBelow }) {
      if (clientId === undefined && userId === undefined) return 0
      // Everyone locks in the order of the keys, so that no two of these wait for each other.
      const remove = `DELETE FROM oauth_grants WHERE key IN (
        SELECT key FROM oauth_grants WHERE ($1::text IS NULL OR client_key = $1) AND ($2::text IS NULL OR user_key = $2)
          AND ($3::bigint IS NULL OR epoch < $3) ORDER BY key FOR UPDATE) RETURNING expires_at > $4 AS live`
      const values = [orNull(clientId, keyOf), orNull(userId, keyOf), epochBelow, now()]
      return (await rows<{ live: boolean }>(pool, remove, ...values)).filter(({ live }) => live).length
    },

    async listTokens(query) {
      const { after, limit } = query
      const whose = 'userId' in query ? 'g.user_key = $1 AND $2::bigint IS NULL' : 'g.client_key = $1 AND g.epoch = $2'
      const live = `FROM oauth_grants g JOIN oauth_tokens t ON t.grant_key = g.key
        WHERE ${whose} AND t.spent IS NULL AND t.expires_at > $3`
      const values = 'userId' in query ? [keyOf(query.userId), null, now()] : [keyOf(query.clientId), query.epoch, now()]
      const total = await count(pool, live, ...values)
      // A cursor that is none of ours is compared as NULL: nothing comes after it.
      const [, issuedAt = null, key = null] = /^(\d{1,16})\.([\w-]{43})$/.exec(after ?? '') ?? []
      const select = `SELECT g.record AS of_grant, t.record AS of_token, t.issued_at || '.' || t.key AS cursor ${live}
        AND ($4 OR (t.issued_at, t.key) < ($5, $6)) ORDER BY t.issued_at DESC, t.key DESC LIMIT $7`
      const more = [after === undefined, issuedAt, key, limit + 1]
      const found = await rows<GrantedRow & { cursor: string }>(pool, select, ...values, ...more)
      const page = found.slice(0, limit)
      return { items: page.map(parseGranted), total, next: (found.length > limit && page.at(-1)?.cursor) || null }
    },
  }
}

/** Writes iff the stored version is one less. What is stored already, sent again, counts as written. */
async function save(pool: Pool, table: string, key: string, value: { readonly version: number }, columns: object = {}) {
  const row = { key, version: value.version, record: JSON.stringify(value), ...columns }
  const names = Object.keys(row).join(', ')
  const places = Object.keys(row).map((_, index) => `$${index + 1}`)
  const insert = `INSERT INTO ${table} (${names}) VALUES (${places}) ON CONFLICT (key) DO NOTHING`
  if (value.version === 1 && (await change(pool, insert, ...Object.values(row)))) return true
  // One statement: of two writers the second waits for the row, and then finds the first one's version in it.
  const update = `UPDATE ${table} SET (${names}) = (${places})
    WHERE key = $1 AND (version = $2::bigint - 1 OR (version = $2 AND record = $3))`
  return (await change(pool, update, ...Object.values(row))) === 1
}

async function addTokens(client: PoolClient, grantId: string, tokens: readonly Token[]): Promise<void> {
  const insert = 'INSERT INTO oauth_tokens (key, grant_key, issued_at, expires_at, record) VALUES ($1, $2, $3, $4, $5)'
  for (const token of tokens) {
    const { id, issuedAt, expiresAt } = token
    await change(client, insert, keyOf(grantId, id), keyOf(grantId), issuedAt, expiresAt, JSON.stringify(token))
  }
}

function lastExpiry(tokens: readonly Token[]): number {
  return Math.max(0, ...tokens.map(({ expiresAt }) => expiresAt))
}

type GrantedRow = { readonly of_grant: string; readonly of_token: string }

function parseGranted(row: GrantedRow): { readonly grant: Grant; readonly token: Token } {
  return { grant: JSON.parse(row.of_grant) as Grant, token: JSON.parse(row.of_token) as Token }
}

/** Ids as one key that no other ids make: JSON keeps them apart, and a hash fits an index. */
function keyOf(...ids: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(ids)).digest('base64url')
}

/** UTF-8: a part of a text is a part of its bytes, and nothing in it is a pattern. */
function searchable(text: string): Buffer {
  return Buffer.from(text.toLowerCase())
}

function orNull<T>(value: T | null | undefined, map: (value: T) => string | Buffer): string | Buffer | null {
  return value === null || value === undefined ? null : map(value)
}

async function rows<Row>(db: Pool | PoolClient, sql: string, ...values: readonly unknown[]): Promise<readonly Row[]> {
  return (await db.query(sql, [...values])).rows
}

async function record<T>(pool: Pool, sql: string, ...values: readonly unknown[]): Promise<T | undefined> {
  const [row] = await rows<{ record: string }>(pool, sql, ...values)
  return row && (JSON.parse(row.record) as T)
}

async function count(db: Pool | PoolClient, found: string, ...values: readonly unknown[]): Promise<number> {
  const [row] = await rows<{ total: number }>(db, `SELECT count(*)::int AS total ${found}`, ...values)
  return row?.total ?? 0
}

async function change(db: Pool | PoolClient, sql: string, ...values: readonly unknown[]): Promise<number> {
  return (await db.query(sql, [...values])).rowCount ?? 0
}

async function transaction<T>(pool: Pool, run: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  const onError = (error: Error) => {
    broken = error
  }
  // A connection that breaks rejects the query at hand, and says so here as well: an error nobody hears ends the process.
  client.on('error', onError)
  try {
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
    const result = await run(client)
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch(onError)
    throw error
  } finally {
    client.off('error', onError)
    // A broken connection leaves the pool; its server rolls back by itself.
    client.release(broken)
  }
}
