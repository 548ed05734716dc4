import { createHmac } from 'node:crypto'
import { createAuthmount } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import t from 'tap'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { authenticate, type HostOptions, SCOPES } from '../support/host.ts'

/** Apps that stand behind a gateway, which signs their names. */
const KEY = 'the gateway’s own key'
const signed = (clientId: string) => createHmac('sha256', KEY).update(clientId).digest('base64url')

const options: HostOptions = {
  clientAuthentication: [
    {
      name: 'gateway_signature',
      present({ headers, params }) {
        const proof = headers['x-gateway-signature']
        const clientId = params.get('client_id')
        return typeof proof === 'string' && clientId ? { clientId, proof } : undefined
      },
      async prove(app, proof) {
        if (proof === 'throws') throw new Error('ECONNREFUSED db-password')
        return proof === signed(app.clientId)
      },
    },
  ],
}
const GATEWAY = { tokenEndpointAuthMethod: 'gateway_signature' }

everywhere(
  'an app proves itself in a way of the host’s, and in no other',
  async (t, host) => {
    const app = await host.confidentialApp(GATEWAY)
    t.equal(app.clientSecret, null, 'it has no secret')
    const headers = { 'x-gateway-signature': signed(app.clientId) }
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: app.clientId })
    const answer = await host.send('/oauth/token', { method: 'POST', headers, body })
    t.equal(answer.status, 200)
    t.equal(await host.records(answer.body.access_token), 200)
    const introspected = new URLSearchParams({ client_id: app.clientId, token: String(answer.body.access_token) })
    t.match((await host.send('/oauth/introspect', { method: 'POST', headers, body: introspected })).body, { active: true })

    for (const [name, init] of Object.entries({
      'no proof': { body },
      'a wrong proof': { headers: { 'x-gateway-signature': 'x' }, body },
      'a secret': {
        body: new URLSearchParams({ grant_type: 'client_credentials', client_id: app.clientId, client_secret: 'x' }),
      },
    })) {
      const refused = await host.send('/oauth/token', { method: 'POST', ...init })
      t.strictSame([refused.status, refused.body.error], [401, 'invalid_client'], name)
    }
    const broken = await host.send('/oauth/token', { method: 'POST', headers: { 'x-gateway-signature': 'throws' }, body })
    t.strictSame([broken.status, broken.body.error], [500, 'server_error'])
    t.notMatch(broken.text, /ECONNREFUSED/)
  },
  options,
)

everyFramework(
  'registered is what may be used: no app changes its way by what it sends',
  async (t, host) => {
    const secret = await host.confidentialApp()
    const open = await host.publicApp()
    for (const app of [secret, open]) {
      const answer = await host.send('/oauth/token', {
        method: 'POST',
        headers: { 'x-gateway-signature': signed(app.clientId) },
        body: new URLSearchParams({ grant_type: 'client_credentials', client_id: app.clientId }),
      })
      t.equal(answer.body.error, 'invalid_client')
    }
    const both = await host.send('/oauth/token', {
      method: 'POST',
      headers: { 'x-gateway-signature': signed(secret.clientId) },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: secret.clientId,
        client_secret: secret.clientSecret ?? '',
      }),
    })
    t.strictSame([both.status, both.body.error], [400, 'invalid_request'], 'one way at a time (RFC 6749 §2.3)')
    const { body } = await host.send('/.well-known/oauth-authorization-server')
    for (const endpoint of ['token', 'revocation', 'introspection'])
      t.ok((body[`${endpoint}_endpoint_auth_methods_supported`] as string[]).includes('gateway_signature'), endpoint)
    const outside = await host.send('/oauth-clients', {
      method: 'POST',
      headers: { cookie: 'session=anna', 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'G', redirectUris: ['https://g.example/cb'], allowedScopes: ['read:records'], ...GATEWAY }),
    })
    t.equal(outside.status, 400, 'only host code registers for it')
    await t.rejects(host.confidentialApp({ tokenEndpointAuthMethod: 'unheard_of' }), { code: 'VALIDATION_ERROR' })
    await t.rejects(host.publicApp(GATEWAY), { code: 'VALIDATION_ERROR' })
  },
  options,
)

t.test('methods that cannot work are refused at the start, all problems at once', async t => {
  const present = () => undefined
  const prove = () => false
  const methods = [
    { name: 'none', present, prove },
    { name: 'a b', present, prove },
    { name: 'twice', present, prove },
    { name: 'twice', present },
    { name: 'odd', present, prove: 'x', verify: 1 },
    'method',
  ]
  const error = t.throws(() =>
    createAuthmount({
      issuer: 'https://issuer.example',
      store: memoryStore(),
      scopes: SCOPES,
      authenticate,
      clientAuthentication: methods as never,
    }),
  ) as { readonly problems?: readonly string[] }
  const text = error.problems?.join('\n') ?? ''
  for (const expected of [
    /\[0\].*none/,
    /\[1\]\.name/,
    /\[3\].*two methods/,
    /\[3\]\.prove/,
    /\[4\]\.prove/,
    /\[4\]\.verify is not/,
    /\[5\]/,
  ])
    t.match(text, expected)
})
