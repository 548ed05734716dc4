import { isDeepStrictEqual } from 'node:util'
import type { Filter } from 'mongodb'
import type { EpochMs } from '../../src/base/time.ts'
import type { Grant, Token } from '../../src/store/store.ts'
import { digest, lastExpiry } from '../common/records.ts'
import { type ExpiringDocument, FORMAT, parseJson, sweepAt } from './documents.ts'

/**
 * A grant and every token descended from it. Spent tokens are in a second array, because one update can append to two
 * arrays, but cannot both change and append to one.
 */
export interface GrantDocument extends ExpiringDocument {
  readonly app: string
  readonly epoch: number
  readonly user: string | null
  readonly org: string
  /** The beginning of the `_id` of its entries in the token list. */
  readonly listPrefix: string
  /** The grant as JSON text. */
  readonly grant: string
  readonly tokens: readonly TokenElement[]
  readonly spent: readonly { readonly key: string; readonly at: EpochMs; readonly replay: string }[]
  /** Rotations and additions so far. */
  readonly extensions: number
}

export interface TokenElement {
  /** A digest of the token's id. */
  readonly key: string
  readonly kind: Token['kind']
  readonly issuedAt: EpochMs
  readonly expiresAt: EpochMs
  /** The token as JSON text. */
  readonly token: string
}

/** The fields of a grant that its entries in the token list repeat. */
export type ListedGrant = Pick<GrantDocument, '_id' | 'app' | 'epoch' | 'user' | 'listPrefix'>

export function listedGrant({ appId, epoch, id, userId }: Grant): ListedGrant {
  return {
    _id: digest([id]),
    app: digest([appId]),
    epoch,
    user: userId === null ? null : digest([userId]),
    // A digest of every field that a list selects by, so that this grant never confirms an entry with other fields.
    listPrefix: digest([id, appId, String(epoch), ...(userId === null ? [] : [userId])]),
  }
}

export function grantDocument(grant: Grant, tokens: readonly Token[]): GrantDocument {
  const expiresAt = lastExpiry(tokens)
  return {
    ...listedGrant(grant),
    format: FORMAT,
    org: digest([grant.orgId]),
    expiresAt,
    sweepAt: sweepAt(expiresAt),
    extensions: 0,
    grant: JSON.stringify(grant),
    tokens: tokens.map(tokenElement),
    spent: [],
  }
}

export function tokenElement(token: Token): TokenElement {
  const { expiresAt, id, issuedAt, kind } = token
  return { key: tokenKey(id), kind, issuedAt, expiresAt, token: JSON.stringify(token) }
}

export function tokenKey(tokenId: string): string {
  return digest([tokenId])
}

/** Tells whether an element of a stored grant is this very token. */
export function sameToken(stored: TokenElement | undefined, own: TokenElement): boolean {
  return stored !== undefined && isDeepStrictEqual(parseJson('a token', stored.token), JSON.parse(own.token))
}

/** Finds the grant if one of its tokens, spent or not, has not expired: its own `expiresAt` may be of a revoked token. */
export function liveGrant(at: EpochMs): Filter<GrantDocument> {
  return { format: FORMAT, tokens: { $elemMatch: { expiresAt: { $gt: at } } } }
}

/** The opposite of {@link liveGrant}: the id is free again. */
export function deadGrant(at: EpochMs): Filter<GrantDocument> {
  return { format: FORMAT, tokens: { $not: { $elemMatch: { expiresAt: { $gt: at } } } } }
}

/** {@link liveGrant}, for a document that was read. */
export function isLiveGrant({ tokens }: Pick<GrantDocument, 'tokens'>, at: EpochMs): boolean {
  return tokens.some(({ expiresAt }) => expiresAt > at)
}
