import type { Test } from 'tap'
import { slowness } from '../support/fastest.ts'
import { type Packed, runClean } from './packed.ts'

const ROUNDS = 9
const MOST_MS = 200
const MOST_MB = 15

interface Cost {
  /** Processor time or elapsed time, whichever is less. */
  readonly ms: number
  /** Memory that is in use after a garbage collection. */
  readonly mb: number
}

/** Prints what a process has used since it was started. */
const PROBE = `
const { user, system } = process.cpuUsage()
const ms = Math.min(performance.now(), (user + system) / 1000)
gc()
const { arrayBuffers, external, heapUsed } = process.memoryUsage()
console.log(JSON.stringify({ ms, mb: (heapUsed + external + arrayBuffers) / 1e6 }))`

/** Starting a process with the package costs little more than starting one without. */
export function testImportCost(t: Test, { folder }: Packed): void {
  t.test(`import 'authmount' costs at most ${MOST_MS} ms and ${MOST_MB} MB`, async t => {
    const costOf = async (code: string): Promise<Cost> => {
      const args = ['--expose-gc', '--input-type=module', '--eval', code + PROBE]
      return JSON.parse((await runClean(process.execPath, args, folder)).stdout)
    }
    // In turns, each with the speed of the machine at that moment. The first round fills the caches of the disk.
    const rounds: Cost[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const [empty, factor, loaded] = [await costOf(''), await slowness(), await costOf("import 'authmount'")]
      rounds.push({ ms: (loaded.ms - empty.ms) / factor, mb: loaded.mb - empty.mb })
    }
    const [ms, mb] = [Math.min(...rounds.map(round => round.ms)), Math.min(...rounds.map(round => round.mb))]
    t.ok(ms <= MOST_MS, `${ms.toFixed(0)} ms`)
    t.ok(mb <= MOST_MB, `${mb.toFixed(1)} MB`)
  })
}
