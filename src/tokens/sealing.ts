import { hash } from 'node:crypto'
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose'

/**
 * Seals a text under the first of the host's sealing keys (A256GCM). `purpose` says what it is, and to whom it belongs:
 * it is bound into the seal, so that what was sealed for one purpose never opens for another.
 */
export function seal(text: string, purpose: string, keys: readonly Uint8Array[]): Promise<string> {
  const [key] = keys
  if (!key) throw new Error('there is no sealing key')
  return new CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: sealingKeyId(key), purpose: purposeOf(purpose) })
    .encrypt(key)
}

/** Opens what {@link seal} sealed under any of the keys. Rejects for another purpose, a key that is gone, or what was altered. */
export async function open(sealed: string, purpose: string, keys: readonly Uint8Array[]): Promise<string> {
  const { plaintext, protectedHeader } = await compactDecrypt(
    sealed,
    ({ kid }) => {
      const key = keys.find(key => sealingKeyId(key) === kid)
      if (!key) throw new Error(`sealed under the key ${kid}, which is not among sealingKeys (any more)`)
      return key
    },
    { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] },
  )
  if (protectedHeader.purpose !== purposeOf(purpose)) throw new Error('sealed for another purpose')
  return new TextDecoder().decode(plaintext)
}

/** Whether something is still sealed under a key that has been replaced. */
export function isSealedUnderOldKey(sealed: string, [newest]: readonly Uint8Array[]): boolean {
  return newest !== undefined && decodeProtectedHeader(sealed).kid !== sealingKeyId(newest)
}

/** Tells keys apart without saying anything about them. */
function sealingKeyId(key: Uint8Array): string {
  return hash('sha256', Buffer.concat([Buffer.from('authmount sealing key id'), key]), 'base64url').slice(0, 12)
}

function purposeOf(purpose: string): string {
  return hash('sha256', purpose, 'base64url').slice(0, 22)
}
