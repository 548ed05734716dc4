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
