import type { Filter } from 'mongodb'
import type { EpochMs } from '../../src/base/time.ts'
import type { Grant, GrantStore, Token } from '../../src/store/store.ts'
import { digest, lastExpiry } from '../common/records.ts'
import type { MongoContext } from './context.ts'
import { checkFormat, FORMAT, sweepAt } from './documents.ts'
import {
  type GrantDocument,
  type ListedGrant,
  listedGrant,
  sameToken,
  type TokenElement,
  tokenElement,
  tokenKey,
} from './grant-document.ts'
import { RETRY, retry } from './retry.ts'
import { entryId, TokenList } from './token-list.ts'

/** One in this many extensions of a grant also removes its expired tokens: MongoDB refuses a document above 16 MB. */
const PRUNE_EVERY = 64

type Extended = ListedGrant & Pick<GrantDocument, 'extensions'>
const EXTENDED = {
  projection: { app: 1, epoch: 1, user: 1, listPrefix: 1, extensions: 1 },
  returnDocument: 'after',
} as const

/** Rotates and adds tokens. Each is one update of the grant, whose filter matches nothing if the grant was revoked. */
export function extendGrants(context: MongoContext, find: GrantStore['find']): Pick<GrantStore, 'rotate' | 'add'> {
  const { now } = context
  const open = () => context.collection<GrantDocument>('grants')

  /** Lists the tokens, runs `update`, and then makes the list agree with what happened. */
  const extend = async <Refused extends string>(
    { grant, tokens }: { readonly grant: Grant; readonly tokens: readonly Token[] },
    update: () => Promise<Extended | Refused>,
  ): Promise<Extended | Refused> => {
    const list = await TokenList.open(context)
    const listed = listedGrant(grant)
    // List first, as in `create`.
    await list.add(listed, tokens)
    const outcome = await update()
    if (typeof outcome === 'string') await list.reconcile(listed, tokens)
    else if (outcome.listPrefix !== listed.listPrefix) {
      // The caller's grant differs from the stored one, which decides under whom its tokens are listed.
      await list.add(outcome, tokens)
      await list.reconcile(listed, tokens)
    }
    return outcome
  }

  const pruneSometimes = async ({ _id, extensions }: Extended): Promise<void> => {
    if (extensions % PRUNE_EVERY === 0) await prune(_id)
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

  return {
    async rotate({ grant, token }, next, replay) {
      const grants = await open()
      const ref = { grantId: grant.id, tokenId: token.id }
      const key = tokenKey(token.id)
      const outcome = await extend<'missing' | 'repeated' | 'reused'>({ grant, tokens: next }, () =>
        retry(async () => {
          const at = now()
          const rotated = await grants.findOneAndUpdate(
            spendable(grant.id, key, at),
            {
              $push: { tokens: { $each: next.map(tokenElement) }, spent: { key, at, replay } },
              $max: prolonged(next),
              $inc: { extensions: 1 },
            },
            EXTENDED,
          )
          if (rotated) return rotated
          const found = await find(ref)
          if (found?.token.kind !== 'refresh') return 'missing'
          if (!found.spent) return RETRY
          return found.spent.replay === replay ? 'repeated' : 'reused'
        }),
      )
      if (typeof outcome === 'string') return outcome === 'repeated' ? 'rotated' : outcome
      await (await TokenList.open(context)).remove([entryId(outcome.listPrefix, key)])
      await pruneSometimes(outcome)
      return 'rotated'
    },

    async add({ grant, token }, tokens) {
      const grants = await open()
      const [_id, key] = [digest([grant.id]), tokenKey(token.id)]
      let absent = distinct(tokens.map(tokenElement))
      const outcome = await extend<'missing' | 'repeated' | 'taken'>({ grant, tokens }, () =>
        retry(async () => {
          const added = await grants.findOneAndUpdate(
            { ...spendable(grant.id, key, now()), 'tokens.key': { $nin: absent.map(element => element.key) } },
            { $push: { tokens: { $each: [...absent] } }, $max: prolonged(tokens), $inc: { extensions: 1 } },
            EXTENDED,
          )
          if (added) return added
          const projection = { format: 1, tokens: 1, 'spent.key': 1 }
          const stored = checkFormat('a grant', await grants.findOne({ _id }, { projection }))
          if (!stored || !isSpendable(stored, key, now())) return 'missing'
          const byKey = new Map(stored.tokens.map(element => [element.key, element]))
          if (!absent.every(own => sameToken(byKey.get(own.key) ?? own, own))) return 'taken'
          // The next try adds only those that are not there yet.
          absent = absent.filter(own => !byKey.has(own.key))
          return absent.length === 0 ? 'repeated' : RETRY
        }),
      )
      if (outcome === 'taken') throw new Error(TAKEN)
      if (typeof outcome === 'string') return outcome === 'repeated' ? 'added' : outcome
      await pruneSometimes(outcome)
      return 'added'
    },
  }
}

const TAKEN = 'the grant has a token with the id of an added one, and other content'

/** Finds the grant iff it has the token as a live, unspent refresh token. */
function spendable(grantId: string, key: string, at: EpochMs): Filter<GrantDocument> {
  return {
    _id: digest([grantId]),
    format: FORMAT,
    tokens: { $elemMatch: { key, kind: 'refresh', expiresAt: { $gt: at } } },
    'spent.key': { $ne: key },
  }
}

/** {@link spendable}, for a document that was read. */
function isSpendable({ spent, tokens }: Pick<GrantDocument, 'spent' | 'tokens'>, key: string, at: EpochMs): boolean {
  const token = tokens.find(element => element.key === key)
  return token?.kind === 'refresh' && token.expiresAt > at && !spent?.some(element => element.key === key)
}

/** A grant lives as long as the longest of its tokens. */
function prolonged(tokens: readonly Token[]): { readonly expiresAt: EpochMs; readonly sweepAt: Date } {
  const expiresAt = lastExpiry(tokens)
  return { expiresAt, sweepAt: sweepAt(expiresAt) }
}

/** The tokens without repetitions of one id. */
function distinct(elements: readonly TokenElement[]): readonly TokenElement[] {
  const byKey = new Map(elements.map(element => [element.key, element]))
  if (!elements.every(element => sameToken(byKey.get(element.key), element))) throw new Error(TAKEN)
  return [...byKey.values()]
}
