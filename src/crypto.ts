import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

/** `bytes` random bytes as base64url: 16 make a unique id, 32 a secret. */
export function randomId(bytes: number): string {
  return randomBytes(bytes).toString('base64url')
}

/** base64url SHA-256: what the store keeps of every value that is worth stealing. */
export function sha256(text: string): string {
  return hash('sha256', text, 'base64url')
}

/** Whether two strings are equal, in time that does not depend on where they differ. */
export function sameBytes(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}
