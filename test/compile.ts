import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

const ROOT = resolve(import.meta.dirname, '..')

/**
 * Compiles test files to JavaScript with source maps, once per run, into a folder that lasts as long as this process. The
 * loader of tsx would resolve 300 modules again in each of them, which takes a third of a run. What they share is in chunks;
 * packages stay outside.
 */
export async function compile(paths: readonly string[]): Promise<string> {
  await mkdir(join(ROOT, '.tap'), { recursive: true })
  const folder = await mkdtemp(join(ROOT, '.tap/compiled-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  await build({
    absWorkingDir: ROOT,
    entryPoints: [...paths],
    outbase: ROOT,
    outdir: folder,
    bundle: true,
    splitting: true,
    packages: 'external',
    // As without a compiler: names are kept, and a module that is only imported for its effect runs.
    keepNames: true,
    ignoreAnnotations: true,
    treeShaking: false,
    plugins: [importMeta],
    format: 'esm',
    platform: 'node',
    target: 'es2023',
    sourcemap: true,
    sourcesContent: false,
    logLevel: 'warning',
  })
  return folder
}

/** `import.meta` has the values that it has where the source is. */
const importMeta: Plugin = {
  name: 'import-meta',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const meta = { dirname: dirname(path), filename: path, url: pathToFileURL(path).href }
      const text = await readFile(path, 'utf8')
      const inPlace = (_: string, name: keyof typeof meta) => JSON.stringify(meta[name])
      return { loader: 'ts', contents: text.replace(/\bimport\.meta\.(dirname|filename|url)\b/g, inPlace) }
    })
  },
}
