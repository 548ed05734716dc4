import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import type { Answer, Fields, TestApp } from './client.ts'
import type { TestHost } from './host.ts'

const ISSUER = 'https://issuer.example'

/** Members of the proof's claims or header that differ from those of a good one. */
export interface Proof {
  readonly method?: string
  readonly url?: string
  readonly token?: string
  readonly nonce?: string | undefined
  readonly claims?: object
  readonly header?: object
  /** Signs in place of the key in the header. */
  readonly signer?: ProofKey
}

const KINDS = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
} as const

/** A key of a client's, which signs proofs by the clock of a host. */
export class ProofKey {
  readonly alg: keyof typeof KINDS
  readonly privateKey: KeyObject
  readonly jwk: Readonly<Record<string, string>>
  readonly jkt: string

  constructor(alg: keyof typeof KINDS = 'ES256') {
    const { privateKey, publicKey } = KINDS[alg]()
    this.alg = alg
    this.privateKey = privateKey
    this.jwk = publicKey.export({ format: 'jwk' }) as Record<string, string>
    const members = ['crv', 'e', 'kty', 'n', 'x', 'y'].filter(name => this.jwk[name] !== undefined)
    this.jkt = digest(JSON.stringify(Object.fromEntries(members.map(name => [name, this.jwk[name]]))))
  }

  /** A proof for a request; for the token endpoint where nothing is said. */
  proof({ clock }: { readonly clock: Pick<TestHost['clock'], 'now'> }, changes: Proof = {}): string {
    const { method = 'POST', nonce, signer = this, token, url = `${ISSUER}/oauth/token` } = changes
    const header = { typ: 'dpop+jwt', alg: this.alg, jwk: this.jwk, ...changes.header }
    const claims = {
      jti: randomBytes(16).toString('base64url'),
      htm: method,
      htu: url,
      iat: Math.floor(clock.now() / 1000),
      ath: token === undefined ? undefined : digest(token),
      nonce,
      ...changes.claims,
    }
    return signed(header, claims, signer)
  }
}

/** Asks the token endpoint with a proof of a key. */
export function askToken(host: TestHost, app: TestApp, fields: Fields, dpop: string): Promise<Answer> {
  return host.post('/oauth/token', app, fields, { headers: { dpop } })
}

/** Calls a route with a bound token and a proof, the host's guarded route where nothing is said. */
export function askBound(host: TestHost, token: unknown, dpop: string, path = '/records'): Promise<Answer> {
  return host.send(path, { headers: { authorization: `DPoP ${token}`, dpop } })
}

/** The URL of a route, as the issuer has it. */
export function at(path: string): string {
  return `${ISSUER}${path}`
}

function signed(header: object, claims: object, { alg, privateKey }: ProofKey): string {
  const text = [header, claims].map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const key =
    alg === 'PS256' ? { key: privateKey, padding: 6, saltLength: 32 } : { key: privateKey, dsaEncoding: 'ieee-p1363' as const }
  const signature = sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(text), key)
  return `${text}.${signature.toString('base64url')}`
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
