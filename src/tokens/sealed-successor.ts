import { hkdfSync } from 'node:crypto'
import { CompactEncrypt, compactDecrypt } from 'jose'

/** The tokens that a rotation issued. */
export interface Successor {
  readonly accessToken: string
  readonly refreshToken: string | undefined
}

/**
 * Seals the successor of a refresh token so that only the spent token opens it: a retry after a lost answer gets the same tokens,
 * and the store still has no usable token.
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

/** Derives the key. The store knows the token's SHA-256, so the key is derived with another input. */
function sealingKey(spentToken: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', spentToken, '', 'authmount refresh replay', 32))
}
