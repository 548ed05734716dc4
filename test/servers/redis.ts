import { Redis } from 'ioredis'
import { Daemon, freePort, installed, run, type Server, type ServerKind, temporaryFolder } from './server.ts'

const HINT = 'install Redis 6.2 or later (apt-get install redis-server, brew install redis)'

export const redisServer: ServerKind = {
  hint: HINT,
  async start() {
    if (!(await installed('redis-server', '--version'))) return undefined
    const server = await RedisProcess.start()
    return { env: { REDIS_URL: server.url }, stop: () => server.remove() }
  },
}

/** Three primaries, each with a replica. */
export const redisCluster: ServerKind = {
  hint: HINT,
  async start() {
    if (!(await installed('redis-server', '--version'))) return undefined
    const nodes = await startCluster()
    return {
      env: { REDIS_CLUSTER_URL: nodes.map(({ url }) => url).join(',') },
      stop: async () => void (await Promise.all(nodes.map(node => node.remove()))),
    } satisfies Server
  },
}

/** One redis-server with a folder of its own, which outlives a kill. */
export class RedisProcess {
  readonly port: number
  readonly #folder: Awaited<ReturnType<typeof temporaryFolder>>
  readonly #args: readonly string[]
  #daemon: Daemon | undefined

  private constructor(port: number, folder: Awaited<ReturnType<typeof temporaryFolder>>, args: readonly string[]) {
    this.port = port
    this.#folder = folder
    this.#args = args
  }

  /** With settings as on the command line of redis-server. Nothing is written to disk unless they say so. */
  static async start(...args: readonly string[]): Promise<RedisProcess> {
    const server = new RedisProcess(await freePort(), await temporaryFolder('redis'), args)
    await server.up()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async up(): Promise<void> {
    const own = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.#folder.path, '--save', '', '--daemonize', 'no']
    this.#daemon = await new Daemon('redis-server', [...own, ...this.#args]).listening(this.port)
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#daemon?.kill(signal)
  }

  async remove(): Promise<void> {
    await this.kill()
    await this.#folder.remove()
  }
}

/** Six nodes that agree on who holds what. */
export async function startCluster(): Promise<readonly RedisProcess[]> {
  const settings = [
    '--cluster-enabled',
    'yes',
    '--cluster-node-timeout',
    '2000',
    '--cluster-replica-validity-factor',
    '0',
    '--repl-diskless-sync-delay',
    '0',
  ]
  const nodes = await Promise.all(Array.from({ length: 6 }, () => RedisProcess.start(...settings)))
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes'])
  for (const { port } of nodes) {
    const node = new Redis(port)
    while (!(await node.cluster('INFO')).includes('cluster_state:ok')) await new Promise(resolve => setTimeout(resolve, 50))
    node.disconnect()
  }
  return nodes
}
