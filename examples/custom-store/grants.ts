import type { Grant, Spent, Store, Token } from 'authmount'
import { type Client, change, count, type Database, keyOf, orNull, rows } from './database.ts'

/** Everything that changes a grant or its tokens locks the grant's row first, and so waits for whoever did before. */
export function postgresGrants(db: Database): Store['grants'] {
  return {
    create: (grant, tokens) =>
      db.transaction(async client => {
        const { id, appId, userId, orgId, epoch } = grant
        await change(client, 'DELETE FROM oauth_grants WHERE key = $1 AND expires_at <= $2', keyOf(id), db.now())
        const insert = `INSERT INTO oauth_grants (key, record, expires_at, app_key, user_key, org_key, epoch)
          VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key) DO NOTHING`
        const columns = [lastExpiry(tokens), keyOf(appId), orNull(userId, keyOf), keyOf(orgId), epoch]
        if (await change(client, insert, keyOf(id), JSON.stringify(grant), ...columns)) {
          await insertTokens(client, id, tokens)
          return true
        }
        // The id is taken: by this very call, which somebody has sent again, or by another grant.
        const known = `FROM oauth_grants WHERE key = $1 AND record = $2
          AND $3 = (SELECT count(*) FROM oauth_tokens WHERE key = ANY($4))`
        const tokenKeys = tokens.map(token => keyOf(id, token.id))
        return (await count(client, known, keyOf(id), JSON.stringify(grant), tokens.length, tokenKeys)) === 1
      }),

    async find({ grantId, tokenId }) {
      const select = `SELECT g.record AS of_grant, t.record AS of_token, t.spent FROM oauth_tokens t
        JOIN oauth_grants g ON g.key = t.grant_key WHERE t.key = $1 AND t.expires_at > $2`
      const [row] = await rows<GrantedRow & { spent: string | null }>(db, select, keyOf(grantId, tokenId), db.now())
      return row && { ...parseGranted(row), spent: parseSpent(row.spent) }
    },

    rotate: ({ grant, token }, next, replay) =>
      db.transaction(async client => {
        const at = db.now()
        const presented = await lockRefreshToken(client, grant.id, token.id, at)
        if (!presented) return 'missing'
        if (presented.spent) return presented.spent.replay === replay ? 'rotated' : 'reused'

        const spent: Spent = { at, replay }
        const spend = 'UPDATE oauth_tokens SET spent = $2 WHERE key = $1'
        await change(client, spend, keyOf(grant.id, token.id), JSON.stringify(spent))
        await insertTokens(client, grant.id, next)
        await prolong(client, grant.id, next)
        return 'rotated'
      }),

    add: ({ grant, token }, tokens) =>
      db.transaction(async client => {
        const presented = await lockRefreshToken(client, grant.id, token.id, db.now())
        if (!presented || presented.spent) return 'missing'

        const fresh: Token[] = []
        for (const added of tokens) {
          const [known] = await rows<{ record: string }>(
            client,
            'SELECT record FROM oauth_tokens WHERE key = $1',
            keyOf(grant.id, added.id),
          )
          if (!known) fresh.push(added)
          else if (known.record !== JSON.stringify(added)) throw new Error('a token of this id is there, with other content')
        }
        await insertTokens(client, grant.id, fresh)
        await prolong(client, grant.id, fresh)
        return 'added'
      }),

    revokeToken: ({ grantId, tokenId }) =>
      db.transaction(async client => {
        await lockGrant(client, grantId)
        const remove = 'DELETE FROM oauth_tokens WHERE key = $1 AND expires_at > $2'
        if (!(await change(client, remove, keyOf(grantId, tokenId), db.now()))) return false
        // Without tokens it is absent, and its id is free.
        const empty = 'NOT EXISTS (SELECT FROM oauth_tokens WHERE grant_key = $1)'
        await change(client, `DELETE FROM oauth_grants WHERE key = $1 AND ${empty}`, keyOf(grantId))
        return true
      }),

    async revoke(grantId) {
      // Its tokens go with it (ON DELETE CASCADE), those included that a rotation added while we waited for the row.
      const remove = 'DELETE FROM oauth_grants WHERE key = $1 RETURNING expires_at > $2 AS live'
      const [row] = await rows<{ live: boolean }>(db, remove, keyOf(grantId), db.now())
      return row?.live ?? false
    },

    async revokeMany({ appId, userId, orgId, epochBelow }) {
      if (appId === undefined && userId === undefined && orgId === undefined) return 0
      // All lock in the order of the keys, so that no two of these wait for each other.
      const remove = `DELETE FROM oauth_grants WHERE key IN (
        SELECT key FROM oauth_grants WHERE ($1::text IS NULL OR app_key = $1) AND ($2::text IS NULL OR user_key = $2)
          AND ($3::text IS NULL OR org_key = $3) AND ($4::bigint IS NULL OR epoch < $4) ORDER BY key FOR UPDATE)
        RETURNING expires_at > $5 AS live`
      const values = [orNull(appId, keyOf), orNull(userId, keyOf), orNull(orgId, keyOf), epochBelow, db.now()]
      return (await rows<{ live: boolean }>(db, remove, ...values)).filter(({ live }) => live).length
    },

    async listTokens(query) {
      const { after, limit } = query
      const whose = 'userId' in query ? 'g.user_key = $1 AND $2::bigint IS NULL' : 'g.app_key = $1 AND g.epoch = $2'
      const live = `FROM oauth_grants g JOIN oauth_tokens t ON t.grant_key = g.key
        WHERE ${whose} AND t.spent IS NULL AND t.expires_at > $3`
      const values = 'userId' in query ? [keyOf(query.userId), null, db.now()] : [keyOf(query.appId), query.epoch, db.now()]
      const total = await count(db, live, ...values)
      // A cursor that is none of ours is compared as NULL: nothing comes after it.
      const [, issuedAt = null, key = null] = /^(\d{1,16})\.([\w-]{43})$/.exec(after ?? '') ?? []
      const select = `SELECT g.record AS of_grant, t.record AS of_token, t.issued_at || '.' || t.key AS cursor ${live}
        AND ($4 OR (t.issued_at, t.key) < ($5, $6)) ORDER BY t.issued_at DESC, t.key DESC LIMIT $7`
      const more = [after === undefined, issuedAt, key, limit + 1]
      const found = await rows<GrantedRow & { cursor: string }>(db, select, ...values, ...more)
      const page = found.slice(0, limit)
      return { items: page.map(parseGranted), total, next: (found.length > limit && page.at(-1)?.cursor) || null }
    },
  }
}

/** Until the transaction ends, whoever else changes this grant waits. */
async function lockGrant(client: Client, grantId: string): Promise<void> {
  await rows(client, 'SELECT FROM oauth_grants WHERE key = $1 FOR UPDATE', keyOf(grantId))
}

/** What the database has of a live refresh token, whatever the caller read a moment ago. The grant stays locked. */
async function lockRefreshToken(client: Client, grantId: string, tokenId: string, at: number) {
  await lockGrant(client, grantId)
  const select = 'SELECT record, spent FROM oauth_tokens WHERE key = $1 AND expires_at > $2 FOR UPDATE'
  const [row] = await rows<{ record: string; spent: string | null }>(client, select, keyOf(grantId, tokenId), at)
  if (!row || (JSON.parse(row.record) as Token).kind !== 'refresh') return undefined
  return { spent: parseSpent(row.spent) }
}

async function insertTokens(client: Client, grantId: string, tokens: readonly Token[]): Promise<void> {
  const insert = 'INSERT INTO oauth_tokens (key, grant_key, issued_at, expires_at, record) VALUES ($1, $2, $3, $4, $5)'
  for (const token of tokens) {
    const { id, issuedAt, expiresAt } = token
    await change(client, insert, keyOf(grantId, id), keyOf(grantId), issuedAt, expiresAt, JSON.stringify(token))
  }
}

/** A grant lives as long as the longest of its tokens. */
async function prolong(client: Client, grantId: string, tokens: readonly Token[]): Promise<void> {
  const update = 'UPDATE oauth_grants SET expires_at = greatest(expires_at, $2) WHERE key = $1'
  await change(client, update, keyOf(grantId), lastExpiry(tokens))
}

function lastExpiry(tokens: readonly Token[]): number {
  return Math.max(0, ...tokens.map(({ expiresAt }) => expiresAt))
}

type GrantedRow = { readonly of_grant: string; readonly of_token: string }

function parseGranted(row: GrantedRow): { readonly grant: Grant; readonly token: Token } {
  return { grant: JSON.parse(row.of_grant) as Grant, token: JSON.parse(row.of_token) as Token }
}

function parseSpent(text: string | null): Spent | null {
  return text === null ? null : (JSON.parse(text) as Spent)
}
