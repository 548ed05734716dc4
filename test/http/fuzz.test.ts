import fc from 'fast-check'
import { everywhere } from '../support/everywhere.ts'
import type { HostOptions } from '../support/host.ts'
import { register } from '../support/registrations.ts'
import { SIGN_IN } from '../support/sign-in.ts'

const RUNS = Number(process.env.FUZZ_RUNS ?? 400)

const name = fc.oneof(
  fc.constantFrom(
    'grant_type',
    'client_id',
    'client_secret',
    'code',
    'redirect_uri',
    'scope',
    'state',
    'token',
    'code_challenge',
    'resource',
    'consent',
    'access_token',
  ),
  fc.string({ maxLength: 12 }),
)
const value = fc.oneof(
  fc.constantFrom(
    'client_credentials',
    'authorization_code',
    'refresh_token',
    'code',
    'S256',
    'granted',
    'f'.repeat(24),
    '__proto__',
    '',
  ),
  fc.string({ maxLength: 60, unit: 'binary' }),
)
const fields = fc.array(fc.tuple(name, value), { maxLength: 10 })
/** A path of the one client that registered itself, where it has an `:id`, or of nobody's. */
const path = fc.oneof(
  fc.constantFrom(
    '/oauth/authorize',
    '/oauth/consent',
    '/oauth/token',
    '/oauth/revoke',
    '/oauth/introspect',
    '/oauth/userinfo',
    '/oauth/register',
    '/oauth/register/:id',
    '/oauth-clients/unregistered',
    '/oauth-clients/unregistered/:id/allow',
    '/oauth-clients/unregistered/:id/refuse',
    '/oauth-clients/unregistered/:id/end',
  ),
  fc
    .string({ minLength: 1, maxLength: 30, unit: 'binary' })
    .filter(id => id !== '.' && id !== '..')
    .map(id => `/oauth/register/${encodeURIComponent(id)}`),
)
/** What a client says of itself (RFC 7591 §2), now and then as it should. */
const anything = fc.oneof(value, fc.jsonValue())
const metadata = fc.record(
  {
    redirect_uris: fc.oneof(fc.array(fc.oneof(fc.constant('https://agent.example/cb'), fc.webUrl(), value)), anything),
    client_name: anything,
    token_endpoint_auth_method: fc.oneof(fc.constantFrom('none', 'client_secret_basic', 'private_key_jwt'), anything),
    grant_types: fc.oneof(fc.array(value), anything),
    response_types: fc.oneof(fc.array(value), anything),
    scope: anything,
    client_uri: fc.oneof(fc.webUrl(), anything),
    contacts: fc.oneof(fc.array(value), anything),
    application_type: fc.oneof(fc.constantFrom('web', 'native'), anything),
  },
  { requiredKeys: [] },
)
const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE')
const body = fc.oneof(
  fields.map(pairs => ({ type: 'application/x-www-form-urlencoded', text: new URLSearchParams(pairs).toString() })),
  fc
    .oneof(
      fc.json(),
      metadata.map(given => JSON.stringify(given)),
    )
    .map(text => ({ type: 'application/json', text })),
  fc.record({
    type: fc.constantFrom('application/json', 'application/x-www-form-urlencoded', 'text/plain'),
    text: fc.string({ maxLength: 200 }),
  }),
)
const authorization = fc.option(
  fc.oneof(
    fc.string({ maxLength: 60 }).map(text => `Basic ${Buffer.from(text).toString('base64')}`),
    fc.constantFrom('Bearer', 'Bearer am_rg_', `Bearer am_rg_${'x'.repeat(43)}`, `Bearer am_at_${'f'.repeat(24)}`),
  ),
)

const HOST: HostOptions = {
  ...SIGN_IN,
  clients: { registration: 'open' },
  rateLimits: { registrations: false, allRegistrations: false, screens: false, codes: false, clientFailures: false },
}

everywhere(
  `${RUNS} requests of no sense are each answered, none with a 5xx`,
  async (t, host) => {
    const { client_id: id, registration_access_token: token } = (
      await register(host, { redirect_uris: ['https://agent.example/cb'], token_endpoint_auth_method: 'none' })
    ).body
    // Their organisation knows it from here on.
    await host.approve({ clientId: String(id), clientSecret: null }, { redirect_uri: 'https://agent.example/cb' })
    let requests = 0
    const unhandled = () => {
      t.fail('an unhandled rejection')
    }
    process.on('unhandledRejection', unhandled)
    t.teardown(() => process.off('unhandledRejection', unhandled))
    await fc.assert(
      fc.asyncProperty(path, method, fields, body, authorization, async (path, method, query, { text, type }, credential) => {
        requests++
        const { status } = await host.browse(`${path.replace(':id', String(id))}?${new URLSearchParams(query)}`, 'anna', {
          method,
          headers: { 'content-type': type, ...(credential === null ? {} : { authorization: credential }) },
          ...(method === 'GET' ? {} : { body: text }),
        })
        return status < 500
      }),
      { numRuns: RUNS },
    )
    t.ok(requests >= RUNS)
    t.strictSame(host.logged, [])
    const own = await host.send(`/oauth/register/${id}`, { headers: { authorization: `Bearer ${token}` } })
    t.match(
      own,
      { status: 200, body: { client_id: id, redirect_uris: ['https://agent.example/cb'] } },
      'nobody changed or deleted it',
    )
  },
  HOST,
)
