import type { OneTime, OneTimeKind, OneTimeStore } from '../../src/store/store.ts'
import { digest } from '../common/records.ts'
import { type RedisContext, ttl } from './context.ts'
import { formatEntry, keyOf, parseEntry } from './records.ts'
import { claimEntry, consumeEntry, forgetEntry, putEntry } from './scripts/records.ts'

/** Kinds that can be part of a key. Any other text is hashed with the id. */
const PLAIN_KIND = /^[a-z_]{1,32}$/

/** Stores one-time entries, each in a string of its own, with the digests of its claimer and its consumer. */
export function redisOneTime({ redis, prefix, wait, now }: RedisContext): OneTimeStore {
  const key = (kind: string, id: string) =>
    PLAIN_KIND.test(kind) ? keyOf(prefix, `once:${kind}`, id) : keyOf(prefix, 'once', kind, id)
  const isLive = ({ expiresAt }: OneTime) => expiresAt > now()
  return {
    async put(entry) {
      await putEntry.run(redis, [key(entry.kind, entry.id)], [formatEntry(entry), ttl(entry.expiresAt, now())])
    },
    async peek<K extends OneTimeKind>(kind: K, id: string) {
      const found = parseEntry<OneTime<K>>(await redis.get(key(kind, id)))
      return found && isLive(found.entry) ? found.entry : undefined
    },
    async consume<K extends OneTimeKind>(kind: K, id: string, attempt: string) {
      const mine = digest([attempt])
      const found = parseEntry<OneTime<K>>(await consumeEntry.decide(redis, [key(kind, id)], [mine], wait))
      return found && isLive(found.entry) ? { entry: found.entry, first: found.consumer === mine } : undefined
    },
    async claim(entry, attempt) {
      const [at, mine] = [now(), digest([attempt])]
      const args = [at, mine, ttl(entry.expiresAt, at), formatEntry(entry, mine)]
      return (await claimEntry.decide(redis, [key(entry.kind, entry.id)], args, wait)) === 1
    },
    async forget(kind, id, attempt) {
      await forgetEntry.decide(redis, [key(kind, id)], [digest([attempt])], wait)
    },
  }
}
