import { createHash } from 'node:crypto'
import type { NewApp } from 'authmount'
import { createLocalJWKSet, type JWTPayload, jwtVerify } from 'jose'
import type { TestApp } from './client.ts'
import { type HostOptions, SCOPES, type TestHost, USERS } from './host.ts'

export const SEALING_KEY = createHash('sha256').update('sealing key of the tests').digest()

/** What the host tells of its users. */
export const PEOPLE: Readonly<Record<string, Readonly<Record<string, string | boolean>>>> = {
  anna: { name: 'Anna', given_name: 'Anna', email: 'anna@host.example', email_verified: true, shoe_size: '38' },
  bert: { name: 'Bert', email: 'bert@host.example', email_verified: false },
}

/** A host with which users sign in. ES256, because making an RSA key takes a while. */
export const SIGN_IN: HostOptions = {
  sealingKeys: [SEALING_KEY],
  signingAlg: 'ES256',
  scopes: {
    ...SCOPES,
    email: { description: 'See your address' },
    'read:shoes': { description: 'See your shoes', claims: ['shoe_size'] },
  },
  claims: userId => PEOPLE[userId] ?? null,
  authenticate: request => {
    const session = /(?:^|; )session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]
    // `session=anna@1700000000` says when she signed in, in seconds; `session=anna#2` that it is another session of hers.
    const [, name = '', own, signedIn] = /^(\w+)(?:#(\w+))?(?:@(\d+))?$/.exec(session ?? '') ?? []
    const user = USERS[name]
    if (!user) return null
    const sessionId = own === undefined ? user.sessionId : `${user.sessionId}-${own}`
    return { ...user, sessionId, authTime: signedIn === undefined ? undefined : Number(signedIn) * 1000 }
  },
}

/** An app that may ask who the user is. */
export function signInApp(host: TestHost, fields: Partial<NewApp> = {}): Promise<TestApp> {
  return host.confidentialApp({ allowedScopes: ['openid', 'profile', 'email', 'read:records', 'read:shoes'], ...fields })
}

/** Verifies a JWT against the host's published keys. */
export async function verify(host: TestHost, token: unknown): Promise<JWTPayload> {
  const { body } = await host.send('/.well-known/jwks.json')
  const keys = createLocalJWKSet(body as unknown as Parameters<typeof createLocalJWKSet>[0])
  const { payload } = await jwtVerify(String(token), keys, { currentDate: new Date(host.clock.now()) })
  return payload
}
