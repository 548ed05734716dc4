import type { JWTPayload } from 'jose'
import { sha256 } from '../base/crypto.ts'
import type { AuthmountEvent } from '../base/events.ts'
import { type Log, safeLog } from '../base/log.ts'
import { isLoopback } from '../base/loopback.ts'
import type { EpochMs } from '../base/time.ts'
import { TtlCache } from '../base/ttl-cache.ts'
import { InsufficientScope } from '../errors/insufficient-scope.ts'
import { renderChallenge } from '../http/challenge.ts'
import { splitUrl } from '../http/node-message.ts'
import { type DpopProof, PROOF_ALGORITHMS } from '../tokens/dpop-proof.ts'
import { readJwt } from '../tokens/jwt-access-token.ts'
import { readOpaque } from '../tokens/opaque.ts'
import { nonceHeader, ProofCheck, usedProof } from '../tokens/proof-check.ts'
import { ProofNonces } from '../tokens/proof-nonces.ts'
import {
  bearerToken,
  boundToken,
  type GuardedRequest,
  type Guarding,
  type TokenInfo,
  type TokenRequirements,
} from '../tokens/token-guard.ts'
import { UsedProofs } from '../tokens/used-proofs.ts'
import type { Revocable } from './app-revocations.ts'
import { AuthorizationServer } from './authorization-server.ts'
import { createRefuse, type Refuse, unreadable } from './refusals.ts'
import { Revocations } from './revocations.ts'

/** Options of a verifier. */
export interface VerifierOptions {
  /** The issuer of the authorization server: `iss` of its tokens and `issuer` of its discovery document. */
  readonly issuer: string
  /** The resource that this server is. Tokens for other resources are refused (RFC 9068 §4). */
  readonly audience: string
  /** The credentials of the app whose `resourceServers` entry names the audience. Only opaque tokens need it. */
  readonly introspection?:
    | {
        /** The app's `client_id`. */
        readonly clientId: string
        /** The app's secret. */
        readonly clientSecret: string
      }
    | undefined
  /** The longest time for which an introspection answer is cached. 0–60 seconds; default 1. */
  readonly cacheSeconds?: number | undefined
  /** How long a token is accepted after it has expired, for clock skew. 0–60 seconds; default 5. */
  readonly clockToleranceSeconds?: number | undefined
  /** How long the authorization server may take for each answer. 10–60,000 milliseconds; default 5000. */
  readonly timeoutMs?: number | undefined
  /** The URL of this resource's metadata, for the challenge of a 401, so that clients find the authorization server (RFC 9728 §5.1). Default: none. */
  readonly resourceMetadata?: string | undefined
  /**
   * The URL at which clients reach this server: its origin, and the path that a proxy removes. The proofs of bound tokens name the
   * URL of each request (RFC 9449 §4.2), and the `Host` of a request is its sender's choice. Default: the origin of `audience`.
   */
  readonly publicUrl?: string | undefined
  /**
   * Keys for the nonces that proofs of bound tokens must then have, so that none can be made in advance. The first makes nonces, all
   * are accepted; all processes of this service need the same. 32 random bytes each; default: no nonce is demanded.
   */
  readonly nonceKeys?: readonly Uint8Array[] | undefined
  /** Receives failures of the authorization server and the reasons of refusals, and never a token or a secret. Default: the console. */
  readonly log?: Log | undefined
  /** The HTTP client. Default: the global `fetch`. */
  readonly fetch?: typeof fetch | undefined
  /** The clock. Default `Date.now`. */
  readonly now?: (() => EpochMs) | undefined
}

/** Checks access tokens of an authmount server from another process. */
export interface Verifier extends Guarding {
  /**
   * Checks an access token (without the word `Bearer`), and resolves to its contents. A token that is bound to a key is refused: only
   * `guard` sees the proof.
   * Rejects with OAuthError: `invalid_token`, `insufficient_scope`, or `temporarily_unavailable` when the authorization server
   * does not answer.
   */
  verify(token: string, requirements?: Pick<TokenRequirements, 'scopes'>): Promise<TokenInfo>
  /** Processes an audit event of the authorization server: tokens that it revokes are refused from then on. */
  onEvent(event: AuthmountEvent): void
}

/** The most checked tokens in the cache. */
const MAX_REMEMBERED = 10_000

const CONSOLE: Log = {
  error: (message, cause) => console.error(`authmount/verify: ${message}`, ...(cause === undefined ? [] : [cause])),
  warn: message => console.warn(`authmount/verify: ${message}`),
}

/**
 * Makes a verifier, which checks access tokens of an authmount server from another process: a JWT by the server's published
 * keys, an opaque token by introspection. Throws TypeError for options that cannot work.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  checkOptions(options)
  const { audience, cacheSeconds = 1, clockToleranceSeconds = 5, introspection, issuer, resourceMetadata } = options
  const { fetch: own = fetch, nonceKeys, now = Date.now, publicUrl, timeoutMs = 5000 } = options
  const log = safeLog(options.log ?? CONSOLE)
  const toleranceMs = clockToleranceSeconds * 1000
  const refuse = createRefuse(log, now)
  const server = new AuthorizationServer({ issuer, toleranceMs, timeoutMs, fetch: own, log, refuse, now })
  const remembered = new TtlCache<Checked>(MAX_REMEMBERED)
  const asking = new Map<string, Promise<Checked>>()
  const revocations = new Revocations()
  const proofs = new ProofCheck(nonceKeys ? new ProofNonces(nonceKeys) : null)
  const usedProofs = new UsedProofs()
  const base = (publicUrl ?? originOf(audience)).replace(/\/$/, '')

  /** Resolves to the contents of a token, and to the key that it is bound to. */
  async function check(token: string): Promise<Checked> {
    const id = sha256(token)
    const known = remembered.get(id, now())
    // A key that is no longer published may be one that has leaked.
    const checked = known && (known.key === null || server.trusts(known.key)) ? known : await askOnce(id, token)
    const { info, revocable } = checked
    if (info.expiresAt + toleranceMs <= now()) throw refuse('it has expired')
    if (revocations.has(revocable, now())) throw refuse('an event has revoked it')
    return checked
  }

  /** Coalesces concurrent checks of one token. */
  function askOnce(id: string, token: string): Promise<Checked> {
    const asked = asking.get(id) ?? ask(id, token).finally(() => asking.delete(id))
    asking.set(id, asked)
    return asked
  }

  async function ask(id: string, token: string): Promise<Checked> {
    const askedAt = now()
    if (readJwt(token)) {
      const { claims, key } = await server.verifyJwt(token, audience)
      const checked = checkedOf(claims, key, refuse)
      remembered.set(id, checked, checked.info.expiresAt + toleranceMs)
      return checked
    }
    const opaque = readOpaque(token)
    if (!opaque) throw refuse(unreadable(token))
    if (opaque.kind !== 'access') throw refuse('it is a refresh token')
    if (!introspection) throw refuse('it is opaque, and the option introspection is not set')
    const claims = await server.introspect(token, introspection)
    if (!claims.active) throw refuse('the server says that it is not active, or not for the app of the option introspection')
    if (claims.iss !== issuer) throw refuse('its iss is not what it must be')
    if (claims.token_type !== (claims.cnf === undefined ? 'Bearer' : 'DPoP'))
      throw refuse('its token_type is not what it must be')
    const audiences: unknown[] = [claims.aud].flat()
    if (!audiences.includes(audience)) throw refuse('its aud is not what it must be')
    const checked = checkedOf(claims, null, refuse)
    remembered.set(id, checked, askedAt + cacheSeconds * 1000)
    return checked
  }

  async function verify(token: string, requirements: TokenRequirements = {}): Promise<TokenInfo> {
    const scopes = readScopes(requirements, audience)
    const { info, jkt } = await check(token)
    // RFC 9449 §7.2
    if (jkt !== undefined) throw refuse('it is bound to a key, and came without a proof')
    return requireScopes(info, scopes)
  }

  /** Checks a token that comes with a proof of its key. Resolves to the proof too. */
  async function verifyBound(
    token: string,
    { headers, method, url }: GuardedRequest,
    scopes: readonly string[],
  ): Promise<{ readonly info: TokenInfo; readonly proof: DpopProof }> {
    const { info, jkt } = await check(token)
    if (jkt === undefined) throw refuse('it is not bound to a key, and came with the scheme DPoP')
    const expected = { method, urls: [`${base}${splitUrl(url).path}`], bound: { token, jkt } }
    const proof = proofs.verify(headers.dpop, expected, now())
    if (!proofs.hasClaimed(headers, proof)) {
      if (!usedProofs.claim(jkt, proof.jti, now())) throw usedProof()
      proofs.noteClaim(headers, proof)
    }
    return { info: requireScopes(info, scopes), proof }
  }

  return {
    verify,
    guard(requirements = {}) {
      const scopes = readScopes(requirements, audience)
      const challenge = { issuer, log, metadata: resourceMetadata }
      const boundChallenge = { ...challenge, proofAlgorithms: PROOF_ALGORITHMS }
      return async request => {
        const { authorization } = request.headers
        const token = bearerToken(authorization)
        const bound = boundToken(authorization)
        if (bound !== undefined) {
          try {
            const { info, proof } = await verifyBound(bound, request, scopes)
            const nonce = proofs.nextNonce(proof, now())
            return { oauth: info, headers: nonce === undefined ? undefined : nonceHeader(nonce) }
          } catch (error) {
            return { refusal: renderChallenge(error, scopes, boundChallenge) }
          }
        }
        if (token === undefined) return { refusal: renderChallenge(undefined, scopes, challenge) }
        try {
          return { oauth: await verify(token, { scopes }) }
        } catch (error) {
          return { refusal: renderChallenge(error, scopes, challenge) }
        }
      }
    },
    onEvent: event => revocations.add(event, now()),
  }
}

interface Checked {
  readonly info: TokenInfo
  /** The key that verified it; null for an opaque token. */
  readonly key: object | null
  /** The thumbprint of the key that it is bound to; undefined for a bearer token. */
  readonly jkt: string | undefined
  readonly revocable: Revocable
}

function checkedOf(claims: JWTPayload, key: object | null, refuse: Refuse): Checked {
  const { client_id: clientId, cnf, exp, iat, jti = '', org_id: orgId, scope, sub } = claims
  if (typeof clientId !== 'string' || typeof orgId !== 'string' || sub === undefined || exp === undefined)
    throw refuse('it lacks client_id, org_id, sub or exp')
  const info: TokenInfo = {
    clientId,
    userId: sub === clientId ? null : sub,
    orgId,
    scopes: typeof scope === 'string' ? scope.split(' ').filter(name => name !== '') : [],
    grantId: jti.slice(0, jti.indexOf('.')),
    expiresAt: exp * 1000,
  }
  const { grantId, userId } = info
  const jkt = (cnf as { readonly jkt?: unknown } | null | undefined)?.jkt
  // Bound in a way that nothing here can check.
  if (cnf !== undefined && typeof jkt !== 'string') throw refuse('it is bound to something else than a key of DPoP')
  return {
    info,
    key,
    jkt: cnf === undefined ? undefined : String(jkt),
    revocable: { clientId, grantId, userId, jti, issuedAt: (iat ?? 0) * 1000 },
  }
}

function requireScopes(info: TokenInfo, scopes: readonly string[]): TokenInfo {
  if (scopes.every(scope => info.scopes.includes(scope))) return info
  throw new InsufficientScope(scopes, info.scopes)
}

/** Where the audience is no URL, no proof can name this server: bound tokens are then refused. */
function originOf(audience: string): string {
  return URL.canParse(audience) ? new URL(audience).origin : 'null'
}

function readScopes(requirements: TokenRequirements, audience: string): readonly string[] {
  const { resource = audience, scopes = [], ...unknown } = requirements
  const [name] = Object.keys(unknown)
  if (name !== undefined) throw new TypeError(`${name} is not something a route can require of a token: use { scopes: [...] }`)
  if (resource !== audience) throw new TypeError(`this verifier is for ${audience}, not for ${resource}`)
  if (!Array.isArray(scopes) || !scopes.every(scope => typeof scope === 'string' && scope !== ''))
    throw new TypeError("scopes must be an array, as in { scopes: ['read:records'] }")
  return [...scopes]
}

const VERIFIER_OPTIONS: readonly (keyof VerifierOptions)[] = [
  'issuer',
  'audience',
  'introspection',
  'cacheSeconds',
  'clockToleranceSeconds',
  'timeoutMs',
  'resourceMetadata',
  'publicUrl',
  'nonceKeys',
  'log',
  'fetch',
  'now',
]

function checkOptions(options: VerifierOptions): void {
  const {
    audience,
    cacheSeconds = 1,
    clockToleranceSeconds = 5,
    introspection,
    issuer,
    nonceKeys,
    now = Date.now,
    publicUrl,
    resourceMetadata,
    timeoutMs = 5000,
  } = options
  for (const name of Object.keys(options))
    if (!(VERIFIER_OPTIONS as readonly string[]).includes(name)) throw new TypeError(`${name} is not an option`)
  const url = normalUrl(issuer)
  if (!url || (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url))))
    throw new TypeError('issuer must be the https URL of the authorization server')
  if (typeof audience !== 'string' || audience === '') throw new TypeError('audience must name the resource that this server is')
  if (introspection && !(introspection.clientId && introspection.clientSecret))
    throw new TypeError('introspection must be { clientId, clientSecret }')
  if (resourceMetadata !== undefined && !normalUrl(resourceMetadata)) throw new TypeError('resourceMetadata must be a URL')
  const reached = publicUrl === undefined ? undefined : normalUrl(publicUrl)
  if (publicUrl !== undefined && !(reached && /^https?:$/.test(reached.protocol) && !/[?#]/.test(publicUrl)))
    throw new TypeError('publicUrl must be an http(s) URL without query or fragment')
  if (
    nonceKeys !== undefined &&
    !(nonceKeys.length > 0 && nonceKeys.every(key => key instanceof Uint8Array && key.length === 32))
  )
    throw new TypeError('nonceKeys must be an array of keys of 32 bytes each')
  const ranges = {
    cacheSeconds: [cacheSeconds, 0, 60],
    clockToleranceSeconds: [clockToleranceSeconds, 0, 60],
    timeoutMs: [timeoutMs, 10, 60_000],
  }
  for (const [name, [value = Number.NaN, low = 0, high = 0]] of Object.entries(ranges)) {
    if (!(Number.isInteger(value) && value >= low && value <= high))
      throw new TypeError(`${name} must be a whole number between ${low} and ${high}`)
  }
  // By a clock that tells no number, nothing would expire.
  const first: unknown = typeof now === 'function' ? now() : undefined
  // An async one may reject, and nobody listens.
  Promise.resolve(first).catch(() => {})
  if (!Number.isFinite(first)) throw new TypeError('now must be a function that returns milliseconds since 1970')
}

/** Parses a URL that equals its normal form, because it is sent in headers and compared byte by byte: a trailing line break would break both. */
function normalUrl(text: unknown): URL | undefined {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  return url && (url.href === text || url.href === `${text}/`) ? url : undefined
}
