import type { SigningSettings } from '../tokens/keys.ts'
import { SIGNING_ALGORITHMS, signingKey } from '../tokens/signing-key.ts'
import { nameUnknown, within } from './checks.ts'
import type { AuthmountOptions } from './options.ts'

/** Access tokens, the longest-lived of what a key may sign, live a day at most. */
const LONGEST_TOKEN_SECONDS = 86_400

export function readSigning(
  { keyRotation = {}, sealingKeys, signingAlg = 'RS256', signingKeys }: AuthmountOptions<never>,
  idTokenSeconds: number,
  problems: string[],
): SigningSettings | null {
  nameUnknown('keyRotation.', keyRotation, ['everyDays', 'publishSeconds'], problems)
  const days = within('keyRotation.everyDays', keyRotation.everyDays ?? 90, [1, 3650], problems)
  const publishSeconds = within('keyRotation.publishSeconds', keyRotation.publishSeconds ?? 1200, [60, 86_400], problems)
  if (!SIGNING_ALGORITHMS.includes(signingAlg)) problems.push(`signingAlg must be one of ${SIGNING_ALGORITHMS.join(', ')}`)
  if (sealingKeys !== undefined) {
    if (!Array.isArray(sealingKeys) || sealingKeys.length === 0) problems.push('sealingKeys must be an array of keys')
    else if (!sealingKeys.every(key => key instanceof Uint8Array && key.length === 32)) {
      problems.push("sealingKeys must each be 32 bytes: Buffer.from(process.env.SEALING_KEY, 'base64url')")
    } else if (sealingKeys.some(key => new Set(key).size < 8)) problems.push('sealingKeys must be random bytes: these are not')
  }
  if (signingKeys !== undefined) {
    if (!Array.isArray(signingKeys)) problems.push('signingKeys must be an array of private JWKs')
    const keys = (Array.isArray(signingKeys) ? signingKeys : []).flatMap((jwk, index) => {
      try {
        return [signingKey(jwk)]
      } catch (error) {
        problems.push(`signingKeys[${index}] cannot sign: ${error instanceof Error ? error.message : 'it is not a key'}`)
        return []
      }
    })
    if (new Set(keys.map(({ kid }) => kid)).size < keys.length) problems.push('signingKeys must each have a kid of their own')
    const [first, ...rest] = keys
    if (!first && Array.isArray(signingKeys) && signingKeys.length === 0) problems.push('signingKeys must have at least one key')
    return first ? { kind: 'supplied', keys: [first, ...rest] } : null
  }
  if (!sealingKeys) return null
  const tokenMs = Math.max(LONGEST_TOKEN_SECONDS, idTokenSeconds) * 1000
  return {
    kind: 'managed',
    alg: signingAlg,
    sealingKeys,
    publishMs: publishSeconds * 1000,
    rotateMs: days * 86_400_000,
    tokenMs,
  }
}
