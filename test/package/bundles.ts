import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { build, transform } from 'esbuild'
import type { Test } from 'tap'
import webpack from 'webpack'
import { SCRIPTS } from '../../src/console/scripts.ts'
import { outputOf, type Packed, ROOT } from './packed.ts'

/**
 * Makes one file of a host and everything it imports. The tsconfig.json of this repository must stay out of it: it maps the name
 * of the package to the sources.
 */
type Bundler = (entry: string, file: string) => Promise<unknown>

const BUNDLERS: Readonly<Record<string, Bundler>> = {
  esbuild: (entry, file) =>
    build({
      entryPoints: [entry],
      outfile: file,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      logLevel: 'silent',
      tsconfigRaw: {},
    }),

  webpack: (entry, file) =>
    new Promise((resolve, reject) => {
      const output = { path: dirname(file), filename: basename(file) }
      const options = { mode: 'production', target: 'node', optimization: { minimize: false } } as const
      webpack({ ...options, entry, output, resolve: { tsconfig: false } }, (error, stats) => {
        if (error || stats?.hasErrors()) reject(error ?? new Error(stats?.toString()))
        else resolve(undefined)
      })
    }),

  // By its command: the types of its plugins do not fit those of ES modules.
  rollup: async (entry, file) => {
    const plugins = ['node-resolve={exportConditions:["node"]}', 'commonjs', 'json'].flatMap(plugin => ['--plugin', plugin])
    const options = ['--file', file, '--format', 'cjs', '--inlineDynamicImports', '--silent', ...plugins]
    const { failed, text } = await outputOf('node_modules/.bin/rollup', [entry, ...options], ROOT)
    if (failed) throw new Error(text)
  },
}

/** A host that is bundled into one file starts, issues a token, and serves the console. */
export function testBundles(t: Test, { folder: project }: Packed): void {
  for (const [name, bundle] of Object.entries(BUNDLERS)) {
    t.test(`a bundle by ${name} starts, issues tokens and serves the console`, async t => {
      const entry = join(project, `host-for-${name}.js`)
      const source = await readFile(join(import.meta.dirname, 'host.ts'), 'utf8')
      await writeFile(entry, (await transform(source, { loader: 'ts' })).code)
      // Away from the package: nothing can be read from beside the bundle.
      const away = join(project, '..', `${basename(project)}-${name}`)
      await mkdir(away)
      t.teardown(() => outputOf('rm', ['-rf', away], project))
      await bundle(entry, join(away, 'host.cjs'))

      const server = spawn(process.execPath, ['host.cjs'], { cwd: away, stdio: ['ignore', 'pipe', 'inherit'] })
      t.teardown(() => server.kill())
      const [line] = await Promise.race([once(createInterface(server.stdout), 'line'), once(server, 'exit')])
      const { address, clientId, clientSecret } = JSON.parse(String(line))
      const origin = `http://127.0.0.1:${address.port}`
      const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret })
      t.equal((await fetch(`${origin}/oauth/token`, { method: 'POST', body })).status, 200)
      t.match(await (await fetch(`${origin}/admin/oauth/`)).text(), '<title>OAuth apps</title>')
      for (const [script, text] of SCRIPTS) t.equal(await (await fetch(`${origin}/admin/oauth/${script}`)).text(), text, script)
    })
  }
}
