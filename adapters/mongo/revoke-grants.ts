import type { Filter } from 'mongodb'
import type { GrantStore } from '../../src/store/store.ts'
import { digest } from '../common/records.ts'
import type { MongoContext } from './context.ts'
import { checkFormat, FORMAT } from './documents.ts'
import { deadGrant, type GrantDocument, isLiveGrant, liveGrant, tokenKey } from './grant-document.ts'
import { entryId, TokenList } from './token-list.ts'

/** The number of grants that `revokeMany` deletes at a time. */
const BATCH = 200

type Revoked = Pick<GrantDocument, '_id' | 'format' | 'listPrefix'>

/** Revokes by deleting. Every method deletes the tokens first, and then their entries in the list. */
export function revokeGrants(context: MongoContext): Pick<GrantStore, 'revokeToken' | 'revoke' | 'revokeMany'> {
  const { now } = context
  const open = () => context.collection<GrantDocument>('grants')
  const openList = () => TokenList.open(context)

  const refuseOtherFormat = async (_id: string) => {
    checkFormat('a grant', await (await open()).findOne({ _id }, { projection: { format: 1 } }))
  }

  const revokeBatch = async (found: readonly Revoked[]): Promise<number> => {
    const grants = await open()
    const { deletedCount } = await grants.deleteMany({ _id: { $in: found.map(({ _id }) => _id) }, ...liveGrant(now()) })
    await (await openList()).removeGrants(found.map(({ listPrefix }) => listPrefix))
    return deletedCount
  }

  return {
    async revokeToken({ grantId, tokenId }) {
      const grants = await open()
      const [_id, key] = [digest([grantId]), tokenKey(tokenId)]
      const revoked = await grants.findOneAndUpdate(
        { _id, format: FORMAT, tokens: { $elemMatch: { key, expiresAt: { $gt: now() } } } },
        { $pull: { tokens: { key }, spent: { key } } },
        { projection: { listPrefix: 1, 'tokens.expiresAt': 1 }, returnDocument: 'after' },
      )
      if (!revoked) {
        await refuseOtherFormat(_id)
        return false
      }
      if (!isLiveGrant(revoked, now())) await grants.deleteOne({ _id, ...deadGrant(now()) })
      await (await openList()).remove([entryId(revoked.listPrefix, key)])
      return true
    },

    async revoke(grantId) {
      const grants = await open()
      const _id = digest([grantId])
      const revoked = await grants.findOneAndDelete({ _id, ...liveGrant(now()) }, { projection: { listPrefix: 1 } })
      if (revoked) await (await openList()).removeGrants([revoked.listPrefix])
      else await refuseOtherFormat(_id)
      return revoked !== null
    },

    async revokeMany({ appId, epochBelow, orgId, userId }) {
      if (appId === undefined && userId === undefined && orgId === undefined) return 0
      const grants = await open()
      const wanted: Filter<GrantDocument> = {
        ...(appId === undefined ? {} : { app: digest([appId]) }),
        ...(userId === undefined ? {} : { user: digest([userId]) }),
        ...(orgId === undefined ? {} : { org: digest([orgId]) }),
        ...(epochBelow === undefined ? {} : { epoch: { $lt: epochBelow } }),
      }
      let revoked = 0
      let refused: Revoked | undefined
      let batch: Revoked[] = []
      const found = grants.find(wanted, { batchSize: BATCH }).project<Revoked>({ format: 1, listPrefix: 1 })
      for await (const document of found) {
        if (document.format !== FORMAT) refused = document
        else batch.push(document)
        if (batch.length < BATCH) continue
        revoked += await revokeBatch(batch)
        batch = []
      }
      if (batch.length > 0) revoked += await revokeBatch(batch)
      // Last, so that a grant of another format does not keep the others from being revoked.
      checkFormat('a grant', refused)
      return revoked
    },
  }
}
