import type { Collection, Filter } from 'mongodb'
import type { EpochMs } from '../../src/base/time.ts'
import type { Grant, GrantedToken, Token, TokenPage, TokenQuery } from '../../src/store/store.ts'
import { digest } from '../common/records.ts'
import type { MongoContext } from './context.ts'
import type { GrantDocument } from './grant-document.ts'
import { type Expiring, FORMAT, inserted, known, parseJson, sweepAt } from './records.ts'

/** One live token, as a list finds it. Its `_id` is the grant's place, a dot, and the token's key. */
export interface ListedToken extends Expiring {
  readonly client: string
  readonly epoch: number
  readonly user: string | null
  readonly issuedAt: EpochMs
  /** The `_id` of the grant. */
  readonly grant: string
}

/** An entry this old, in milliseconds, without a token is not one in the making. */
const STALE_AFTER_MS = 60_000

/**
 * The tokens of a client, or of a user, newest first.
 *
 * Grants alone could be asked instead, and could never disagree with themselves; but each carries every token it has
 * spent, and to find the newest hundred tokens of a client one would have to read all of that client's. Here a page and
 * a total are read from an index. What it costs is one more document to write for every token.
 *
 * An entry is written before its token, and may for a moment, or after a crash, stand for what is not there: a page shows
 * only what the grant itself confirms, and takes out what is stale. So no token is ever handed out that is not listed.
 */
export class MongoListing {
  readonly #listed: Collection<ListedToken>
  readonly #grants: Collection<GrantDocument>
  readonly #now: () => EpochMs

  static async open({ open, now }: MongoContext): Promise<MongoListing> {
    return new MongoListing(await open('tokens'), await open('grants'), now)
  }

  private constructor(listed: Collection<ListedToken>, grants: Collection<GrantDocument>, now: () => EpochMs) {
    this.#listed = listed
    this.#grants = grants
    this.#now = now
  }

  async add(grant: Grant, tokens: readonly Token[]): Promise<void> {
    const { clientId, epoch, userId } = grant
    const place = placeOf(grant)
    const whose = {
      client: digest([clientId]),
      epoch,
      user: userId === null ? null : digest([userId]),
      grant: digest([grant.id]),
    }
    const entryOf = ({ expiresAt, id, issuedAt }: Token): ListedToken => ({
      _id: entryId(place, keyOfToken(id)),
      format: FORMAT,
      ...whose,
      issuedAt,
      expiresAt,
      sweepAt: sweepAt(expiresAt),
    })
    await Promise.all(tokens.map(token => inserted(() => this.#listed.insertOne(entryOf(token)))))
  }

  async remove(entryIds: readonly string[]): Promise<void> {
    if (entryIds.length > 0) await this.#listed.deleteMany({ _id: { $in: entryIds } })
  }

  async removeAll(places: readonly string[]): Promise<void> {
    if (places.length === 0) return
    await this.#listed.deleteMany({ $or: places.map(place => ({ _id: { $gt: `${place}.`, $lt: `${place}/` } })) })
  }

  /** Takes out those of the tokens that the grant does not have, or not any more: they were added for nothing. */
  async reconcile(grant: Grant, tokens: readonly Token[]): Promise<void> {
    const [_id, place] = [digest([grant.id]), placeOf(grant)]
    const live = await this.#confirmed(tokens.map(token => ({ ...token, _id: entryId(place, keyOfToken(token.id)), grant: _id })))
    const added = tokens.map(({ id }) => entryId(place, keyOfToken(id)))
    await this.remove(added.filter(id => !live.has(id)))
  }

  async page(query: TokenQuery): Promise<TokenPage> {
    const whose: Filter<ListedToken> = {
      ...('userId' in query
        ? { user: digest([query.userId]) }
        : { client: digest([query.clientId]), epoch: { $eq: query.epoch } }),
      expiresAt: { $gt: this.#now() },
    }
    const found: { readonly entry: ListedToken; readonly item: GrantedToken }[] = []
    let older: Filter<ListedToken> | undefined = query.after === undefined ? {} : olderThan(query.after)
    while (older && query.limit > 0 && found.length <= query.limit) {
      const wanted = query.limit + 1 - found.length
      const filter: Filter<ListedToken> = { ...whose, ...older }
      const entries = await this.#listed.find(filter).sort({ issuedAt: -1, _id: -1 }).limit(wanted).toArray()
      const live = await this.#confirmed(entries)
      const stale = entries.filter(({ _id, issuedAt }) => !live.has(_id) && issuedAt < this.#now() - STALE_AFTER_MS)
      await this.remove(stale.map(({ _id }) => _id))
      for (const entry of entries) {
        const item = live.get(entry._id)
        if (item) found.push({ entry, item })
      }
      const last = entries.at(-1)
      older = last && entries.length === wanted ? olderThan(cursorOf(last)) : undefined
    }
    const page = found.slice(0, query.limit)
    const last = page.at(-1)
    return {
      items: page.map(({ item }) => item),
      total: await this.#listed.countDocuments(whose),
      next: last && found.length > query.limit ? cursorOf(last.entry) : null,
    }
  }

  /** Those of the entries whose grant has a live token for them. */
  async #confirmed(
    entries: readonly Pick<ListedToken, '_id' | 'grant' | 'issuedAt'>[],
  ): Promise<ReadonlyMap<string, GrantedToken>> {
    const instants = entries.map(({ issuedAt }) => issuedAt)
    const [first, last] = [Math.min(...instants), Math.max(...instants)]
    const between = { $and: [{ $gte: ['$$token.issuedAt', first] }, { $lte: ['$$token.issuedAt', last] }] }
    // What is spent stays where it is.
    const wanted = {
      format: 1,
      place: 1,
      grant: 1,
      unspent: { $setDifference: ['$tokens.key', '$spent.key'] },
      tokens: { $filter: { input: '$tokens', as: 'token', cond: between } },
    }
    type Confirming = Pick<GrantDocument, '_id' | 'format' | 'grant' | 'place' | 'tokens'> & {
      readonly unspent: readonly string[]
    }
    const ids = [...new Set(entries.map(({ grant }) => grant))]
    const documents =
      ids.length === 0 ? [] : this.#grants.aggregate<Confirming>([{ $match: { _id: { $in: ids } } }, { $project: wanted }])
    const at = this.#now()
    const live = new Map<string, GrantedToken>()
    for await (const document of documents) {
      const { grant, place, tokens, unspent } = known('a grant', document) ?? document
      const granted = parseJson<Grant>('a grant', grant)
      const keys = new Set(unspent)
      for (const { expiresAt, key, token } of tokens) {
        if (expiresAt > at && keys.has(key))
          live.set(entryId(place, key), { grant: granted, token: parseJson<Token>('a token', token) })
      }
    }
    return live
  }
}

/** Where a grant's tokens are listed: a digest of what a list may ask for, and of the grant. */
export function placeOf({ clientId, epoch, id, userId }: Grant): string {
  return digest([id, clientId, String(epoch), ...(userId === null ? [] : [userId])])
}

/** What a grant knows its token by. */
export function keyOfToken(tokenId: string): string {
  return digest([tokenId])
}

export function entryId(place: string, key: string): string {
  return `${place}.${key}`
}

function cursorOf({ _id, issuedAt }: ListedToken): string {
  return `${issuedAt}.${_id}`
}

/** A cursor that is none of ours has nothing after it. */
function olderThan(cursor: string): Filter<ListedToken> | undefined {
  const [, issuedAt, id] = /^(\d{1,16})\.([0-9a-f]{40}\.[0-9a-f]{40})$/.exec(cursor) ?? []
  if (id === undefined) return undefined
  const at = Number(issuedAt)
  return { issuedAt: { $lte: at }, $or: [{ issuedAt: { $lt: at } }, { _id: { $lt: id } }] }
}
