/**
 * `npm run profile -- refresh`: where the processor time of a flow goes. Prints microseconds for each time that the flow runs, by
 * part of the server and by function; the profile itself, for Chrome's DevTools, stays in the folder that is named at the end.
 */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { FLOWS, type FlowName, load } from './flows.ts'
import { askServer, type ServerKind, startServer, stopServer } from './servers.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    framework: { type: 'string', default: 'fastify' },
    store: { type: 'string', default: 'memory' },
    format: { type: 'string', default: 'opaque' },
    seconds: { type: 'string', default: '5' },
  },
})
const flow = positionals.join(' ')
if (!Object.hasOwn(FLOWS, flow)) throw new Error(`name a flow: ${Object.keys(FLOWS).join(', ')}`)

const path = join(mkdtempSync(join(tmpdir(), 'authmount-profile-')), 'flow.cpuprofile')
const { format, framework, store } = values
const server = await startServer({ side: 'ours', format, framework, store } as ServerKind)
const run = () => load(server, FLOWS[flow as FlowName], Number(values.seconds))
// The first time is for the compiler.
await run()
await askServer(server, { ask: 'profile' })
const { cpuMicros } = await run()
await askServer(server, { ask: 'profiled', path })
await stopServer(server)

interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const profile: Profile = JSON.parse(readFileSync(path, 'utf8'))
const nodes = new Map(profile.nodes.map(({ callFrame, id }) => [id, callFrame]))
const byPart = new Map<string, number>()
const byFunction = new Map<string, number>()
const isIdle = (id: number) => nodes.get(id)?.functionName === '(idle)'
// A sample counts the time that other processes took, too: scaled to what the process used.
const busy = profile.timeDeltas.reduce((sum, delta, index) => sum + (isIdle(profile.samples[index] ?? 0) ? 0 : delta), 0)
profile.samples.forEach((id, index) => {
  const frame = nodes.get(id)
  if (!frame || isIdle(id)) return
  const micros = ((profile.timeDeltas[index] ?? 0) / busy) * cpuMicros
  const file = fileOf(frame.url)
  const part = partOf(file, frame.functionName)
  byPart.set(part, (byPart.get(part) ?? 0) + micros)
  const name = `${frame.functionName || '(anonymous)'} ${file}${file && `:${frame.lineNumber + 1}`}`
  byFunction.set(name, (byFunction.get(name) ?? 0) + micros)
})

print(`${flow}, ${framework}, ${store}, ${format}: ${cpuMicros.toFixed(0)} µs, by part`, byPart, 20)
print('by function', byFunction, 40)
console.log(`\n${path}`)

function fileOf(url: string): string {
  const path = url.startsWith('file:') ? relative(process.cwd(), new URL(url).pathname) : url
  return path.replace(/^.*node_modules\//, 'node_modules/')
}

/** A room of authmount, a package, a module of Node, or the engine that runs JavaScript. */
function partOf(file: string, functionName: string): string {
  const own = /^dist\/((?:src|adapters)\/[^/]+)/.exec(file)?.[1]
  if (own) return own.replace(/\.js$/, '')
  const packaged = /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1]
  if (packaged) return packaged
  if (file.startsWith('node:')) return file.replace(/^(node:(?:internal\/)?[^/]+).*/, '$1')
  return file || functionName.replace(/^(?!\().*/, '(native functions)')
}

function print(title: string, micros: ReadonlyMap<string, number>, most: number): void {
  console.log(`\n${title}`)
  for (const [name, cost] of [...micros].sort(([, a], [, b]) => b - a).slice(0, most))
    console.log(`${cost.toFixed(2).padStart(9)}  ${name}`)
}
