import { type CryptoKey, createLocalJWKSet, errors, type JSONWebKeySet, type JWK, type JWTVerifyGetKey } from 'jose'
import type { JsonObject } from '../base/json.ts'
import type { Log } from '../base/log.ts'
import type { EpochMs } from '../base/time.ts'
import { TtlCache } from '../base/ttl-cache.ts'
import { OAuthError } from '../errors/oauth-error.ts'
import type { Outbound } from '../outbound/outbound.ts'
import type { App } from '../store/store.ts'
import { Budget } from '../tokens/budget.ts'
import { KeySet } from '../tokens/key-set.ts'
import { readPublicKeys } from './public-keys.ts'

/** The most bytes of a key set at a URL. */
export const MAX_KEY_SET_BYTES = 64 * 1024
/** The most sets of keys in the cache of one process. */
const MAX_SETS = 1000
/**
 * A set at a URL is read once for its first assertion, and for an assertion with an unknown key once a minute; while it is in use,
 * every few minutes.
 */
const READINGS = { burst: 2, everyMs: 60_000 }
/** How many sets that have never been read are asked of one host, whoever names them: 100 at once, and one more every two seconds. */
const FIRST_READINGS = { burst: 100, everyMs: 2000 }

type Header = Parameters<JWTVerifyGetKey>[0]

/** Finds the public keys of apps that authenticate with a private one. */
export interface ClientKeys {
  /**
   * Finds the one key of an app that fits the header of an assertion; undefined if there is none, or several fit.
   * Rejects with OAuthError `temporarily_unavailable` while the keys at a URL cannot be read.
   */
  find(app: App, header: Header): Promise<CryptoKey | undefined>
}

interface Source {
  /** Loads the client for requests to addresses that strangers choose. */
  readonly outbound: () => Promise<Outbound>
  readonly log: Log
  readonly now: () => EpochMs
}

/** Makes the finder of apps' keys, with its cache. */
export function createClientKeys(source: Source): ClientKeys {
  const sets = new TtlCache<JWTVerifyGetKey>(MAX_SETS)
  const hosts = new TtlCache<Budget>(MAX_SETS)

  /** A set that is in use is moved to the end, so that it is not the next to be evicted. */
  function cached(name: string, make: () => JWTVerifyGetKey): JWTVerifyGetKey {
    const set = sets.get(name, 0) ?? make()
    sets.set(name, set, Number.POSITIVE_INFINITY)
    return set
  }

  function budgetOf(host: string): Budget {
    const budget = hosts.get(host, 0) ?? new Budget(FIRST_READINGS)
    hosts.set(host, budget, Number.POSITIVE_INFINITY)
    return budget
  }

  function setOf({ createdAt, id, keys, version }: App): JWTVerifyGetKey | undefined {
    if (!keys) return undefined
    if ('jwks' in keys) return cached(`${id} ${createdAt} ${version}`, () => createLocalJWKSet(keySet(keys.jwks.keys)))
    const { jwksUri } = keys
    return cached(jwksUri, () => remoteSet(jwksUri, budgetOf(new URL(jwksUri).hostname), source))
  }

  return {
    async find(app, header) {
      try {
        // Only the header chooses the key.
        return (await setOf(app)?.(header, { payload: '', signature: '' })) as CryptoKey | undefined
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined
        throw error
      }
    },
  }
}

/** The algorithm of an Ed25519 key is left out: it has two names (RFC 9864). */
function keySet(keys: readonly JsonObject[]): JSONWebKeySet {
  return { keys: keys.map(({ alg, ...jwk }) => (jwk.kty === 'OKP' || alg === undefined ? jwk : { ...jwk, alg })) as JWK[] }
}

function remoteSet(url: string, budget: Budget, { log, now, outbound }: Source): JWTVerifyGetKey {
  const { host } = new URL(url)
  let known = false
  const set = new KeySet({
    readings: READINGS,
    refusesUnread: true,
    now,
    async read() {
      if (!known && budget.take(now()) > 0) throw new Error('too many key sets of this host are read for the first time')
      const keys = await readKeys(url, await outbound())
      known = true
      return keys
    },
    failed(cause, cached) {
      log.warn(`the key set of an app at ${host} could not be read${cached ? ', its last copy serves' : ''}: ${reasonOf(cause)}`)
      return unavailable()
    },
  })
  return async (header, token) => {
    try {
      return await set.get(header, token)
    } catch (error) {
      throw error instanceof OAuthError ? unavailable(error.retryAfterSeconds) : error
    }
  }
}

async function readKeys(url: string, outbound: Outbound): Promise<JSONWebKeySet> {
  const response = await outbound.fetch(url, { headers: { accept: 'application/jwk-set+json, application/json' } })
  if (response.status !== 200) throw new Error(`it answered ${response.status}`)
  const text = await response.text()
  const { keys, problem } = readPublicKeys(parse(text))
  if (keys.length === 0) throw new Error(`it ${problem}`)
  return keySet(keys)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('it is not JSON')
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : 'unknown'
}

function unavailable(retryAfterSeconds?: number): OAuthError {
  return new OAuthError(
    'temporarily_unavailable',
    'the keys of this app cannot be read at its jwks_uri at the moment: try again shortly',
    {
      retryAfterSeconds,
    },
  )
}
