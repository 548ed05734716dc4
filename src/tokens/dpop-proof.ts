import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { sha256 } from '../base/crypto.ts'
import type { JsonObject } from '../base/json.ts'
import { OAuthError } from '../errors/oauth-error.ts'

/**
 * The algorithms of proofs (RFC 9449 §5.1), all asymmetric. `Ed25519` is the newer name of `EdDSA` with that curve (RFC 9864 §2.2).
 */
export const PROOF_ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'] as const
type ProofAlgorithm = (typeof PROOF_ALGORITHMS)[number]

/** A proof that a client has a key (RFC 9449 §4.2), read and not yet verified. */
export interface DpopProof {
  /** The JWT. */
  readonly text: string
  readonly alg: ProofAlgorithm
  /** The public key: its required members alone. */
  readonly jwk: JsonObject
  /** The SHA-256 thumbprint of the key (RFC 7638). */
  readonly jkt: string
  readonly jti: string
  readonly htm: unknown
  readonly htu: unknown
  /** When the client made it, in seconds since 1970. */
  readonly iat: number
  readonly ath: unknown
  readonly nonce: unknown
}

/** A proof with an RSA key of 4,096 bits has 1,900 characters. */
const MAX_PROOF_CHARS = 4096
/** Clients choose a random one: 128 bits are 22 characters. */
const MAX_JTI_CHARS = 256

/**
 * Reads the value of the header `DPoP` (RFC 9449 §4.3, checks 1 to 7 but the signature). Throws OAuthError `invalid_dpop_proof`.
 * Node joins repeated headers with a comma, which no JWT has.
 */
export function readProof(header: string | readonly string[] | undefined): DpopProof {
  if (header === undefined) throw invalidProof('is missing: send it in the header DPoP')
  if (typeof header !== 'string' || header.includes(',')) throw invalidProof('is there more than once')
  if (header.length > MAX_PROOF_CHARS) throw invalidProof(`is longer than ${MAX_PROOF_CHARS} characters`)
  const [, head, claims] = JWT.exec(header) ?? []
  const { alg: algorithm, crit, jwk: given, typ } = decode(head)
  const { ath, htm, htu, iat, jti, nonce } = decode(claims)
  if (typ !== 'dpop+jwt') throw invalidProof('must have the typ dpop+jwt')
  // RFC 7515 §4.1.11: no extension is understood here.
  if (crit !== undefined) throw invalidProof('has a crit that is not supported')
  const alg = PROOF_ALGORITHMS.find(known => known === algorithm)
  if (!alg) throw invalidProof(`must have an alg of ${PROOF_ALGORITHMS.join(', ')}`)
  const jwk = publicMembers(given, alg)
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_CHARS)
    throw invalidProof(`must have a jti of 1 to ${MAX_JTI_CHARS} characters`)
  if (typeof iat !== 'number' || !Number.isFinite(iat)) throw invalidProof('must have an iat')
  // RFC 7638 §3: `jwk` has the required members alone, in alphabetical order.
  return { text: header, alg, jwk, jkt: sha256(JSON.stringify(jwk)), jti, htm, htu, iat, ath, nonce }
}

/** Imports the key of a proof. Throws OAuthError `invalid_dpop_proof` for one that cannot be used. */
export function proofKey({ alg, jwk }: Pick<DpopProof, 'alg' | 'jwk'>): KeyObject {
  let key: KeyObject
  try {
    key = createPublicKey({ key: jwk as Record<string, string>, format: 'jwk' })
  } catch {
    throw invalidProof('has a jwk that is not a usable key')
  }
  // RFC 7518 §3.3: leading zeros would make a short modulus long enough in text.
  if (isRsa(alg) && (key.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS)
    throw invalidProof('has an RSA key that is too short')
  return key
}

/**
 * Verifies the signature of a proof with its imported key. Synchronous: a verification of ES256 takes 0.1 ms, and by way of the thread
 * pool or WebCrypto longer.
 */
export function verifyProof({ alg, text }: Pick<DpopProof, 'alg' | 'text'>, key: KeyObject): void {
  const dot = text.lastIndexOf('.')
  const signature = Buffer.from(text.slice(dot + 1), 'base64url')
  const signed = Buffer.from(text.slice(0, dot), 'latin1')
  if (!verify(DIGEST[alg], signed, { key, ...SETTINGS[alg] }, signature)) throw invalidProof('has a wrong signature')
}

/** Makes the error of a proof that is refused (RFC 9449 §5, §7.1). `problem` follows the words "the DPoP proof". */
export function invalidProof(problem: string): OAuthError {
  return new OAuthError('invalid_dpop_proof', `the DPoP proof ${problem}`)
}

/** Tells whether a text can be the thumbprint of a key. */
export function isThumbprint(text: string): boolean {
  return COORDINATE.test(text)
}

const JWT = /^([\w-]+)\.([\w-]+)\.[\w-]+$/
const MIN_RSA_BITS = 2048
/** 32 bytes in base64url. */
const COORDINATE = /^[\w-]{43}$/
/** 2,048 to 4,096 bits in base64url: a larger key takes too long to verify with. */
const MODULUS = /^[\w-]{342,683}$/
/** At most 32 bits, for the same reason. */
const EXPONENT = /^[\w-]{1,6}$/
/** RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** The digest of each algorithm; null for Ed25519, which hashes by itself (RFC 8032 §5.1.6). */
const DIGEST: Readonly<Record<ProofAlgorithm, string | null>> = {
  ES256: 'sha256',
  EdDSA: null,
  Ed25519: null,
  PS256: 'sha256',
  RS256: 'sha256',
}
/** RFC 7518 §3.4 (no DER), §3.5 (a salt as long as the digest). */
const SETTINGS: Readonly<Record<ProofAlgorithm, object>> = {
  ES256: { dsaEncoding: 'ieee-p1363' },
  EdDSA: {},
  Ed25519: {},
  PS256: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
  RS256: { padding: constants.RSA_PKCS1_PADDING },
}

function isRsa(alg: ProofAlgorithm): boolean {
  return alg === 'PS256' || alg === 'RS256'
}

/** Returns the members that make the key, in alphabetical order (RFC 7638 §3.2). */
function publicMembers(given: unknown, alg: ProofAlgorithm): JsonObject {
  if (typeof given !== 'object' || given === null) throw invalidProof('must have the public key in its header as jwk')
  const { crv, e, kty, n, x, y } = given as Readonly<Record<string, unknown>>
  if (PRIVATE_MEMBERS.some(name => name in given) || kty === 'oct')
    throw invalidProof('must have a public key as its jwk, and never a private or shared one')
  if (alg === 'ES256' && kty === 'EC' && crv === 'P-256' && isText(x, COORDINATE) && isText(y, COORDINATE))
    return { crv, kty, x, y }
  if ((alg === 'EdDSA' || alg === 'Ed25519') && kty === 'OKP' && crv === 'Ed25519' && isText(x, COORDINATE))
    return { crv, kty, x }
  if (isRsa(alg) && kty === 'RSA' && isText(e, EXPONENT) && isText(n, MODULUS)) return { e, kty, n }
  throw invalidProof(`must have a jwk for ${alg}: a P-256, Ed25519 or RSA key of 2048 to 4096 bits`)
}

function isText(value: unknown, form: RegExp): value is string {
  return typeof value === 'string' && form.test(value)
}

function decode(part: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString())
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>
  } catch {}
  throw invalidProof('is not a JWT')
}
