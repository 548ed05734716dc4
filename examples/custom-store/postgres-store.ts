import type { App, Consent, ConsentOwner, Credential, KeyRing, OneTime, OneTimeKind, Store } from 'authmount'
import type { Pool } from 'pg'
import { change, count, type Database, keyOf, openDatabase, orNull, record, rows } from './database.ts'
import { postgresGrants } from './grants.ts'

/** Everything in the tables of schema.sql, found through the pool's search_path. Needs READ COMMITTED, PostgreSQL's default. */
export function postgresStore(pool: Pool, { now = Date.now }: { readonly now?: () => number } = {}): Store {
  const db = openDatabase(pool, now)
  return {
    apps: apps(db),
    oneTime: oneTime(db),
    grants: postgresGrants(db),
    consents: consents(db),
    credentials: {
      get: (...ids) => record<Credential>(db, 'SELECT record FROM oauth_credentials WHERE key = $1', keyOf(...ids)),
      save: credential => save(db, 'oauth_credentials', keyOf(credential.connectorId, credential.ownerId), credential),
      delete: async (...ids) => (await change(db, 'DELETE FROM oauth_credentials WHERE key = $1', keyOf(...ids))) === 1,
    },
    keys: {
      get: () => record<KeyRing>(db, 'SELECT record FROM oauth_keys WHERE key = $1', keyOf()),
      save: ring => save(db, 'oauth_keys', keyOf(), ring),
    },
  }
}

/** Deletes what has expired, at most 5000 rows of a table. Returns how many: call it again until that is 0. */
export async function sweep(pool: Pool, now = Date.now()): Promise<number> {
  const db = openDatabase(pool, () => now)
  let swept = 0
  for (const table of ['oauth_one_time', 'oauth_tokens', 'oauth_grants', 'oauth_consents', 'oauth_apps']) {
    // What a request has locked is left for the next time, so that neither waits for the other.
    const expired = `SELECT key FROM ${table} WHERE expires_at <= $1 LIMIT 5000 FOR UPDATE SKIP LOCKED`
    swept += await change(db, `DELETE FROM ${table} WHERE key IN (${expired})`, now)
  }
  return swept
}

function apps(db: Database): Store['apps'] {
  return {
    async get(id) {
      if (!isAppId(id)) return undefined
      return record<App>(db, 'SELECT record FROM oauth_apps WHERE key = $1 AND expires_at > $2', id, db.now())
    },

    async save(app) {
      if (!isAppId(app.id)) throw new Error('the id of an app is 24 lower-case hexadecimal digits')
      return save(db, 'oauth_apps', app.id, app, {
        expires_at: app.expiresAt ?? NEVER,
        org_key: keyOf(app.orgId),
        creator_key: keyOf(app.createdBy),
        status: app.status,
        origin: app.origin,
        created_at: app.createdAt,
        name: searchable(app.name),
      })
    },

    async list({ orgId, createdBy, origin, status, search, offset, limit }) {
      // With the words of its index, so that deleted apps are not even looked at.
      const found = `FROM oauth_apps WHERE ${status === undefined ? "status <> 'deleted'" : 'status = $3'}
        AND org_key = $1 AND expires_at > $2 AND ($3::text IS NULL OR status = $3)
        AND ($4::text IS NULL OR creator_key = $4) AND ($5::text IS NULL OR origin = $5)
        AND ($6::bytea IS NULL OR position($6 IN name) > 0)`
      const values = [keyOf(orgId), db.now(), status, orNull(createdBy, keyOf), origin, orNull(search, searchable)]
      const page = `SELECT record ${found} ORDER BY created_at DESC, key DESC OFFSET $7 LIMIT $8`
      const items = await rows<{ record: string }>(db, page, ...values, offset, limit)
      return { items: items.map(({ record }) => JSON.parse(record) as App), total: await count(db, found, ...values) }
    },
  }
}

function oneTime(db: Database): Store['oneTime'] {
  return {
    async put(entry) {
      const insert = `INSERT INTO oauth_one_time (key, expires_at, record) VALUES ($1, $2, $3) ON CONFLICT (key)
        DO UPDATE SET (expires_at, record, claimed_by, consumed_by) = (excluded.expires_at, excluded.record, NULL, NULL)`
      await change(db, insert, keyOf(entry.kind, entry.id), entry.expiresAt, JSON.stringify(entry))
    },

    peek: (kind, id) =>
      record(db, 'SELECT record FROM oauth_one_time WHERE key = $1 AND expires_at > $2', keyOf(kind, id), db.now()),

    async consume<K extends OneTimeKind>(kind: K, id: string, attempt: string) {
      // One statement: of two at once, the second waits for the row, and then finds the first one's attempt in it.
      const update = `UPDATE oauth_one_time SET consumed_by = coalesce(consumed_by, $3) WHERE key = $1 AND expires_at > $2
        RETURNING record, consumed_by = $3 AS first`
      const [row] = await rows<{ record: string; first: boolean }>(db, update, keyOf(kind, id), db.now(), keyOf(attempt))
      return row && { entry: JSON.parse(row.record) as OneTime<K>, first: row.first }
    },

    async claim(entry, attempt) {
      const [key, claimer, at] = [keyOf(entry.kind, entry.id), keyOf(attempt), db.now()]
      // One statement: of two at once, the second waits for the row, and then finds that it has not expired.
      const insert = `INSERT INTO oauth_one_time AS known (key, expires_at, record, claimed_by) VALUES ($1, $2, $3, $4)
        ON CONFLICT (key) DO UPDATE SET (expires_at, record, claimed_by, consumed_by)
          = (excluded.expires_at, excluded.record, excluded.claimed_by, NULL) WHERE known.expires_at <= $5`
      if (await change(db, insert, key, entry.expiresAt, JSON.stringify(entry), claimer, at)) return true
      // It is there: claimed by this very attempt, which somebody has sent again, or not.
      return (
        (await count(db, 'FROM oauth_one_time WHERE key = $1 AND claimed_by = $2 AND expires_at > $3', key, claimer, at)) === 1
      )
    },

    async forget(kind, id, attempt) {
      await change(db, 'DELETE FROM oauth_one_time WHERE key = $1 AND claimed_by = $2', keyOf(kind, id), keyOf(attempt))
    },
  }
}

function consents(db: Database): Store['consents'] {
  return {
    get: (owner, appId) =>
      record<Consent>(
        db,
        'SELECT record FROM oauth_consents WHERE key = $1 AND expires_at > $2',
        keyOf(...ownerIds(owner), appId),
        db.now(),
      ),

    async list(owner, { after = '', limit }) {
      // A cursor that is none of ours: nothing comes after it.
      if (!/^([\w-]{43})?$/.test(after)) return { items: [], next: null }
      const page = `SELECT key, record FROM oauth_consents WHERE owner_key = $1 AND NOT withdrawn AND key > $2
        AND expires_at > $3 ORDER BY key LIMIT $4`
      const values = [keyOf(...ownerIds(owner)), after, db.now(), limit + 1]
      const found = await rows<{ key: string; record: string }>(db, page, ...values)
      const items = found.slice(0, limit)
      return {
        items: items.map(({ record }) => JSON.parse(record) as Consent),
        next: (found.length > limit && items.at(-1)?.key) || null,
      }
    },

    save: consent =>
      save(db, 'oauth_consents', keyOf(...ownerIds(consent.owner), consent.appId), consent, {
        expires_at: consent.expiresAt ?? NEVER,
        owner_key: keyOf(...ownerIds(consent.owner)),
        withdrawn: consent.scopes.length === 0,
      }),
  }
}

/** The expires_at of what never expires. */
const NEVER = Number.MAX_SAFE_INTEGER

/** Writes iff the stored version is one less; an expired row counts as version 0. What is stored already, sent again, counts as written. */
async function save(db: Database, table: string, key: string, value: { readonly version: number }, columns: object = {}) {
  const row = { key, version: value.version, record: JSON.stringify(value), ...columns }
  const names = Object.keys(row).join(', ')
  const places = Object.keys(row).map((_, index) => `$${index + 1}`)
  const expires = 'expires_at' in row
  const values = [...Object.values(row), ...(expires ? [db.now()] : [])]
  const expired = expires ? `known.expires_at <= $${values.length}` : 'FALSE'
  const same = 'known.version = $2 AND known.record = $3'
  // One statement: of two writers the second waits for the row, and then finds the first one's version in it.
  const write =
    value.version === 1
      ? `INSERT INTO ${table} AS known (${names}) VALUES (${places})
          ON CONFLICT (key) DO UPDATE SET (${names}) = (${places}) WHERE ${expired} OR ${same}`
      : `UPDATE ${table} AS known SET (${names}) = (${places})
          WHERE key = $1 AND NOT ${expired} AND (known.version = $2::bigint - 1 OR ${same})`
  return (await change(db, write, ...values)) === 1
}

/** Two ids, so that a user and an organisation of the same text have different keys. */
function ownerIds(owner: ConsentOwner): readonly [string, string] {
  return 'userId' in owner ? ['user', owner.userId] : ['organisation', owner.orgId]
}

function isAppId(id: string): boolean {
  return /^[0-9a-f]{24}$/.test(id)
}

/** UTF-8: a part of a text is a part of its bytes, and nothing in it is a pattern. */
function searchable(text: string): Buffer {
  return Buffer.from(text.toLowerCase())
}
