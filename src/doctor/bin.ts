#!/usr/bin/env node
import { runCommand } from './command.ts'

/** The command `authmount`. */
process.exitCode = await runCommand(process.argv.slice(2), {
  out: text => process.stdout.write(text),
  error: text => process.stderr.write(text),
})
