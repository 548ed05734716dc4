import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'

const ROOT = resolve(import.meta.dirname, '../..')

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

const IMPORT = /^(?:import|export) (type )?(?:(?:\w+|\w+, |)(?:\{[^}]*\}|\*(?: as \w+)?)?(?: from )?)'([^']+)'/gm

const files = ['src', 'adapters'].flatMap(folder =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => join(folder, name)),
)

const imports: readonly Import[] = files.flatMap(from => {
  const text = readFileSync(join(ROOT, from), 'utf8')
  return [...text.matchAll(IMPORT)].map(([, type, target = '']) => ({
    from,
    to: target.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(from), target)) : target,
    typeOnly: type !== undefined,
  }))
})

function offenders(wrong: (one: Import) => boolean): readonly string[] {
  return imports.filter(wrong).map(({ from, to }) => `${from} imports ${to}`)
}

/**
 * The rooms of `src`, from the ground up. A file may import from its own room and from every room before it; types alone
 * may also come from a later room, as far as {@link BORROWED} says. The folders `verify` and `mcp` run in other processes, `testing`
 * in other projects' test suites, and `doctor` sees a server from outside: they use the rooms that are named for them and nothing else.
 */
const ROOMS = [
  'base',
  'errors',
  'store',
  'http',
  'tokens',
  'outbound',
  'options',
  'pages',
  'clients',
  'apps',
  'bearer',
  'oidc',
  'token',
  'authorize',
  'connected-apps',
  'device',
  'logout',
  'metadata',
  'connectors',
  'sign-in',
  'server',
  'openapi',
  'console',
]
const APART: Readonly<Record<string, readonly string[]>> = {
  verify: ['base', 'errors', 'store', 'http', 'tokens', 'outbound'],
  mcp: ['http', 'tokens'],
  testing: ['base', 'errors', 'store'],
  doctor: ['base', 'options'],
}

/** Types that a room takes from a later one: what the host's options and one request's context are made of. */
const BORROWED = ['options -> clients', 'options -> connectors', 'options -> pages']

/** The files that put the rooms together. */
const ROOF = ['src/authmount.ts', 'src/public.ts', 'src/index.ts']

const roomOf = (file: string): string | undefined => /^src\/([^/]+)\//.exec(file)?.[1]
const within = imports.filter(({ from, to }) => from.startsWith('src/') && to.startsWith('src/') && roomOf(from) !== roomOf(to))

t.test('every file stands in a room, or is one of the three that put them together', async t => {
  t.ok(files.length > 30)
  t.ok(imports.length > 100)
  const known = new Set([...ROOMS, ...Object.keys(APART)])
  t.strictSame(
    files.filter(file => file.startsWith('src/') && !ROOF.includes(file) && !known.has(roomOf(file) ?? '')),
    [],
  )
})

t.test('imports run towards the ground', async t => {
  const upward = within.filter(({ from, to }) => {
    const [own, other] = [roomOf(from), roomOf(to)]
    if (own === undefined) return false
    const allowed = APART[own]
    if (allowed) return !allowed.includes(other ?? '')
    return ROOMS.indexOf(other ?? '') > ROOMS.indexOf(own) || other === undefined || other in APART
  })
  t.strictSame(
    upward.filter(({ typeOnly }) => !typeOnly).map(({ from, to }) => `${from} imports ${to}`),
    [],
    'values',
  )
  t.strictSame([...new Set(upward.map(({ from, to }) => `${roomOf(from)} -> ${roomOf(to)}`))].toSorted(), BORROWED, 'types')
})

t.test('no file imports itself by way of others, types counted', async t => {
  const to = new Map<string, string[]>()
  for (const one of imports) to.set(one.from, [...(to.get(one.from) ?? []), one.to])
  const circles: string[] = []
  const done = new Set<string>()
  const walk = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file)
    if (at >= 0) return void circles.push([...path.slice(at), file].join(' -> '))
    if (done.has(file)) return
    for (const next of to.get(file) ?? []) walk(next, [...path, file])
    done.add(file)
  }
  for (const file of files) walk(file, [])
  t.strictSame(circles, [])
})

t.test('only the token room’s engine knows the OAuth engine', async t => {
  t.strictSame(
    offenders(({ from, to }) => to === '@node-oauth/oauth2-server' && !from.startsWith('src/token/')),
    [],
  )
})

t.test('the core knows no framework, no driver and no adapter', async t => {
  const foreign = /^(express|fastify|fastify-plugin|ioredis|mongodb)$|^adapters\//
  t.strictSame(
    offenders(({ from, to }) => from.startsWith('src/') && foreign.test(to)),
    [],
  )
})

t.test('an adapter knows its own framework or driver, as types alone', async t => {
  t.strictSame(
    offenders(({ to, typeOnly }) => /^(express|fastify|ioredis|mongodb)$/.test(to) && !typeOnly),
    [],
  )
  const own: Readonly<Record<string, RegExp>> = {
    'adapters/express.ts': /^express$/,
    'adapters/fastify.ts': /^fastify(-plugin)?$/,
    'adapters/mcp.ts': /^$/,
    'adapters/memory/': /^$/,
    'adapters/redis/': /^ioredis$/,
    'adapters/mongo/': /^mongodb$/,
    'adapters/common/': /^$/,
  }
  const foreign = ({ from, to }: Import) => {
    if (!from.startsWith('adapters/')) return false
    const [place = '', allowed] = Object.entries(own).find(([place]) => from.startsWith(place)) ?? []
    if (!allowed) return true
    return to.startsWith('adapters/')
      ? !to.startsWith(place) && !to.startsWith('adapters/common/')
      : /^[a-z]/.test(to) && !to.startsWith('src/') && !to.startsWith('node:') && !allowed.test(to)
  }
  t.strictSame(offenders(foreign), [])
})
