import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** A database server for the tests: already there, started here, or not to be had. */
export interface Server {
  /** What the tests find it by. */
  readonly env: Readonly<Record<string, string>>
  stop(): Promise<void>
}

export interface ServerKind {
  /** How to get one, for a laptop that has none. */
  readonly hint: string
  /** Undefined where it is not installed. */
  start(): Promise<Server | undefined>
}

export const run = promisify(execFile)

/** Whether a program can be started here. */
export async function installed(program: string, ...args: readonly string[]): Promise<boolean> {
  return run(program, args).then(
    () => true,
    () => false,
  )
}

/** A port nobody listens on. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const port = randomInt(FIRST_PORT, LAST_PORT)
    if (await isFree(port)) return port
  }
  throw new Error('no port')
}

/**
 * Below the ports from which systems choose for outgoing connections, also with the 10,000 that a node of a Redis Cluster adds for
 * its bus: between the check and the start of the server another program could be given such a port.
 */
const [FIRST_PORT, LAST_PORT] = [12_000, 22_000]

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

export async function temporaryFolder(name: string): Promise<{ readonly path: string; readonly remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `authmount-${name}-`))
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) }
}

/** The exit code of a child; 1 when a signal ended it. */
export function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', code => resolve(code ?? 1))
  })
}

/** A process of ours; what it said is part of the error when it ends too early. */
export class Daemon {
  readonly process: ChildProcess
  #said = ''
  readonly #ended: Promise<unknown>

  constructor(program: string, args: readonly string[], options: { readonly cwd?: string } = {}) {
    this.process = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    for (const stream of [this.process.stdout, this.process.stderr])
      stream?.on('data', chunk => {
        this.#said = (this.#said + chunk).slice(-4000)
      })
    this.#ended = new Promise(resolve => this.process.once('exit', resolve))
    this.process.once('error', error => {
      this.#said += error
    })
  }

  /** Waits until something answers on the port. */
  async listening(port: number, timeoutMs = 30_000): Promise<this> {
    const deadline = Date.now() + timeoutMs
    while (!(await answers(port))) {
      if (this.process.exitCode !== null) throw new Error(`${this.process.spawnfile} ended: ${this.#said}`)
      if (Date.now() > deadline) throw new Error(`${this.process.spawnfile} does not listen on ${port}: ${this.#said}`)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    return this
  }

  async kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill(signal)
    await this.#ended
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    const end = (answer: boolean) => () => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', end(true)).once('error', end(false))
  })
}
