import { createPrivateKey, createPublicKey, generateKeyPair, hash, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { JWK } from 'jose'
import type { JsonObject } from '../base/json.ts'

/** The supported signing algorithms. Every client knows RS256; PS256 is RSA without its known weaknesses; ES256 and EdDSA are smaller and faster. */
export const SIGNING_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number]

export interface SigningKey {
  readonly kid: string
  readonly alg: SigningAlgorithm
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** The public JWK, without private members. */
  readonly publicJwk: JsonObject
}

/** Imports a private JWK. Throws an Error for the person who configured it, which does not quote it. */
export function signingKey(jwk: JWK): SigningKey {
  const privateKey = privateKeyOf(jwk)
  const alg = algorithmOf(privateKey, jwk.alg)
  if (jwk.alg !== undefined && jwk.alg !== alg) throw new Error(`it says alg ${jwk.alg}, and is a key for ${alg}`)
  const publicKey = createPublicKey(privateKey)
  const members = publicKey.export({ format: 'jwk' }) as Record<string, string>
  const kid = jwk.kid ?? thumbprint(members)
  return { kid, alg, privateKey, publicKey, publicJwk: { ...members, kid, alg, use: 'sig' } }
}

/** Generates a private key, as a JWK. */
export async function newSigningJwk(alg: SigningAlgorithm): Promise<JWK> {
  const { privateKey } = await GENERATE[alg]()
  return { ...(privateKey.export({ format: 'jwk' }) as JWK), alg }
}

const generate = promisify(generateKeyPair)
const GENERATE: Readonly<Record<SigningAlgorithm, () => Promise<{ readonly privateKey: KeyObject }>>> = {
  RS256: () => generate('rsa', { modulusLength: 2048 }),
  PS256: () => generate('rsa', { modulusLength: 2048 }),
  ES256: () => generate('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generate('ed25519'),
}

function privateKeyOf(jwk: JWK): KeyObject {
  if (typeof jwk !== 'object' || jwk === null) throw new Error('it is not a JWK')
  if (jwk.kty === 'oct') throw new Error(`it is a shared secret (kty oct), which HS256 uses: ${WANTED}`)
  if (isForEncryption(jwk)) throw new Error(`it is an encryption key, by its use, alg or key_ops: ${WANTED}`)
  if (jwk.d === undefined) throw new Error(`it is a public key, without the private part (d): ${WANTED}`)
  try {
    return createPrivateKey({ key: jwk, format: 'jwk' })
  } catch {
    // Node's message could quote the key.
    throw new Error('it is not a key that Node can read')
  }
}

const WANTED = 'a private key that signs is wanted, of RSA, P-256 or Ed25519'

/** Tells by what a JWK says of itself (RFC 7517 §4.2, §4.3; RFC 7518 §4.1). */
function isForEncryption({ alg, key_ops, use }: JWK): boolean {
  const encrypts = typeof alg === 'string' && /^(RSA-OAEP|RSA1_5|ECDH-ES)/.test(alg)
  const signs = (use ?? 'sig') === 'sig' && (!Array.isArray(key_ops) || key_ops.includes('sign'))
  return encrypts || !signs
}

/** Finds the algorithm of a key. An RSA key is for the one it says, or for RS256 (RFC 7517 §4.4). */
function algorithmOf(key: KeyObject, said: unknown): SigningAlgorithm {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'rsa':
      // RFC 7518 §3.3
      if (modulusLength < 2048) throw new Error(`its ${modulusLength} bits are too few: RS256 and PS256 need 2048`)
      return said === 'PS256' ? 'PS256' : 'RS256'
    case 'ec':
      if (namedCurve !== 'prime256v1') throw new Error(`its curve is ${namedCurve}: ES256 needs P-256`)
      return 'ES256'
    case 'ed25519':
      return 'EdDSA'
    default:
      throw new Error(`a key of type ${key.asymmetricKeyType} cannot be used: RSA, P-256 and Ed25519 can`)
  }
}

/** Computes the thumbprint of a JWK: the hash of the required members in alphabetical order (RFC 7638 §3). */
function thumbprint(jwk: Readonly<Record<string, string>>): string {
  const required = ['crv', 'e', 'kty', 'n', 'x', 'y'].filter(name => jwk[name] !== undefined)
  return hash('sha256', JSON.stringify(Object.fromEntries(required.map(name => [name, jwk[name]]))), 'base64url')
}
