import type { Store } from 'authmount'
import { type RedisStoreOptions, redisStore } from 'authmount/stores/redis'
import { Redis } from 'ioredis'
import type { Test } from 'tap'

export interface ConnectedRedis {
  readonly redis: Redis
  readonly store: Store
  /** Another store over the same data, on a connection of its own. */
  another(options?: RedisStoreOptions): Store
  /** Every command that clients sent to the server, in order. */
  commands(): Promise<readonly Command[]>
  /** The same, and after each script the commands that it ran. */
  commandsWithinToo(): Promise<readonly Command[]>
}

/** What the server saw: the name, as it was sent, and the arguments. */
export interface Command {
  readonly args: readonly string[]
  readonly byScript: boolean
}

/** An empty database, and a store over it. */
export async function connectedRedis(t: Test, port: number, options: RedisStoreOptions = {}): Promise<ConnectedRedis> {
  const connect = () => {
    const redis = new Redis(port, { retryStrategy: () => 10 })
    t.teardown(() => redis.disconnect())
    return redis
  }
  const redis = connect()
  await redis.flushall()
  const monitor = await redis.monitor()
  t.teardown(() => monitor.disconnect())
  const seen: Command[] = []
  monitor.on('monitor', (_time: string, args: string[], source: string) => seen.push({ args, byScript: source === 'lua' }))
  let asked = 0
  const commandsWithinToo = async () => {
    const mark = `mark ${asked++}`
    await redis.echo(mark)
    while (!seen.some(({ args: [name, text] }) => name === 'echo' && text === mark))
      await new Promise(resolve => setImmediate(resolve))
    return seen.filter(({ args: [name = ''] }) => !['echo', 'info', 'config', 'script'].includes(name))
  }
  return {
    redis,
    store: redisStore(redis, { warn: () => {}, ...options }),
    another: other => redisStore(connect(), { warn: () => {}, ...options, ...other }),
    commandsWithinToo,
    commands: async () => (await commandsWithinToo()).filter(({ byScript }) => !byScript),
  }
}
