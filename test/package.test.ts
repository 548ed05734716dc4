/** The package as it is published: packed, unpacked beside nothing of ours, and used as its README says. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { runsOn } from './support/places.ts'

const ROOT = resolve(import.meta.dirname, '..')
const run = promisify(execFile)

t.test('the published package', { skip: !runsOn('package') && 'left out of this run' }, async t => {
  await mkdir(join(ROOT, '.tap'), { recursive: true })
  // Inside the checkout, so that dependencies are found where npm has put them.
  const folder = await mkdtemp(join(ROOT, '.tap', 'package-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: ROOT })
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [{ filename: string; files: { path: string }[] }]
  await run('tar', ['-xzf', join(folder, packed.filename), '-C', folder])
  await cp(join(folder, 'package'), join(folder, 'node_modules', 'authmount'), { recursive: true })
  await writeFile(join(folder, 'package.json'), '{"type":"module","private":true}')

  t.test('contains what a user needs, and nothing else', async t => {
    const paths = packed.files.map(({ path }) => path)
    t.strictSame(paths.filter(path => !/^dist\/(src|adapters)\/.+\.(js|d\.ts)$/.test(path)).toSorted(), [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'package.json',
    ])
  })

  const docs = (await readdir(join(ROOT, 'docs'))).filter(name => name.endsWith('.md'))
  const pages = ['README.md', ...docs.map(name => join('docs', name))]
  const text = (await Promise.all(pages.map(page => readFile(join(ROOT, page), 'utf8')))).join('\n')
  const blocks = [...text.matchAll(/^```(?:ts|js) file=(\S+)\n([\s\S]*?)^```/gm)].map(([, name = '', code = '']) => ({
    name,
    code,
  }))

  t.test('type-checks the code of the README and the documentation, strictly', async t => {
    t.ok(blocks.length >= 2)
    for (const { name, code } of blocks) await writeFile(join(folder, name), code)
    const options = {
      target: 'es2023',
      module: 'nodenext',
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      noEmit: true,
      types: ['node'],
      skipLibCheck: false,
    }
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...options, skipLibCheck: true }, files: blocks.map(({ name }) => name) }),
    )
    const tsc = await run(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', folder]).then(
      () => '',
      (error: { stdout: string }) => error.stdout,
    )
    t.equal(tsc, '')
  })

  for (const framework of ['express', 'fastify']) {
    t.test(`runs the ${framework} server of the README, loading nothing of the other framework`, async t => {
      const name = `${framework}-server.ts`
      const code = blocks.find(block => block.name === name)?.code ?? ''
      t.ok(code, 'it is in the README')
      await writeFile(join(folder, 'probe.mjs'), PROBE)
      const { stdout } = await run(process.execPath, ['--import', 'tsx', 'probe.mjs', name], {
        cwd: folder,
        timeout: 60_000,
        env: { ...process.env, PORT: '0', TSX_TSCONFIG_PATH: join(folder, 'tsconfig.json') },
      })
      const result = JSON.parse(stdout.slice(stdout.indexOf('RESULT') + 6))
      t.match(result, { metadata: 200, anonymous: 401, granted: 200, guarded: 200 })
      t.match(result.from, join(folder, 'node_modules', 'authmount'), 'it is the packed code that ran')
    })
  }
})

/** Starts a server file, finds its port and its app, and uses both. */
const PROBE = `
import http from 'node:http'
const listening = new Promise(resolve => {
  const listen = http.Server.prototype.listen
  http.Server.prototype.listen = function (...args) {
    this.once('listening', () => resolve(this))
    if (typeof args[0] === 'object') args[0].port = 0
    else args[0] = 0
    return listen.apply(this, args)
  }
})
const printed = []
console.log = (...args) => printed.push(args.join(' '))
await import('./' + process.argv[2])
const server = await listening
const origin = 'http://127.0.0.1:' + server.address().port
const find = name => new RegExp(name + '[^\\\\w]+([\\\\w-]+)').exec(printed.join('\\n'))?.[1]
const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: find('client_id'), client_secret: find('client_secret') })
const granted = await fetch(origin + '/oauth/token', { method: 'POST', body })
const { access_token } = await granted.json()
const result = {
  metadata: (await fetch(origin + '/.well-known/oauth-authorization-server')).status,
  anonymous: (await fetch(origin + '/api/records')).status,
  granted: granted.status,
  guarded: (await fetch(origin + '/api/records', { headers: { authorization: 'Bearer ' + access_token } })).status,
  from: new URL(import.meta.resolve('authmount')).pathname,
}
process.stdout.write('RESULT' + JSON.stringify(result))
process.exit(0)
`
