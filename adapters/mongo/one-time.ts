import type { OneTime, OneTimeKind, OneTimeStore } from '../../src/store/store.ts'
import { digest } from '../common/records.ts'
import type { MongoContext } from './context.ts'
import { checkFormat, checkLive, type ExpiringDocument, FORMAT, parseJson, sweepAt } from './documents.ts'
import { insertIfAbsent, RETRY, retry } from './retry.ts'

interface OneTimeDocument extends ExpiringDocument {
  /** A digest of the attempt that claimed the entry; null if it was put. */
  readonly claimer: string | null
  /** A digest of the attempt that consumed it first. */
  readonly consumer: string | null
  /** The entry as JSON text. */
  readonly entry: string
}

const WHAT = 'a one-time value'

export function mongoOneTime({ collection, now }: MongoContext): OneTimeStore {
  const open = () => collection<OneTimeDocument>('one_time')
  const live = (document: OneTimeDocument | null) => checkLive(WHAT, document, now())

  return {
    async put(entry) {
      const entries = await open()
      const next = documentOf(entry, null)
      const { _id } = next
      await retry(async () => {
        if (await insertIfAbsent(() => entries.replaceOne({ _id, format: FORMAT }, next, { upsert: true }))) return true
        // Either a concurrent `put` inserted it, or it is of another format.
        checkFormat(WHAT, await entries.findOne({ _id }, { projection: { format: 1 } }))
        return RETRY
      })
    },

    async peek<K extends OneTimeKind>(kind: K, id: string) {
      const entries = await open()
      const found = live(await entries.findOne({ _id: digest([kind, id]) }))
      return found && parseEntry<K>(found)
    },

    async consume<K extends OneTimeKind>(kind: K, id: string, attempt: string) {
      const entries = await open()
      const [_id, mine] = [digest([kind, id]), digest([attempt])]
      return retry(async () => {
        const won = await entries.findOneAndUpdate(
          { _id, format: FORMAT, expiresAt: { $gt: now() }, consumer: { $in: [null, mine] } },
          { $set: { consumer: mine } },
          { returnDocument: 'after' },
        )
        if (won) return { entry: parseEntry<K>(won), first: true }
        const found = live(await entries.findOne({ _id }))
        if (!found) return undefined
        if (found.consumer === null || found.consumer === mine) return RETRY
        return { entry: parseEntry<K>(found), first: false }
      })
    },

    async claim(entry, attempt) {
      const entries = await open()
      const next = documentOf(entry, digest([attempt]))
      const { _id, claimer } = next
      return retry(async () => {
        if (await insertIfAbsent(() => entries.insertOne(next))) return true
        const found = checkFormat(WHAT, await entries.findOne({ _id }))
        if (!found) return RETRY
        if (live(found)) return found.claimer === claimer
        // Takes over an expired entry that the server has not swept yet. The filter lets one of many do so.
        const { matchedCount } = await entries.replaceOne({ _id, format: FORMAT, expiresAt: { $lte: now() } }, next)
        return matchedCount === 1 || RETRY
      })
    },

    async forget(kind, id, attempt) {
      const entries = await open()
      const _id = digest([kind, id])
      const { deletedCount } = await entries.deleteOne({ _id, format: FORMAT, claimer: digest([attempt]) })
      if (deletedCount === 0) checkFormat(WHAT, await entries.findOne({ _id }, { projection: { format: 1 } }))
    },
  }
}

function documentOf(entry: OneTime, claimer: string | null): OneTimeDocument {
  const { expiresAt, id, kind } = entry
  const _id = digest([kind, id])
  return { _id, format: FORMAT, expiresAt, sweepAt: sweepAt(expiresAt), claimer, consumer: null, entry: JSON.stringify(entry) }
}

function parseEntry<K extends OneTimeKind>({ entry }: OneTimeDocument): OneTime<K> {
  return parseJson<OneTime<K>>(WHAT, entry)
}
