import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { EpochMs, Store } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import { mongoStore } from 'authmount/stores/mongo'
import { redisStore } from 'authmount/stores/redis'
import { postgresStore } from '../../examples/custom-store/postgres-store.ts'
import { runsOn, SERVER_NAMES, type ServerName, urlOf } from './places.ts'

export interface Connection {
  readonly store: Store
  readonly close: () => Promise<void>
}

/** Opens a connection of its own. What is written under one namespace is not seen under another. */
export type Connect = (namespace: string, now?: () => EpochMs) => Promise<Connection>

/** A namespace nobody else uses. */
export function newNamespace(): string {
  return `test-${randomUUID()}`
}

export const connectMemory: Connect = async (_namespace, now = Date.now) => ({
  store: memoryStore({ now }),
  close: async () => {},
})

// Each driver is loaded where it is used: most runs are over memory.

export function connectRedis(url: string): Connect {
  return async (namespace, now = Date.now) => {
    const { Redis } = await import('ioredis')
    const redis = new Redis(url, { lazyConnect: true })
    await redis.connect()
    return { store: redisStore(redis, { prefix: namespace, now, warn: () => {} }), close: async () => redis.disconnect() }
  }
}

export function connectCluster(urls: string): Connect {
  return async (namespace, now = Date.now) => {
    const { Cluster } = await import('ioredis')
    const nodes = urls.split(',').map(url => ({ host: '127.0.0.1', port: Number(new URL(url).port) }))
    const cluster = new Cluster(nodes, { lazyConnect: true })
    await cluster.connect()
    return { store: redisStore(cluster, { prefix: namespace, now, warn: () => {} }), close: async () => cluster.disconnect() }
  }
}

const POSTGRES_SCHEMA = new URL('../../examples/custom-store/schema.sql', import.meta.url)

/** The store of the example: a namespace is a schema. */
export function connectPostgres(connectionString: string): Connect {
  return async (namespace, now = Date.now) => {
    const { Pool } = await import('pg')
    const pool = new Pool({ connectionString, max: 4, options: `-c search_path="${namespace}"` })
    pool.on('error', () => {})
    const tables = await readFile(POSTGRES_SCHEMA, 'utf8')
    // In one transaction, one at a time: connections to one namespace are opened all at once.
    await pool.query(`SELECT pg_advisory_xact_lock(1); CREATE SCHEMA IF NOT EXISTS "${namespace}"; ${tables}`)
    return { store: postgresStore(pool, { now }), close: () => pool.end() }
  }
}

/** A namespace is a database. */
export function connectMongo(url: string): Connect {
  return async (namespace, now = Date.now) => {
    const { MongoClient } = await import('mongodb')
    const client = await new MongoClient(url).connect()
    return { store: mongoStore(client.db(namespace), { now }), close: () => client.close() }
  }
}

const connectors: Readonly<Record<ServerName, (url: string) => Connect>> = {
  redis: connectRedis,
  'redis-cluster': connectCluster,
  mongo: connectMongo,
  postgres: connectPostgres,
}

/** The stores of this run that several processes can share. */
export const sharedStores: Readonly<Record<string, Connect>> = Object.fromEntries(
  SERVER_NAMES.flatMap(name => {
    const url = urlOf(name)
    return url ? [[name, connectors[name](url)]] : []
  }),
)

/** The stores of this run; which those are is decided in places.ts. */
export const stores: Readonly<Record<string, Connect>> = {
  ...(runsOn('memory') ? { memory: connectMemory } : {}),
  ...sharedStores,
}
