import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { Format } from './servers.ts'

/** A route that answers what ours does, without the work, except that a JWT is signed. */
interface BareRoute {
  readonly method: 'GET' | 'POST'
  readonly path: string
  respond(request: { readonly form: unknown; readonly query: unknown }): BareAnswer
}
/** One of the three. */
interface BareAnswer {
  readonly json?: object
  readonly html?: string
  readonly location?: string
}

const CLIENT_ID = 'a'.repeat(24)
export const bareClient = { clientId: CLIENT_ID, clientSecret: 'am_cs_secret' }

export function bareRoutes(format: Format, redirectUri: string): readonly BareRoute[] {
  const token = (kind: string) => `am_${kind}_${CLIENT_ID}${'b'.repeat(22)}.${'c'.repeat(43)}`
  const key = format === 'opaque' ? undefined : newKey(format)
  const page = `<!doctype html><title>Bench</title>${'<p>Read your records</p>'.repeat(200)}`
  const after = (name: string) => `?${new URLSearchParams({ [name]: 'd'.repeat(43), state: 's', iss: 'http://localhost' })}`
  const times = { exp: 1_800_000_000, iat: 1_800_000_000, nbf: 1_800_000_000 }
  const facts = { scope: 'read:records', client_id: CLIENT_ID, token_type: 'Bearer', ...times, sub: CLIENT_ID }
  return [
    {
      method: 'POST',
      path: '/oauth/token',
      respond: ({ form }) => ({
        json: {
          access_token: key ? newJwt(key, format) : token('at'),
          token_type: 'Bearer',
          expires_in: 3600,
          refresh_token: (form as { grant_type?: string }).grant_type === 'client_credentials' ? undefined : token('rt'),
          scope: 'read:records',
        },
      }),
    },
    {
      method: 'GET',
      path: '/oauth/authorize',
      respond: ({ query }) => ({
        location: (query as { prompt?: string }).prompt ? `/oauth/consent${after('consent_id')}` : redirectUri + after('code'),
      }),
    },
    { method: 'POST', path: '/oauth/authorize', respond: () => ({ location: redirectUri + after('code') }) },
    { method: 'GET', path: '/oauth/consent', respond: () => ({ html: page }) },
    {
      method: 'POST',
      path: '/oauth/introspect',
      respond: () => ({
        json: { active: true, ...facts, aud: 'http://localhost', iss: 'http://localhost', jti: 'e'.repeat(69) },
      }),
    },
    { method: 'GET', path: '/guarded', respond: () => ({ json: { ok: true } }) },
  ]
}

function newKey(format: 'ES256' | 'RS256'): KeyObject {
  const pair =
    format === 'RS256' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return createPrivateKey(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }))
}

function newJwt(key: KeyObject, alg: Format): string {
  const times = { iat: 1_800_000_000, exp: 1_800_003_600 }
  const claims = { client_id: CLIENT_ID, scope: 'read:records', org_id: 'bench', iss: 'http://localhost', sub: CLIENT_ID }
  const text = [
    { alg, kid: 'k', typ: 'at+jwt' },
    { ...claims, aud: CLIENT_ID, ...times, jti: CLIENT_ID },
  ]
    .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
