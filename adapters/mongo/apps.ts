import type { Filter } from 'mongodb'
import type { EpochMs } from '../../src/base/time.ts'
import type { App, AppQuery, AppStore } from '../../src/store/store.ts'
import { frozenCopy } from '../common/frozen-copy.ts'
import { oncePerTurn } from '../common/once-per-turn.ts'
import { digest } from '../common/records.ts'
import type { MongoContext } from './context.ts'
import { FORMAT, known, parseJson, type RecordDocument, readRecord, saveRecord } from './records.ts'

interface AppDocument extends RecordDocument {
  readonly org: string
  readonly creator: string
  readonly status: string
  /** In lower case, to be searched. */
  readonly name: string
  readonly createdAt: EpochMs
}

export function mongoApps({ open }: MongoContext): AppStore {
  return {
    get: oncePerTurn(async id => {
      const app = await readRecord<App>(await open('apps'), 'an app', digest([id]))
      return app && frozenCopy(app)
    }),
    async save(app) {
      const { createdAt, createdBy, id, name, orgId, status, version } = app
      return saveRecord<AppDocument>(await open('apps'), 'an app', {
        _id: digest([id]),
        format: FORMAT,
        version,
        org: digest([orgId]),
        creator: digest([createdBy]),
        status,
        name: name.toLowerCase(),
        createdAt,
        record: JSON.stringify(app),
      })
    },
    async list(query) {
      const apps = await open<AppDocument>('apps')
      const wanted = filterOf(query)
      const page = () => apps.find(wanted).sort({ createdAt: -1, _id: -1 }).skip(query.offset).limit(query.limit).toArray()
      // To MongoDB, a limit of 0 is none.
      const [documents, total] = await Promise.all([query.limit === 0 ? [] : page(), apps.countDocuments(wanted)])
      return { items: documents.map(document => parseJson<App>('an app', known('an app', document)?.record)), total }
    },
  }
}

function filterOf({ orgId, createdBy, status, search }: AppQuery): Filter<AppDocument> {
  // Not $regex: a needle that is no pattern needs no escaping, and may hold a NUL.
  const at = search === undefined ? undefined : { $indexOfCP: ['$name', { $literal: search.toLowerCase() }] }
  return {
    org: digest([orgId]),
    ...(createdBy === undefined ? {} : { creator: digest([createdBy]) }),
    status: status === undefined ? { $ne: 'deleted' } : { $eq: status },
    ...(at === undefined ? {} : { $expr: { $gte: [at, 0] } }),
  }
}
