import type { Examination } from './examine.ts'

const MARKS = { ok: 'ok     ', findings: 'WRONG  ', skipped: '-      ' } as const

/** Writes an examination for people: a line for each check, then each finding with its cure. */
export function printed({ checks, findings, notes }: Examination): string {
  const lines = checks.map(({ name, result }) => MARKS[result] + name)
  const remarks = notes.map(({ text }) => `note   ${text}`)
  const described = findings.flatMap(({ code, cure, problem, stops, url }, index) => [
    '',
    `${index + 1}. ${problem}  [${code}]`,
    `   at:     ${url}`,
    `   stops:  ${stops.join(', ')}`,
    `   change: ${cure}`,
  ])
  return `${[...lines, ...remarks, ...described].map(harmless).join('\n')}\n`
}

/** Replaces control characters: a server that is examined must not command the terminal. */
function harmless(line: string): string {
  return line.replace(/\p{Cc}/gu, '?')
}
