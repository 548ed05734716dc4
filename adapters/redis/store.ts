import type { EpochMs } from '../../src/base/time.ts'
import type { Store } from '../../src/store/store.ts'
import { redisApps } from './apps.ts'
import { redisConsents } from './consents.ts'
import type { RedisContext } from './context.ts'
import { redisCredentials, redisKeys } from './credentials.ts'
import { redisGrants } from './grants.ts'
import { redisOneTime } from './one-time.ts'
import type { RedisClient, ReplicaWait } from './scripts/script.ts'
import { warnOfSettings } from './settings.ts'

/** Options of the Redis store. */
export interface RedisStoreOptions {
  /** The beginning of every key. Default `authmount`. */
  readonly prefix?: string
  /** How many replicas must confirm a decision, so that a failover cannot undo it. Default: none. */
  readonly waitForReplicas?: ReplicaWait
  /** Called once for each setting of the server that loses data: keys are evicted, nothing is kept on disk. Default `console.warn`. */
  readonly warn?: (message: string) => void
  /** The clock. Default `Date.now`. */
  readonly now?: () => EpochMs
}

/**
 * The part of an ioredis client by which the store takes it: `Redis` and `Cluster` of ioredis 5 and of ioredis 6 have it. A
 * client of the package redis does not.
 */
export interface IoredisClient {
  /** Whether the client is connected. */
  readonly status: string
  /** Runs a script by its digest. */
  evalsha(sha1: string, numberOfKeys: number, ...args: string[]): Promise<unknown>
  /** Collects commands that are sent together. */
  pipeline(): object
}

/**
 * Makes a store in Redis 6.2 or later, standalone or Cluster, through the host's own ioredis client, which it never closes.
 *
 * Every atomic method is one Lua script on one slot. Redis itself removes expired records. Methods reject with the errors of
 * ioredis, and for a record that this version cannot read, which they do not change.
 */
export function redisStore(redis: IoredisClient, options: RedisStoreOptions = {}): Store {
  if (typeof redis?.evalsha !== 'function')
    throw new TypeError(
      'redisStore needs a client of ioredis: redisStore(new Redis(url)). The package redis (node-redis) is another one',
    )
  const { prefix = 'authmount', waitForReplicas: wait, warn = console.warn, now: clock = Date.now } = options
  // The host's clock may return fractions of a millisecond, and records have whole ones.
  const now = () => Math.floor(clock())
  // Typed by one version from here on; the methods in use are the same in both.
  const client = redis as RedisClient
  const context: RedisContext = { redis: client, prefix, wait, now }
  warnOfSettings(client, warn)
  return {
    apps: redisApps(context),
    oneTime: redisOneTime(context),
    grants: redisGrants(context),
    consents: redisConsents(context),
    credentials: redisCredentials(context),
    keys: redisKeys(context),
  }
}
