/**
 * Runs the tests: `npm test` over memory, `npm run test:all` on everything, `SERVERS=redis,mongo npm run test:all` only on
 * those, `SERVERS=-memory` on all others. Arguments are test files, and options for tap. test/README.md says which suite runs where.
 */
import { type SpawnOptions, spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { compile } from './compile.ts'
import { exitOf } from './servers/server.ts'
import { startServers } from './servers/start.ts'
import { findChromium } from './support/browser.ts'
import { isServer, PLACES, type Place, placesOf, TEST_ON } from './support/places.ts'

const ROOT = resolve(import.meta.dirname, '..')

/** What the summary calls each place. */
const WORDS: Readonly<Record<Place, string>> = {
  memory: 'the memory store',
  redis: 'Redis',
  'redis-cluster': 'Redis Cluster',
  mongo: 'MongoDB',
  postgres: 'PostgreSQL',
  browser: 'browser tests',
  package: 'the packed package',
  site: 'the build of the documentation site',
}

const [command, ...args] = process.argv.slice(2)
const options = args.filter(arg => arg.startsWith('-'))
const files = args.filter(arg => !arg.startsWith('-')).map(path => relative(ROOT, resolve(path)))
const chosen = command === 'all' ? chosenPlaces() : (['memory'] as const)

const suites = await Promise.all((files.length > 0 ? files : await allSuites()).map(read))
const places = PLACES.filter(place => suites.some(suite => suite.places.includes(place)))
const wanted = places.filter(place => chosen.includes(place))
const servers = await startServers(wanted.filter(isServer))
const missing = new Map<Place, string>(servers.missing.map(({ hint, name }) => [name, hint]))
if (wanted.includes('browser') && findChromium() === undefined) missing.set('browser', 'install chromium')
const running = wanted.filter(place => !missing.has(place))

try {
  if (missing.size > 0 && process.env.CI) throw new Error(`not installed, and CI is set: ${words([...missing.keys()])}`)
  const paths = suites.filter(suite => suite.places.some(place => running.includes(place))).map(({ path }) => path)
  const code = paths.length > 0 ? await tap(paths) : 1
  process.exitCode = code
  summarize(paths.length, code === 0)
} finally {
  await servers.stop()
}

/** The places that SERVERS names, or all but those that it names with a minus; without it, all. */
function chosenPlaces(): readonly Place[] {
  const names = (process.env.SERVERS ?? '').split(',').filter(Boolean)
  const unknown = names.find(name => !PLACES.includes(name.replace(/^-/, '') as Place))
  if (unknown !== undefined) throw new Error(`SERVERS names ${unknown}; it may name ${PLACES.join(', ')}`)
  const named = PLACES.filter(place => names.includes(place))
  return (named.length > 0 ? named : PLACES).filter(place => !names.includes(`-${place}`))
}

async function allSuites(): Promise<readonly string[]> {
  const names = await readdir(import.meta.dirname, { recursive: true })
  return names
    .filter(name => name.endsWith('.test.ts'))
    .toSorted()
    .map(name => join('test', name))
}

async function read(path: string): Promise<{ readonly path: string; readonly places: readonly Place[] }> {
  return { path, places: placesOf(await readFile(join(ROOT, path), 'utf8')) }
}

async function tap(paths: readonly string[]): Promise<number> {
  const [compiled] = await Promise.all([compile(paths), configureTap()])
  // A log shows what failed, a terminal also how far it is. In CI a test that is skipped fails: it proves nothing.
  // Some tests over memory wait for seconds of a real clock, and leave the processors to others.
  const jobs = command === 'all' ? [] : ['--jobs=4']
  const reporter = process.stdout.isTTY ? '--reporter=terse' : '--reporter=min'
  const defaults = [reporter, ...jobs, ...(process.env.CI ? ['--fail-skip'] : [])]
  const env = { ...process.env, ...servers.env, [TEST_ON]: running.join(','), TEST_COMPILED: compiled }
  return child('tap', [...defaults, ...options, ...paths], { stdio: 'inherit', env })
}

/**
 * Applies the plugins that package.json names: once after each `npm ci`. `tap` would do so itself, but would run the tests
 * of that first time with its own TypeScript compiler, which makes them several times slower.
 */
async function configureTap(): Promise<void> {
  const isAsShipped = [
    '--input-type=module',
    '--eval',
    "import t from 'tap'; process.exit(t.pluginSignature.includes('typescript') ? 1 : 0)",
  ]
  if ((await child(process.execPath, isAsShipped, { stdio: 'ignore' })) !== 0) await child('tap', ['build'], { stdio: 'ignore' })
}

/** Resolves to its exit code. A signal that ends the run ends it too. */
function child(command: string, args: readonly string[], options: SpawnOptions): Promise<number> {
  const started = spawn(command, args, { cwd: ROOT, ...options })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => started.kill(signal))
  return exitOf(started)
}

/** Says what ran and what did not, and how to run the rest. */
function summarize(count: number, passed: boolean): void {
  const took = `${count} test ${count === 1 ? 'file' : 'files'}, ${Math.ceil(performance.now() / 1000)} s`
  const lines = count > 0 ? [`${passed ? 'Passed' : 'Failed'}: ${words(running)} (${took}).`] : ['Nothing was run.']
  for (const [place, hint] of missing) lines.push(`Not run: ${words([place])}, which is not installed here. To run it, ${hint}.`)
  const others = places.filter(place => !wanted.includes(place))
  const rest = ['npm run test:all', ...(files.length > 0 ? ['--', ...files] : [])].join(' ')
  if (others.length > 0) lines.push(`Not run: ${words(others)}. Run them with: ${rest}`)
  process.stdout.write(`\n${lines.join('\n')}\n`)
}

function words(names: readonly Place[]): string {
  return names.map(name => WORDS[name]).join(', ')
}
