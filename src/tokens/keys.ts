import type { JWK } from 'jose'
import type { Log } from '../base/log.ts'
import type { EpochMs } from '../base/time.ts'
import type { KeyRing, KeyRingStore } from '../store/store.ts'
import { open, seal } from './sealing.ts'
import { newSigningJwk, type SigningAlgorithm, type SigningKey, signingKey } from './signing-key.ts'

/** The keys that sign, as one request sees them. */
export interface Keys {
  /** The one to sign with now. */
  readonly signing: SigningKey
  /** Every one whose signatures clients may meet, or soon will. */
  readonly published: readonly SigningKey[]
  /** How long a client may keep the published set, in seconds. */
  readonly maxAgeSeconds: number
}

export interface KeySource {
  /** Rejects when the keys cannot be had. */
  current(store: KeyRingStore, now: EpochMs): Promise<Keys>
  /** Begins to publish a new key, which will sign once every client can know it. Throws where the host keeps the keys. */
  rotate(store: KeyRingStore, now: EpochMs): Promise<void>
}

/** Where the signing keys come from: the host, or a ring that authmount keeps in the store. */
export type SigningSettings =
  | { readonly kind: 'supplied'; readonly keys: readonly [SigningKey, ...SigningKey[]] }
  | ({ readonly kind: 'managed' } & Omit<RingOptions, 'log'>)

/** The source of the signing keys that the settings describe. */
export function createKeySource(settings: SigningSettings, log: Log): KeySource {
  return settings.kind === 'supplied' ? suppliedKeys(settings.keys) : managedKeys({ ...settings, log })
}

/** Keys the host supplies: the first signs, all are published. */
function suppliedKeys(keys: readonly [SigningKey, ...SigningKey[]]): KeySource {
  const current = { signing: keys[0], published: keys, maxAgeSeconds: 300 }
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
  /** How long a key is published before it signs, in milliseconds: longer than any client keeps the set. */
  readonly publishMs: number
  /** How old a key becomes before it is replaced, in milliseconds. */
  readonly rotateMs: number
  /** How long after its last signature a key is still needed, in milliseconds. */
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
 * Keys kept in the store, sealed, and shared by every process: made when there are none, replaced on a schedule.
 *
 * A new key is published first and signs only when every cached copy of the set has run out; an old one stays published
 * until the last token it signed has expired. Each process reads the ring again well within the time of publication.
 */
function managedKeys(options: RingOptions): KeySource {
  const { alg, log, publishMs, rotateMs, sealingKeys, tokenMs } = options
  /** A quarter for a process to see a new key, a quarter for clients to keep an old set; the rest is slack. */
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

  /** Of several processes that do so at once, one succeeds, and the others take what it wrote. */
  async function append(ring: Ring, store: KeyRingStore, now: EpochMs): Promise<Ring> {
    const signsFrom = ring.keys.length === 0 ? now : now + publishMs
    const removeAt = signsFrom + rereadMs + tokenMs
    const kept = ring.keys.filter(key => key.removeAt === null || key.removeAt > now)
    // Of another algorithm only what nobody renews: processes that disagree about it each keep a key.
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
      // What was read a while ago is right until a key could have begun to sign that it does not know.
      if (!last || now - last.readAt >= publishMs / 2) throw cause
      log.error('the key ring could not be read again; the one at hand is used', cause)
      return last.ring
    })
  }

  return {
    async current(store, now) {
      const { keys } = await ringAt(store, now)
      const published = keys.filter(({ removeAt }) => removeAt === null || removeAt > now)
      // Another process may have made the first key a moment from now, by its clock.
      const valid = published.filter(({ signsFrom }) => signsFrom <= now)
      const signing = valid.findLast(({ key }) => key.alg === alg) ?? valid.at(-1) ?? published[0]
      if (!signing) throw new Error('every signing key has been retired: is the clock of this machine right?')
      return {
        signing: signing.key,
        published: published.map(({ key }) => key),
        maxAgeSeconds: Math.min(300, Math.floor(publishMs / 4000)),
      }
    },
    async rotate(store, now) {
      cached = { ring: await append(await read(store, now), store, now), readAt: now }
    },
  }
}
