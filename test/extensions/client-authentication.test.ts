import { createHmac } from 'node:crypto'
import { createAuthmount, type HostClientAuthentication } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import t from 'tap'
import { defined, type Fields } from '../support/client.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { authenticate, type HostOptions, SCOPES } from '../support/host.ts'
import { sleep, unhandledRejections } from '../support/host-grants.ts'

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

const KEYS: HostOptions = {
  hookTimeoutMs: 100,
  clientAuthentication: [
    {
      name: 'api_key',
      present({ headers }) {
        const [, clientId, proof] = /^ApiKey (\S+):(\S+)$/.exec(headers.authorization ?? '') ?? []
        return clientId === undefined || proof === undefined ? undefined : { clientId, proof }
      },
      prove: async (_app, proof) => (proof === 'hangs' ? new Promise<never>(() => {}) : proof === 'good'),
    },
    {
      name: 'odd',
      present: ({ headers }) => ODD[String(headers['x-odd'])]?.() as never,
      prove: () => true,
    },
    {
      name: 'assertion',
      present({ params }) {
        const proof = params.get('client_assertion')
        const clientId = params.get('client_id')
        return this?.name === 'assertion' && proof && params.has('of_host') && clientId ? { clientId, proof } : undefined
      },
      prove(_app, proof) {
        return this?.name === 'assertion' && proof === 'good'
      },
    } as HostClientAuthentication,
  ],
}
const ODD: Readonly<Record<string, () => unknown>> = {
  list: () => ['x'],
  number: () => ({ clientId: 5, proof: '' }),
  'no proof': () => ({ clientId: 'x' }),
  object: () => ({ clientId: { toString: () => 'x' }, proof: '' }),
  text: () => 'x',
  async: async () => ({ clientId: 'x', proof: '' }),
  rejects: () => Promise.reject(new Error('nobody listens')),
}

everyFramework(
  'one method for one client: a secret, an assertion or the name of another beside it is refused (RFC 6749 §2.3)',
  async (t, host) => {
    const keyed = await host.confidentialApp({ tokenEndpointAuthMethod: 'api_key' })
    const other = await host.confidentialApp()
    const open = await host.publicApp()
    const headers = { authorization: `ApiKey ${keyed.clientId}:good` }
    const ask = async (fields: Fields, of: Readonly<Record<string, string>> = {}) => {
      const body = defined({ grant_type: 'client_credentials', ...fields })
      const answer = await host.send('/oauth/token', { method: 'POST', headers: of, body })
      return answer.status === 200 ? answer.status : answer.body.error
    }
    const secret = { client_id: other.clientId, client_secret: other.clientSecret ?? '' }
    const assertion = {
      client_assertion: 'garbage',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }
    const basic = `Basic ${Buffer.from(`${other.clientId}:${other.clientSecret}`).toString('base64')}`
    t.equal(await ask({}, headers), 200)
    t.equal(await ask({ client_id: keyed.clientId }, headers), 200)
    t.equal(await ask(secret, headers), 'invalid_request', 'two clients')
    t.equal(await ask({ client_secret: 'x' }, headers), 'invalid_request')
    t.equal(await ask({ client_id: other.clientId }, headers), 'invalid_request')
    t.equal(await ask(secret, { authorization: 'ApiKey x' }), 'invalid_client', 'a header that no method knows')
    t.equal(await ask({ ...secret, ...assertion }), 'invalid_request')
    t.equal(await ask({ ...secret, client_assertion_type: 'x' }), 'invalid_request')
    t.equal(await ask(assertion, { authorization: basic }), 'invalid_request')
    t.equal(await ask({ ...assertion, client_id: other.clientId }), 'invalid_client')

    const { refresh } = await host.tokens(open)
    const again = { grant_type: 'refresh_token', refresh_token: String(refresh), client_id: open.clientId }
    t.equal(await ask({ ...again, ...assertion }), 'invalid_client', 'a public app that does prove something')
    for (const path of ['/oauth/revoke', '/oauth/introspect']) {
      const body = defined({ ...again, ...assertion, token: String(refresh) })
      t.equal((await host.send(path, { method: 'POST', body })).body.error, 'invalid_client', path)
    }
    t.equal(await ask(again), 200, 'and the refresh token is not spent')

    const asserted = await host.confidentialApp({ tokenEndpointAuthMethod: 'assertion' })
    const own = { client_id: asserted.clientId, of_host: '1' }
    t.equal(await ask({ ...own, client_assertion: 'good' }), 200, 'a method of the host’s may read one')
    t.equal(await ask({ ...own, client_assertion: 'bad' }), 'invalid_client')
  },
  KEYS,
)

everyFramework(
  'a proof that takes too long, and a method that presents nonsense, are answered 500 and logged by name',
  async (t, host) => {
    const unhandled = unhandledRejections(t)
    const keyed = await host.confidentialApp({ tokenEndpointAuthMethod: 'api_key' })
    const body = new URLSearchParams({ grant_type: 'client_credentials' })
    const late = await host.send('/oauth/token', {
      method: 'POST',
      headers: { authorization: `ApiKey ${keyed.clientId}:hangs` },
      body,
    })
    t.equal(late.status, 500)
    t.match(String(host.logged.flat().at(-1)), /api_key did not answer within 100 ms/)
    for (const odd of Object.keys(ODD)) {
      const answer = await host.send('/oauth/token', { method: 'POST', headers: { 'x-odd': odd }, body })
      t.strictSame([answer.status, answer.body.error], [500, 'server_error'], odd)
      t.match(String(host.logged.flat().at(-1)), /client authentication odd must return/, odd)
    }
    await sleep(10)
    t.strictSame(unhandled, [])
  },
  KEYS,
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
