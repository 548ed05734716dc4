import { isUnknownOutcome } from '../errors/store-error.ts'

/**
 * Awaits a write that tells whether it was stored, and announces it; also where the reply was lost, so that the event is emitted at
 * least once. Resolves and rejects as the write does.
 */
export async function announced(write: Promise<boolean>, announce: () => void): Promise<boolean> {
  const isStored = await write.catch(error => {
    if (isUnknownOutcome(error)) announce()
    throw error
  })
  if (isStored) announce()
  return isStored
}
