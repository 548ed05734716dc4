import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Pool } from 'undici'

export type Format = 'opaque' | 'ES256' | 'RS256'
export type Framework = 'fastify' | 'express'
export type StoreName = 'memory' | 'redis' | 'postgres'

/** What a server process is. */
export interface ServerKind {
  readonly side: 'ours' | 'bare'
  readonly framework: Framework
  readonly store: StoreName
  readonly format: Format
  /** How many live grants it begins with. Default: none. */
  readonly liveGrants?: number
  /** How much faster its clock goes. Default: 1. */
  readonly clockSpeed?: number
}

/**
 * What a server is asked: its processor time so far, or that of one of `count` token requests without HTTP, in microseconds; the
 * bytes of its heap; to begin a profile, and to write it to `path`; to end.
 */
export interface Question {
  readonly ask: 'cpu' | 'dispatch' | 'heap' | 'profile' | 'profiled' | 'exit'
  readonly count?: number
  readonly path?: string
}

/** A server process, as one caller sees it. */
export interface BenchServer {
  readonly child: ChildProcess
  readonly pool: Pool
  readonly clientId: string
  readonly clientSecret: string
  readonly redirectUri: string
  /** Who is signed in: each caller is another, since the answers of one user wait for one another. */
  readonly user: string
}

/** How many callers a server has at once. */
export const CALLERS = 8

/** Starts a server, of this checkout or of another one. */
export async function startServer(
  kind: ServerKind,
  { root = process.cwd() }: { readonly root?: string } = {},
): Promise<BenchServer> {
  const script = join(root, 'test/bench/flow-server.ts')
  const child = fork(script, [JSON.stringify(kind)], { cwd: root, execArgv: ['--expose-gc', '--import', 'tsx'] })
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`the server ended with ${code}`)
  })
  const [{ clientId, clientSecret, redirectUri, url }] = await Promise.race([once(child, 'message'), failed])
  failed.catch(() => {})
  return { child, clientId, clientSecret, redirectUri, user: '', pool: new Pool(url, { connections: CALLERS }) }
}

export async function stopServer({ child, pool }: BenchServer): Promise<void> {
  await pool.destroy()
  const ended = once(child, 'exit')
  child.send({ ask: 'exit' } satisfies Question)
  await ended
}

export async function askServer({ child }: BenchServer, question: Question): Promise<number> {
  child.send(question)
  const [answer] = await once(child, 'message')
  return answer
}
