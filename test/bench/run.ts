/**
 * `npm run bench` runs everything; with `-- --json` the flows alone, as JSON; with `-- --against <revision>` the flows at that
 * revision and at this one, in turns. `ROUNDS` and `SECONDS` say how often and how long each runs.
 */
import { parseArgs } from 'node:util'
import { compareWith } from './against.ts'
import { formatRow, runFlows } from './flows.ts'

const rounds = Number(process.env.ROUNDS ?? 5)
const seconds = Number(process.env.SECONDS ?? 2)
const { against, json } = parseArgs({ options: { against: { type: 'string' }, json: { type: 'boolean' } } }).values

if (against === undefined) {
  const rows = await runFlows(rounds, seconds)
  console.log(json ? JSON.stringify(rows, null, 2) : rows.map(formatRow).join('\n'))
  if (!json) await import('./others.ts')
} else {
  const rows = compareWith(against, { rounds, seconds })
  const lines = rows.map(
    ({ beforeMicros, name, nowMicros, ratio }) =>
      `${name}: ${ratio.toFixed(2)} times the speed of ${against}, ${beforeMicros.toFixed(1)} µs then and ${nowMicros.toFixed(1)} now`,
  )
  console.log(json ? JSON.stringify(rows, null, 2) : lines.join('\n'))
}
