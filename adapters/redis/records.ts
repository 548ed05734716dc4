import { appOfGrant } from '../../src/base/ids.ts'
import { Memo } from '../../src/base/memo.ts'
import type { Grant, Spent, Token, TokenRef } from '../../src/store/store.ts'
import { frozenCopy } from '../common/frozen-copy.ts'
import { damaged, digest } from '../common/records.ts'

/*
 * Every record begins with its format. What a later version of authmount wrote, or something else damaged, is refused:
 * read as if it were absent it could be overwritten, or a revocation could be forgotten.
 */

/** A key for any ids whatever: no text of a client's reaches a key, nor steers it to a slot of a cluster. */
export function keyOf(prefix: string, kind: string, ...ids: readonly string[]): string {
  return `${prefix}:${kind}:${digest(ids)}`
}

// ── "1 <version> <json>" ─────────────────────────────────────────────────────

export function formatRecord(record: object, version = 0): string {
  return `1 ${version} ${JSON.stringify(record)}`
}

export function parseRecord<T>(what: string, text: string | null | undefined): T | undefined {
  if (text === null || text === undefined) return undefined
  if (!/^1 \d+ /.test(text)) throw damaged(what)
  return parseJson(what, text.slice(text.indexOf(' ', 2) + 1))
}

// ── "1<attempt><json>" ───────────────────────────────────────────────────────

const UNUSED = '0'.repeat(40)

export function formatEntry(entry: object): string {
  return `1${UNUSED}${JSON.stringify(entry)}`
}

export function parseEntry<T>(text: string | null): { readonly entry: T; readonly attempt: string } | undefined {
  if (text === null) return undefined
  if (!/^1[0-9a-f]{40}/.test(text)) throw damaged('a one-time value')
  return { entry: parseJson('a one-time value', text.slice(41)), attempt: text.slice(1, 41) }
}

// ── Grants: see redis-scripts.ts for the fields ──────────────────────────────

export const GRANT_FIELDS = ['g', 'o', 'u', 's'] as const

/** What is longer makes Redis take a hash out of its packed form (`hash-max-listpack-value`). */
const PACKED_BYTES = 64

/** Those a grant has, and their values, in turn: what fits beside its form needs no field of its own. */
export function formatGrant({ orgId, userId, scopes, createdAt, epoch, context }: Grant): string[] {
  const user = userId === null ? [] : ['u', `=${userId}`]
  const scopesText = JSON.stringify(scopes)
  const form = `1 ${createdAt} ${epoch} ${JSON.stringify(context)}`
  const withScopes = `${form}\n${scopesText}`
  if (Buffer.byteLength(withScopes) > PACKED_BYTES) return ['g', form, 'o', `=${orgId}`, 's', scopesText, ...user]
  const withOrg = `${withScopes}\n${orgId}`
  if (Buffer.byteLength(withOrg) > PACKED_BYTES) return ['g', withScopes, 'o', `=${orgId}`, ...user]
  return ['g', withOrg, ...user]
}

export function parseGrant(id: string, [own, orgField, userField, scopesField]: readonly (string | null | undefined)[]): Grant {
  if (own == null || !GRANT_FORM.test(own)) throw damaged('a grant')
  const [form, beside] = cut(own, '\n')
  const [scopes, org] = beside === undefined ? [scopesField] : cut(beside, '\n')
  const orgId = org ?? parseOwner(orgField)
  if (scopes == null || orgId === null) throw damaged('a grant')
  const space = form.indexOf(' ', 2)
  const end = form.indexOf(' ', space + 1)
  return {
    id,
    clientId: appOfGrant(id),
    orgId,
    userId: parseOwner(userField),
    scopes: parseScopes('a grant', scopes),
    createdAt: Number(form.slice(2, space)),
    epoch: Number(form.slice(space + 1, end)),
    context: form.endsWith(' {}') ? NO_CONTEXT : parseJson('a grant', form.slice(end + 1)),
  }
}

const GRANT_FORM = /^1 \d+ \d+ /
/** Only a user's authorization has one. */
const NO_CONTEXT = Object.freeze({})

function parseOwner(field: string | null | undefined): string | null {
  if (field == null) return null
  if (!field.startsWith('=')) throw damaged('a grant')
  return field.slice(1)
}

/** Field and value of each token, in turn. */
export function formatTokens(grant: Grant, tokens: readonly Token[]): string[] {
  return tokens.flatMap(({ id, kind, scopes, audience, issuedAt, expiresAt }) => {
    const limits = audience ? ` ${JSON.stringify([scopes, audience])}` : ownScopes(scopes, grant)
    return [`t:${id}`, `${kind === 'access' ? 'a' : 'r'} ${issuedAt} ${expiresAt}${limits}`]
  })
}

function ownScopes(scopes: readonly string[], grant: Grant): string {
  if (scopes === grant.scopes) return ''
  const own = JSON.stringify(scopes)
  return own === JSON.stringify(grant.scopes) ? '' : ` ${own}`
}

/** A token, and how it was spent, which follows on a line of its own. */
export function parseToken(id: string, text: string, grant: Grant): { readonly token: Token; readonly spent: Spent | null } {
  if (!TOKEN_FORM.test(text)) throw damaged('a token')
  const kind = text.startsWith('a') ? 'access' : 'refresh'
  const [own, spending] = cut(text, '\n')
  const spent = spending === undefined ? null : parseSpent(spending)
  const middle = own.indexOf(' ', 2)
  const end = own.indexOf(' ', middle + 1)
  const issuedAt = Number(own.slice(2, middle))
  if (end < 0) return { token: { id, kind, scopes: grant.scopes, issuedAt, expiresAt: Number(own.slice(middle + 1)) }, spent }
  return {
    token: { id, kind, ...parseLimits(own.slice(end + 1)), issuedAt, expiresAt: Number(own.slice(middle + 1, end)) },
    spent,
  }
}

const TOKEN_FORM = /^[ar] \d+ \d+(?=[ \n]|$)/

function parseSpent(text: string): Spent {
  const [at, replay] = cut(text, ' ')
  if (replay === undefined || !/^\d+$/.test(at)) throw damaged('a spent token')
  return { at: Number(at), replay }
}

/** How the index of a client names a token. The client is in the name of the index. */
export function formatMember({ grantId, tokenId }: TokenRef): string {
  const own = grantId.slice(appOfGrant(grantId).length)
  return `${own.length}:${own}${tokenId}`
}

export function parseMember(clientId: string, member: string): TokenRef {
  const colon = member.indexOf(':')
  const end = colon + 1 + Number(member.slice(0, colon))
  return { grantId: clientId + member.slice(colon + 1, end), tokenId: member.slice(end) }
}

/** Scopes alone, or scopes and audience. */
function parseLimits(json: string): Pick<Token, 'scopes' | 'audience'> {
  if (!json.startsWith('[[')) return { scopes: parseScopes('a token', json) }
  const [scopes, audience] = parseJson<[string[], string[]]>('a token', json)
  return { scopes, audience }
}

/** Combinations of scopes are few, and are read again on every request. */
const SCOPES = new Memo<readonly string[]>()

function parseScopes(what: string, json: string): readonly string[] {
  return SCOPES.get(json) ?? SCOPES.set(json, frozenCopy(parseJson<string[]>(what, json)))
}

/** What stands before the first mark, and what stands after it, where there is one. */
function cut(text: string, mark: string): readonly [before: string, after?: string] {
  const at = text.indexOf(mark)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + mark.length)]
}

function parseJson<T>(what: string, json: string): T {
  try {
    return JSON.parse(json)
  } catch {
    // The parser's words would quote the record.
    throw damaged(what)
  }
}
