import { createHash } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'

/** The host's client. Both kinds take the same commands. */
export type RedisClient = Redis | Cluster

/**
 * The replicas that must confirm a decision before its call succeeds. A decision is a write that a failover must not undo: a
 * code consumed or claimed, a token rotated, added or revoked, an app, a consent, a credential or the key ring saved, a
 * credential deleted.
 */
export interface ReplicaWait {
  /** The number of replicas. */
  readonly count: number
  /** How long to wait for them, in milliseconds. */
  readonly timeoutMs: number
}

/** A Lua script, run by its digest (EVALSHA). It is sent whole if the server does not have it, which can happen at any time. */
export class Script<Answer> {
  readonly text: string
  readonly #sha1: string

  constructor(text: string) {
    this.text = text
    this.#sha1 = createHash('sha1').update(text).digest('hex')
  }

  run(redis: RedisClient, keys: readonly string[], args: readonly (string | number)[]): Promise<Answer> {
    const answer = redis.evalsha(this.#sha1, keys.length, ...keys, ...args).catch((error: unknown) => {
      if (!isUnknownScript(error)) throw error
      return redis.eval(this.text, keys.length, ...keys, ...args)
    })
    return answer as Promise<Answer>
  }

  /**
   * Works like `run`, but rejects unless enough replicas confirm the write; it may then have happened all the same. WAIT counts
   * the writes of its own connection, hence the pipeline, which a cluster client sends to the node of the key.
   */
  decide(
    redis: RedisClient,
    keys: readonly string[],
    args: readonly (string | number)[],
    wait: ReplicaWait | undefined,
  ): Promise<Answer> {
    return wait ? this.#confirmed(redis, keys, args, wait) : this.run(redis, keys, args)
  }

  async #confirmed(
    redis: RedisClient,
    keys: readonly string[],
    args: readonly (string | number)[],
    wait: ReplicaWait,
  ): Promise<Answer> {
    const send = (name: 'eval' | 'evalsha', script: string) =>
      redis
        .pipeline()
        [name](script, keys.length, ...keys, ...args)
        .wait(wait.count, wait.timeoutMs)
        .exec()
    let answers = await send('evalsha', this.#sha1)
    if (isUnknownScript(answers?.[0]?.[0])) answers = await send('eval', this.text)
    if (isMoved(answers?.[0]?.[0])) {
      // A pipeline does not follow a slot that moves. A single command does, and every script is idempotent.
      await this.run(redis, keys, args)
      answers = await send('evalsha', this.#sha1)
    }
    const [[error, answer], [waitError, replicas]] = [answers?.[0] ?? [], answers?.[1] ?? []]
    if (error ?? waitError) throw error ?? waitError
    if (typeof replicas !== 'number' || replicas < wait.count) {
      throw new Error(`only ${replicas} of ${wait.count} replicas confirmed a write within ${wait.timeoutMs} ms`)
    }
    return answer as Answer
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}

function isMoved(error: unknown): boolean {
  return error instanceof Error && /^(MOVED|ASK|TRYAGAIN) /.test(error.message)
}

/** Lua: the error that a script returns for a record of an unknown format, before it changes anything. */
export const REFUSE = `redis.error_reply('AUTHMOUNT this record was written by another version, or is damaged: it is left as it is')`

/** Tells whether a script has refused a record with {@link REFUSE}. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('AUTHMOUNT ')
}

/** Lua: sets the time to live of a key, unless it has a longer one. */
export const EXPIRE = `
local function expire(key, ttl)
  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end
end`

/**
 * Lua: an index in two sorted sets of the same slot: `order` has every member, `expires` those that expire, by when.
 * `sweep` removes up to `most` expired members and returns how many it was; `retain` gives the index a time to live if all
 * of its members expire, and takes it away otherwise.
 */
export const EXPIRING_INDEX = `
local function sweep(order, expires, now, most)
  local expired = redis.call('ZRANGEBYSCORE', expires, '-inf', now, 'LIMIT', 0, most)
  for _, member in ipairs(expired) do
    redis.call('ZREM', order, member)
    redis.call('ZREM', expires, member)
  end
  return #expired
end
local function retain(order, expires, now)
  local last
  if redis.call('ZCARD', order) == redis.call('ZCARD', expires) then
    last = redis.call('ZREVRANGE', expires, 0, 0, 'WITHSCORES')[2]
  end
  for _, key in ipairs({ order, expires }) do
    if last then redis.call('PEXPIRE', key, math.max(1, math.ceil(last - now))) else redis.call('PERSIST', key) end
  end
end`
