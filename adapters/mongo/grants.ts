import { isDeepStrictEqual } from 'node:util'
import type { Collection } from 'mongodb'
import type { FoundToken, Grant, GrantStore, TokenRef } from '../../src/store/store.ts'
import { digest } from '../common/records.ts'
import type { MongoContext } from './context.ts'
import { checkFormat, parseJson } from './documents.ts'
import { extendGrants } from './extend-grants.ts'
import { deadGrant, type GrantDocument, grantDocument, isLiveGrant, listedGrant, sameToken, tokenKey } from './grant-document.ts'
import { insertIfAbsent, RETRY, retry } from './retry.ts'
import { revokeGrants } from './revoke-grants.ts'
import { TokenList } from './token-list.ts'

export function mongoGrants(context: MongoContext): GrantStore {
  const { now } = context
  const open = () => context.collection<GrantDocument>('grants')

  const find = async ({ grantId, tokenId }: TokenRef): Promise<FoundToken | undefined> => {
    const grants = await open()
    const own = { $elemMatch: { key: tokenKey(tokenId) } }
    const projection = { format: 1, grant: 1, tokens: own, spent: own }
    const document = checkFormat('a grant', await grants.findOne({ _id: digest([grantId]) }, { projection }))
    if (!document) return undefined
    const grant = parseJson<Grant>('a grant', document.grant)
    // The server leaves out an array of which no element matches.
    const element = document.tokens?.[0]
    if (!element || element.expiresAt <= now()) return undefined
    const { at, replay } = document.spent?.[0] ?? {}
    return {
      grant,
      token: parseJson('a token', element.token),
      spent: at === undefined || replay === undefined ? null : { at, replay },
    }
  }

  /** RETRY if the id is neither taken any more nor free. */
  const createOrCompare = async (grants: Collection<GrantDocument>, document: GrantDocument) => {
    const { _id } = document
    if (await insertIfAbsent(() => grants.insertOne(document))) return 'created'
    const { matchedCount } = await grants.replaceOne({ _id, ...deadGrant(now()) }, document)
    if (matchedCount === 1) return 'created'
    const stored = checkFormat('a grant', await grants.findOne({ _id }))
    if (!stored || !isLiveGrant(stored, now())) return RETRY
    return contains(stored, document) ? 'repeated' : 'refused'
  }

  return {
    find,

    async create(grant, tokens) {
      const [grants, list] = [await open(), await TokenList.open(context)]
      const document = grantDocument(grant, tokens)
      // List first. A crash between the two writes leaves an entry without a token; the other order could leave a token that
      // no list shows.
      await list.add(document, tokens)
      const outcome = await retry(() => createOrCompare(grants, document))
      if (outcome !== 'created') await list.reconcile(listedGrant(grant), tokens)
      return outcome !== 'refused'
    },

    ...extendGrants(context, find),
    ...revokeGrants(context),

    listTokens: async query => (await TokenList.open(context)).page(query),
  }
}

/** Tells whether the stored grant is the same one, and has these tokens. */
function contains(stored: GrantDocument, { grant, tokens }: GrantDocument): boolean {
  const byKey = new Map(stored.tokens.map(element => [element.key, element]))
  return (
    isDeepStrictEqual(parseJson('a grant', stored.grant), JSON.parse(grant)) &&
    tokens.every(element => sameToken(byKey.get(element.key), element))
  )
}
