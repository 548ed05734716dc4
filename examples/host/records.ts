/** What the host's API is about: every user has some records. */
export interface RecordEntry {
  readonly id: number
  readonly text: string
}

const records = new Map<string, RecordEntry[]>([
  ['anna', [{ id: 1, text: 'Order more paper' }]],
  ['bert', [{ id: 2, text: 'Call the supplier' }]],
])
let lastId = 2

export function recordsOf(userId: string): readonly RecordEntry[] {
  return records.get(userId) ?? []
}

/** Everyone's, for an app that acts for the organisation rather than for a user. */
export function allRecords(): readonly RecordEntry[] {
  return [...records.values()].flat()
}

export function addRecord(userId: string, text: string): RecordEntry {
  const entry = { id: ++lastId, text }
  records.set(userId, [...recordsOf(userId), entry])
  return entry
}
