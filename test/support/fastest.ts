/**
 * Starts a stopwatch: each call returns the milliseconds since the last, of elapsed or of processor time, whichever is
 * less. The first includes waiting for a core on a busy machine, the second the helper threads of Node.
 */
export function stopwatch(): () => number {
  let [elapsed, cpu] = [performance.now(), process.cpuUsage()]
  return () => {
    const { system, user } = process.cpuUsage(cpu)
    const least = Math.min(performance.now() - elapsed, (system + user) / 1000)
    elapsed = performance.now()
    cpu = process.cpuUsage()
    return least
  }
}

/** The fastest of seven runs, in milliseconds as a stopwatch counts them. */
export async function fastest(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let index = 0; index < 7; index++) {
    const lap = stopwatch()
    await run()
    times.push(lap())
  }
  return Math.min(...times)
}

/** Milliseconds that {@link yardstick} takes on the machine for which the limits of tests are written. */
const NOMINAL_MS = 20

/** How many times slower this machine is at the moment than the one for which limits are written: at least 1. */
export async function slowness(): Promise<number> {
  return Math.max(1, (await fastest(async () => yardstick())) / NOMINAL_MS)
}

/** A fixed piece of work of the kind that listing does. */
function yardstick(): number {
  let seed = 1
  const records = Array.from({ length: 50_000 }, () => {
    seed = (seed * 48_271) % 2_147_483_647
    return { id: String(seed), at: seed }
  })
  return JSON.stringify(records.toSorted((a, b) => a.at - b.at)).length
}
