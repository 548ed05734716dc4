/** The name that was probably meant: equal but for case, or at most two edits away; undefined where nothing is near. */
export function suggest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 40) return undefined
  const lower = name.toLowerCase()
  const ranked = known
    .map(candidate => ({ candidate, distance: edits(lower, candidate.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)
  const [nearest] = ranked
  // Two edits make any short name out of any other.
  return nearest && nearest.distance <= Math.min(2, Math.floor(name.length / 3)) ? nearest.candidate : undefined
}

/** Levenshtein distance. */
function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [index, char] of [...from].entries()) {
    const next = [index + 1]
    for (let column = 0; column < to.length; column++) {
      const replaced = (row[column] ?? 0) + (char === to[column] ? 0 : 1)
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
