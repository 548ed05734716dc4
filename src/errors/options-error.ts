/** The host's options cannot work. Thrown once, at startup, with every problem. */
export class OptionsError extends Error {
  /** Always `OptionsError`. */
  override readonly name = 'OptionsError'
  /** Every problem, each with the path of its option. */
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`authmount options are not usable:\n${problems.map(problem => `  - ${problem}`).join('\n')}`)
    this.problems = problems
  }
}
