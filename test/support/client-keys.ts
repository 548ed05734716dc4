import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { NewApp } from 'authmount'
import { type CryptoKey, importJWK, type JWK } from 'jose'
import type { Answer, Fields, TestApp } from './client.ts'
import type { TestHost } from './host.ts'

export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** The key of a client. */
export interface ClientKey {
  readonly alg: string
  readonly privateKey: KeyObject
  /** The public key, as the client registers it. */
  readonly jwk: Readonly<Record<string, string>> & { readonly kty: string; readonly kid: string }
}

/** Makes a key; an RSA key takes a while. */
export function newClientKey(alg: 'PS256' | 'RS256' | 'ES256' | 'EdDSA' = 'ES256', kid = `key-${alg}`): ClientKey {
  const { privateKey, publicKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : alg === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = publicKey.export({ format: 'jwk' }) as Record<string, string> & { kty: string }
  return { alg, privateKey, jwk: { ...jwk, kid } }
}

/** The private key, as libraries of clients take it. */
export async function cryptoKeyOf({ alg, privateKey }: ClientKey): Promise<CryptoKey> {
  const key = await importJWK(privateKey.export({ format: 'jwk' }) as JWK, alg === 'EdDSA' ? 'Ed25519' : alg)
  if (key instanceof Uint8Array) throw new Error('the key is not asymmetric')
  return key
}

/** The fields of an app that authenticates with these keys. */
export function withKeys(...keys: readonly ClientKey[]): Partial<NewApp> {
  return { tokenEndpointAuthMethod: 'private_key_jwt', jwks: { keys: keys.map(({ jwk }) => jwk) } }
}

let assertions = 0

/** An assertion with everything in order but for these claims and this header, signed all the same; a member that is undefined is left out. */
export function assertionOf(
  host: TestHost,
  app: TestApp,
  key: ClientKey,
  { claims = {}, header = {} }: { readonly claims?: object; readonly header?: object } = {},
): string {
  const now = Math.floor(host.clock.now() / 1000)
  const { clientId } = app
  const jti = `assertion-${++assertions}`
  const payload = { iss: clientId, sub: clientId, aud: 'https://issuer.example', jti, iat: now, exp: now + 60, ...claims }
  return signed({ alg: key.alg, kid: key.jwk.kid, ...header }, payload, key)
}

/** Signs anything, by hand: a library would refuse much of it. */
function signed(header: object, payload: object, { alg, privateKey }: ClientKey): string {
  const text = [header, payload].map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const padding = alg === 'PS256' ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } : {}
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363', ...padding } as const
  return `${text}.${sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(text), key).toString('base64url')}`
}

/** POST with an assertion in place of a secret. */
export function postSigned(host: TestHost, path: string, assertion: string, fields: Fields): Promise<Answer> {
  const signed = { client_id: undefined, client_assertion_type: JWT_BEARER, client_assertion: assertion }
  return host.post(path, { clientId: '', clientSecret: null }, { ...signed, ...fields })
}

/** Client credentials with an assertion. */
export function actSigned(host: TestHost, assertion: string, fields: Fields = {}): Promise<Answer> {
  return postSigned(host, '/oauth/token', assertion, { grant_type: 'client_credentials', ...fields })
}
