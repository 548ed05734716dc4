import type { OneTime, OneTimeStore } from '../../src/store/store.ts'
import { digest } from '../common/records.ts'
import type { MongoContext } from './context.ts'
import { AGAIN, type Expiring, FORMAT, known, parseJson, putRecord, settle, sweepAt } from './records.ts'

interface OneTimeDocument extends Expiring {
  /** A digest of the attempt that was first. */
  readonly attempt: string | null
  readonly entry: string
}

export function mongoOneTime({ open, now }: MongoContext): OneTimeStore {
  const what = 'a one-time value'
  const parse = <K extends OneTime['kind']>({ entry }: OneTimeDocument) => parseJson<OneTime<K>>(what, entry)
  const live = (document: OneTimeDocument | null) => {
    const found = known(what, document)
    return found && found.expiresAt > now() ? found : undefined
  }
  return {
    async put(entry) {
      const { expiresAt, id, kind } = entry
      const _id = digest([kind, id])
      const text = JSON.stringify(entry)
      const own = { _id, format: FORMAT, expiresAt, sweepAt: sweepAt(expiresAt), attempt: null, entry: text }
      await putRecord<OneTimeDocument>(await open('one_time'), what, own)
    },
    async peek<K extends OneTime['kind']>(kind: K, id: string) {
      const entries = await open<OneTimeDocument>('one_time')
      const found = live(await entries.findOne({ _id: digest([kind, id]) }))
      return found && parse<K>(found)
    },
    async consume<K extends OneTime['kind']>(kind: K, id: string, attempt: string) {
      const entries = await open<OneTimeDocument>('one_time')
      const [_id, mine] = [digest([kind, id]), digest([attempt])]
      return settle(async () => {
        const won = await entries.findOneAndUpdate(
          { _id, format: FORMAT, expiresAt: { $gt: now() }, attempt: { $in: [null, mine] } },
          { $set: { attempt: mine } },
          { returnDocument: 'after' },
        )
        if (won) return { entry: parse<K>(won), first: true }
        const found = live(await entries.findOne({ _id }))
        if (!found) return undefined
        return found.attempt === null || found.attempt === mine ? AGAIN : { entry: parse<K>(found), first: false }
      })
    },
  }
}
