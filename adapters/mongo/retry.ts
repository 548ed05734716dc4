import { setTimeout } from 'node:timers/promises'

/** Returned by an attempt whose re-read disagrees with its failed write: a concurrent change, or a lagging majority. */
export const RETRY = Symbol('retry')

const MAX_TRIES = 40
const MAX_PAUSE_MS = 50

/** Runs `attempt` until it returns something other than {@link RETRY}, with growing random pauses: about a second in all. */
export async function retry<T>(attempt: () => Promise<T | typeof RETRY>): Promise<T> {
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const answer = await attempt()
    if (answer !== RETRY) return answer
    await setTimeout(Math.random() * Math.min(2 ** tries, MAX_PAUSE_MS))
  }
  throw new Error('a record kept changing while it was being written, or most servers of the replica set are behind')
}

/** Runs an insert, or an upsert. False if the `_id` is taken. */
export async function insertIfAbsent(insert: () => Promise<unknown>): Promise<boolean> {
  try {
    await insert()
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === DUPLICATE_KEY) return false
    throw error
  }
}

const DUPLICATE_KEY = 11_000
