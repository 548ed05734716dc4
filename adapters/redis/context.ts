import type { EpochMs } from '../../src/base/time.ts'
import type { RedisClient, ReplicaWait } from './scripts.ts'

/** What every part of the store works with. */
export interface RedisContext {
  readonly redis: RedisClient
  readonly prefix: string
  readonly wait: ReplicaWait | undefined
  readonly now: () => EpochMs
}

/** Milliseconds to live, which no difference between the server's clock and ours can change. */
export function ttl(expiresAt: EpochMs, now: EpochMs): number {
  return Math.max(1, Math.ceil(expiresAt - now))
}
