import type { Db } from 'mongodb'
import type { EpochMs } from '../../src/base/time.ts'
import type { Store } from '../../src/store/store.ts'
import { mongoApps } from './apps.ts'
import { mongoConsents } from './consents.ts'
import type { CollectionName, MongoContext } from './context.ts'
import { mongoCredentials } from './credentials.ts'
import type { StoredDocument } from './documents.ts'
import { mongoGrants } from './grants.ts'
import { createIndexes, runOnce } from './indexes.ts'
import { mongoKeyRing } from './key-ring.ts'
import { mongoOneTime } from './one-time.ts'

/** Options of the MongoDB store. */
export interface MongoStoreOptions {
  /** The beginning of every collection's name. Default `authmount_`. */
  readonly prefix?: string
  /** The clock. Default `Date.now`. */
  readonly now?: () => EpochMs
}

/**
 * The part of the driver's `Db` by which the store takes it: the `Db` of the driver 6 or 7 is one, and so is the `Db` of
 * mongoose 8 and later, which have a driver of their own.
 */
export interface MongoDatabase {
  /** The name of the database. */
  readonly databaseName: string
  /** Returns a collection. */
  collection(
    name: string,
    options?: object,
  ): {
    /** The name of the collection. */
    readonly collectionName: string
  }
}

/**
 * Makes a store in a MongoDB database (4.4 or later), through the host's own `Db`, whose client it never closes.
 *
 * Every atomic method is one operation on one document, so a single server without transactions is enough. Reads go to the
 * primary, and writes are acknowledged by a majority of the replica set. The first call creates the indexes, which needs the
 * role `readWrite`. Methods reject with the driver's errors, and for a document that this version cannot read, which they do
 * not change.
 */
export function mongoStore(db: MongoDatabase, options: MongoStoreOptions = {}): Store {
  if (typeof db !== 'object' || db === null || !('collection' in db))
    throw new TypeError(
      "mongoStore needs a database of the driver: mongoStore(client.db('app')), or mongoose.connection.getClient().db()",
    )
  const { prefix = 'authmount_', now = Date.now } = options
  // Typed by one driver from here on; the methods in use are the same in all of them.
  const driver = db as Db
  const ready = runOnce(() => createIndexes(driver, prefix))
  const context: MongoContext = {
    now,
    async collection<D extends StoredDocument>(name: CollectionName) {
      await ready()
      return driver.collection<D>(prefix + name, {
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
    keys: mongoKeyRing(context),
  }
}
