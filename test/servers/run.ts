/**
 * Runs a command with servers: `SERVERS=redis tsx test/servers/run.ts node bench.ts`. `SERVERS` names them, separated by
 * commas; the command finds them by `REDIS_URL`, `REDIS_CLUSTER_URL`, `MONGO_URL` and `POSTGRES_URL`.
 */
import { spawn } from 'node:child_process'
import type { ServerName } from '../support/places.ts'
import { exitOf } from './server.ts'
import { startServers } from './start.ts'

const [command = 'node', ...args] = process.argv.slice(2)
const servers = await startServers((process.env.SERVERS ?? '').split(',').filter(Boolean) as ServerName[])
try {
  for (const { hint, name } of servers.missing) throw new Error(`${name} is not installed: ${hint}`)
  process.exitCode = await exitOf(spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...servers.env } }))
} finally {
  await servers.stop()
}
