import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify, type ProtectedHeaderParameters } from 'jose'
import { randomId, sha256 } from '../../base/crypto.ts'
import type { EpochMs } from '../../base/time.ts'
import { OAuthError } from '../../errors/oauth-error.ts'
import { optional } from '../../http/params.ts'
import type { Config } from '../../options/config.ts'
import { algorithmsUnder } from '../../options/profile.ts'
import type { App } from '../../store/store.ts'
import type { ClientKeys } from '../client-keys.ts'
import { ASSERTION_ALGORITHMS } from '../public-keys.ts'
import type { ClientAuthentication, ClientRequest, Presented, Proving } from './method.ts'

/** RFC 7523 §2.2 */
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** The `typ` of an assertion: none is needed, and that of another kind of token is refused (RFC 8725 §3.11). */
const TYPES = ['jwt', 'client-authentication+jwt']
/** The most characters of an assertion: one with a signature of 8192 bits has about 2,000. */
const MAX_ASSERTION_LENGTH = 8192
/** How far ahead an assertion may expire, in milliseconds: its `jti` is kept until then. */
const LONGEST_MS = 3_600_000
/** How far a client's clock may be from this one, in milliseconds (FAPI 2.0 Security Profile §5.3.2.1: at least 10 s, below 60 s). */
const SKEW_MS = 30_000

type Wanted = Pick<Config<never>, 'issuer' | 'mountPath' | 'origin' | 'rules'>

/**
 * Makes the method that authenticates by an assertion which the app signs with its private key (RFC 7523 §2.2, §3; OpenID Connect
 * Core §9). What can be seen to be wrong without knowing any app is answered in words; everything else in the words of every
 * failed authentication.
 */
export function createPrivateKeyJwt(config: Wanted, keys: ClientKeys): ClientAuthentication {
  return {
    name: 'private_key_jwt',
    wireNames: ['private_key_jwt'],
    algorithms: algorithmsUnder(config.rules, ASSERTION_ALGORITHMS),
    present: request => present(request, config),
    prove: (app, presented, proving) => prove(app, presented, { ...proving, config, keys }),
  }
}

function present({ params }: ClientRequest, config: Wanted): Presented | undefined {
  const assertion = optional(params, 'client_assertion')
  if (assertion === undefined || optional(params, 'client_assertion_type') !== ASSERTION_TYPE) return undefined
  if (assertion.length > MAX_ASSERTION_LENGTH) throw refused(`must have at most ${MAX_ASSERTION_LENGTH} characters`)
  const { claims, header } = decode(assertion)
  checkHeader(header, algorithmsUnder(config.rules, ASSERTION_ALGORITHMS))
  const { aud, iss, jti, sub } = claims
  // RFC 7523 §3: it is the client that issues it, about itself.
  if (typeof sub !== 'string' || sub === '' || iss !== sub) throw refused('must have the client_id as its iss and as its sub')
  if (typeof aud !== 'string' || !audiencesOf({ origin: sub.startsWith('https://') ? 'metadata' : 'host' }, config).includes(aud))
    throw refused(`must have the issuer as its aud, as a text and not as a list: ${config.issuer}`)
  if (typeof jti !== 'string' || jti === '') throw refused('must have a jti, another one each time')
  return { clientId: sub, proof: assertion }
}

/**
 * Lists what `aud` of an app's assertions may be: the issuer. A list of audiences it never is, so that no other server can be
 * meant as well. A client that is known by its document may name the token endpoint: agents in wide use do, for every server.
 */
function audiencesOf({ origin }: Pick<App, 'origin'>, { issuer, mountPath, origin: here }: Wanted): readonly string[] {
  return origin === 'metadata' ? [issuer, `${here}${mountPath}/oauth/token`] : [issuer]
}

interface ProvingByKey extends Proving {
  readonly config: Wanted
  readonly keys: ClientKeys
}

async function prove(app: App | undefined, { clientId, proof }: Presented, context: ProvingByKey): Promise<boolean> {
  const { config, keys, now, store } = context
  const header = decodeProtectedHeader(proof)
  const exp = checkTimes(decodeJwt(proof), now)
  const alg = String(header.alg)
  const active = app?.status === 'active' ? app : undefined
  const wanted = active?.metadata?.token_endpoint_auth_signing_alg
  const key = active && (await keys.find(active, { ...header, alg }))
  // As much work for an unknown client as for a known one.
  const claims = await verify(proof, key ?? decoy(alg), clientId, now)
  if (!active || !key || !claims || (wanted !== undefined && !isSame(String(wanted), alg))) return false
  if (!audiencesOf(active, config).includes(String(claims.aud))) return false
  // After the signature, or anybody could use up the jti of others; before anything is spent.
  const id = sha256(JSON.stringify([active.id, claims.jti]))
  const entry = { kind: 'assertion', id, expiresAt: exp + 2 * SKEW_MS, data: { appId: active.id } } as const
  return store.oneTime.claim(entry, randomId(16))
}

/** RFC 9864: EdDSA with its one curve here, by its older and its newer name. */
function isSame(wanted: string, alg: string): boolean {
  return wanted === alg || (wanted.startsWith('Ed') && alg.startsWith('Ed'))
}

type Key = Parameters<typeof jwtVerify>[1]

async function verify(assertion: string, key: Key, clientId: string, now: EpochMs): Promise<JWTPayload | undefined> {
  try {
    const { payload } = await jwtVerify(assertion, key, {
      algorithms: [...ASSERTION_ALGORITHMS],
      issuer: clientId,
      subject: clientId,
      requiredClaims: ['aud', 'exp', 'jti'],
      clockTolerance: SKEW_MS / 1000,
      currentDate: new Date(now),
    })
    return payload
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined
    throw error
  }
}

function decode(assertion: string): { readonly header: ProtectedHeaderParameters; readonly claims: JWTPayload } {
  try {
    return { header: decodeProtectedHeader(assertion), claims: decodeJwt(assertion) }
  } catch {
    throw refused('must be a signed JWT')
  }
}

/** `jwk`, `jku`, `x5c` and `x5u` of the header are never looked at: the keys are those that the app is registered with. */
function checkHeader({ alg, typ }: ProtectedHeaderParameters, algorithms: readonly string[]): void {
  if (typeof alg === 'string' && alg.startsWith('HS'))
    throw refused('must be signed with a private key (private_key_jwt): client_secret_jwt is not supported')
  if (!algorithms.includes(String(alg))) throw refused(`must be signed with one of ${algorithms.join(', ')}`)
  if (typ === undefined) return
  if (typeof typ !== 'string' || !TYPES.includes(typ.toLowerCase().replace(/^application\//, '')))
    throw refused('must have no typ, or one of JWT and client-authentication+jwt')
}

/** Checks when an assertion is good, and returns when it ends. */
function checkTimes({ exp, iat, nbf }: JWTPayload, now: EpochMs): EpochMs {
  if (typeof exp !== 'number' || !Number.isFinite(exp)) throw refused('must have an exp, in seconds since 1970')
  const ends = Math.ceil(exp * 1000)
  if (ends + SKEW_MS <= now) throw refused('has expired')
  if (ends > now + LONGEST_MS + SKEW_MS) throw refused('must expire within an hour')
  for (const [name, from] of Object.entries({ iat, nbf }))
    if (from !== undefined && !(typeof from === 'number' && from * 1000 <= now + SKEW_MS))
      throw refused(`has an ${name} in the future: is the clock of the client right?`)
  return ends
}

function refused(problem: string): OAuthError {
  return new OAuthError('invalid_client', `client_assertion ${problem}`)
}

const decoys = new Map<string, KeyObject>()

/** Returns a key whose private part nobody has. */
function decoy(alg: string): KeyObject {
  const type = alg === 'ES256' ? 'ec' : alg.startsWith('E') ? 'ed25519' : 'rsa'
  const key = decoys.get(type) ?? newDecoy(type)
  decoys.set(type, key)
  return key
}

function newDecoy(type: 'ec' | 'ed25519' | 'rsa'): KeyObject {
  if (type === 'ec') return generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
  if (type === 'ed25519') return generateKeyPairSync('ed25519').publicKey
  // Random numbers serve, and take no time: nothing is ever signed with it.
  const modulus = randomBytes(256)
  modulus[0] = 0xff
  modulus[255] = 0xff
  return createPublicKey({ key: { kty: 'RSA', n: modulus.toString('base64url'), e: 'AQAB' }, format: 'jwk' })
}
