import { hash, webcrypto } from 'node:crypto'
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose'

/**
 * Seals a text under the first of the host's sealing keys (A256GCM). `purpose` names its use and its owner, and is bound into
 * the seal: a text sealed for one purpose never opens for another.
 */
export async function seal(text: string, purpose: string, keys: readonly Uint8Array[]): Promise<string> {
  const [key] = keys
  if (!key) throw new Error('there is no sealing key')
  return new CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: sealingKeyId(key), purpose: purposeOf(purpose) })
    .encrypt(await imported(key))
}

/** Opens a text that {@link seal} sealed under any of the keys. Rejects for another purpose, an unknown key, or an altered text. */
export async function open(sealed: string, purpose: string, keys: readonly Uint8Array[]): Promise<string> {
  const { plaintext, protectedHeader } = await compactDecrypt(
    sealed,
    ({ kid }) => {
      const key = keys.find(key => sealingKeyId(key) === kid)
      if (!key) throw new Error(`sealed under the key ${kid}, which is not among sealingKeys (any more)`)
      return imported(key)
    },
    { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] },
  )
  if (protectedHeader.purpose !== purposeOf(purpose)) throw new Error('sealed for another purpose')
  return new TextDecoder().decode(plaintext)
}

/** Cache of imported keys: importing one costs more than opening a text with it. */
const IMPORTED = new WeakMap<Uint8Array, Promise<webcrypto.CryptoKey>>()

function imported(key: Uint8Array): Promise<webcrypto.CryptoKey> {
  const known = IMPORTED.get(key) ?? webcrypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt'])
  IMPORTED.set(key, known)
  return known
}

/** Tells whether a text is sealed under another key than the newest. */
export function isSealedUnderOldKey(sealed: string, [newest]: readonly Uint8Array[]): boolean {
  return newest !== undefined && decodeProtectedHeader(sealed).kid !== sealingKeyId(newest)
}

/** Returns an id of a key that reveals nothing of it: a prefix of a hash. */
function sealingKeyId(key: Uint8Array): string {
  return hash('sha256', Buffer.concat([Buffer.from('authmount sealing key id'), key]), 'base64url').slice(0, 12)
}

function purposeOf(purpose: string): string {
  return hash('sha256', purpose, 'base64url').slice(0, 22)
}
