import type { Credential, CredentialStore } from '../../src/store/store.ts'
import { digest } from '../common/records.ts'
import type { MongoContext } from './context.ts'
import { versionedRecords } from './versioned-records.ts'

/** Stores credentials. The records never expire: `accessExpiresAt` is about the access token inside. */
export function mongoCredentials(context: MongoContext): CredentialStore {
  const records = versionedRecords<Credential>(context, { name: 'credentials', what: 'a credential' })
  return {
    get: async (connectorId, ownerId) => records.read(digest([connectorId, ownerId])),
    save: async credential => records.write(digest([credential.connectorId, credential.ownerId]), credential),
    delete: async (connectorId, ownerId) => records.remove(digest([connectorId, ownerId])),
  }
}
