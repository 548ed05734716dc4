import type { JWK } from 'jose'
import type { SigningSettings } from '../tokens/keys.ts'
import { type SigningAlgorithm, type SigningKey, signingKey } from '../tokens/signing-key.ts'
import { type Kind, number } from './kinds.ts'
import { optional, type Table, type ValuesOf } from './rows.ts'

/** How often managed signing keys are replaced. */
export interface KeyRotation {
  /** How old a managed key becomes. 1–3,650 days; default 90. */
  readonly everyDays?: number | undefined
  /** How long a new key is published before it signs: longer than your clients keep the key set. 60–86,400 seconds; default 1200. */
  readonly publishSeconds?: number | undefined
}

export const KEY_ROTATION = {
  everyDays: optional(number([1, 3650], 'days'), 90),
  publishSeconds: optional(number([60, 86_400], 'seconds'), 1200),
} satisfies Table<KeyRotation>

/** Keys that seal. Problems never show one. */
export const sealingKeys: Kind<readonly Uint8Array[]> = {
  range: '32 random bytes each',
  read(value, place) {
    if (!Array.isArray(value) || value.length === 0) return place.refuse('must be an array of keys')
    const keys: readonly unknown[] = Array.from(value)
    if (!keys.every((key): key is Uint8Array => key instanceof Uint8Array && key.length === 32))
      return place.refuse("must each be 32 bytes: Buffer.from(process.env.SEALING_KEY, 'base64url')")
    return keys.some(key => new Set(key).size < 8) ? place.refuse('must be random bytes: these are not') : keys
  },
}

/** Private keys that sign. Problems never show one. */
export const signingKeys: Kind<readonly JWK[], readonly [SigningKey, ...SigningKey[]]> = {
  range: 'RSA of 2048 bits or more, P-256, Ed25519',
  read(value, place) {
    if (!Array.isArray(value)) return place.refuse('must be an array of private JWKs')
    const keys = Array.from(value, (jwk: JWK, index) => {
      try {
        const key = signingKey(jwk)
        return typeof key.kid === 'string' ? key : place.entry(index).refuse('must have a text as its kid')
      } catch (error) {
        return place.entry(index).refuse(`cannot sign: ${error instanceof Error ? error.message : 'it is not a key'}`)
      }
    })
    const usable = keys.filter(key => key !== undefined)
    const [first, ...rest] = usable
    if (keys.length === 0) return place.refuse('must have at least one key')
    if (new Set(usable.map(({ kid }) => kid)).size < usable.length) return place.refuse('must each have a kid of their own')
    return first === undefined || usable.length < keys.length ? undefined : [first, ...rest]
  },
}

/** Access tokens, the longest-lived of what a key may sign, live a day at most. */
const LONGEST_TOKEN_SECONDS = 86_400

interface SigningValues {
  readonly idTokenSeconds: number
  readonly keyRotation: ValuesOf<typeof KEY_ROTATION>
  readonly sealingKeys: readonly Uint8Array[] | null
  readonly signingAlg: SigningAlgorithm
  readonly signingKeys: readonly [SigningKey, ...SigningKey[]] | null
}

/** Lists what signs ID tokens, the server's own choice first; empty where there is no OpenID Connect. */
export function algorithmsOf(signing: SigningSettings | null): readonly SigningAlgorithm[] {
  if (!signing) return []
  return signing.kind === 'supplied' ? [...new Set(signing.keys.map(({ alg }) => alg))] : signing.algorithms
}

/** Every OpenID Connect server has to have it (OpenID Connect Core §15.1). */
const REQUIRED: SigningAlgorithm = 'RS256'

/** Where the signing keys come from; null where there is no OpenID Connect. Keys of the host's go before managed ones. */
export function signingSettings(values: SigningValues): SigningSettings | null {
  const { idTokenSeconds, keyRotation, sealingKeys, signingAlg, signingKeys } = values
  if (signingKeys) return { kind: 'supplied', keys: signingKeys }
  if (!sealingKeys) return null
  return {
    kind: 'managed',
    algorithms: [...new Set([signingAlg, REQUIRED])],
    sealingKeys,
    publishMs: keyRotation.publishSeconds * 1000,
    rotateMs: keyRotation.everyDays * 86_400_000,
    tokenMs: Math.max(LONGEST_TOKEN_SECONDS, idTokenSeconds) * 1000,
  }
}
