import { appOfGrant } from '../../src/base/ids.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { Memo } from '../../src/base/memo.ts'
import type { Grant, Spent, Token } from '../../src/store/store.ts'
import { frozenCopy } from '../common/frozen-copy.ts'
import { damaged } from '../common/records.ts'
import { parseJson } from './records.ts'
import type { OwnFields } from './scripts/grants.ts'

/* Packs a grant and its tokens into fields of a hash, whose format scripts/grants.ts describes. */

/** The fields of a grant that are not tokens. */
export const GRANT_FIELDS = ['g', 'o', 'u', 's'] as const

/** With a longer value, Redis no longer keeps the hash in its packed form (`hash-max-listpack-value`). */
const PACKED_BYTES = 64

/** The fields of a grant and their values in turn. What fits beside the form in `g` needs no field of its own. */
export function formatGrant(grant: Grant): string[] {
  const { id: _, appId: _ofId, orgId, userId, scopes, createdAt, epoch, context, ...others } = grant
  const user = userId === null ? [] : ['u', `=${userId}`]
  const scopesText = JSON.stringify(scopes)
  const form = `2 ${createdAt} ${epoch} ${JSON.stringify(hasFields(others) ? [context, others] : context)}`
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
  const orgId = org ?? parseId(orgField)
  if (scopes == null || orgId === null) throw damaged('a grant')
  const space = form.indexOf(' ', 2)
  const end = form.indexOf(' ', space + 1)
  const [context, others] = form.endsWith(' {}') ? [NO_CONTEXT] : parseContext(form.slice(end + 1))
  const grant: Grant = {
    id,
    appId: appOfGrant(id),
    orgId,
    userId: parseId(userField),
    scopes: parseScopes('a grant', scopes),
    createdAt: Number(form.slice(2, space)),
    epoch: Number(form.slice(space + 1, end)),
    context,
  }
  return others ? { ...others, ...grant } : grant
}

const GRANT_FORM = /^2 \d+ \d+ /
/** The shared context of grants without a user. */
const NO_CONTEXT = Object.freeze({})

function parseContext(json: string): readonly [context: JsonObject, others?: object] {
  const parsed = parseJson<JsonObject | [JsonObject, object]>('a grant', json)
  return Array.isArray(parsed) ? (parsed as [JsonObject, object]) : [parsed as JsonObject]
}

/** The fields that determine a grant's place in the indexes. */
export type Placed = Pick<Grant, 'id' | 'appId' | 'orgId' | 'userId' | 'epoch'>

/**
 * Like `parseGrant`, but without JSON, because a script returns these fields with every rotation; and it never throws, because
 * the script has written already.
 */
export function parsePlaced(id: string, [own, orgField, userField]: OwnFields): Placed {
  const [, beside = ''] = cut(own, '\n')
  return {
    id,
    appId: appOfGrant(id),
    orgId: cut(beside, '\n')[1] ?? orgField?.slice(1) ?? '',
    userId: userField?.slice(1) ?? null,
    epoch: Number(GRANT_EPOCH.exec(own)?.[1]),
  }
}

const GRANT_EPOCH = /^2 \d+ (\d+) /

/** Parses an id. The `=` distinguishes an empty id from an absent one. */
function parseId(field: string | null | undefined): string | null {
  if (field == null) return null
  if (!field.startsWith('=')) throw damaged('a grant')
  return field.slice(1)
}

/** Field and value of each token in turn. */
export function formatTokens(grant: Grant, tokens: readonly Token[]): string[] {
  return tokens.flatMap(({ id, kind, scopes, audience, issuedAt, expiresAt, ...others }) => {
    const letter = kind === 'access' ? 'a' : kind === 'refresh' ? 'r' : 'x'
    const more = formatMore(grant, { scopes, audience }, letter === 'x' ? { ...others, kind } : others)
    return [`t:${id}`, `${letter} ${issuedAt} ${expiresAt}${more}`]
  })
}

/** Formats the fields of a token beside its kind and its instants, after a space; empty for most tokens. */
function formatMore(grant: Grant, { scopes, audience }: Limits, others: Readonly<Record<string, unknown>>): string {
  const rest = hasFields(others) ? `,${JSON.stringify(others)}` : ''
  if (audience !== undefined) return ` [${JSON.stringify(scopes)},${JSON.stringify(audience)}${rest}]`
  if (scopes !== grant.scopes) {
    const own = JSON.stringify(scopes)
    if (own !== JSON.stringify(grant.scopes)) return rest === '' ? ` ${own}` : ` [${own}${rest}]`
  }
  return rest === '' ? '' : ` ${rest.slice(1)}`
}

interface Limits {
  readonly scopes: readonly string[]
  readonly audience?: readonly string[] | undefined
}

/** Parses a token, and how it was spent. */
export function parseToken(id: string, text: string, grant: Grant): { readonly token: Token; readonly spent: Spent | null } {
  if (!TOKEN_FORM.test(text)) throw damaged('a token')
  const kind = text.startsWith('a') ? 'access' : 'refresh'
  const [own, spending] = cut(text, '\n')
  const spent = spending === undefined ? null : parseSpent(spending)
  const middle = own.indexOf(' ', 2)
  const end = own.indexOf(' ', middle + 1)
  const issuedAt = Number(own.slice(2, middle))
  if (end < 0) return { token: { id, kind, scopes: grant.scopes, issuedAt, expiresAt: Number(own.slice(middle + 1)) }, spent }
  const more = parseMore(own.slice(end + 1), grant)
  return { token: { id, kind, ...more, issuedAt, expiresAt: Number(own.slice(middle + 1, end)) }, spent }
}

const TOKEN_FORM = /^[arx] \d+ \d+(?=[ \n]|$)/

function parseMore(json: string, grant: Grant): Pick<Token, 'scopes' | 'audience'> {
  if (json.startsWith('{')) return { scopes: grant.scopes, ...parseJson<object>('a token', json) }
  if (!json.startsWith('[[')) return { scopes: parseScopes('a token', json) }
  const [scopes, second, third] = parseJson<[string[], (string[] | object)?, object?]>('a token', json)
  return Array.isArray(second) ? { scopes, audience: second, ...third } : { scopes, ...second }
}

function parseSpent(text: string): Spent {
  const [at, replay] = cut(text, ' ')
  if (replay === undefined || !/^\d+$/.test(at)) throw damaged('a spent token')
  return { at: Number(at), replay }
}

/** Cache of parsed scopes: they are read on every request, and there are few combinations. */
const SCOPES = new Memo<readonly string[]>()

function parseScopes(what: string, json: string): readonly string[] {
  return SCOPES.get(json) ?? SCOPES.set(json, frozenCopy(parseJson<string[]>(what, json)))
}

/** Tells whether an object has a field in JSON. */
function hasFields(object: Readonly<Record<string, unknown>>): boolean {
  for (const name in object) if (object[name] !== undefined) return true
  return false
}

/** Splits a text at the first mark. */
function cut(text: string, mark: string): readonly [before: string, after?: string] {
  const at = text.indexOf(mark)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + mark.length)]
}
