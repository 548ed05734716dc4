import { readFile } from 'node:fs/promises'
import type { Store } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'

export interface OpenStore {
  readonly store: Store
  /** Where the data goes, for people. */
  readonly name: string
  close(): Promise<void>
}

/** The store that `REDIS_URL`, `MONGO_URL` or `POSTGRES_URL` names; without any, one in memory. */
export async function openStore({ REDIS_URL, MONGO_URL, POSTGRES_URL } = process.env): Promise<OpenStore> {
  if (REDIS_URL) return openRedis(REDIS_URL)
  if (MONGO_URL) return openMongo(MONGO_URL)
  if (POSTGRES_URL) return openPostgres(POSTGRES_URL)
  return { store: memoryStore(), name: 'memory', close: async () => {} }
}

async function openRedis(url: string): Promise<OpenStore> {
  const { Redis } = await import('ioredis')
  const { redisStore } = await import('authmount/stores/redis')
  const redis = new Redis(url, {
    enableAutoPipelining: true,
    maxRetriesPerRequest: 1,
    // After a failover the old primary takes no writes: connect again, and send the command again.
    reconnectOnError: error => (error.message.startsWith('READONLY') ? 2 : false),
  })
  redis.on('error', error => console.error(`Redis: ${error.message}`))
  return { store: redisStore(redis), name: 'Redis', close: async () => redis.disconnect() }
}

async function openMongo(url: string): Promise<OpenStore> {
  const { MongoClient } = await import('mongodb')
  const { mongoStore } = await import('authmount/stores/mongo')
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 2000 })
  return { store: mongoStore(client.db()), name: 'MongoDB', close: () => client.close() }
}

async function openPostgres(connectionString: string): Promise<OpenStore> {
  const { Pool } = await import('pg')
  const { postgresStore } = await import('../custom-store/postgres-store.ts')
  const pool = new Pool({ connectionString, connectionTimeoutMillis: 1500, statement_timeout: 1500, query_timeout: 1800 })
  pool.on('error', error => console.error(`PostgreSQL: ${error.message}`))
  await pool.query(await readFile(new URL('../custom-store/schema.sql', import.meta.url), 'utf8'))
  return { store: postgresStore(pool), name: 'PostgreSQL', close: () => pool.end() }
}
