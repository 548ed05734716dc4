import { parseArgs } from 'node:util'
import { examine, Unreachable } from './examine.ts'
import { printed } from './print.ts'

const USAGE = `Usage: authmount doctor <url> [options]

Examines the authorization server of a guarded URL as clients do, and says what stops them and what to change.

  --json          print JSON
  --register      also register clients, and delete them again
  --at <url>      send every request to this address, as a proxy in front of it would
  --timeout <s>   how long each request may take (default 10)
  --help          print this

Exit status: 0 nothing is wrong, 1 something is, 2 the command is wrong or nothing answers.
`

/** Where a command writes. */
export interface Output {
  readonly out: (text: string) => void
  readonly error: (text: string) => void
}

/** Runs the command `authmount` with its arguments, and resolves to its exit status. */
export async function runCommand(args: readonly string[], { error, out }: Output): Promise<number> {
  const asked = readArguments(args)
  if (typeof asked === 'string') {
    error(asked)
    return 2
  }
  if (!asked.url) {
    out(USAGE)
    return 0
  }
  try {
    const examination = await examine(asked.url, asked.options)
    out(asked.json ? `${JSON.stringify(examination, null, 2)}\n` : printed(examination))
    return examination.findings.length > 0 ? 1 : 0
  } catch (failure) {
    if (!(failure instanceof Unreachable || failure instanceof TypeError)) throw failure
    error(`${failure.message}\n`)
    return 2
  }
}

interface Asked {
  /** Undefined: for help. */
  readonly url?: string
  readonly json?: boolean
  readonly options?: { readonly at: string | undefined; readonly register: boolean; readonly timeoutMs: number }
}

/** Reads the arguments; a text is what is wrong with them. */
function readArguments(args: readonly string[]): Asked | string {
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        register: { type: 'boolean', default: false },
        at: { type: 'string' },
        timeout: { type: 'string', default: '10' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) return {}
    const [command, url, ...rest] = positionals
    if (command !== 'doctor' || url === undefined || rest.length > 0) return USAGE
    const seconds = Number(values.timeout)
    if (!(seconds > 0 && seconds <= 600)) return `--timeout takes a number of seconds, up to 600\n\n${USAGE}`
    return { url, json: values.json, options: { at: values.at, register: values.register, timeoutMs: seconds * 1000 } }
  } catch (error) {
    return `${error instanceof Error ? error.message : 'the arguments cannot be read'}\n\n${USAGE}`
  }
}
