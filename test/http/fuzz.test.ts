import fc from 'fast-check'
import { everywhere } from '../support/everywhere.ts'

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
const path = fc.constantFrom('/oauth/authorize', '/oauth/consent', '/oauth/token', '/oauth/revoke', '/oauth/introspect')
const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE')
const body = fc.oneof(
  fields.map(pairs => ({ type: 'application/x-www-form-urlencoded', text: new URLSearchParams(pairs).toString() })),
  fc.json().map(text => ({ type: 'application/json', text })),
  fc.record({
    type: fc.constantFrom('application/json', 'application/x-www-form-urlencoded', 'text/plain'),
    text: fc.string({ maxLength: 200 }),
  }),
)
const authorization = fc.option(fc.string({ maxLength: 60 }).map(text => `Basic ${Buffer.from(text).toString('base64')}`))

everywhere(`${RUNS} requests of no sense are each answered, none with a 5xx`, async (t, host) => {
  let requests = 0
  const unhandled = () => {
    t.fail('an unhandled rejection')
  }
  process.on('unhandledRejection', unhandled)
  t.teardown(() => process.off('unhandledRejection', unhandled))
  await fc.assert(
    fc.asyncProperty(path, method, fields, body, authorization, async (path, method, query, { text, type }, credential) => {
      requests++
      const { status } = await host.browse(`${path}?${new URLSearchParams(query)}`, 'anna', {
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
})
