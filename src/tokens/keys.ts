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
  /** A key for each algorithm that signs now, `signing` first. */
  readonly signers: readonly SigningKey[]
  /** The keys of live tokens, and those that will sign soon. */
  readonly published: readonly SigningKey[]
  /**
   * What signs now, what will sign soon, and what a client can ask for: that of a key which is published for older tokens alone is not
   * among them.
   */
  readonly algorithms: readonly SigningAlgorithm[]
  /** How long clients may cache the published set, in seconds. */
  readonly maxAgeSeconds: number
}

/** Provides the signing keys. */
export interface KeySource {
  /**
   * Returns the current keys. With `wanted`, one for this algorithm is among the signers if clients can ask for it: the first that
   * does has it made. Rejects if they cannot be read.
   */
  current(store: KeyRingStore, now: EpochMs, wanted?: string): Promise<Keys>
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

/** Serves the keys that the host supplies: the first signs, and the first of each other algorithm where a client asks for it; all are published. */
function suppliedKeys(keys: readonly [SigningKey, ...SigningKey[]]): KeySource {
  const algorithms = [...new Set(keys.map(({ alg }) => alg))]
  const signers = algorithms.flatMap(alg => keys.find(key => key.alg === alg) ?? [])
  const current = { signing: keys[0], signers, published: keys, algorithms, maxAgeSeconds: 300 }
  return {
    current: async () => current,
    async rotate() {
      throw new Error('the signing keys are yours: to rotate them, put a new one after the first, and later before it')
    },
  }
}

interface RingOptions {
  /** What signs where a client asks for nothing, and then the others that a client can ask for. */
  readonly algorithms: readonly SigningAlgorithm[]
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
/** How often a key is added where other processes write at the same time. */
const TRIES = 5

/**
 * Manages keys in the store, sealed and shared by all processes: makes the first one, and replaces them on a schedule.
 *
 * A new key is published first, and signs only after every cached copy of the set has expired; an old one stays published
 * until the last token it signed has expired. Each process reads the ring again every quarter of the time of publication.
 */
function managedKeys(options: RingOptions): KeySource {
  const { algorithms, log, publishMs, rotateMs, sealingKeys, tokenMs } = options
  const [preferred, ...others] = algorithms
  /** A quarter of the publication time for processes to see a new key, a quarter for clients to cache an old set; the rest is slack. */
  const rereadMs = publishMs / 4
  let cached: { readonly ring: Ring; readonly readAt: EpochMs } | undefined
  let reading: Promise<Ring> | undefined

  /** Reads the ring, and adds what is due: a key for the preferred algorithm, the wanted one, and each that is overdue. */
  async function read(store: KeyRingStore, now: EpochMs, wanted?: SigningAlgorithm): Promise<Ring> {
    const stored = await store.get()
    const ring = stored ? await openRing(stored) : { version: 0, keys: [] }
    const due = algorithms.filter(alg => {
      const newest = ring.keys.findLast(({ key }) => key.alg === alg)
      return newest ? newest.createdAt + rotateMs <= now : alg === preferred || alg === wanted
    })
    return due.length > 0 ? append(ring, due, store, now) : ring
  }

  function madeFor({ keys }: Ring): readonly SigningAlgorithm[] {
    return algorithms.filter(alg => alg === preferred || keys.some(({ key }) => key.alg === alg))
  }

  /** Adds a key for each of these algorithms. Of several concurrent processes one succeeds, and the others use the ring that it wrote. */
  async function append(ring: Ring, due: readonly SigningAlgorithm[], store: KeyRingStore, now: EpochMs): Promise<Ring> {
    const signsFrom = ring.keys.length === 0 ? now : now + publishMs
    const removeAt = signsFrom + rereadMs + tokenMs
    const kept = ring.keys.filter(key => key.removeAt === null || key.removeAt > now)
    // Keep a key of another algorithm until it is overdue: during a deployment, processes may be configured with different ones.
    const succeeds = ({ createdAt, key }: Ring['keys'][number]) =>
      due.includes(key.alg) || (!algorithms.includes(key.alg) && createdAt + rotateMs <= now)
    const added = await Promise.all(
      due.map(async alg => {
        const jwk = await newSigningJwk(alg)
        return { jwk, createdAt: now, signsFrom, removeAt: null, key: signingKey(jwk) }
      }),
    )
    const next: Ring = {
      version: ring.version + 1,
      keys: [...kept.map(key => ({ ...key, removeAt: key.removeAt ?? (succeeds(key) ? removeAt : null) })), ...added],
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

  /** The ring with a key for an algorithm that a client has asked for. Another process may have made it, or may be adding another. */
  async function ringWith(wanted: SigningAlgorithm, first: Ring, store: KeyRingStore, now: EpochMs): Promise<Ring> {
    let ring = first
    for (let tries = 0; tries < TRIES && !ring.keys.some(({ key }) => key.alg === wanted); tries++) {
      ring = await read(store, now, wanted)
      cached = { ring, readAt: now }
    }
    return ring
  }

  return {
    async current(store, now, wanted) {
      const ring = await ringAt(store, now)
      const asked = wanted === undefined ? undefined : others.find(alg => alg === wanted)
      const { keys } = asked === undefined ? ring : await ringWith(asked, ring, store, now)
      const published = keys.filter(({ removeAt }) => removeAt === null || removeAt > now)
      // With clock skew, the first key may have been made in this process's future.
      const valid = published.filter(({ signsFrom }) => signsFrom <= now)
      const signing = valid.findLast(({ key }) => key.alg === preferred) ?? valid.at(-1) ?? published[0]
      if (!signing) throw new Error('every signing key has been retired: is the clock of this machine right?')
      // Where none signs yet, the next one does: a client that asks for its algorithm reads the set again for it.
      const signerOf = (alg: SigningAlgorithm) =>
        valid.findLast(({ key }) => key.alg === alg) ?? published.find(({ key }) => key.alg === alg)
      const signers = [signing, ...others.flatMap(alg => (alg === signing.key.alg ? [] : (signerOf(alg) ?? [])))]
      const coming = published.filter(({ signsFrom }) => signsFrom > now)
      return {
        signing: signing.key,
        signers: signers.map(({ key }) => key),
        published: published.map(({ key }) => key),
        algorithms: [...new Set([...[signing, ...coming].map(({ key }) => key.alg), ...others])],
        maxAgeSeconds: Math.min(300, Math.floor(publishMs / 4000)),
      }
    },
    async rotate(store, now) {
      const ring = await read(store, now)
      cached = { ring: await append(ring, madeFor(ring), store, now), readAt: now }
    },
  }
}
