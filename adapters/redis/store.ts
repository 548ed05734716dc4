import { Memo } from '../../src/base/memo.ts'
import type { EpochMs } from '../../src/base/time.ts'
import type {
  App,
  AppQuery,
  AppStore,
  Consent,
  ConsentStore,
  Credential,
  CredentialStore,
  KeyRing,
  KeyRingStore,
  OneTime,
  OneTimeStore,
  Store,
} from '../../src/store/store.ts'
import { frozenCopy } from '../common/frozen-copy.ts'
import { oncePerTurn } from '../common/once-per-turn.ts'
import { digest } from '../common/records.ts'
import { type RedisContext, ttl } from './context.ts'
import { redisGrants } from './grants.ts'
import { formatEntry, formatRecord, keyOf, parseEntry, parseRecord } from './records.ts'
import { consumeEntry, type RedisClient, type ReplicaWait, saveRecord } from './scripts.ts'
import { warnOfSettings } from './settings.ts'

export interface RedisStoreOptions {
  /** Begins every key. Default `authmount`. */
  readonly prefix?: string
  /** Wait for replicas before a decision counts, so that a failover cannot undo it. Default: none. */
  readonly waitForReplicas?: ReplicaWait
  /** Told, once, when the server's settings lose data: it evicts keys, or keeps nothing on disk. Default `console.warn`. */
  readonly warn?: (message: string) => void
  /** The clock. Default `Date.now`. */
  readonly now?: () => EpochMs
}

/**
 * Redis 6.2 or later, alone or as a Cluster, through the host's own ioredis client, which is never closed.
 *
 * Every method touches one aggregate, and every atomic one is one script on one slot. What expires does so by itself.
 * Rejects with what ioredis rejects with, and on a record that this version cannot read, which is left as it is.
 */
export function redisStore(redis: RedisClient, options: RedisStoreOptions = {}): Store {
  const { prefix = 'authmount', waitForReplicas: wait, warn = console.warn, now: clock = Date.now } = options
  // A clock may be finer than what is stored of it.
  const now = () => Math.floor(clock())
  const context: RedisContext = { redis, prefix, wait, now }
  warnOfSettings(redis, warn)
  return {
    apps: redisApps(context),
    oneTime: redisOneTime(context),
    grants: redisGrants(context),
    consents: redisConsents(context),
    credentials: redisCredentials(context),
    keys: redisKeys(context),
  }
}

/** How many records one command asks for. */
const BATCH = 500

function redisApps({ redis, prefix, wait }: RedisContext): AppStore {
  const keys = new Memo<string>()
  const key = (id: string) => keys.get(id) ?? keys.set(id, keyOf(prefix, 'app', id))
  const orgKey = (orgId: string) => keyOf(prefix, 'org', orgId)
  const parse = (text: string | null | undefined) => parseRecord<App>('an app', text)
  /** What was read last of each app: read again on every request, and changed once in a while. */
  const parsed = new Memo<{ readonly text: string; readonly app: App }>()

  /** A cluster keeps the records of one list in many slots. */
  const read = async (ids: readonly string[]): Promise<readonly (App | undefined)[]> => {
    const keys = ids.map(key)
    const texts = redis.isCluster ? await Promise.all(keys.map(key => redis.get(key))) : await redis.mget(keys)
    return texts.map(parse)
  }

  return {
    get: oncePerTurn(async id => {
      const text = await redis.get(key(id))
      if (text === null) return undefined
      const last = parsed.get(id)
      if (last?.text === text) return last.app
      const app = parse(text)
      return app && parsed.set(id, { text, app: frozenCopy(app) }).app
    }),
    async save(app) {
      // Index first: if we stop between the two writes, a list skips an app that is not there.
      if (app.version === 1) await redis.zadd(orgKey(app.orgId), 'NX', app.createdAt, app.id)
      return (await saveRecord.decide(redis, [key(app.id)], [app.version, formatRecord(app, app.version)], wait)) === 1
    },
    async list({ orgId, createdBy, status, search, offset, limit }: AppQuery) {
      const ids = await redis.zrevrange(orgKey(orgId), 0, -1)
      const needle = search?.toLowerCase()
      const found: App[] = []
      for (let start = 0; start < ids.length; start += BATCH) {
        for (const app of await read(ids.slice(start, start + BATCH))) {
          if (
            app &&
            (createdBy === undefined || app.createdBy === createdBy) &&
            (status === undefined ? app.status !== 'deleted' : app.status === status) &&
            (needle === undefined || app.name.toLowerCase().includes(needle))
          )
            found.push(app)
        }
      }
      return { items: found.slice(offset, offset + limit), total: found.length }
    },
  }
}

function redisOneTime({ redis, prefix, wait, now }: RedisContext): OneTimeStore {
  const key = (kind: string, id: string) => keyOf(prefix, `once:${kind.replaceAll('_', '')}`, id)
  const isLive = ({ expiresAt }: OneTime) => expiresAt > now()
  return {
    async put(entry) {
      await redis.set(key(entry.kind, entry.id), formatEntry(entry), 'PX', ttl(entry.expiresAt, now()))
    },
    async peek<K extends OneTime['kind']>(kind: K, id: string) {
      const found = parseEntry<OneTime<K>>(await redis.get(key(kind, id)))
      return found && isLive(found.entry) ? found.entry : undefined
    },
    async consume<K extends OneTime['kind']>(kind: K, id: string, attempt: string) {
      const mine = digest([attempt])
      const found = parseEntry<OneTime<K>>(await consumeEntry.decide(redis, [key(kind, id)], [mine], wait))
      return found && isLive(found.entry) ? { entry: found.entry, first: found.attempt === mine } : undefined
    },
  }
}

/** A user's consents in one hash, by the digest of the client. */
function redisConsents({ redis, prefix }: RedisContext): ConsentStore {
  const key = (userId: string) => keyOf(prefix, 'consents', userId)
  const field = (clientId: string) => digest([clientId])
  const parse = (text: string | null) => parseRecord<Consent>('a consent', text)
  return {
    get: async (userId, clientId) => parse(await redis.hget(key(userId), field(clientId))),
    list: async userId => (await redis.hvals(key(userId))).flatMap(text => parse(text) ?? []),
    async put(consent) {
      await redis.hset(key(consent.userId), field(consent.clientId), formatRecord(consent))
    },
    delete: async (userId, clientId) => (await redis.hdel(key(userId), field(clientId))) === 1,
  }
}

function redisCredentials({ redis, prefix, wait }: RedisContext): CredentialStore {
  const key = (connectorId: string, ownerId: string) => keyOf(prefix, 'credential', connectorId, ownerId)
  return {
    get: async (connectorId, ownerId) => parseRecord<Credential>('a credential', await redis.get(key(connectorId, ownerId))),
    save: async credential =>
      (await saveRecord.decide(
        redis,
        [key(credential.connectorId, credential.ownerId)],
        [credential.version, formatRecord(credential, credential.version)],
        wait,
      )) === 1,
    delete: async (connectorId, ownerId) => (await redis.del(key(connectorId, ownerId))) === 1,
  }
}

function redisKeys({ redis, prefix, wait }: RedisContext): KeyRingStore {
  const key = `${prefix}:keys`
  return {
    get: async () => parseRecord<KeyRing>('the key ring', await redis.get(key)),
    save: async ring => (await saveRecord.decide(redis, [key], [ring.version, formatRecord(ring, ring.version)], wait)) === 1,
  }
}
