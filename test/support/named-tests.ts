import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

const TESTS = join(import.meta.dirname, '..')

/** Tells whether a file below `test/` has a test, or a row of a table of tests, whose name begins with these words or has them. */
export async function namesTest(file: string, words: string): Promise<boolean> {
  if (words.length < 8) throw new Error(`${words} could be in any line`)
  const text = await readFile(join(TESTS, file), 'utf8').catch(() => '')
  return text.split('\n').some(line => line.includes(words) && TEST_NAME.test(line))
}

/** The name in `test('…', …)`, alone on the first line of a call, or as the key of a table. */
const TEST_NAME = /^\s*(?:(?:await )?(?:t\.test|test|scene|overMemory|every\w+)\(\s*)?(?:['"`].*['"`](?:,.*|: .*|\b.*)|\w+: \{)$/

/** Who else holds what a table does not: a test by its file and words of its name, or a reason why there is none. */
export type HeldElsewhere = readonly [file: string, test: string] | string
