import { isAppId } from '../../src/base/ids.ts'
import type { EpochMs } from '../../src/base/time.ts'
import type { App, AppStore } from '../../src/store/store.ts'
import { frozenCopy } from '../common/frozen-copy.ts'
import { LiveCount } from './live-count.ts'
import { SortedList } from './sorted-list.ts'
import { ExpiringMap, type Sweeper } from './sweeper.ts'
import { decideVersion } from './versions.ts'

interface AppRecord {
  readonly app: App
  readonly expiresAt: EpochMs
}

/** The apps of one organisation, either the deleted ones or the others. */
interface Listing {
  readonly newestFirst: SortedList<App>
  readonly count: LiveCount
}

export function memoryApps(sweeper: Sweeper): AppStore {
  const { now } = sweeper
  const listings = { shown: new Map<string, Listing>(), deleted: new Map<string, Listing>() }
  const listingsOf = ({ status }: Pick<App, 'status'>) => (status === 'deleted' ? listings.deleted : listings.shown)
  const enlist = (app: App): void => {
    const byOrg = listingsOf(app)
    const listing = byOrg.get(app.orgId) ?? { newestFirst: new SortedList(newerFirst), count: new LiveCount() }
    listing.newestFirst.set(app)
    listing.count.add(expiryOf(app))
    byOrg.set(app.orgId, listing)
  }
  const strike = (app: App): void => {
    const byOrg = listingsOf(app)
    const listing = byOrg.get(app.orgId)
    listing?.newestFirst.delete(app)
    listing?.count.remove(expiryOf(app))
    if (listing?.newestFirst.size === 0) byOrg.delete(app.orgId)
  }
  const records = new ExpiringMap<AppRecord>(sweeper, ({ app }) => strike(app))
  const live = (id: string): App | undefined => {
    const record = records.get(id)
    return record && record.expiresAt > now() ? record.app : undefined
  }

  return {
    get: async id => live(id),

    async save(app) {
      if (!isAppId(app.id)) throw new Error('the id of an app is 24 lower-case hexadecimal digits')
      const decision = decideVersion(live(app.id), app)
      if (decision !== 'write') return decision === 'same'
      const copy = frozenCopy(app)
      records.set(copy.id, { app: copy, expiresAt: expiryOf(copy) })
      enlist(copy)
      return true
    },

    async list({ orgId, origin, createdBy, status, search, offset, limit }) {
      const at = now()
      const listing = listingsOf({ status: status ?? 'active' }).get(orgId)
      if (!listing) return { items: [], total: 0 }
      const needle = search?.toLowerCase()
      const everything = [origin, createdBy, status === 'deleted' ? undefined : status, needle].every(part => part === undefined)
      const items: App[] = []
      let matching = 0
      for (const app of listing.newestFirst.from()) {
        // Without a filter the total is known, and the loop ends with the page.
        if (everything && matching >= offset + limit) break
        if (
          expiryOf(app) > at &&
          (origin === undefined || app.origin === origin) &&
          (createdBy === undefined || app.createdBy === createdBy) &&
          (status === undefined || app.status === status) &&
          (needle === undefined || app.name.toLowerCase().includes(needle))
        ) {
          matching++
          if (matching > offset && items.length < limit) items.push(app)
        }
      }
      return { items, total: everything ? listing.count.at(at) : matching }
    },
  }
}

function newerFirst(a: App, b: App): number {
  return b.createdAt - a.createdAt || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0)
}

function expiryOf({ expiresAt = Number.POSITIVE_INFINITY }: App): EpochMs {
  return expiresAt
}
