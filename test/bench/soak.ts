import { FLOWS, load } from './flows.ts'
import { askServer, startServer, stopServer } from './servers.ts'

/** Runs a second, of all flows together: below what a slow machine can do, so that equally many grants live at any time. */
const PER_SECOND = 400
/** A token of an hour then lives for a minute: after two and a half, as many have been swept as were issued. */
const CLOCK_SPEED = 60
const WARM_UP_SECONDS = 150
const FLOWS_OF_A_SOAK = ['client credentials', 'refresh', 'code flow', 'bearer'] as const

/**
 * Loads one server steadily, and compares the live heap at the beginning and at the end. It must stay within 5 %.
 */
export async function soak(seconds: number): Promise<string> {
  const kind = { side: 'ours', framework: 'fastify', store: 'memory', format: 'opaque', clockSpeed: CLOCK_SPEED } as const
  const server = await startServer(kind)
  const run = (seconds: number) =>
    Promise.all(FLOWS_OF_A_SOAK.map(flow => load(server, FLOWS[flow], seconds, PER_SECOND / FLOWS_OF_A_SOAK.length)))
  await run(WARM_UP_SECONDS)
  const before = await askServer(server, { ask: 'heap' })
  await run(seconds)
  const after = await askServer(server, { ask: 'heap' })
  await stopServer(server)
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1)
  return `heap after ${seconds} s of load: ${(after / before).toFixed(3)} of what it was (target 0.95 to 1.05), ${mib(before)} and ${mib(after)} MiB`
}
