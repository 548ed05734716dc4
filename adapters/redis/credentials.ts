import type { Credential, CredentialStore, KeyRing, KeyRingStore } from '../../src/store/store.ts'
import type { RedisContext } from './context.ts'
import { keyOf, parseRecord, saveVersioned } from './records.ts'
import { deleteRecord } from './scripts/records.ts'

export function redisCredentials(context: RedisContext): CredentialStore {
  const { prefix, redis, wait } = context
  const key = (connectorId: string, ownerId: string) => keyOf(prefix, 'credential', connectorId, ownerId)
  return {
    get: async (connectorId, ownerId) => parseRecord<Credential>('a credential', await redis.get(key(connectorId, ownerId))),
    save: credential => saveVersioned(context, key(credential.connectorId, credential.ownerId), credential),
    delete: async (connectorId, ownerId) => (await deleteRecord.decide(redis, [key(connectorId, ownerId)], [], wait)) === 1,
  }
}

export function redisKeys(context: RedisContext): KeyRingStore {
  const { prefix, redis } = context
  const key = `${prefix}:keys`
  return {
    get: async () => parseRecord<KeyRing>('the key ring', await redis.get(key)),
    save: ring => saveVersioned(context, key, ring),
  }
}
