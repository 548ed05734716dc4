/** What four pages promise, held against the tests: each sentence is there, and so is the test that holds it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { memoryStore } from 'authmount/stores/memory'
import t from 'tap'
import { namesTest } from './support/named-tests.ts'
import { PROMISES } from './support/promises.ts'

const ROOT = join(import.meta.dirname, '..')
const read = (path: string) => readFile(join(ROOT, path), 'utf8')

/** The text under each heading; `''` for what stands above the first. */
function sections(text: string): ReadonlyMap<string, string> {
  const found = new Map([['', '']])
  let heading = ''
  let code = false
  for (const line of text.split('\n').slice(1)) {
    if (line.startsWith('```')) code = !code
    const named = code ? null : /^#{2,} +(.*)$/.exec(line)
    if (named) heading = named[1] ?? ''
    found.set(heading, `${found.get(heading) ?? ''}${line}\n`)
  }
  return found
}

for (const [path, page] of Object.entries(PROMISES)) {
  t.test(`${path}: each promise is in its page, and its test in its file`, async t => {
    const found = sections(await read(path))
    t.strictSame([...found.keys()], Object.keys(page), 'every section has its rows, or says why there are none')
    for (const [heading, rows] of Object.entries(page)) {
      if (typeof rows === 'string') continue
      t.ok(rows.length > 0, heading)
      for (const [sentence, file, test] of rows) {
        t.ok(found.get(heading)?.includes(sentence), `${heading}: ${sentence}`)
        t.ok(await namesTest(file, test), `${file}: ${test}`)
      }
    }
  })
}

t.test('every row of a table of promises, and every rule of the stores, has its test', async t => {
  const security = sections(await read('docs/security.md'))
  const tables = [...security].flatMap(([heading, text]) =>
    text.startsWith('#') && /^\| promise +\|/m.test(text)
      ? [...text.matchAll(/^\| (.*?) +\|/gm)].slice(1).map(([, promise = '']) => [heading, promise] as const)
      : [],
  )
  const promises = tables.filter(([, promise]) => !/^-+$/.test(promise))
  t.ok(promises.length > 25, `${promises.length} promises`)
  const held = Object.values(PROMISES['docs/security.md'] ?? {}).flat()
  for (const [heading, promise] of promises)
    t.ok(
      held.some(([sentence = '']) => promise.includes(sentence) || sentence.includes(promise)),
      `${heading}: ${promise}`,
    )
  const rules = (sections(await read('docs/storage.md')).get('') ?? '').match(/^- .*$/gm) ?? []
  t.ok(rules.length > 5)
  const rows = PROMISES['docs/storage.md']?.[''] ?? []
  for (const rule of rules) t.ok(typeof rows !== 'string' && rows.some(([sentence]) => rule.includes(sentence)), rule)
})

t.test('a store has as many methods as the page says', async t => {
  const store = memoryStore()
  const methods = Object.values(store).flatMap(part => Object.keys(part))
  const text = await read('docs/storage.md')
  const [, count, parts] = /has (\d+) methods in (\w+) parts/.exec(text) ?? []
  t.equal(Number(count), methods.length)
  t.equal(parts, ['four', 'five', 'six', 'seven'][Object.keys(store).length - 4])
  const atomic = (await read('src/store/store.ts')).match(/\* ATOMIC\b/g) ?? []
  t.match(text, `**ATOMIC** marks ${['ten', 'eleven', 'twelve'][atomic.length - 10]} methods`)
})
