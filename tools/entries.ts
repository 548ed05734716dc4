import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** One entry point of the package. Paths are relative to the root of the repository. */
export interface Entry {
  /** What is imported, such as `authmount/express`. */
  readonly name: string
  readonly source: string
  readonly js: string
  readonly types: string
}

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
}

/** The entry points, as package.json exports them. */
export const ENTRIES: readonly Entry[] = readEntries()

function readEntries(): readonly Entry[] {
  const { exports, name } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../package.json'), 'utf8')) as Manifest
  return Object.entries(exports).flatMap(([path, target]) => {
    if (typeof target === 'string') return []
    const js = target.default.slice('./'.length)
    const source = js.replace(/^dist\/(.*)\.js$/, '$1.ts')
    return [{ name: name + path.slice(1), source, js, types: target.types.slice('./'.length) }]
  })
}
