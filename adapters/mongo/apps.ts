import type { Collection, Filter } from 'mongodb'
import { isAppId } from '../../src/base/ids.ts'
import type { EpochMs } from '../../src/base/time.ts'
import type { App, AppQuery, AppStore } from '../../src/store/store.ts'
import { frozenCopy } from '../common/frozen-copy.ts'
import { oncePerTurn } from '../common/once-per-turn.ts'
import { digest } from '../common/records.ts'
import type { MongoContext } from './context.ts'
import { type VersionedDocument, versionedRecords } from './versioned-records.ts'

interface AppDocument extends VersionedDocument {
  /** The lists that show the app: one for every combination of filters that it matches, see {@link listsOf}. */
  readonly lists: readonly string[]
  /** The name in lower case, for searching. */
  readonly name: string
  readonly createdAt: EpochMs
}

/** How many apps a search looks through: the newest of those that match the other filters. */
const SEARCHED = 1000

/** Newest first; the `_id` of an app is its id. */
const NEWEST_FIRST = { createdAt: -1, _id: -1 } as const

export function mongoApps(context: MongoContext): AppStore {
  const records = versionedRecords<App>(context, { name: 'apps', what: 'an app' })
  return {
    get: oncePerTurn(async id => {
      const app = isAppId(id) ? await records.read(id) : undefined
      return app && frozenCopy(app)
    }),

    async save(app) {
      const { createdAt, expiresAt, id, name } = app
      if (!isAppId(id)) throw new Error('the id of an app is 24 lower-case hexadecimal digits')
      return records.write(id, app, { expiresAt, indexed: { lists: listsOf(app), name: name.toLowerCase(), createdAt } })
    },

    async list(query) {
      const apps = await context.collection<AppDocument>('apps')
      const listed: Filter<AppDocument> = { lists: listFor(query), expiresAt: { $gt: context.now() } }
      const { limit, offset, search } = query
      if (search !== undefined) {
        const ids = await searchIds(apps, listed, search)
        const wanted = ids.slice(offset, offset + limit)
        const page = wanted.length === 0 ? [] : await apps.find({ ...listed, _id: { $in: wanted } }).toArray()
        return { items: page.toSorted(newerFirst).map(records.parse), total: ids.length }
      }
      // MongoDB takes a limit of 0 for no limit.
      const page = limit === 0 ? [] : apps.find(listed).sort(NEWEST_FIRST).skip(offset).limit(limit).toArray()
      const [documents, total] = await Promise.all([page, apps.countDocuments(listed)])
      return { items: documents.map(records.parse), total }
    },
  }
}

/** Ids of the newest apps whose names contain the text, newest first. */
async function searchIds(apps: Collection<AppDocument>, listed: Filter<AppDocument>, search: string): Promise<readonly string[]> {
  // $indexOfCP instead of $regex: the text needs no escaping, and may contain NUL.
  const position = { $indexOfCP: ['$name', { $literal: search.toLowerCase() }] }
  const found = await apps
    .aggregate<Pick<AppDocument, '_id'>>([
      { $match: listed },
      { $sort: NEWEST_FIRST },
      { $limit: SEARCHED },
      { $match: { $expr: { $gte: [position, 0] } } },
      { $project: { _id: 1 } },
    ])
    .toArray()
  return found.map(({ _id }) => _id)
}

function newerFirst(a: AppDocument, b: AppDocument): number {
  return b.createdAt - a.createdAt || (a._id < b._id ? 1 : -1)
}

type ListFilters = Pick<AppQuery, 'orgId' | 'status' | 'createdBy' | 'origin'>

/**
 * Returns every list that shows the app. An app that is not deleted is in eight: with its status or any, with its creator or
 * any, with its origin or any. So one index on `lists` reads and counts exactly the apps of a query, whatever its filters are.
 * A deleted app is only in the lists of deleted ones.
 */
function listsOf({ createdBy, orgId, origin, status }: App): readonly string[] {
  const statuses = status === 'deleted' ? [{ status }] : [{}, { status }]
  return statuses.flatMap(ofStatus =>
    [{}, { createdBy }].flatMap(ofCreator =>
      [{}, { origin }].map(ofOrigin => listFor({ orgId, ...ofStatus, ...ofCreator, ...ofOrigin })),
    ),
  )
}

/** Hashes the filters. The labels distinguish an absent filter from one with any text. */
function listFor({ createdBy, orgId, origin, status }: ListFilters): string {
  return digest([
    orgId,
    ...(status === undefined ? ['any status but deleted'] : ['status', status]),
    ...(createdBy === undefined ? [] : ['creator', createdBy]),
    ...(origin === undefined ? [] : ['origin', origin]),
  ])
}
