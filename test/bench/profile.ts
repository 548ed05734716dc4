/**
 * `npm run profile -- refresh`: where the processor time of a flow goes. Prints microseconds for each time that the flow runs, by
 * part of the server and by function; the profile itself, for Chrome's DevTools, stays in the folder that is named at the end.
 */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { FLOWS, type FlowName, load } from './flows.ts'
import { type ServerKind, startServer, stopServer } from './servers.ts'

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

const folder = mkdtempSync(join(tmpdir(), 'authmount-profile-'))
const { format, framework, store } = values
const kind = { side: 'ours', format, framework, store } as ServerKind
const execArgv = ['--cpu-prof', '--cpu-prof-interval', '200', '--cpu-prof-dir', folder]
const server = await startServer(kind, { execArgv })
const { latencies } = await load(server, FLOWS[flow as FlowName], Number(values.seconds))
await stopServer(server)

interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const [name = ''] = readdirSync(folder)
const profile: Profile = JSON.parse(readFileSync(join(folder, name), 'utf8'))
const nodes = new Map(profile.nodes.map(({ callFrame, id }) => [id, callFrame]))
const byPart = new Map<string, number>()
const byFunction = new Map<string, number>()
profile.samples.forEach((id, index) => {
  const frame = nodes.get(id)
  if (!frame || frame.functionName === '(idle)') return
  const micros = (profile.timeDeltas[index] ?? 0) / latencies.length
  const file = fileOf(frame.url)
  const part = partOf(file, frame.functionName)
  byPart.set(part, (byPart.get(part) ?? 0) + micros)
  const name = `${frame.functionName || '(anonymous)'} ${file}${file && `:${frame.lineNumber + 1}`}`
  byFunction.set(name, (byFunction.get(name) ?? 0) + micros)
})

print(`${flow}, ${framework}, ${store}, ${format}: µs by part`, byPart, 20)
print('by function', byFunction, 40)
console.log(`\n${join(folder, name)}`)

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
