import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

const ROOT = resolve(import.meta.dirname, '..')
const FOLDERS = ['adapters', 'docs/.vitepress', 'examples', 'src', 'test', 'tools']

export interface Compiled {
  readonly folder: string
  readonly remove: () => Promise<void>
}

/**
 * Compiles every source file to JavaScript with a source map, once per run. The loader of tsx would resolve 300 modules again
 * in each test file, which takes a third of a run. Each module stays a module, and its `import.meta` names the source.
 */
export async function compile(): Promise<Compiled> {
  await mkdir(join(ROOT, '.tap'), { recursive: true })
  const folder = await mkdtemp(join(ROOT, '.tap/compiled-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    await build({
      absWorkingDir: ROOT,
      entryPoints: (await Promise.all(FOLDERS.map(sourcesIn))).flat(),
      outbase: ROOT,
      outdir: folder,
      // esbuild passes imports to plugins only when it bundles; the plugin marks each as external.
      bundle: true,
      plugins: [await separateModules()],
      format: 'esm',
      platform: 'node',
      target: 'es2023',
      sourcemap: true,
      sourcesContent: false,
      logLevel: 'warning',
    })
  } catch (error) {
    await remove()
    throw error
  }
  return { folder, remove }
}

async function sourcesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(join(ROOT, folder), { recursive: true })
  return names.filter(name => name.endsWith('.ts') && !name.endsWith('.d.ts')).map(name => join(ROOT, folder, name))
}

async function separateModules(): Promise<Plugin> {
  const { compilerOptions } = JSON.parse(await readFile(join(ROOT, 'tsconfig.json'), 'utf8')) as {
    readonly compilerOptions: { readonly paths: Readonly<Record<string, readonly [string]>> }
  }
  return {
    name: 'separate-modules',
    setup: ({ onLoad, onResolve }) => {
      onResolve({ filter: /./ }, ({ importer, kind, path }) => {
        if (kind === 'entry-point') return undefined
        const [own] = compilerOptions.paths[path] ?? []
        const to = own ? `./${relative(dirname(importer), join(ROOT, own))}` : path
        return { external: true, path: to.startsWith('.') ? to.replace(/\.ts$/, '.js') : to }
      })
      onLoad({ filter: /\.ts$/ }, async ({ path }) => ({ loader: 'ts', contents: inPlace(await readFile(path, 'utf8'), path) }))
    },
  }
}

/** The text of a module, with the values that `import.meta` has where the source is. */
function inPlace(text: string, path: string): string {
  const meta = { dirname: dirname(path), filename: path, url: pathToFileURL(path).href }
  return text.replace(/\bimport\.meta\.(dirname|filename|url)\b/g, (_, name: keyof typeof meta) => JSON.stringify(meta[name]))
}
