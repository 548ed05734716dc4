import type { EpochMs } from '../../src/base/time.ts'
import type { Consent, ConsentOwner, ConsentStore } from '../../src/store/store.ts'
import { frozenCopy } from '../common/frozen-copy.ts'
import { SortedList } from './sorted-list.ts'
import { ExpiringMap, type Sweeper } from './sweeper.ts'
import { decideVersion, pairKey } from './versions.ts'

interface ConsentRecord {
  readonly consent: Consent
  readonly expiresAt: EpochMs
}

export function memoryConsents(sweeper: Sweeper): ConsentStore {
  const { now } = sweeper
  /** The listed consents of each owner, in the order of the apps' ids. */
  const lists = new Map<string, SortedList<Pick<Consent, 'appId'>>>()
  const records = new ExpiringMap<ConsentRecord>(sweeper, ({ consent }) => {
    const owner = ownerKey(consent.owner)
    const list = lists.get(owner)
    list?.delete(consent)
    if (list?.size === 0) lists.delete(owner)
  })
  const live = (owner: string, appId: string): Consent | undefined => {
    const record = records.get(pairKey(owner, appId))
    return record && record.expiresAt > now() ? record.consent : undefined
  }

  return {
    get: async (owner, appId) => live(ownerKey(owner), appId),

    async list(owner, { after, limit }) {
      const key = ownerKey(owner)
      const items: Consent[] = []
      for (const { appId } of lists.get(key)?.from(after === undefined ? undefined : { appId: after }) ?? []) {
        const consent = appId === after ? undefined : live(key, appId)
        if (!consent || consent.scopes.length === 0) continue
        if (items.length === limit) return { items, next: items.at(-1)?.appId ?? null }
        items.push(consent)
      }
      return { items, next: null }
    },

    async save(consent) {
      const owner = ownerKey(consent.owner)
      const decision = decideVersion(live(owner, consent.appId), consent)
      if (decision !== 'write') return decision === 'same'
      const copy = frozenCopy(consent)
      records.set(pairKey(owner, copy.appId), { consent: copy, expiresAt: copy.expiresAt ?? Number.POSITIVE_INFINITY })
      const list = lists.get(owner) ?? new SortedList(byApp)
      list.set(copy)
      lists.set(owner, list)
      return true
    },
  }
}

/** Makes the key of an owner. A user and an organisation with the same id have different keys. */
function ownerKey(owner: ConsentOwner): string {
  return 'userId' in owner ? `u${owner.userId}` : `o${owner.orgId}`
}

function byApp(a: Pick<Consent, 'appId'>, b: Pick<Consent, 'appId'>): number {
  return a.appId < b.appId ? -1 : a.appId > b.appId ? 1 : 0
}
