/** The package as it is published: packed, unpacked beside nothing of ours, and used as its README says. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { testBundles } from './package/bundles.ts'
import { testCommonjs } from './package/commonjs.ts'
import { testImportCost } from './package/import-cost.ts'
import { testOwnRequest } from './package/own-request.ts'
import { outputOf, pack, ROOT, run } from './package/packed.ts'
import { runsOn } from './support/places.ts'

t.test('the published package', { skip: !runsOn('package') && 'left out of this run' }, async t => {
  const packed = await pack(t)
  const { folder, paths, tarball } = packed

  t.test('contains what a user needs, and nothing else', async t => {
    t.strictSame(paths.filter(path => !/^dist\/(src|adapters)\/.+\.(js|cjs|d\.ts|d\.cts)$/.test(path)).toSorted(), [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'package.json',
    ])
    t.strictSame(
      paths.filter(path => path.includes('console/browser')),
      [],
      'the files of the console are strings',
    )
  })

  t.test('publint has nothing to say of it', async t => {
    const { failed, text } = await outputOf('node_modules/.bin/publint', [tarball, '--strict'], ROOT)
    t.notOk(failed, text)
    t.match(text, 'All good')
  })

  t.test('@arethetypeswrong/cli finds no wrong type, from ES modules, CommonJS and bundlers', async t => {
    // Without node10: a module resolution that knows no `exports`, and that TypeScript 7 has no more.
    const { failed, text } = await outputOf('node_modules/.bin/attw', [tarball, '--profile', 'node16'], ROOT)
    t.notOk(failed, text)
  })

  testCommonjs(t, packed)
  testBundles(t, packed)
  testOwnRequest(t, packed)
  testImportCost(t, packed)

  const docs = (await readdir(join(ROOT, 'docs'))).filter(name => name.endsWith('.md'))
  const pages = ['README.md', ...docs.map(name => join('docs', name))]
  const text = (await Promise.all(pages.map(page => readFile(join(ROOT, page), 'utf8')))).join('\n')
  const blocks = [...text.matchAll(/^```(?:ts|js) file=(\S+)\n([\s\S]*?)^```/gm)].map(([, name = '', code = '']) => ({
    name,
    code,
  }))

  t.test('type-checks the code of the README and the documentation, strictly', async t => {
    t.ok(blocks.length >= 2)
    t.equal(new Set(blocks.map(({ name }) => name)).size, blocks.length, 'no two files have one name')
    for (const { name, code } of blocks) await writeFile(join(folder, name), code)
    const compilerOptions = {
      target: 'es2023',
      module: 'nodenext',
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      noEmit: true,
      types: ['node'],
      skipLibCheck: true,
    }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: blocks.map(({ name }) => name) }))
    t.same(await outputOf(process.execPath, ['node_modules/typescript/bin/tsc', '-p', folder], ROOT), { failed: false, text: '' })
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
      t.strictSame(result.found, ['login_missing'], 'the doctor misses the login page, which is the reader’s own')
      t.match(result.from, join(folder, 'node_modules', 'authmount'), 'it is the packed code that ran')
    })
  }
})

/** Starts a server file, finds its port and its app, and uses both. */
const PROBE = `
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
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
const { bin } = JSON.parse(readFileSync('node_modules/authmount/package.json', 'utf8'))
const doctor = ['node_modules/authmount/' + bin.authmount, 'doctor', 'http://localhost:3000/api/records', '--json', '--at', origin]
const examined = await new Promise(resolve => execFile(process.execPath, doctor, (_error, stdout) => resolve(stdout)))
const result = {
  found: JSON.parse(examined).findings.map(({ code }) => code),
  metadata: (await fetch(origin + '/.well-known/oauth-authorization-server')).status,
  anonymous: (await fetch(origin + '/api/records')).status,
  granted: granted.status,
  guarded: (await fetch(origin + '/api/records', { headers: { authorization: 'Bearer ' + access_token } })).status,
  from: new URL(import.meta.resolve('authmount')).pathname,
}
process.stdout.write('RESULT' + JSON.stringify(result))
process.exit(0)
`
