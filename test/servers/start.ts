import { SERVER_URLS, type ServerName } from '../support/places.ts'
import { mongoServer } from './mongo.ts'
import { postgresServer } from './postgres.ts'
import { redisCluster, redisServer } from './redis.ts'
import type { Server, ServerKind } from './server.ts'

const kinds: Readonly<Record<ServerName, ServerKind>> = {
  redis: redisServer,
  'redis-cluster': redisCluster,
  mongo: mongoServer,
  postgres: postgresServer,
}

export interface Missing {
  readonly name: ServerName
  readonly hint: string
}

export interface Servers {
  /** Their URLs, by environment variable. */
  readonly env: Readonly<Record<string, string>>
  /** What is not installed here. */
  readonly missing: readonly Missing[]
  /** Stops what was started. */
  stop(): Promise<void>
}

/** Starts servers for tests. A server that the environment already names is used as it is. */
export async function startServers(names: readonly ServerName[]): Promise<Servers> {
  const started: Server[] = []
  const missing: Missing[] = []
  const stop = async () => void (await Promise.all(started.splice(0).map(server => server.stop())))
  // Also when the run is interrupted: a database must not outlive it.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop().then(() => process.exit(130)))
  const outcomes = await Promise.allSettled(
    names.map(async name => {
      if (process.env[SERVER_URLS[name]]) return
      const server = await kinds[name].start()
      if (server) started.push(server)
      else missing.push({ name, hint: `${kinds[name].hint}, or set ${SERVER_URLS[name]}` })
    }),
  )
  const failed = outcomes.find(({ status }) => status === 'rejected')
  if (failed) {
    await stop()
    throw (failed as PromiseRejectedResult).reason
  }
  return { env: Object.assign({}, ...started.map(({ env }) => env)), missing, stop }
}
