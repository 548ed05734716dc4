import { isAppId } from '../../src/base/ids.ts'
import { Memo } from '../../src/base/memo.ts'
import type { App, AppQuery, AppStore } from '../../src/store/store.ts'
import { frozenCopy } from '../common/frozen-copy.ts'
import { oncePerTurn } from '../common/once-per-turn.ts'
import { digest } from '../common/records.ts'
import type { RedisContext } from './context.ts'
import { formatExpiry, keyOf, parseRecord, saveVersioned } from './records.ts'
import { enlistApp, pageOfApps, strikeApps } from './scripts/apps.ts'

/** The number of records that one command reads. */
const BATCH = 500

/** The number of names that a search looks through: the newest. */
const SEARCHED = 1000

/** How many times a list that finds its index wrong corrects it and reads the page again. */
const CORRECTIONS = 3

/** The place of an app in the indexes. */
interface Place {
  readonly keys: readonly [order: string, expires: string]
  readonly member: string
}

/**
 * Stores each app in a string of its own, and an organisation's apps in two indexes (scripts/apps.ts): the deleted and the others.
 *
 * `save` writes the index before the record, so that no app is missing from it, and once more afterwards, to remove the app's
 * former member. If it stops in between, the index has one member too many: a list compares members with records, corrects the
 * index and reads the page again.
 */
export function redisApps(context: RedisContext): AppStore {
  const { now, prefix, redis } = context
  const keys = new Memo<string>()
  const key = (id: string) => keys.get(id) ?? keys.set(id, keyOf(prefix, 'app', id))
  const parse = (text: string | null | undefined) => parseRecord<App>('an app', text)
  const isLive = ({ expiresAt }: App) => expiresAt === undefined || expiresAt > now()
  /** Cache of the parsed apps by their last text: apps are read on every request and rarely change. */
  const parsed = new Memo<{ readonly text: string; readonly app: App }>()

  const indexKeys = (orgId: string, status: string | undefined): Place['keys'] => {
    const order = `${prefix}:apps:{${digest([orgId])}}:${status === 'deleted' ? 'deleted' : 'shown'}`
    return [order, `${order}:expires`]
  }
  const placeOf = ({ createdBy, id, orgId, origin, status }: App): Place => ({
    keys: indexKeys(orgId, status),
    member: id + statusDigest(status) + originDigest(origin) + creatorDigest(createdBy),
  })
  const enlist = (app: App, exactly: 'exactly' | '' = '') => {
    const { keys, member } = placeOf(app)
    return enlistApp.run(redis, keys, [now(), app.createdAt, member, formatExpiry(app), exactly])
  }
  const strike = (keys: Place['keys'], members: readonly string[]) => strikeApps.run(redis, keys, [now(), ...members])
  /** Removes the former member of an app, if its place has changed or the app is absent. */
  const strikeFormer = async (former: App, current: App | undefined) => {
    const { keys, member } = placeOf(former)
    const place = current && placeOf(current)
    if (place?.member !== member || place.keys[0] !== keys[0]) await strike(keys, [member])
  }

  const readText = (id: string) => redis.get(key(id))
  const readLive = async (ids: readonly string[]): Promise<readonly (App | undefined)[]> => {
    const texts: (string | null)[] = []
    for (let start = 0; start < ids.length; start += BATCH) {
      const batch = ids.slice(start, start + BATCH)
      // In a cluster, the records are on many slots, which MGET cannot read at once.
      texts.push(...(redis.isCluster ? await Promise.all(batch.map(readText)) : await redis.mget(batch.map(key))))
    }
    return texts.map(parse).map(app => (app && isLive(app) ? app : undefined))
  }

  /** Reads one page of an index and its records. Corrects members that the records contradict. */
  const readPage = async (keys: Place['keys'], query: readonly (string | number)[]) => {
    for (let corrections = 0; ; corrections++) {
      const [total, ...members] = await pageOfApps.run(redis, keys, [now(), ...query])
      const found = await readLive(members.map(member => member.slice(0, 24)))
      const wrong = members.filter((member, index) => {
        const place = found[index] && placeOf(found[index])
        return place?.member !== member || place.keys[0] !== keys[0]
      })
      const apps = found.filter((app, index) => app !== undefined && !wrong.includes(members[index] ?? '')) as App[]
      if (wrong.length === 0 || corrections === CORRECTIONS) return { apps, total: total - wrong.length }
      const moved = found.filter((app, index) => app !== undefined && wrong.includes(members[index] ?? '')) as App[]
      await Promise.all(moved.map(app => enlist(app, 'exactly')))
      await strike(keys, wrong)
    }
  }

  return {
    get: oncePerTurn(async id => {
      const text = await readText(id)
      if (text === null) return undefined
      const last = parsed.get(id)
      const known = last?.text === text ? last.app : undefined
      const app = known ?? parse(text)
      if (!app || !isLive(app)) return undefined
      return known ?? parsed.set(id, { text, app: frozenCopy(app) }).app
    }),

    async save(app) {
      if (!isAppId(app.id)) throw new Error('the id of an app must be 24 lower-case hexadecimal digits')
      const [before] = await Promise.all([app.version > 1 ? readText(app.id) : null, enlist(app)])
      const former = parse(before)
      if (await saveVersioned(context, key(app.id), app, formatExpiry(app))) {
        await enlist(app, 'exactly')
        if (former) await strikeFormer(former, app)
        return true
      }
      const [current] = await readLive([app.id])
      if (current) await enlist(current, 'exactly')
      await strikeFormer(app, current)
      return false
    },

    async list({ orgId, origin, createdBy, status, search, offset, limit }: AppQuery) {
      const keys = indexKeys(orgId, status)
      const filters = [
        status === undefined || status === 'deleted' ? '' : statusDigest(status),
        origin === undefined ? '' : originDigest(origin),
        createdBy === undefined ? '' : creatorDigest(createdBy),
      ]
      if (search === undefined) {
        const { apps, total } = await readPage(keys, [offset, limit, ...filters])
        return { items: apps, total }
      }
      const needle = search.toLowerCase()
      const { apps } = await readPage(keys, [0, SEARCHED, ...filters])
      const found = apps.filter(({ name }) => name.toLowerCase().includes(needle))
      return { items: found.slice(offset, offset + limit), total: found.length }
    },
  }
}

function statusDigest(status: string): string {
  return digest([status]).slice(0, 8)
}

function originDigest(origin: string): string {
  return digest([origin]).slice(0, 8)
}

function creatorDigest(createdBy: string): string {
  return digest([createdBy]).slice(0, 16)
}
