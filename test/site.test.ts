/** The documentation site, as it is published. */
import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { runsOn } from './support/places.ts'

const ROOT = resolve(import.meta.dirname, '..')

t.test('npm run docs builds the site', { skip: !runsOn('site') && 'left out of this run' }, async t => {
  await promisify(execFile)('npm', ['run', 'docs'], { cwd: ROOT, timeout: 300_000 })
  const dist = join(ROOT, 'docs/.vitepress/dist')
  for (const name of ['index', 'getting-started', 'readme', 'api/authmount', 'api/authmount/stores/redis'])
    t.ok((await stat(join(dist, `${name}.html`))).size > 5000, name)
  t.match(await readFile(join(dist, 'api/authmount.html'), 'utf8'), 'Builds an authorization server.')
  t.match(await readFile(join(dist, 'connectors.html'), 'utf8'), 'href="/options.html', 'links go to pages of the site')
})
