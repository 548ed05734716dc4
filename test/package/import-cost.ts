import type { Test } from 'tap'
import { slowness } from '../support/fastest.ts'
import { type Packed, run } from './packed.ts'

const ROUNDS = 7
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
      return JSON.parse((await run(process.execPath, args, { cwd: folder })).stdout)
    }
    // In turns, so that a busy moment of the machine meets both. The first round fills the caches of the disk.
    const empty: Cost[] = []
    const loaded: Cost[] = []
    for (let round = 0; round < ROUNDS; round++) {
      empty.push(await costOf(''))
      loaded.push(await costOf("import 'authmount'"))
    }
    const least = (costs: readonly Cost[], of: keyof Cost) => Math.min(...costs.map(cost => cost[of]))
    const [ms, mb] = [least(loaded, 'ms') - least(empty, 'ms'), least(loaded, 'mb') - least(empty, 'mb')]
    const factor = await slowness()
    t.comment(`${ms.toFixed(0)} ms and ${mb.toFixed(1)} MB; this machine is ${factor.toFixed(1)} times slower`)
    t.ok(ms <= MOST_MS * factor, `${ms.toFixed(0)} ms`)
    t.ok(mb <= MOST_MB, `${mb.toFixed(1)} MB`)
  })
}
