import { hash, randomFillSync, timingSafeEqual } from 'node:crypto'

/** Returns `bytes` random bytes as base64url: 16 make a unique id, 32 a secret. */
export function randomId(bytes: number): string {
  return randomText(bytes, 'base64url')
}

/** Returns `bytes` random bytes as text. */
export function randomText(bytes: number, encoding: 'base64url' | 'hex'): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const start = used
  used += bytes
  const text = pool.toString(encoding, start, used)
  // Overwritten, so that a memory dump of this process does not hold the bytes a second time.
  pool.fill(0, start, used)
  return text
}

/** Random bytes are drawn from the system 4 KiB at a time: one system call per token costs more than the rest of making it. */
const pool = Buffer.alloc(4096)
let used = pool.length

/** Hashes a text with SHA-256; base64url by default. The store keeps this digest in place of every code, token and secret. */
export function sha256(text: string, encoding: 'base64url' | 'hex' = 'base64url'): string {
  return hash('sha256', text, encoding)
}

/** Compares two strings in constant time: the time does not depend on where they differ. */
export function sameBytes(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}

/**
 * Compares two digests of {@link sha256} in constant time; false for a text of another length. The two buffers are reused, which
 * saves 0.2 µs for each authenticated client.
 */
export function sameDigest(a: string, b: string): boolean {
  if (a.length !== DIGEST_LENGTH || b.length !== DIGEST_LENGTH) return false
  left.write(a, 'latin1')
  right.write(b, 'latin1')
  return timingSafeEqual(left, right)
}

/** The length of 32 bytes in base64url. */
const DIGEST_LENGTH = 43
const left = Buffer.alloc(DIGEST_LENGTH)
const right = Buffer.alloc(DIGEST_LENGTH)
