import type { Filter } from 'mongodb'
import type { Consent, ConsentOwner, ConsentStore } from '../../src/store/store.ts'
import { digest } from '../common/records.ts'
import type { MongoContext } from './context.ts'
import { type VersionedDocument, versionedRecords } from './versioned-records.ts'

interface ConsentDocument extends VersionedDocument {
  readonly owner: string
  /** False for a withdrawn consent, which lists leave out. */
  readonly given: boolean
}

export function mongoConsents(context: MongoContext): ConsentStore {
  const records = versionedRecords<Consent>(context, { name: 'consents', what: 'a consent' })
  return {
    get: async (owner, appId) => records.read(digest([...ownerIds(owner), appId])),

    save: async consent => {
      const { appId, expiresAt, owner, scopes } = consent
      const indexed = { owner: digest(ownerIds(owner)), given: scopes.length > 0 }
      return records.write(digest([...ownerIds(owner), appId]), consent, { expiresAt, indexed })
    },

    async list(owner, { after, limit }) {
      if (after !== undefined && !CURSOR.test(after)) return { items: [], next: null }
      const consents = await context.collection<ConsentDocument>('consents')
      const wanted: Filter<ConsentDocument> = {
        owner: digest(ownerIds(owner)),
        given: true,
        expiresAt: { $gt: context.now() },
        ...(after === undefined ? {} : { _id: { $gt: after } }),
      }
      // One more than asked for, to see whether another page follows.
      const found = await consents
        .find(wanted)
        .sort({ _id: 1 })
        .limit(limit + 1)
        .toArray()
      const page = found.slice(0, limit)
      return { items: page.map(records.parse), next: found.length > limit ? (page.at(-1)?._id ?? null) : null }
    },
  }
}

/** The cursor is an `_id`. Any other text has nothing after it. */
const CURSOR = /^[0-9a-f]{40}$/

/** Returns the ids of an owner. They distinguish a user from an organisation with the same id. */
function ownerIds(owner: ConsentOwner): readonly [kind: string, id: string] {
  return 'userId' in owner ? ['user', owner.userId] : ['org', owner.orgId]
}
