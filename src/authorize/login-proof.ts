import { randomId, sha256 } from '../base/crypto.ts'
import type { Context } from '../options/context.ts'
import type { OneTimeData } from '../store/store.ts'
import { open, seal } from '../tokens/sealing.ts'

/*
 * The proof that a browser was sent to the host's login for one request. It is a sealed value in the URL, so that strangers, who
 * get one too, store nothing; that it was spent is a record. A host without sealing keys stores a record for each, and counts them.
 */

type Sent = OneTimeData['login']

/** A proof as it came back. */
export interface LoginProof {
  /** The id of its record. */
  readonly id: string
  readonly sent: Sent
}

/** Long enough to find a password or a phone. */
const LOGIN_MS = 600_000
const PURPOSE = 'login proof'

/** Makes a proof. Rejects with StoreError, or with RateLimitError where it would be a record too many. */
export async function makeLoginProof(sent: Sent, ip: string | undefined, context: Context): Promise<string> {
  const { config, now, services, store } = context
  const value = randomId(16)
  if (config.sealingKeys) return seal(JSON.stringify([value, sent]), PURPOSE, config.sealingKeys)
  await services.limits.countFrom('logins', ip, store)
  await store.oneTime.put({ kind: 'login', id: sha256(value), expiresAt: now + LOGIN_MS, data: sent })
  return value
}

/** Reads a proof; undefined if this server did not make it, or it has expired. */
export async function readLoginProof(proof: string, { config, now, store }: Context): Promise<LoginProof | undefined> {
  if (!config.sealingKeys) {
    const entry = await store.oneTime.peek('login', sha256(proof))
    return entry && { id: entry.id, sent: entry.data }
  }
  const text = await open(proof, PURPOSE, config.sealingKeys).catch(() => undefined)
  if (text === undefined) return undefined
  const [value, sent] = JSON.parse(text) as [string, Sent]
  return now < sent.sentAt + LOGIN_MS ? { id: sha256(value), sent } : undefined
}

/** Spends a proof. Resolves to false if it was spent before: opening the same URL again leads to the login again. */
export async function spendLoginProof({ id, sent }: LoginProof, { config, store }: Context): Promise<boolean> {
  const attempt = randomId(16)
  if (!config.sealingKeys) return (await store.oneTime.consume('login', id, attempt))?.first ?? false
  return store.oneTime.claim({ kind: 'login', id, expiresAt: sent.sentAt + LOGIN_MS, data: sent }, attempt)
}
