import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import type { JsonObject } from '../base/json.ts'
import { checkOutboundUrl, OutboundError } from '../outbound/outbound-url.ts'

/** The most keys of one client: enough to replace some while others serve. */
export const MAX_CLIENT_KEYS = 10

/** What may sign an assertion of a client. Ed25519 is what RFC 9864 calls the one curve of EdDSA that there is here. */
export const ASSERTION_ALGORITHMS: readonly string[] = ['PS256', 'ES256', 'EdDSA', 'Ed25519', 'RS256']

/** What a set of public keys comes to. */
export interface PublicKeys {
  /** The keys that can verify an assertion, with the members that say so and no others. */
  readonly keys: readonly JsonObject[]
  /** What is wrong with the first key that cannot; undefined if all can. */
  readonly problem: string | undefined
}

/**
 * Reads a set of public keys (RFC 7517 §5). A set that has a private or a symmetric key has no usable keys: who publishes one
 * has to replace them all.
 */
export function readPublicKeys(set: unknown): PublicKeys {
  const listed: unknown = typeof set === 'object' && set !== null ? (set as { readonly keys?: unknown }).keys : undefined
  if (!Array.isArray(listed) || listed.length === 0) return unusable('must be a key set with keys: { "keys": [ … ] }')
  if (listed.length > MAX_CLIENT_KEYS) return unusable(`must have at most ${MAX_CLIENT_KEYS} keys`)
  const keys: JsonObject[] = []
  let problem: string | undefined
  for (const [index, jwk] of listed.entries()) {
    if (hasSecret(jwk)) return unusable(`must have no private or symmetric key: keys.${index} is one`)
    const wrong = keyProblem(jwk)
    if (wrong === undefined) keys.push(publicMembers(jwk))
    else problem ??= `must have no key that cannot verify: keys.${index} ${wrong}`
  }
  const kids = keys.flatMap(({ kid }) => kid ?? [])
  if (new Set(kids).size < kids.length) return unusable('must have another kid for each key')
  return { keys, problem }
}

/** Explains why a key set cannot be at a URL; undefined if it can. */
export function keySetUrlProblem(url: unknown, allowLoopback: boolean): string | undefined {
  if (typeof url !== 'string' || url.length > 2048 || !url.startsWith('https://') || !URL.canParse(url))
    return 'must be an https URL of at most 2048 characters'
  if (url.includes('#')) return 'must have no fragment'
  try {
    checkOutboundUrl(url, { allowLoopback })
    return undefined
  } catch (error) {
    if (error instanceof OutboundError) return `cannot be called: ${error.message}`
    throw error
  }
}

function unusable(problem: string): PublicKeys {
  return { keys: [], problem }
}

/** Members of private and symmetric keys (RFC 7518 §6.2.2, §6.3.2, §6.4). */
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

function hasSecret(jwk: unknown): boolean {
  if (typeof jwk !== 'object' || jwk === null) return false
  return (jwk as JsonObject).kty === 'oct' || SECRET_MEMBERS.some(name => name in jwk)
}

function keyProblem(jwk: unknown): string | undefined {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return 'is not a JWK'
  const { alg, key_ops, kid, use } = jwk as JsonObject
  if (kid !== undefined && !(typeof kid === 'string' && kid !== '' && kid.length <= 255))
    return 'has a kid that is not a text of 1 to 255 characters'
  if (use !== undefined && use !== 'sig') return 'is not for signatures, by its use'
  if (key_ops !== undefined && !(Array.isArray(key_ops) && key_ops.includes('verify'))) return 'cannot verify, by its key_ops'
  const text = JSON.stringify(publicMembers(jwk as JsonObject))
  if (text.length > 4096) return 'is too large'
  const key = importKey(jwk as JsonWebKey)
  if (!key) return 'is not a key that can be read'
  const algorithms = algorithmsOf(key)
  if (typeof algorithms === 'string') return algorithms
  return alg === undefined || algorithms.includes(alg) ? undefined : `must have alg ${algorithms.join(' or ')}, or none`
}

function importKey(jwk: JsonWebKey): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return undefined
  }
}

/** The algorithms with which a key may verify, or what is wrong with it. */
function algorithmsOf(key: KeyObject): readonly unknown[] | string {
  const { modulusLength = 0, namedCurve, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'rsa':
      // RFC 7518 §3.3. Verifying takes longer with the length of both numbers.
      if (modulusLength < 2048 || modulusLength > 8192) return `has ${modulusLength} bits, and must have 2048 to 8192`
      if (publicExponent < 3n || publicExponent > 0xffff_ffffn) return 'has a public exponent that nobody uses'
      return ['PS256', 'RS256']
    case 'ec':
      return namedCurve === 'prime256v1' ? ['ES256'] : 'must have the curve P-256'
    case 'ed25519':
      return ['EdDSA', 'Ed25519']
    default:
      return 'must be an RSA, P-256 or Ed25519 key'
  }
}

const MEMBERS = ['kty', 'kid', 'use', 'alg', 'crv', 'x', 'y', 'n', 'e']

function publicMembers(jwk: JsonObject): JsonObject {
  return Object.fromEntries(MEMBERS.flatMap(name => (jwk[name] === undefined ? [] : [[name, jwk[name]]])))
}
