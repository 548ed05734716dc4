import { randomUUID } from 'node:crypto'
import type { EpochMs, Store } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import { redisStore } from 'authmount/stores/redis'
import { Cluster, Redis } from 'ioredis'

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

export function connectRedis(url: string): Connect {
  return async (namespace, now = Date.now) => {
    const redis = new Redis(url, { lazyConnect: true })
    await redis.connect()
    return { store: redisStore(redis, { prefix: namespace, now, warn: () => {} }), close: async () => redis.disconnect() }
  }
}

export function connectCluster(urls: string): Connect {
  return async (namespace, now = Date.now) => {
    const nodes = urls.split(',').map(url => ({ host: '127.0.0.1', port: Number(new URL(url).port) }))
    const cluster = new Cluster(nodes, { lazyConnect: true })
    await cluster.connect()
    return { store: redisStore(cluster, { prefix: namespace, now, warn: () => {} }), close: async () => cluster.disconnect() }
  }
}

/** Stores that live in a server, where the environment names one. */
const servers: readonly (readonly [string, string | undefined, (url: string) => Connect])[] = [
  ['redis', process.env.REDIS_URL, connectRedis],
  ['redis cluster', process.env.REDIS_CLUSTER_URL, connectCluster],
]

/** The stores several processes can share. */
export const sharedStores: Readonly<Record<string, Connect>> = Object.fromEntries(
  servers.flatMap(([name, url, connect]) => (url ? [[name, connect(url)]] : [])),
)

/** Every store the suites run on. */
export const stores: Readonly<Record<string, Connect>> = {
  memory: connectMemory,
  ...sharedStores,
}
