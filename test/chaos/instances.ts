import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Fields, TestApp } from '../support/client.ts'
import { defined } from '../support/client.ts'

/** A host of several processes over one database. */
export interface Instances {
  readonly urls: readonly string[]
  /** Moves the clock of every process. */
  advance(seconds: number): Promise<void>
  stop(): Promise<void>
}

export async function startInstances(store: string, namespace: string, options: object = {}): Promise<Instances> {
  const script = fileURLToPath(new URL('instance.ts', import.meta.url))
  const children = ['express', 'fastify', 'express', 'fastify'].map(framework =>
    spawn(process.execPath, ['--import=tsx', script, framework, store, namespace, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    }),
  )
  const urls = await Promise.all(
    children.map(async ({ stdout }) => String((await once(stdout ?? process.stdin, 'data'))[0]).trim()),
  )
  const stop = async () => {
    await Promise.all(
      children.map(child => {
        child.kill()
        return once(child, 'exit')
      }),
    )
  }
  const advance = async (seconds: number) => {
    await Promise.all(
      children.map(child => {
        child.send({ advance: seconds })
        return once(child, 'message')
      }),
    )
  }
  return { urls, advance, stop }
}

/** A token request to one of the processes. */
export async function requestToken(
  url: string,
  app: TestApp,
  fields: Fields,
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const body = defined({ client_id: app.clientId, client_secret: app.clientSecret ?? undefined, ...fields })
  const response = await fetch(`${url}/oauth/token`, { method: 'POST', body })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

/** Runs a task for each item, a few at a time. */
export async function eachOf<Item>(items: readonly Item[], atOnce: number, run: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items]
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await run(item)
    }),
  )
}
