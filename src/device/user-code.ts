import { randomInt } from 'node:crypto'
import { sha256 } from '../base/crypto.ts'

/** RFC 8628 §6.1: consonants alone, so that no code is a word; two groups of four are 34 bits. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const LENGTH = 8

/** Makes the code that a user types, without its hyphen. */
export function newUserCode(): string {
  return Array.from({ length: LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join('')
}

/** Formats a code for people: `WDJB-MJHT`. */
export function shownUserCode(code: string): string {
  return `${code.slice(0, LENGTH / 2)}-${code.slice(LENGTH / 2)}`
}

/** Reads what somebody typed: case, spaces and hyphens do not count. Undefined for what cannot be a code. */
export function readUserCode(typed: string): string | undefined {
  const code = typed.length > 40 ? '' : typed.toUpperCase().replace(/[\s\p{Pd}]/gu, '')
  return code.length === LENGTH && [...code].every(letter => LETTERS.includes(letter)) ? code : undefined
}

/** Returns the id under which a code is stored. */
export function userCodeId(code: string): string {
  return sha256(`user code ${code}`)
}
