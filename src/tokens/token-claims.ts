import type { JsonObject } from '../base/json.ts'

/** The most bytes of JSON that a host may add to a token: it travels in the header of every request. */
export const MAX_TOKEN_CLAIMS_BYTES = 2048

/** What a token without claims of the host's has. */
export const NO_TOKEN_CLAIMS: JsonObject = Object.freeze({})

/**
 * Names that a host cannot give a claim of its own: those that authmount says of a token in a JWT or in an introspection answer,
 * now or soon, and those with which one kind of token is told from another.
 */
const RESERVED: ReadonlySet<string> = new Set([
  // RFC 7519 §4.1
  ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'],
  // RFC 9068 §2.2, RFC 8693 §4
  ...['client_id', 'scope', 'auth_time', 'acr', 'amr', 'act', 'may_act', 'org_id'],
  // RFC 7800 §3.1, RFC 9396 §9.1
  ...['cnf', 'authorization_details'],
  // RFC 7662 §2.2
  ...['active', 'token_type', 'username'],
  // OpenID Connect Core §2, §3.3.2.11; OpenID Connect Back-Channel Logout §2.4; RFC 8417 §2.2
  ...['nonce', 'azp', 'at_hash', 'c_hash', 's_hash', 'sid', 'events', 'txn'],
])

/** Names that mean something to JavaScript: a claim of that name would change the object that it is copied to. */
const PROTOTYPE_NAMES: ReadonlySet<string> = new Set(['prototype', ...Object.getOwnPropertyNames(Object.prototype)])

/** Returns a copy of the claims that the host adds to a token. Throws TypeError for any other value, and for names that are not free. */
export function readTokenClaims(answer: unknown): JsonObject {
  if (!isRecord(answer)) throw new TypeError(`it must return an object of claims or null, not ${kindOf(answer)}`)
  const text = JSON.stringify(answer, refuseLoss)
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_TOKEN_CLAIMS_BYTES)
    throw new TypeError(`the claims of a token have at most ${MAX_TOKEN_CLAIMS_BYTES} bytes as JSON, and these have ${bytes}`)
  // Copied by way of JSON: the store and the token then have the same, and nothing that the host still holds.
  const claims: unknown = JSON.parse(text, refusePrototypeNames)
  if (!isRecord(claims)) throw new TypeError('it must return an object of claims, and this one is something else as JSON')
  const taken = Object.keys(claims).find(name => RESERVED.has(name))
  if (taken !== undefined) throw new TypeError(`${taken} is not a claim that the host can set`)
  return claims as JsonObject
}

/** Returns what of the contents of a token is the host's: everything that has a name of its own. */
export function tokenClaimsOf(contents: Readonly<Record<string, unknown>>): JsonObject {
  const own = Object.entries(contents).filter(([name]) => !RESERVED.has(name) && !PROTOTYPE_NAMES.has(name))
  return own.length === 0 ? NO_TOKEN_CLAIMS : (Object.fromEntries(own) as JsonObject)
}

/** JSON leaves out a function and makes null of an infinite number: a token would lack what the host meant. */
function refuseLoss(this: unknown, name: string, value: unknown): unknown {
  const lost = typeof value === 'function' || typeof value === 'symbol' || (typeof value === 'number' && !Number.isFinite(value))
  if (lost) throw new TypeError(`the claim ${JSON.stringify(name.slice(0, 100))} is nothing that JSON has`)
  return value
}

function refusePrototypeNames(this: unknown, name: string, value: unknown): unknown {
  if (PROTOTYPE_NAMES.has(name)) throw new TypeError(`${name} is not a name for a claim`)
  return value
}

/** An object as `{ … }` makes one: `{ __proto__: … }` and instances of classes are none. */
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? 'an array' : typeof value
}
