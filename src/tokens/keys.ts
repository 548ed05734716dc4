import type { JWK } from 'jose'
import type { Log } from '../base/log.ts'
import type { EpochMs } from '../base/time.ts'
import type { KeyRing, KeyRingStore } from '../store/store.ts'
import { open, seal } from './sealing.ts'
import { newSigningJwk, type SigningAlgorithm, type SigningKey, signingKey } from './signing-key.ts'

/** The signing keys at one instant. */
export interface Keys {
  /** The key that signs now. */
  readonly signing: SigningKey
  /** The keys of live tokens, and those that will sign soon. */
  readonly published: readonly SigningKey[]
  /** What signs now, and what will sign soon: a key that is published for older tokens alone is not among them. */
  readonly algorithms: readonly SigningAlgorithm[]
  /** How long clients may cache the published set, in seconds. */
  readonly maxAgeSeconds: number
}

/** Provides the signing keys. */
export interface KeySource {
  /** Returns the current keys. Rejects if they cannot be read. */
  current(store: KeyRingStore, now: EpochMs): Promise<Keys>
  /** Publishes a new key, which signs once every client's cached set has it. Rejects if the host keeps the keys. */
  rotate(store: KeyRingStore, now: EpochMs): Promise<void>
}

/** The origin of the signing keys: the host, or a ring that authmount keeps in the store. */
export type SigningSettings =
  | { readonly kind: 'supplied'; readonly keys: readonly [SigningKey, ...SigningKey[]] }
  | ({ readonly kind: 'managed' } & Omit<RingOptions, 'log'>)

/** Makes the source of the signing keys. */
export function createKeySource(settings: SigningSettings, log: Log): KeySource {
  return settings.kind === 'supplied' ? suppliedKeys(settings.keys) : managedKeys({ ...settings, log })
}

/** Serves the keys that the host supplies: the first signs, all are published. */
function suppliedKeys(keys: readonly [SigningKey, ...SigningKey[]]): KeySource {
  const current = { signing: keys[0], published: keys, algorithms: [keys[0].alg], maxAgeSeconds: 300 }
  return {
    current: async () => current,
    async rotate() {
      throw new Error('the signing keys are yours: to rotate them, put a new one after the first, and later before it')
    },
  }
}

interface RingOptions {
  readonly alg: SigningAlgorithm
  readonly sealingKeys: readonly Uint8Array[]
  /** How long a key is published before it signs, in milliseconds: longer than any client caches the set. */
  readonly publishMs: number
  /** The age at which a key is replaced, in milliseconds. */
  readonly rotateMs: number
  /** The lifetime of the longest-lived token, in milliseconds: a key is published that long after its last signature. */
  readonly tokenMs: number
  readonly log: Log
}

interface RingKey {
  readonly jwk: JWK
  readonly createdAt: EpochMs
  readonly signsFrom: EpochMs
  /** null until a successor is published. */
  readonly removeAt: EpochMs | null
}
interface Ring {
  readonly version: number
  readonly keys: readonly (RingKey & { readonly key: SigningKey })[]
}

const PURPOSE = 'authmount key ring'

/**
 * Manages keys in the store, sealed and shared by all processes: makes the first one, and replaces them on a schedule.
 *
 * A new key is published first, and signs only after every cached copy of the set has expired; an old one stays published
 * until the last token it signed has expired. Each process reads the ring again every quarter of the time of publication.
 */
function managedKeys(options: RingOptions): KeySource {
  const { alg, log, publishMs, rotateMs, sealingKeys, tokenMs } = options
  /** A quarter of the publication time for processes to see a new key, a quarter for clients to cache an old set; the rest is slack. */
  const rereadMs = publishMs / 4
  let cached: { readonly ring: Ring; readonly readAt: EpochMs } | undefined
  let reading: Promise<Ring> | undefined

  async function read(store: KeyRingStore, now: EpochMs): Promise<Ring> {
    const stored = await store.get()
    const ring = stored ? await openRing(stored) : undefined
    if (!ring) return append({ version: 0, keys: [] }, store, now)
    const newest = ring.keys.findLast(({ key }) => key.alg === alg)
    return !newest || newest.createdAt + rotateMs <= now ? append(ring, store, now) : ring
  }

  /** Adds a key. Of several concurrent processes one succeeds, and the others use the ring that it wrote. */
  async function append(ring: Ring, store: KeyRingStore, now: EpochMs): Promise<Ring> {
    const signsFrom = ring.keys.length === 0 ? now : now + publishMs
    const removeAt = signsFrom + rereadMs + tokenMs
    const kept = ring.keys.filter(key => key.removeAt === null || key.removeAt > now)
    // Keep a key of another algorithm until it is overdue: during a deployment, processes may be configured with different ones.
    const succeeds = ({ createdAt, key }: Ring['keys'][number]) => key.alg === alg || createdAt + rotateMs <= now
    const jwk = await newSigningJwk(alg)
    const added = { jwk, createdAt: now, signsFrom, removeAt: null, key: signingKey(jwk) }
    const next: Ring = {
      version: ring.version + 1,
      keys: [...kept.map(key => ({ ...key, removeAt: key.removeAt ?? (succeeds(key) ? removeAt : null) })), added],
    }
    const plain = JSON.stringify(next.keys.map(({ key: _, ...stored }) => stored))
    if (await store.save({ version: next.version, sealed: await seal(plain, PURPOSE, sealingKeys) })) return next
    const winner = await store.get()
    if (!winner) throw new Error('the key ring vanished while it was being written')
    return openRing(winner)
  }

  async function openRing({ sealed, version }: KeyRing): Promise<Ring> {
    const keys: readonly RingKey[] = JSON.parse(await open(sealed, PURPOSE, sealingKeys))
    return { version, keys: keys.map(stored => ({ ...stored, key: signingKey(stored.jwk) })) }
  }

  async function fresh(store: KeyRingStore, now: EpochMs): Promise<Ring> {
    reading ??= read(store, now)
      .then(ring => {
        cached = { ring, readAt: now }
        return ring
      })
      .finally(() => {
        reading = undefined
      })
    return reading
  }

  async function ringAt(store: KeyRingStore, now: EpochMs): Promise<Ring> {
    if (cached && now - cached.readAt < rereadMs) return cached.ring
    const last = cached
    return fresh(store, now).catch(cause => {
      // The cached ring is safe to use until a key that it lacks could have begun to sign.
      if (!last || now - last.readAt >= publishMs / 2) throw cause
      log.error('the key ring could not be read again; the one at hand is used', cause)
      return last.ring
    })
  }

  return {
    async current(store, now) {
      const { keys } = await ringAt(store, now)
      const published = keys.filter(({ removeAt }) => removeAt === null || removeAt > now)
      // With clock skew, the first key may have been made in this process's future.
      const valid = published.filter(({ signsFrom }) => signsFrom <= now)
      const signing = valid.findLast(({ key }) => key.alg === alg) ?? valid.at(-1) ?? published[0]
      if (!signing) throw new Error('every signing key has been retired: is the clock of this machine right?')
      return {
        signing: signing.key,
        published: published.map(({ key }) => key),
        algorithms: [...new Set([signing, ...published.filter(({ signsFrom }) => signsFrom > now)].map(({ key }) => key.alg))],
        maxAgeSeconds: Math.min(300, Math.floor(publishMs / 4000)),
      }
    },
    async rotate(store, now) {
      cached = { ring: await append(await read(store, now), store, now), readAt: now }
    },
  }
}
