import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FLOWS } from './flows.ts'
import { inTurns, median, type RowPlan, type Turns } from './rows.ts'
import { askServer, type ServerKind, startServer, stopServer } from './servers.ts'

/** A flow at two revisions. Processor time in microseconds. */
export interface Compared {
  readonly name: string
  readonly beforeMicros: number
  readonly nowMicros: number
  /** The median of the costs before, divided by those now, of each round: above 1 is faster now. */
  readonly ratio: number
}

/**
 * Compares flows at another revision and at this one: their two servers take turns. The other is built in a work tree in a temporary
 * folder, with the packages and the bench of this one, and without what is not committed there.
 */
export async function compareWith(
  revision: string,
  rows: readonly RowPlan[],
  { say, ...turns }: Turns & { readonly say: (compared: Compared) => void },
): Promise<readonly Compared[]> {
  const here = process.cwd()
  const folder = mkdtempSync(join(tmpdir(), 'authmount-bench-'))
  const there = join(folder, 'tree')
  run('git', ['worktree', 'add', '--detach', there, revision], here)
  try {
    symlinkSync(join(here, 'node_modules'), join(there, 'node_modules'))
    cpSync(join(here, 'test/bench'), join(there, 'test/bench'), { recursive: true })
    run('npm', ['run', 'build'], there)
    const roots = [there, here] as const
    const first = await compareWithoutHttp(roots, turns)
    say(first)
    const compared = [first]
    for (const row of rows) {
      const servers = await Promise.all(roots.map(root => startServer(row.kind, { root })))
      const rounds = await inTurns(
        servers.map(server => ({ server, flow: FLOWS[row.flow] })),
        turns,
      ).finally(() => Promise.all(servers.map(stopServer)))
      const one = compare(
        row.name,
        rounds.map(loads => loads.map(({ cpuMicros }) => cpuMicros)),
      )
      say(one)
      compared.push(one)
    }
    return compared
  } finally {
    run('git', ['worktree', 'remove', '--force', there], here)
    rmSync(folder, { recursive: true })
  }
}

/** The token endpoint alone, in short turns: what is small beside HTTP shows here. */
async function compareWithoutHttp(roots: readonly string[], { rounds }: Turns): Promise<Compared> {
  const kind: ServerKind = { side: 'ours', framework: 'fastify', store: 'memory', format: 'opaque' }
  const servers = await Promise.all(roots.map(root => startServer(kind, { root })))
  for (const server of servers) await askServer(server, { ask: 'dispatch', count: 20_000 })
  const costs: (readonly number[])[] = []
  for (let round = 0; round < 20 * rounds; round++) {
    const turn: number[] = []
    for (const server of servers) turn.push(await askServer(server, { ask: 'dispatch', count: 1000 }))
    costs.push(turn)
  }
  await Promise.all(servers.map(stopServer))
  return compare('client credentials without HTTP', costs)
}

function compare(name: string, rounds: readonly (readonly number[])[]): Compared {
  const before = rounds.map(([before = Number.NaN]) => before)
  const now = rounds.map(([, now = Number.NaN]) => now)
  const ratio = median(before.map((cost, round) => cost / (now[round] ?? Number.NaN)))
  return { name, beforeMicros: median(before), nowMicros: median(now), ratio }
}

export function formatCompared({ beforeMicros, name, nowMicros, ratio }: Compared): string {
  return `${name}: ${ratio.toFixed(2)} times as fast, ${beforeMicros.toFixed(1)} µs then and ${nowMicros.toFixed(1)} now`
}

function run(command: string, args: readonly string[], cwd: string): void {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
}
