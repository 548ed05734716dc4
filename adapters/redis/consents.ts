import type { Consent, ConsentOwner, ConsentStore } from '../../src/store/store.ts'
import { digest } from '../common/records.ts'
import type { RedisContext } from './context.ts'
import { formatExpiry, formatRecord, parseRecord } from './records.ts'
import { pageOfConsents, saveConsent } from './scripts/consents.ts'

/** Stores an owner's consents in one hash by the digest of the app, with an index of those that are listed and one by expiry. */
export function redisConsents({ redis, prefix, wait, now }: RedisContext): ConsentStore {
  const hashKey = (owner: ConsentOwner) =>
    `${prefix}:consents:{${'userId' in owner ? digest(['user', owner.userId]) : digest(['org', owner.orgId])}}`
  const keys = (owner: ConsentOwner) => {
    const key = hashKey(owner)
    return [key, `${key}:order`, `${key}:expires`] as const
  }
  const parse = (text: string | null | undefined) => parseRecord<Consent>('a consent', text)
  return {
    async get(owner, appId) {
      const consent = parse(await redis.hget(hashKey(owner), digest([appId])))
      return consent && (consent.expiresAt === undefined || consent.expiresAt > now()) ? consent : undefined
    },
    async list(owner, { after = '', limit }) {
      if (limit <= 0) return { items: [], next: null }
      // One more than the page, to know whether another follows.
      const found = await pageOfConsents.run(redis, keys(owner), [now(), after, limit + 1])
      const items = found.filter((_, index) => index % 2 === 1).flatMap(text => parse(text) ?? [])
      return { items: items.slice(0, limit), next: items.length > limit ? (found[2 * limit - 2] ?? null) : null }
    },
    async save(consent) {
      const expiry = formatExpiry(consent)
      const text = formatRecord(consent, expiry)
      const args = [digest([consent.appId]), consent.version, text, now(), expiry, consent.scopes.length > 0 ? 1 : 0]
      return (await saveConsent.decide(redis, keys(consent.owner), args, wait)) === 1
    },
  }
}
