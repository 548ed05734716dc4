import { isDeepStrictEqual } from 'node:util'
import type { Filter } from 'mongodb'
import type { FoundToken, Grant, GrantStore, Token, TokenRef } from '../../src/store/store.ts'
import { digest, lastExpiry } from '../common/records.ts'
import type { MongoContext } from './context.ts'
import type { GrantDocument, TokenElement } from './grant-document.ts'
import { entryId, keyOfToken, MongoListing, placeOf } from './listing.ts'
import { AGAIN, FORMAT, inserted, known, parseJson, settle, sweepAt } from './records.ts'

/** How many grants are revoked at a time. */
const BATCH = 200

/** Every so many rotations, what has expired is taken out: a document may have 16 MB. */
const PRUNE_EVERY = 64

export function mongoGrants(context: MongoContext): GrantStore {
  const { now } = context
  const open = () => context.open<GrantDocument>('grants')
  const openListing = () => MongoListing.open(context)

  /** One with no token left is about to be deleted. */
  const live = (): Filter<GrantDocument> => ({ format: FORMAT, expiresAt: { $gt: now() }, tokens: { $ne: [] } })
  const refuseUnknown = async (_id: string) => {
    known('a grant', await (await open()).findOne({ _id }, { projection: { format: 1 } }))
  }

  const find = async ({ grantId, tokenId }: TokenRef): Promise<FoundToken | undefined> => {
    const grants = await open()
    const own = { $elemMatch: { key: keyOfToken(tokenId) } }
    const projection = { format: 1, grant: 1, tokens: own, spent: own }
    const document = known('a grant', await grants.findOne({ _id: digest([grantId]) }, { projection }))
    if (!document) return undefined
    const grant = parseJson<Grant>('a grant', document.grant)
    // What matches nothing is left out.
    const element = document.tokens?.[0]
    if (!element || element.expiresAt <= now()) return undefined
    const { at, replay } = document.spent?.[0] ?? {}
    return {
      grant,
      token: parseJson('a token', element.token),
      spent: at === undefined || replay === undefined ? null : { at, replay },
    }
  }

  const prune = async (_id: string): Promise<void> => {
    const grants = await open()
    const projection = { 'tokens.key': 1, 'tokens.expiresAt': 1 }
    const document = await grants.findOne({ _id, format: FORMAT }, { projection })
    const at = now()
    const expired = (document?.tokens ?? []).flatMap(({ expiresAt, key }) => (expiresAt <= at ? [key] : []))
    const own = { key: { $in: expired } }
    if (expired.length > 0) await grants.updateOne({ _id, format: FORMAT }, { $pull: { tokens: own, spent: own } })
  }

  const revokeBatch = async (found: readonly Pick<GrantDocument, '_id' | 'place'>[]): Promise<number> => {
    const grants = await open()
    const { deletedCount } = await grants.deleteMany({ _id: { $in: found.map(({ _id }) => _id) }, ...live() })
    await (await openListing()).removeAll(found.map(({ place }) => place))
    return deletedCount
  }

  return {
    find,

    async create(grant, tokens) {
      const [grants, listing] = [await open(), await openListing()]
      const document = documentOf(grant, tokens)
      const { _id } = document
      // Index first: if we stop between the two writes, a list skips a token that is not there.
      await listing.add(grant, tokens)
      const created = await settle(async () => {
        if (await inserted(() => grants.insertOne(document))) return true
        const gone: Filter<GrantDocument> = { $or: [{ expiresAt: { $lte: now() } }, { tokens: { $size: 0 } }] }
        const { matchedCount } = await grants.replaceOne({ _id, format: FORMAT, ...gone }, document)
        if (matchedCount === 1) return true
        const found = known('a grant', await grants.findOne({ _id }))
        if (!found || found.expiresAt <= now() || found.tokens.length === 0) return AGAIN
        const keys = new Set(found.tokens.map(({ key }) => key))
        const same = isDeepStrictEqual(parseJson('a grant', found.grant), JSON.parse(document.grant))
        return same && document.tokens.every(({ key }) => keys.has(key)) ? 'repeated' : false
      })
      if (created !== true) await listing.reconcile(grant, tokens)
      return created !== false
    },

    async rotate({ grant, token }, next, replay) {
      const [grants, listing] = [await open(), await openListing()]
      const ref = { grantId: grant.id, tokenId: token.id }
      const [_id, key, expiresAt] = [digest([grant.id]), keyOfToken(token.id), lastExpiry(next)]
      await listing.add(grant, next)
      const outcome = await settle(async () => {
        const at = now()
        const spendable = { $elemMatch: { key, kind: 'refresh' as const, expiresAt: { $gt: at } } }
        const rotated = await grants.findOneAndUpdate(
          { _id, format: FORMAT, tokens: spendable, 'spent.key': { $ne: key } },
          {
            $push: { tokens: { $each: next.map(elementOf) }, spent: { key, at, replay } },
            $max: { expiresAt, sweepAt: sweepAt(expiresAt) },
            $inc: { rotations: 1 },
          },
          { projection: { place: 1, rotations: 1 }, returnDocument: 'after' },
        )
        if (rotated) return rotated
        const found = await find(ref)
        if (found?.token.kind !== 'refresh') return 'missing'
        if (!found.spent) return AGAIN
        return found.spent.replay === replay ? 'repeated' : 'reused'
      })
      if (typeof outcome === 'string') {
        await listing.reconcile(grant, next)
        return outcome === 'repeated' ? 'rotated' : outcome
      }
      await listing.remove([entryId(outcome.place, key)])
      if (outcome.rotations % PRUNE_EVERY === 0) await prune(_id)
      return 'rotated'
    },

    async revokeToken({ grantId, tokenId }) {
      const grants = await open()
      const [_id, key] = [digest([grantId]), keyOfToken(tokenId)]
      const revoked = await grants.findOneAndUpdate(
        { _id, format: FORMAT, tokens: { $elemMatch: { key, expiresAt: { $gt: now() } } } },
        { $pull: { tokens: { key }, spent: { key } } },
        { projection: { place: 1, 'tokens.key': 1 }, returnDocument: 'after' },
      )
      if (!revoked) {
        await refuseUnknown(_id)
        return false
      }
      if (revoked.tokens.length === 0) await grants.deleteOne({ _id, format: FORMAT, tokens: { $size: 0 } })
      await (await openListing()).remove([entryId(revoked.place, key)])
      return true
    },

    async revoke(grantId) {
      const grants = await open()
      const _id = digest([grantId])
      const revoked = await grants.findOneAndDelete({ _id, ...live() }, { projection: { place: 1 } })
      if (revoked) await (await openListing()).removeAll([revoked.place])
      else await refuseUnknown(_id)
      return revoked !== null
    },

    async revokeMany({ clientId, userId, epochBelow }) {
      if (clientId === undefined && userId === undefined) return 0
      const grants = await open()
      const wanted: Filter<GrantDocument> = {
        ...(clientId === undefined ? {} : { client: digest([clientId]) }),
        ...(userId === undefined ? {} : { user: digest([userId]) }),
        ...(epochBelow === undefined ? {} : { epoch: { $lt: epochBelow } }),
      }
      let revoked = 0
      let refused: Pick<GrantDocument, '_id' | 'format'> | undefined
      let batch: GrantDocument[] = []
      for await (const document of grants.find(wanted, { projection: { format: 1, place: 1 }, batchSize: BATCH })) {
        if (document.format !== FORMAT) refused = document
        else batch.push(document)
        if (batch.length < BATCH) continue
        revoked += await revokeBatch(batch)
        batch = []
      }
      if (batch.length > 0) revoked += await revokeBatch(batch)
      // Last, so that what can be revoked is.
      known('a grant', refused)
      return revoked
    },

    listTokens: async query => (await openListing()).page(query),
  }
}

function documentOf(grant: Grant, tokens: readonly Token[]): GrantDocument {
  const expiresAt = lastExpiry(tokens)
  return {
    _id: digest([grant.id]),
    format: FORMAT,
    client: digest([grant.clientId]),
    epoch: grant.epoch,
    user: grant.userId === null ? null : digest([grant.userId]),
    place: placeOf(grant),
    expiresAt,
    sweepAt: sweepAt(expiresAt),
    rotations: 0,
    grant: JSON.stringify(grant),
    tokens: tokens.map(elementOf),
    spent: [],
  }
}

function elementOf(token: Token): TokenElement {
  const { expiresAt, id, issuedAt, kind } = token
  return { key: keyOfToken(id), kind, issuedAt, expiresAt, token: JSON.stringify(token) }
}
