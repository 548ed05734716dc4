import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quantile, type Row } from './flows.ts'

/** A flow at two revisions. */
export interface Compared {
  readonly name: string
  readonly beforeMicros: number
  readonly nowMicros: number
  /** The median cost before, divided by the median cost now: above 1 is faster now. */
  readonly ratio: number
}

/**
 * Runs the flows at another revision and at this one, in turns. The other is built in a work tree in a temporary folder, with the
 * packages and the bench of this one, and without what is not committed there.
 */
export function compareWith(
  revision: string,
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Compared[] {
  const here = process.cwd()
  const folder = mkdtempSync(join(tmpdir(), 'authmount-bench-'))
  const there = join(folder, 'tree')
  run('git', ['worktree', 'add', '--detach', there, revision], here)
  try {
    symlinkSync(join(here, 'node_modules'), join(there, 'node_modules'))
    cpSync(join(here, 'test/bench'), join(there, 'test/bench'), { recursive: true })
    for (const root of [here, there]) run('npm', ['run', 'build'], root)
    const before: (readonly Row[])[] = []
    const now: (readonly Row[])[] = []
    for (let round = 0; round < rounds; round++) {
      // Each goes first every other time.
      const sides = [() => before.push(rowsOf(there, seconds)), () => now.push(rowsOf(here, seconds))]
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) side()
    }
    return (now[0] ?? []).map(({ name }) => {
      const costs = (runs: readonly (readonly Row[])[]) =>
        quantile(
          runs.map(rows => rows.find(row => row.name === name)?.cpuMicros ?? Number.NaN),
          0.5,
        )
      const beforeMicros = costs(before)
      const nowMicros = costs(now)
      return { name, beforeMicros, nowMicros, ratio: beforeMicros / nowMicros }
    })
  } finally {
    run('git', ['worktree', 'remove', '--force', there], here)
    rmSync(folder, { recursive: true })
  }
}

function rowsOf(root: string, seconds: number): readonly Row[] {
  const env = { ...process.env, ROUNDS: '1', SECONDS: String(seconds), TSX_TSCONFIG_PATH: 'tsconfig.build.json' }
  const args = ['--import', 'tsx', 'test/bench/run.ts', '--json']
  return JSON.parse(execFileSync(process.execPath, args, { cwd: root, env, encoding: 'utf8' }))
}

function run(command: string, args: readonly string[], cwd: string): void {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
}
