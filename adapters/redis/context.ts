import type { EpochMs } from '../../src/base/time.ts'
import type { RedisClient, ReplicaWait } from './scripts/script.ts'

/** What every part of the store works with. */
export interface RedisContext {
  readonly redis: RedisClient
  readonly prefix: string
  readonly wait: ReplicaWait | undefined
  readonly now: () => EpochMs
}

/** Milliseconds to live. A duration, so that a difference between the server's clock and ours does not matter. */
export function ttl(expiresAt: EpochMs, now: EpochMs): number {
  return Math.max(1, Math.ceil(expiresAt - now))
}
