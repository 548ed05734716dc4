import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'

const ROOT = resolve(import.meta.dirname, '../..')

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

const files = ['src', 'adapters'].flatMap(folder =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => join(folder, name)),
)

const imports: readonly Import[] = files.flatMap(from => {
  const text = readFileSync(join(ROOT, from), 'utf8')
  return [...text.matchAll(/^(?:import|export) (type )?[^'"]*?(?:from )?'([^']+)'/gm)].map(([, type, target = '']) => ({
    from,
    to: target.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(from), target)) : target,
    typeOnly: type !== undefined,
  }))
})

function offenders(wrong: (one: Import) => boolean): readonly string[] {
  return imports.filter(wrong).map(({ from, to }) => `${from} imports ${to}`)
}

t.test('there is something to look at', async t => {
  t.ok(files.length > 30)
  t.ok(imports.length > 100)
})

t.test('only the engine folder knows the engine, and only the token endpoint the engine folder', async t => {
  t.strictSame(
    offenders(({ from, to }) => to === '@node-oauth/oauth2-server' && !from.startsWith('src/engine/')),
    [],
  )
  t.strictSame(
    offenders(
      ({ from, to }) => to.startsWith('src/engine/') && !from.startsWith('src/engine/') && from !== 'src/token/endpoint.ts',
    ),
    [],
  )
})

t.test('the core knows no framework, no driver and no adapter', async t => {
  const foreign = /^(express|fastify|fastify-plugin|ioredis|mongodb)$|^adapters\//
  t.strictSame(
    offenders(({ from, to }) => from.startsWith('src/') && foreign.test(to)),
    [],
  )
  const other = {
    'adapters/express.ts': /fastify/,
    'adapters/fastify.ts': /^express/,
    'adapters/memory/store.ts': /express|fastify/,
  }
  for (const [from, forbidden] of Object.entries(other))
    t.strictSame(
      offenders(one => one.from === from && forbidden.test(one.to)),
      [],
    )
})

t.test('an adapter loads its framework’s types, never the framework', async t => {
  t.strictSame(
    offenders(({ to, typeOnly }) => /^(express|fastify|ioredis|mongodb)$/.test(to) && !typeOnly),
    [],
  )
})

t.test('errors and storage types know nothing above them', async t => {
  const low = /^src\/(store|crypto|errors\/(oauth|api|options|store)-error)\.ts$/
  t.strictSame(
    offenders(({ from, to }) => low.test(from) && to.startsWith('src/') && !low.test(to)),
    [],
  )
})
