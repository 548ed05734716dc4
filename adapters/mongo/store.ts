import type { Db } from 'mongodb'
import type { EpochMs } from '../../src/base/time.ts'
import type { Consent, ConsentStore, Credential, CredentialStore, KeyRing, KeyRingStore, Store } from '../../src/store/store.ts'
import { digest } from '../common/records.ts'
import { mongoApps } from './apps.ts'
import type { MongoContext } from './context.ts'
import { mongoGrants } from './grants.ts'
import { createIndexes, once } from './indexes.ts'
import { mongoOneTime } from './one-time.ts'
import {
  deleteRecord,
  FORMAT,
  known,
  parseJson,
  putRecord,
  type RecordDocument,
  readRecord,
  type Stored,
  saveRecord,
} from './records.ts'

export interface MongoStoreOptions {
  /** Begins the name of every collection. Default `authmount_`. */
  readonly prefix?: string
  /** The clock. Default `Date.now`. */
  readonly now?: () => EpochMs
}

/**
 * MongoDB 4.4 or later, through the host's own `Db`, whose client is never closed. No transactions: a single server will do.
 *
 * Every decision is one operation on one document, which most servers of a replica set have when the call returns,
 * and is read from the primary. The first call creates the indexes, for which the user needs the role `readWrite`.
 * Rejects with what the driver rejects with, and on a document that this version cannot read, which is left as it is.
 */
export function mongoStore(db: Db, options: MongoStoreOptions = {}): Store {
  const { prefix = 'authmount_', now = Date.now } = options
  const ready = once(() => createIndexes(db, prefix))
  const context: MongoContext = {
    now,
    async open<D extends Stored>(name: string) {
      await ready()
      return db.collection<D>(prefix + name, {
        readConcern: { level: 'majority' },
        readPreference: 'primary',
        writeConcern: { w: 'majority' },
      })
    },
  }
  return {
    apps: mongoApps(context),
    oneTime: mongoOneTime(context),
    grants: mongoGrants(context),
    consents: mongoConsents(context),
    credentials: mongoCredentials(context),
    keys: mongoKeys(context),
  }
}

interface ConsentDocument extends RecordDocument {
  readonly user: string
}

function mongoConsents({ open }: MongoContext): ConsentStore {
  const what = 'a consent'
  return {
    get: async (userId, clientId) => readRecord<Consent>(await open('consents'), what, digest([userId, clientId])),
    async list(userId) {
      const found = (await open<ConsentDocument>('consents')).find({ user: digest([userId]) })
      const consents: Consent[] = []
      for await (const document of found) consents.push(parseJson(what, known(what, document)?.record))
      return consents
    },
    async put(consent) {
      const _id = digest([consent.userId, consent.clientId])
      const own = { _id, format: FORMAT, version: 0, user: digest([consent.userId]), record: JSON.stringify(consent) }
      await putRecord<ConsentDocument>(await open('consents'), what, own)
    },
    delete: async (userId, clientId) => deleteRecord(await open('consents'), what, digest([userId, clientId])),
  }
}

function mongoCredentials({ open }: MongoContext): CredentialStore {
  const what = 'a credential'
  return {
    get: async (connectorId, ownerId) => readRecord<Credential>(await open('credentials'), what, digest([connectorId, ownerId])),
    async save(credential) {
      const { connectorId, ownerId, version } = credential
      const _id = digest([connectorId, ownerId])
      const own = { _id, format: FORMAT, version, record: JSON.stringify(credential) }
      return saveRecord<RecordDocument>(await open('credentials'), what, own)
    },
    delete: async (connectorId, ownerId) => deleteRecord(await open('credentials'), what, digest([connectorId, ownerId])),
  }
}

function mongoKeys({ open }: MongoContext): KeyRingStore {
  const [what, _id] = ['the key ring', 'ring']
  return {
    get: async () => readRecord<KeyRing>(await open('keys'), what, _id),
    async save(ring) {
      const own = { _id, format: FORMAT, version: ring.version, record: JSON.stringify(ring) }
      return saveRecord<RecordDocument>(await open('keys'), what, own)
    },
  }
}
