import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { ENTRIES } from '../../tools/entries.ts'
import { copyOf, outputOf, type Packed, ROOT, runClean } from './packed.ts'

/** Each compiler, by its folder in node_modules, with the kinds of module under which CommonJS is written. */
const COMPILERS: Readonly<Record<string, readonly string[]>> = {
  'typescript-5.7': ['node16', 'nodenext'],
  typescript: ['node16', 'node20', 'nodenext'],
  'typescript-7': ['node16', 'node20', 'nodenext'],
}

/** CommonJS hosts: in TypeScript, and at run time. */
export function testCommonjs(t: Test, { folder: project }: Packed): void {
  const folder = join(project, 'commonjs')

  t.test('CommonJS in TypeScript', async t => {
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'package.json'), '{"type":"commonjs","private":true}')
    await copyOf('consumer.ts', join(folder, 'consumer.ts'))
    for (const [compiler, modules] of Object.entries(COMPILERS)) {
      for (const module of modules) {
        t.test(`${compiler}, module ${module}`, async t => {
          const compilerOptions = {
            ...{ module, target: 'es2022', strict: true, exactOptionalPropertyTypes: true, noEmit: true, types: ['node'] },
            // Once by each compiler, the declarations of the package are checked, too: it takes most of the time.
            ...{ esModuleInterop: true, skipLibCheck: module !== 'node16' },
          }
          const file = join(folder, `tsconfig.${module}.json`)
          await writeFile(file, JSON.stringify({ compilerOptions, files: ['consumer.ts'] }))
          const tsc = join(ROOT, 'node_modules', compiler, 'bin/tsc')
          t.same(await outputOf(process.execPath, [tsc, '-p', file], folder), { failed: false, text: '' })
        })
      }
    }
  })

  t.test('CommonJS at run time: require loads the module that import loads, and prints no warning', async t => {
    const loads = ENTRIES.map(({ name }) => `[${JSON.stringify(name)}, require(${JSON.stringify(name)})]`)
    await mkdir(folder, { recursive: true })
    await writeFile(
      join(folder, 'all.cjs'),
      `const loaded = [${loads.join(', ')}]
       Promise.all(loaded.map(async ([name, required]) => {
         const imported = await import(name)
         return Object.keys(imported).every(key => imported[key] === required[key]) && Object.keys(imported).length > 0 ? [] : [name]
       })).then(different => console.log(JSON.stringify(different.flat())))`,
    )
    const { stderr, stdout } = await runClean(process.execPath, ['all.cjs'], folder)
    t.same(JSON.parse(stdout), [])
    t.equal(stderr, '')
  })
}
