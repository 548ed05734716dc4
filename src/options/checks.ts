/* What several options have in common. Each adds what is wrong to `problems`, in words for whoever configures. */

/** A misspelt option would otherwise be a default that nobody asked for. */
export function nameUnknown(prefix: string, given: object, known: readonly string[], problems: string[]): void {
  for (const name of Object.keys(given)) if (!known.includes(name)) problems.push(`${prefix}${name} is not an option`)
}

export function within(name: string, value: number, [low, high]: readonly [number, number], problems: string[]): number {
  if (!Number.isFinite(value) || value < low || value > high) problems.push(`${name} must be between ${low} and ${high}`)
  return value
}

export function quote(value: unknown): string {
  return JSON.stringify(value) ?? String(value)
}
