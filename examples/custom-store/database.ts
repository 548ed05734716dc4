import { createHash } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Pool, PoolClient, QueryResult } from 'pg'

/** What the parts of the store work with. */
export interface Database {
  /** The present, in milliseconds since 1970: what decides, in every query, whether something has expired. */
  readonly now: () => number
  /** Runs one statement, on any connection. */
  query(sql: string, values: readonly unknown[]): Promise<QueryResult>
  /** Runs several on one connection: all of them are committed, or none. */
  transaction<T>(run: (client: Client) => Promise<T>): Promise<T>
}
export type Client = Pick<Database, 'query'>

export function openDatabase(pool: Pool, now: () => number): Database {
  return {
    now,
    query: (sql, values) => retry(() => pool.query(sql, [...values])),
    transaction: run => retry(() => transaction(pool, run)),
  }
}

export async function rows<Row>(db: Client, sql: string, ...values: readonly unknown[]): Promise<readonly Row[]> {
  return (await db.query(sql, values)).rows
}

export async function record<T>(db: Client, sql: string, ...values: readonly unknown[]): Promise<T | undefined> {
  const [row] = await rows<{ record: string }>(db, sql, ...values)
  return row && (JSON.parse(row.record) as T)
}

export async function count(db: Client, found: string, ...values: readonly unknown[]): Promise<number> {
  const [row] = await rows<{ total: number }>(db, `SELECT count(*)::int AS total ${found}`, ...values)
  return row?.total ?? 0
}

export async function change(db: Client, sql: string, ...values: readonly unknown[]): Promise<number> {
  return (await db.query(sql, values)).rowCount ?? 0
}

/** Ids as one key that no other ids make: JSON keeps them apart, and a hash fits an index. */
export function keyOf(...ids: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(ids)).digest('base64url')
}

export function orNull<T>(value: T | null | undefined, map: (value: T) => string | Buffer): string | Buffer | null {
  return value === null || value === undefined ? null : map(value)
}

/** Together with the pauses, well below the default storeTimeoutMs (2 seconds). */
const TRIES = 8
/** serialization_failure and deadlock_detected: the server has undone everything, and asks to be sent it again. */
const TRANSIENT = new Set<unknown>(['40001', '40P01'])

/** Runs it again where PostgreSQL sacrificed it to another transaction: that is not a failure of the database. */
async function retry<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await run()
    } catch (error) {
      const transient = error instanceof Error && 'code' in error && TRANSIENT.has(error.code)
      if (!transient || tries === TRIES) throw error
      // A pause of random length, so that the same two do not meet again.
      await setTimeout(Math.random() * 10 * tries)
    }
  }
}

async function transaction<T>(pool: Pool, run: (client: Client) => Promise<T>): Promise<T> {
  const client: PoolClient = await pool.connect()
  let broken: Error | undefined
  const onError = (error: Error) => {
    broken = error
  }
  // A connection that breaks rejects the query at hand, and says so here as well: an error nobody hears ends the process.
  client.on('error', onError)
  try {
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
    const result = await run({ query: (sql, values) => client.query(sql, [...values]) })
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
