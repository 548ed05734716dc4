import { createPrivateKey, createPublicKey, generateKeyPair, hash, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { JWK } from 'jose'
import type { JsonObject } from '../base/json.ts'

/** How tokens can be signed: RS256 every client knows; ES256 and EdDSA are smaller and quicker. */
export const SIGNING_ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number]

export interface SigningKey {
  readonly kid: string
  readonly alg: SigningAlgorithm
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** As it is published: no private member can be in it. */
  readonly publicJwk: JsonObject
}

/** A private JWK as a key that signs. Throws an Error, in words for whoever configured it and without quoting it, if it cannot. */
export function signingKey(jwk: JWK): SigningKey {
  const privateKey = privateKeyOf(jwk)
  const alg = algorithmOf(privateKey)
  if (jwk.alg !== undefined && jwk.alg !== alg) throw new Error(`it says alg ${jwk.alg}, and is a key for ${alg}`)
  if (jwk.use !== undefined && jwk.use !== 'sig') throw new Error('it is not for signing: use must be sig')
  const publicKey = createPublicKey(privateKey)
  const members = publicKey.export({ format: 'jwk' }) as Record<string, string>
  const kid = jwk.kid ?? thumbprint(members)
  return { kid, alg, privateKey, publicKey, publicJwk: { ...members, kid, alg, use: 'sig' } }
}

/** A new private key, as a JWK. */
export async function newSigningJwk(alg: SigningAlgorithm): Promise<JWK> {
  const { privateKey } = await GENERATE[alg]()
  return privateKey.export({ format: 'jwk' }) as JWK
}

const generate = promisify(generateKeyPair)
const GENERATE: Readonly<Record<SigningAlgorithm, () => Promise<{ readonly privateKey: KeyObject }>>> = {
  RS256: () => generate('rsa', { modulusLength: 2048 }),
  ES256: () => generate('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generate('ed25519'),
}

function privateKeyOf(jwk: JWK): KeyObject {
  if (typeof jwk !== 'object' || jwk === null) throw new Error('it is not a JWK')
  if (jwk.d === undefined) throw new Error('it has no private part (d)')
  try {
    return createPrivateKey({ key: jwk, format: 'jwk' })
  } catch {
    // Node's words could quote the key.
    throw new Error('it is not a key that Node can read')
  }
}

function algorithmOf(key: KeyObject): SigningAlgorithm {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'rsa':
      // RFC 7518 §3.3
      if (modulusLength < 2048) throw new Error(`its ${modulusLength} bits are too few: RS256 needs 2048`)
      return 'RS256'
    case 'ec':
      if (namedCurve !== 'prime256v1') throw new Error(`its curve is ${namedCurve}: ES256 needs P-256`)
      return 'ES256'
    case 'ed25519':
      return 'EdDSA'
    default:
      throw new Error(`a key of type ${key.asymmetricKeyType} cannot be used: RSA, P-256 and Ed25519 can`)
  }
}

/** RFC 7638 §3: of the required members, in the order of their names. */
function thumbprint(jwk: Readonly<Record<string, string>>): string {
  const required = ['crv', 'e', 'kty', 'n', 'x', 'y'].filter(name => jwk[name] !== undefined)
  return hash('sha256', JSON.stringify(Object.fromEntries(required.map(name => [name, jwk[name]]))), 'base64url')
}
