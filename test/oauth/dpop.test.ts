/** Tokens that are bound to a key of the client's (RFC 9449), at the token endpoint and wherever they are used. */
import t from 'tap'
import { REDIRECT_URI, VERIFIER } from '../support/client.ts'
import { askBound, askToken, at, type Proof, ProofKey } from '../support/dpop.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { SEALING_KEY, SIGN_IN, signInApp, verify } from '../support/sign-in.ts'

const MACHINE = { grant_type: 'client_credentials', scope: 'read:records' }
const CODE = { redirect_uri: REDIRECT_URI, code_verifier: VERIFIER }
const RECORDS = { method: 'GET', url: at('/records') }
const key = new ProofKey()
const other = new ProofKey()

everywhere('a client that proves a key gets tokens that are of use with that key alone', async (t, host) => {
  const app = await host.publicApp()
  const fields = { grant_type: 'authorization_code', code: await host.approve(app), ...CODE }
  const { body } = await askToken(host, app, fields, key.proof(host))
  t.match(body, { token_type: 'DPoP', access_token: String, refresh_token: String })
  const token = String(body.access_token)
  t.match(await askBound(host, token, key.proof(host, { ...RECORDS, token })), { status: 200, body: { userId: 'anna' } })

  t.equal(await host.records(token), 401, 'not as a bearer token')
  t.equal((await askBound(host, token, other.proof(host, { ...RECORDS, token }))).status, 401, 'not with another key')
  await t.rejects(host.authmount.checkToken(token), { code: 'invalid_token' }, 'not without a request')

  const refreshing = { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) }
  t.match(await host.refresh(app, body.refresh_token), { status: 400, body: { error: 'invalid_grant' } }, 'no downgrade')
  t.match(await askToken(host, app, refreshing, other.proof(host)), { status: 400, body: { error: 'invalid_grant' } })
  const refreshed = await askToken(host, app, refreshing, key.proof(host))
  t.match(refreshed.body, { token_type: 'DPoP' })
  const next = String(refreshed.body.access_token)
  t.equal((await askBound(host, next, key.proof(host, { ...RECORDS, token: next }))).status, 200)

  t.match(await host.refresh(app, body.refresh_token), { status: 400, body: { error: 'invalid_grant' } }, 'a retry without proof')
  t.match(await askToken(host, app, refreshing, other.proof(host)), { status: 400, body: { error: 'invalid_grant' } })
  t.strictSame((await askToken(host, app, refreshing, key.proof(host))).body.access_token, next, 'a retry gets the same answer')
})
