/** authmount/verify: tokens that are bound to a key, in another service. */
import { randomBytes } from 'node:crypto'
import type { Verifier } from 'authmount/verify'
import t, { type Test } from 'tap'
import { askToken, ProofKey } from './support/dpop.ts'
import { API, ISSUER, outcome, start } from './support/verifier.ts'

const key = new ProofKey()
const other = new ProofKey()
const MACHINE = { grant_type: 'client_credentials', scope: 'read:records' }

for (const format of ['opaque', 'jwt'] as const) {
  const begin = async (t: Test, options: Parameters<typeof start>[1] = {}) => {
    const { host, verifier } = await start(format, options, { dpopProofs: { nonces: false } })
    t.teardown(host.close)
    const app = await host.confidentialApp()
    const token = String((await askToken(host, app, MACHINE, key.proof(host))).body.access_token)
    const guard = verifier.guard({ scopes: ['read:records'] })
    const ask = (dpop: string | undefined, scheme = 'DPoP', presented = token) =>
      guard({ method: 'GET', url: '/records?page=2', headers: { authorization: `${scheme} ${presented}`, dpop } })
    const proof = (changes: object = {}) => key.proof(host, { method: 'GET', url: `${API}/records`, token, ...changes })
    return { host, app, verifier, token, ask, proof }
  }

  t.test(`${format}: a bound token needs a proof for this very request, and each proof is good once`, async t => {
    const { app, ask, host, proof, token, verifier } = await begin(t)
    t.match(await ask(proof()), { oauth: { clientId: app.clientId } })
    t.equal(await outcome(verifier, token), 'invalid_token')
    const used = proof()
    t.match(await ask(used), { oauth: { clientId: app.clientId } })
    const refused: Readonly<Record<string, ReturnType<typeof ask>>> = {
      'as a bearer token': ask(proof(), 'Bearer'),
      'without a proof': ask(undefined),
      'a used proof': ask(used),
      'another method': ask(proof({ method: 'POST' })),
      'another URL': ask(proof({ url: `${ISSUER}/records` })),
      'another token': ask(proof({ token: `${token}x` })),
      'another key': ask(other.proof(host, { method: 'GET', url: `${API}/records`, token })),
      'an old one': ask(proof({ claims: { iat: Math.floor(host.clock.now() / 1000) - 400 } })),
    }
    for (const [name, result] of Object.entries(refused)) t.match(await result, { refusal: { status: 401 } }, name)
    const bearer = String((await host.clientCredentials(app, { scope: 'read:records' })).body.access_token)
    t.match(await ask(proof({ token: bearer }), 'DPoP', bearer), { refusal: { status: 401 } }, 'a bearer token with a proof')
    t.match(await ask(undefined, 'Bearer', bearer), { oauth: { clientId: app.clientId } })
  })

  t.test(`${format}: a service can demand nonces of its own, and be behind a path`, async t => {
    const { ask, proof } = await begin(t, { nonceKeys: [randomBytes(32)], publicUrl: 'https://public.example/api' })
    const url = 'https://public.example/api/records'
    const refused = await ask(proof({ url }))
    t.match(refused, { refusal: { status: 401, headers: { 'dpop-nonce': String } } })
    const nonce = 'refusal' in refused ? refused.refusal.headers['dpop-nonce'] : undefined
    t.match(await ask(proof({ url, nonce })), { oauth: {}, headers: undefined })
    t.match(await ask(proof({ url: `${API}/records`, nonce })), { refusal: { status: 401 } })
  })
}

t.test('options that cannot work are refused', async t => {
  const options = { issuer: ISSUER, audience: API }
  const { createVerifier } = await import('authmount/verify')
  const make = (more: object): Verifier => createVerifier({ ...options, ...more })
  t.throws(() => make({ publicUrl: 'records' }), { message: /publicUrl/ })
  t.throws(() => make({ publicUrl: 'https://x.example/?a' }), { message: /publicUrl/ })
  t.throws(() => make({ nonceKeys: [] }), { message: /nonceKeys/ })
  t.throws(() => make({ nonceKeys: [randomBytes(16)] }), { message: /nonceKeys/ })
})
