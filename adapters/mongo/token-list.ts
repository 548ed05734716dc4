import type { Collection, Filter } from 'mongodb'
import type { EpochMs } from '../../src/base/time.ts'
import type { Grant, GrantedToken, Token, TokenPage, TokenQuery } from '../../src/store/store.ts'
import { digest } from '../common/records.ts'
import type { MongoContext } from './context.ts'
import { checkFormat, type ExpiringDocument, FORMAT, parseJson, sweepAt } from './documents.ts'
import { type GrantDocument, type ListedGrant, tokenKey } from './grant-document.ts'
import { insertIfAbsent } from './retry.ts'

/** One live token of the list. Its `_id` is the `listPrefix` of its grant, a dot and the token's key. */
export interface ListedToken extends ExpiringDocument {
  readonly app: string
  readonly epoch: number
  readonly user: string | null
  readonly issuedAt: EpochMs
  /** The `_id` of the grant. */
  readonly grant: string
}

/** An unconfirmed entry younger than this may belong to a write that is still under way. */
const STALE_AFTER_MS = 60_000

/**
 * Lists the tokens of an app, or of a user, newest first: an index beside the grants, in a collection of its own.
 *
 * Listing from the grants alone would read all grants of an app, with every token they have spent, to find the newest
 * hundred tokens. Here a page and a total come from an index, at the cost of one small document per token.
 *
 * An entry is written before its token, so no token is ever handed out that is not listed. After a crash an entry may have no
 * token: a page shows only what the grants confirm, and removes what is stale.
 */
export class TokenList {
  readonly #entries: Collection<ListedToken>
  readonly #grants: Collection<GrantDocument>
  readonly #now: () => EpochMs

  static async open({ collection, now }: MongoContext): Promise<TokenList> {
    return new TokenList(await collection('tokens'), await collection('grants'), now)
  }

  private constructor(entries: Collection<ListedToken>, grants: Collection<GrantDocument>, now: () => EpochMs) {
    this.#entries = entries
    this.#grants = grants
    this.#now = now
  }

  async add({ _id: grant, app, epoch, listPrefix, user }: ListedGrant, tokens: readonly Token[]): Promise<void> {
    const entryOf = ({ expiresAt, id, issuedAt }: Token): ListedToken => ({
      _id: entryId(listPrefix, tokenKey(id)),
      format: FORMAT,
      app,
      epoch,
      user,
      grant,
      issuedAt,
      expiresAt,
      sweepAt: sweepAt(expiresAt),
    })
    await Promise.all(tokens.map(token => insertIfAbsent(() => this.#entries.insertOne(entryOf(token)))))
  }

  async remove(entryIds: readonly string[]): Promise<void> {
    if (entryIds.length > 0) await this.#entries.deleteMany({ _id: { $in: entryIds } })
  }

  /** Removes every entry of the grants with these prefixes. */
  async removeGrants(listPrefixes: readonly string[]): Promise<void> {
    if (listPrefixes.length === 0) return
    // In ASCII, the slash follows the dot: the range has all ids that begin with the prefix and a dot.
    await this.#entries.deleteMany({ $or: listPrefixes.map(prefix => ({ _id: { $gt: `${prefix}.`, $lt: `${prefix}/` } })) })
  }

  /** Removes the entries of those tokens that the stored grant does not have, or has no longer. */
  async reconcile({ _id, listPrefix }: ListedGrant, tokens: readonly Token[]): Promise<void> {
    const added = tokens.map(({ id, issuedAt }) => ({ _id: entryId(listPrefix, tokenKey(id)), grant: _id, issuedAt }))
    const confirmed = await this.#confirm(added)
    await this.remove(added.flatMap(({ _id }) => (confirmed.has(_id) ? [] : [_id])))
  }

  async page(query: TokenQuery): Promise<TokenPage> {
    const { after, limit } = query
    const listed: Filter<ListedToken> = {
      ...('userId' in query ? { user: digest([query.userId]) } : { app: digest([query.appId]), epoch: { $eq: query.epoch } }),
      expiresAt: { $gt: this.#now() },
    }
    const found: { readonly entry: ListedToken; readonly item: GrantedToken }[] = []
    let older: Filter<ListedToken> | undefined = after === undefined ? {} : olderThan(after)
    // Reads on while entries turn out to be unconfirmed, and one further than asked for, to see whether another page follows.
    while (older && limit > 0 && found.length <= limit) {
      const wanted = limit + 1 - found.length
      const filter: Filter<ListedToken> = { ...listed, ...older }
      const entries = await this.#entries.find(filter).sort({ issuedAt: -1, _id: -1 }).limit(wanted).toArray()
      const confirmed = await this.#confirm(entries)
      const stale = entries.filter(({ _id, issuedAt }) => !confirmed.has(_id) && issuedAt < this.#now() - STALE_AFTER_MS)
      await this.remove(stale.map(({ _id }) => _id))
      for (const entry of entries) {
        const item = confirmed.get(entry._id)
        if (item) found.push({ entry, item })
      }
      const last = entries.at(-1)
      older = last && entries.length === wanted ? olderThan(cursorOf(last)) : undefined
    }
    const page = found.slice(0, limit)
    const last = page.at(-1)
    return {
      items: page.map(({ item }) => item),
      total: await this.#entries.countDocuments(listed),
      next: last && found.length > limit ? cursorOf(last.entry) : null,
    }
  }

  /** The tokens of those entries for which the grant has a live, unspent token, by the `_id` of the entry. */
  async #confirm(
    entries: readonly Pick<ListedToken, '_id' | 'grant' | 'issuedAt'>[],
  ): Promise<ReadonlyMap<string, GrantedToken>> {
    if (entries.length === 0) return new Map()
    const instants = entries.map(({ issuedAt }) => issuedAt)
    const [first, last] = [Math.min(...instants), Math.max(...instants)]
    const between = { $and: [{ $gte: ['$$token.issuedAt', first] }, { $lte: ['$$token.issuedAt', last] }] }
    // The server filters, because a grant may carry many spent tokens.
    const wanted = {
      format: 1,
      listPrefix: 1,
      grant: 1,
      unspent: { $setDifference: ['$tokens.key', '$spent.key'] },
      tokens: { $filter: { input: '$tokens', as: 'token', cond: between } },
    }
    const grantIds = [...new Set(entries.map(({ grant }) => grant))]
    const documents = this.#grants.aggregate<Confirming>([{ $match: { _id: { $in: grantIds } } }, { $project: wanted }])
    const at = this.#now()
    const confirmed = new Map<string, GrantedToken>()
    for await (const document of documents) {
      const { grant, listPrefix, tokens, unspent } = checkFormat('a grant', document) ?? document
      const granted = parseJson<Grant>('a grant', grant)
      const keys = new Set(unspent)
      for (const { expiresAt, key, token } of tokens) {
        if (expiresAt > at && keys.has(key))
          confirmed.set(entryId(listPrefix, key), { grant: granted, token: parseJson<Token>('a token', token) })
      }
    }
    return confirmed
  }
}

type Confirming = Pick<GrantDocument, '_id' | 'format' | 'grant' | 'listPrefix' | 'tokens'> & {
  readonly unspent: readonly string[]
}

export function entryId(listPrefix: string, key: string): string {
  return `${listPrefix}.${key}`
}

function cursorOf({ _id, issuedAt }: ListedToken): string {
  return `${issuedAt}.${_id}`
}

/** Makes the filter for the entries after a cursor. Undefined for a text that is not a cursor, after which there are none. */
function olderThan(cursor: string): Filter<ListedToken> | undefined {
  const [, issuedAt, id] = /^(\d{1,16})\.([0-9a-f]{40}\.[0-9a-f]{40})$/.exec(cursor) ?? []
  if (id === undefined) return undefined
  const at = Number(issuedAt)
  return { issuedAt: { $lte: at }, $or: [{ issuedAt: { $lt: at } }, { _id: { $lt: id } }] }
}
