/**
 * `npm run bench`; test/README.md has its options. Rows take turns with what stands beside them, so their shares can be compared
 * between machines and hours; absolute figures are of this machine and this minute.
 */
import { parseArgs } from 'node:util'
import { compareWith, formatCompared } from './against.ts'
import { coldStart, formatColdStart } from './cold-start.ts'
import { allRows, formatRow, type Row, rowsOfLiveGrants, runRow } from './rows.ts'
import { soak } from './soak.ts'

const { values } = parseArgs({
  options: {
    /** Compares with this revision, row by row. */
    against: { type: 'string' },
    /** Runs the rows whose names match this regular expression, and nothing else. */
    only: { type: 'string' },
    rounds: { type: 'string', default: '11' },
    /** How long a turn is. */
    seconds: { type: 'string', default: '0.5' },
    json: { type: 'boolean', default: false },
    /** Runs the rows of so many live grants, such as 10000,1000000. */
    live: { type: 'string' },
    /** Loads one server for so many seconds and looks at its heap. */
    soak: { type: 'string' },
  },
})
const turns = { rounds: Number(values.rounds), seconds: Number(values.seconds) }
const wanted = new RegExp(values.only ?? '')
const say = (line: string) => {
  if (!values.json) console.log(line)
}

if (values.soak !== undefined) console.log(await soak(Number(values.soak)))
else if (values.against !== undefined) {
  // Refusals and databases are beside the point: what changes is in front of them, and it shows in the others.
  const rows = allRows().filter(({ beside, kind, name }) => !beside && kind.store === 'memory' && wanted.test(name))
  const compared = await compareWith(values.against, rows, { ...turns, say: one => say(formatCompared(one)) })
  if (values.json) console.log(JSON.stringify(compared, null, 2))
} else {
  const plans = values.live === undefined ? allRows() : rowsOfLiveGrants(values.live.split(',').map(Number))
  const rows: Row[] = []
  for (const plan of plans.filter(({ name }) => wanted.test(name))) {
    const row = await runRow(plan, turns)
    rows.push(row)
    say(formatRow(row))
  }
  const whole = values.only === undefined && values.live === undefined
  const cold = whole ? coldStart(11) : null
  if (cold) say(formatColdStart(cold))
  if (values.json) console.log(JSON.stringify({ rows, coldStart: cold }, null, 2))
  else if (whole) await import('./others.ts')
}
