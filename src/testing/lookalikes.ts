import assert from 'node:assert/strict'
import { newId } from './records.ts'

/** Makes groups of ids that a careless store confuses with each other. Each call returns new ids. */
export function lookalikeGroups(): readonly (readonly [string, string, ...string[]])[] {
  const own = newId()
  const long = (length: number, last: string) => own.padEnd(length - 1, 'x') + last
  return [
    // Case and spaces: collations fold them, and columns pad them.
    [`${own}a`, `${own}A`, `${own}a `, ` ${own}a`, `${own}a\t`],
    // Accents and Unicode normal forms.
    [`${own}é`, `${own}e\u0301`, `${own}e`, `${own}É`],
    [`${own}ss`, `${own}ß`, `${own}ſs`],
    // Lengths at which columns and indexes truncate.
    [long(64, 'y'), long(64, 'z')],
    [long(300, 'y'), long(300, 'z')],
    [long(65_536, 'y'), long(65_536, 'z')],
    // Texts that databases read as an operator, a pattern, a path or an end.
    [own, `${own}:`, `{${own}}`, `${own}*`, `${own}%`, `${own}_`, `${own}\\`, `${own}\0`, `${own}\0x`, `$${own}`, `${own}.a`],
    [`${own}\r\n`, `${own}\n`, `${own}'`, `${own}"`, `${own}𝒳`, `${own}𝒴`],
  ]
}

export function lookalikes(): readonly string[] {
  return lookalikeGroups().flat()
}

/** Asserts that the record of `ids[index]` was found under that id; otherwise the message names the id of the record that was found. */
export function assertOwn(ids: readonly string[], index: number, found: unknown, what: string): void {
  if (found === index) return
  const other = typeof found === 'number' ? ids[found] : undefined
  const taken = other === undefined ? 'was not found' : `was taken for ${shown(other)}`
  assert.fail(`${what} ${shown(ids[index] ?? '')} ${taken}: ids are compared character by character`)
}

/** Formats an id for a message: escaped, and with its end, where lookalikes differ. */
export function shown(id: string): string {
  const ascii = JSON.stringify(id).replace(/[^\x20-\x7e]/g, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return id.length < 60 ? ascii : `"…${ascii.slice(-9)} (${id.length} characters)`
}
