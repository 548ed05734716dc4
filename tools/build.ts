/** Builds the package into `dist`: `npm run build`. */
import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { SCRIPTS } from '../src/console/scripts.ts'
import { commonjsForms } from './commonjs.ts'
import { ENTRIES } from './entries.ts'

const ROOT = resolve(import.meta.dirname, '..')

rmSync(join(ROOT, 'dist'), { recursive: true, force: true })
const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  cwd: ROOT,
  stdio: 'inherit',
})
if (status !== 0) process.exit(1)

// The console's files become strings: a bundler does not copy files that are read.
writeFileSync(
  join(ROOT, 'dist/src/console/scripts.js'),
  `export const SCRIPTS = new Map(${JSON.stringify([...SCRIPTS], null, 2)})\n`,
)

for (const [file, { js, types }] of commonjsForms(ENTRIES.map(({ types }) => join(ROOT, types)))) {
  writeFileSync(file.replace(/\.d\.ts$/, '.cjs'), js)
  writeFileSync(file.replace(/\.d\.ts$/, '.d.cts'), types)
}
