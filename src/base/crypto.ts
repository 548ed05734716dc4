import { hash, randomFillSync, timingSafeEqual } from 'node:crypto'

/** `bytes` random bytes as base64url: 16 make a unique id, 32 a secret. */
export function randomId(bytes: number): string {
  return randomText(bytes, 'base64url')
}

/** `bytes` random bytes as text. */
export function randomText(bytes: number, encoding: 'base64url' | 'hex'): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const start = used
  used += bytes
  const text = pool.toString(encoding, start, used)
  // What has been handed out must not be found again in this process's memory.
  pool.fill(0, start, used)
  return text
}

/** Asked of the system in one go: a call for each token costs more than everything else about it. */
const pool = Buffer.alloc(4096)
let used = pool.length

/** SHA-256 as text, base64url by default: what the store keeps of every value that is worth stealing. */
export function sha256(text: string, encoding: 'base64url' | 'hex' = 'base64url'): string {
  return hash('sha256', text, encoding)
}

/** Whether two strings are equal, in time that does not depend on where they differ. */
export function sameBytes(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}
