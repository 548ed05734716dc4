import { hkdfSync } from 'node:crypto'
import { CompactEncrypt, compactDecrypt } from 'jose'

/** The tokens a rotation handed out. */
export interface Successor {
  readonly accessToken: string
  readonly refreshToken: string | undefined
}

/**
 * Seals the successor of a refresh token so that only someone who holds the spent token can open it:
 * the store can repeat an answer whose reply was lost, and still holds nothing usable.
 */
export function sealSuccessor(spentToken: string, { accessToken, refreshToken }: Successor): Promise<string> {
  const plaintext = new TextEncoder().encode(JSON.stringify({ accessToken, refreshToken }))
  return new CompactEncrypt(plaintext).setProtectedHeader({ alg: 'dir', enc: 'A256GCM' }).encrypt(sealingKey(spentToken))
}

/** Opens what {@link sealSuccessor} sealed. Rejects if it was sealed under another token or has been altered. */
export async function openSuccessor(spentToken: string, sealed: string): Promise<Successor> {
  const { plaintext } = await compactDecrypt(sealed, sealingKey(spentToken), {
    keyManagementAlgorithms: ['dir'],
    contentEncryptionAlgorithms: ['A256GCM'],
  })
  return JSON.parse(new TextDecoder().decode(plaintext))
}

/** The stored id of a token is its plain SHA-256, so the key must come from it by another path. */
function sealingKey(spentToken: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', spentToken, '', 'authmount refresh replay', 32))
}
