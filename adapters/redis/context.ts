import type { EpochMs } from '../../src/base/time.ts'
import type { RedisClient, ReplicaWait } from './scripts/script.ts'

/** The client and the settings, for every part of the store. */
export interface RedisContext {
  readonly redis: RedisClient
  readonly prefix: string
  readonly wait: ReplicaWait | undefined
  readonly now: () => EpochMs
}

/** Returns the time to live, in milliseconds. A duration is independent of clock skew between the server and us. */
export function ttl(expiresAt: EpochMs, now: EpochMs): number {
  return Math.max(1, Math.ceil(expiresAt - now))
}
