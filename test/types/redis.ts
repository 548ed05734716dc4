/** Compiled, not run: the Redis store takes the clients of each ioredis that is in use. */
import { redisStore } from 'authmount/stores/redis'
import type { Cluster as Cluster6, Redis as Redis6 } from 'ioredis'
import type { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'

export const ofIoredis6 = (redis: Redis6 | Cluster6) => redisStore(redis)
export const ofIoredis5 = (redis: Redis5 | Cluster5) => redisStore(redis)
