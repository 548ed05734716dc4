import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'

export const ROOT = resolve(import.meta.dirname, '../..')
export const run = promisify(execFile)

/** The package as npm packs it. */
export interface Packed {
  /** A project inside the checkout, where npm's dependencies are found, with the package in its `node_modules`. */
  readonly folder: string
  readonly tarball: string
  readonly paths: readonly string[]
}

export async function pack(t: Test): Promise<Packed> {
  await mkdir(join(ROOT, '.tap'), { recursive: true })
  const folder = await mkdtemp(join(ROOT, '.tap', 'package-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: ROOT })
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [{ filename: string; files: { path: string }[] }]
  const tarball = join(folder, packed.filename)
  await run('tar', ['-xzf', tarball, '-C', folder])
  await cp(join(folder, 'package'), join(folder, 'node_modules', 'authmount'), { recursive: true })
  await writeFile(join(folder, 'package.json'), '{"type":"module","private":true}')
  return { folder, tarball, paths: packed.files.map(({ path }) => path) }
}

/** A copy of one of the files beside this one, for use in the project. */
export async function copyOf(name: string, to: string): Promise<void> {
  await writeFile(to, await readFile(join(import.meta.dirname, name), 'utf8'))
}

/**
 * Runs a program as a user starts it: without what tap puts into NODE_OPTIONS of each process, also where the environment that is
 * given has none. `env` takes it away again.
 */
export function runClean(command: string, args: readonly string[], cwd: string): Promise<{ stdout: string; stderr: string }> {
  return run('env', ['NODE_OPTIONS=', command, ...args], { cwd, maxBuffer: 1e8 })
}

/** What a program prints, whether it succeeds or fails. */
export async function outputOf(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<{ failed: boolean; text: string }> {
  return runClean(command, args, cwd).then(
    ({ stdout, stderr }) => ({ failed: false, text: stdout + stderr }),
    ({ stdout, stderr }: { stdout: string; stderr: string }) => ({ failed: true, text: stdout + stderr }),
  )
}
