/**
 * One Fastify server for the flows, in a process of its own: `flow-server.ts <ours|bare> <opaque|ES256|RS256>`.
 * Says where it listens, and answers each message with the processor time it has used, in microseconds.
 */
import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import formbody from '@fastify/formbody'
import { createAuthmount } from 'authmount'
import authmountPlugin, { requireToken } from 'authmount/fastify'
import { memoryStore } from 'authmount/stores/memory'
import Fastify from 'fastify'

const [side, format] = process.argv.slice(2)
const REDIRECT_URI = 'https://app.example/callback'
const server = Fastify()
const app = side === 'bare' ? serveBare() : await serveOurs()
const url = await server.listen({ port: 0, host: '127.0.0.1' })
process.on('message', () => {
  const { system, user } = process.cpuUsage()
  process.send?.(user + system)
})
process.send?.({ url, redirectUri: REDIRECT_URI, ...app })

async function serveOurs(): Promise<object> {
  const signing = {
    accessTokenFormat: 'jwt',
    sealingKeys: [randomBytes(32)],
    signingAlg: format === 'RS256' ? 'RS256' : 'ES256',
  } as const
  const authmount = createAuthmount({
    issuer: 'http://localhost',
    store: memoryStore({ maxRecords: 10_000_000 }),
    authenticate: ({ headers }) => ({ userId: String(headers['x-user']), orgId: 'bench', isAdmin: false }),
    scopes: { 'read:records': { description: 'Read your records' } },
    ...(format === 'opaque' ? {} : signing),
  })
  const { clientId, clientSecret } = await authmount.registerApp(
    { name: 'Bench', allowedScopes: ['read:records'], redirectUris: [REDIRECT_URI] },
    { orgId: 'bench', userId: 'bench' },
  )
  server.register(authmountPlugin, { authmount })
  server.get('/guarded', { preHandler: requireToken(authmount, { scopes: ['read:records'] }) }, async () => ({ ok: true }))
  return { clientId, clientSecret }
}

/** The same requests and answers without the work, except that a JWT is signed. */
function serveBare(): object {
  const clientId = 'a'.repeat(24)
  const token = (kind: string) => `am_${kind}_${clientId}${'b'.repeat(22)}.${'c'.repeat(43)}`
  const key = format === 'opaque' ? undefined : newKey()
  const page = `<!doctype html><title>Bench</title>${'<p>Read your records</p>'.repeat(200)}`
  const after = (name: string) => `?${new URLSearchParams({ [name]: 'd'.repeat(43), state: 's', iss: 'http://localhost' })}`
  server.register(formbody)
  server.post('/oauth/token', async request => ({
    access_token: key ? newJwt(key, clientId) : token('at'),
    token_type: 'Bearer',
    expires_in: 3600,
    refresh_token: (request.body as { grant_type?: string }).grant_type === 'client_credentials' ? undefined : token('rt'),
    scope: 'read:records',
  }))
  server.get('/oauth/authorize', async (request, reply) =>
    reply.redirect(
      (request.query as { prompt?: string }).prompt ? `/oauth/consent${after('consent_id')}` : REDIRECT_URI + after('code'),
    ),
  )
  server.post('/oauth/authorize', async (_request, reply) => reply.redirect(REDIRECT_URI + after('code'), 303))
  server.get('/oauth/consent', async (_request, reply) => reply.type('text/html').send(page))
  const times = { exp: 1_800_000_000, iat: 1_800_000_000, nbf: 1_800_000_000 }
  const facts = {
    scope: 'read:records',
    client_id: clientId,
    token_type: 'Bearer',
    ...times,
    sub: clientId,
    aud: 'http://localhost',
  }
  server.post('/oauth/introspect', async () => ({ active: true, ...facts, iss: 'http://localhost', jti: 'e'.repeat(69) }))
  server.get('/guarded', async () => ({ ok: true }))
  return { clientId, clientSecret: 'am_cs_secret' }
}

function newKey() {
  const pair =
    format === 'RS256' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return createPrivateKey(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }))
}

function newJwt(key: ReturnType<typeof newKey>, sub: string): string {
  const times = { iat: 1_800_000_000, exp: 1_800_003_600 }
  const claims = {
    client_id: sub,
    scope: 'read:records',
    org_id: 'bench',
    iss: 'http://localhost',
    sub,
    aud: sub,
    ...times,
    jti: sub,
  }
  const text = [{ alg: format, kid: 'k', typ: 'at+jwt' }, claims]
    .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
