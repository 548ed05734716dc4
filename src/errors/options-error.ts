/** The host's options cannot work. Thrown once, at startup, with every problem. */
export class OptionsError extends Error {
  override readonly name = 'OptionsError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`authmount options are not usable:\n${problems.map(problem => `  - ${problem}`).join('\n')}`)
    this.problems = problems
  }
}
