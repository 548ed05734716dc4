/**
 * Runs a command with the database servers of the tests: `tsx test/servers/run.ts tap`.
 *
 * A server named in the environment is used as it is; others are started, and stopped afterwards. What is not
 * installed is left out, loudly; under `CI` that is an error, because a suite that was skipped proves nothing.
 * `SERVERS=redis,postgres` starts only those.
 */
import { spawn } from 'node:child_process'
import { mongoServer } from './mongo.ts'
import { postgresServer } from './postgres.ts'
import { redisCluster, redisServer } from './redis.ts'
import type { Server, ServerKind } from './server.ts'

const kinds: readonly ServerKind[] = [redisServer, redisCluster, postgresServer, mongoServer]

const wanted = process.env.SERVERS?.split(',')
const [command = 'tap', ...args] = process.argv.slice(2)
const started: Server[] = []
const missing: ServerKind[] = []

async function start(kind: ServerKind): Promise<void> {
  if (process.env[kind.variable]) return
  const server = await kind.start()
  if (!server) missing.push(kind)
  else {
    started.push(server)
    Object.assign(process.env, server.env)
  }
}

async function stop(): Promise<void> {
  await Promise.all(started.splice(0).map(server => server.stop()))
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await stop()
    process.exit(130)
  })
}

try {
  await Promise.all(kinds.filter(({ name }) => wanted?.includes(name) ?? true).map(start))
  for (const { name, variable, hint } of missing) {
    process.stderr.write(`\n*** NOT TESTED: ${name}. To test it, ${hint}, or set ${variable}. ***\n`)
  }
  if (missing.length > 0 && process.env.CI) throw new Error('in CI every store must be tested')
  const child = spawn(command, args, { stdio: 'inherit' })
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', code => resolve(code ?? 1))
  })
} finally {
  await stop()
}
