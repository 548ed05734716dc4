import type { TokenRequirements } from 'authmount'
import { authmountRouter } from 'authmount/express'
import authmountPlugin from 'authmount/fastify'
import { authOf, mcpHook, mcpMiddleware } from 'authmount/mcp'
import express from 'express'
import Fastify from 'fastify'
import { decodeJwt } from 'jose'
import { type Answer, type Fields, REDIRECT_URI, type TestApp, VERIFIER } from '../support/client.ts'
import { askToken, ProofKey } from '../support/dpop.ts'
import { everyFramework, overMemory } from '../support/everywhere.ts'
import { listen, type Mount, startHost, type TestHost } from '../support/host.ts'
import { signInApp } from '../support/sign-in.ts'
import { STRENGTHS, strongMounts } from '../support/step-up.ts'
import { API, start } from '../support/verifier.ts'

const MCP = 'https://issuer.example/mcp'
const STRONG_MCP = { resource: MCP, scopes: ['read:records'], acr: 'gold', maxAge: 300 }
const mcpServers: Readonly<Record<'express' | 'fastify', Mount>> = {
  express: authmount => {
    const app = express()
    app.use(authmountRouter(authmount))
    app.post('/mcp', mcpMiddleware(authmount, STRONG_MCP), (request, response) => {
      response.json(authOf(request).extra)
    })
    return listen(app)
  },
  fastify: async authmount => {
    const app = Fastify({ forceCloseConnections: true })
    await app.register(authmountPlugin, { authmount })
    app.post('/mcp', { preHandler: mcpHook(authmount, STRONG_MCP) }, async request => authOf(request).extra)
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  },
}

const seconds = (host: TestHost) => Math.floor(host.clock.now() / 1000)

async function signedIn(host: TestHost, app: TestApp, user: string, fields: Fields = {}): Promise<Answer> {
  return host.redeem(app, await host.approve(app, fields, user))
}

const calls = (host: TestHost, path: string, { body }: Answer) =>
  host.send(path, { headers: { authorization: `Bearer ${body.access_token}` } })

for (const [name, mount] of Object.entries(strongMounts)) {
  overMemory(`${name}: a route says how the user must have signed in, and its challenge says it`, async t => {
    const host = await startHost(mount, STRENGTHS)
    t.teardown(host.close)
    const app = await host.confidentialApp()
    const now = seconds(host)
    const weak = await signedIn(host, app, `anna@${now}`, { scope: 'read:records write:records' })
    const refused = await calls(host, '/transfer', weak)
    t.equal(refused.status, 401)
    t.equal(refused.body.error, 'insufficient_user_authentication')
    const challenge = refused.headers.get('www-authenticate') ?? ''
    t.match(challenge, /^Bearer realm=.*, error="insufficient_user_authentication", error_description="[^"]+"/)
    t.ok(challenge.endsWith(', scope="read:records write:records", acr_values="gold platinum", max_age="300"'), challenge)

    const strong = await signedIn(host, app, `anna@${now}+gold`)
    const let1 = await calls(host, '/transfer', strong)
    t.match(let1.body, { userId: 'anna', acr: 'gold', amr: ['pwd', 'otp'], authTime: now * 1000 })
    host.clock.advance(302)
    t.equal((await calls(host, '/transfer', strong)).status, 401, 'a while ago')
    const renewed = await host.refresh(app, strong.body.refresh_token)
    t.equal((await calls(host, '/transfer', renewed)).status, 401, 'which a refresh does not change')
    const machine = await host.clientCredentials(app, { scope: 'read:records' })
    t.equal((await calls(host, '/transfer', machine)).status, 401, 'an app is no user')
    const key = new ProofKey()
    const code = await host.approve(app, {}, `anna@${now}`)
    const fields = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, code_verifier: VERIFIER }
    const nonce = (await askToken(host, app, fields, key.proof(host))).headers.get('dpop-nonce') ?? undefined
    const granted = await askToken(host, app, fields, key.proof(host, { nonce }))
    t.match(granted.body, { token_type: 'DPoP' })
    const token = String(granted.body.access_token)
    const dpop = key.proof(host, { method: 'GET', url: 'https://issuer.example/transfer', token, nonce })
    const bound = await host.send('/transfer', { headers: { authorization: `DPoP ${token}`, dpop } })
    t.equal(bound.body.error, 'insufficient_user_authentication', 'a token that is bound to a key too')
    const other = await signedIn(host, app, `anna@${now}`, { scope: 'write:records' })
    t.equal((await calls(host, '/transfer', other)).status, 403, 'a scope that lacks goes first')
    t.equal((await calls(host, '/transfer', { ...weak, body: { access_token: 'x' } })).body.error, 'invalid_token')
  })
}

everyFramework('where the host does not say how or when its user signed in, neither is met', async (t, host) => {
  const tokens = await signedIn(host, await host.confidentialApp(), 'anna')
  for (const requirements of [{ acr: 'gold' }, { maxAge: 999_999_999 }]) {
    const result = await host.authmount.guard(requirements)({
      method: 'GET',
      url: '/',
      headers: { authorization: `Bearer ${tokens.body.access_token}` },
    })
    t.match('refusal' in result && result.refusal, { status: 401, body: /insufficient_user_authentication/ })
  }
  const wrong = [
    { acr: '' },
    { acr: [] },
    { acr: 'a b' },
    { acr: ['a"'] },
    { acr: 7 },
    { maxAge: 0 },
    { maxAge: 1.5 },
    { maxAge: 1e9 },
    { maxAge: '5' },
    { max_age: 5 },
  ]
  for (const requirements of wrong)
    t.throws(() => host.authmount.guard(requirements as TokenRequirements), TypeError, JSON.stringify(requirements))
})

for (const format of ['opaque', 'jwt'] as const) {
  overMemory(`${format}: another service learns how the user signed in, and asks for more`, async t => {
    const { host, verifier, now } = await start(format, {}, STRENGTHS)
    t.teardown(host.close)
    const app = await signInApp(host)
    const at = seconds(host)
    const fields = { scope: 'openid read:records', acr_values: 'gold', resource: API }
    const { body } = await signedIn(host, app, `anna@${at}+gold`, fields)
    const access = String(body.access_token)
    const says = { acr: 'gold', amr: ['pwd', 'otp'], auth_time: at }
    t.match(decodeJwt(String(body.id_token)), says)
    if (format === 'jwt') t.match(decodeJwt(access), says)
    t.match((await host.post('/oauth/introspect', app, { token: access })).body, says)
    const renewed = await host.refresh(app, body.refresh_token)
    t.match(decodeJwt(String(renewed.body.id_token)), says, 'a refresh says the same')

    t.match(await verifier.verify(access, { acr: ['gold'], maxAge: 300 }), {
      acr: 'gold',
      amr: ['pwd', 'otp'],
      authTime: at * 1000,
    })
    await t.rejects(verifier.verify(access, { acr: 'platinum' }), { code: 'insufficient_user_authentication', status: 401 })
    const guarded = await verifier.guard({ acr: 'platinum', maxAge: 60 })({
      method: 'GET',
      url: '/',
      headers: { authorization: `Bearer ${access}` },
    })
    t.match('refusal' in guarded && guarded.refusal.headers['www-authenticate'], /acr_values="platinum", max_age="60"$/)
    host.clock.advance(310)
    t.ok(now() > at * 1000)
    await t.rejects(verifier.verify(access, { maxAge: 300 }), { code: 'insufficient_user_authentication' })
    t.throws(() => verifier.guard({ maxAge: -1 }), TypeError)
  })
}

everyFramework(
  'a client that wants a context the login can reach has its user sign in for it once',
  async (t, host) => {
    const app = await signInApp(host)
    const fields = { scope: 'openid', acr_values: 'platinum gold' }
    const login = await host.authorize(app, fields, 'anna')
    t.equal(login.location?.pathname, '/login')
    t.match(login.params, { acr_values: 'platinum gold' })
    const stronger = await host.browse(String(login.params.returnTo), 'anna+gold')
    t.ok(stronger.params.consent_id)
    const granted = await host.decide(stronger, 'granted', 'anna+gold')
    t.match(decodeJwt(String((await host.redeem(app, String(granted.params.code))).body.id_token)), { acr: 'gold' })
    t.ok((await host.authorize(app, fields, 'anna+gold')).params.code, 'whoever has it already goes on')

    const again = await host.authorize(app, fields, 'anna')
    const same = await host.browse(String(again.params.returnTo), 'anna')
    const weak = await host.redeem(app, String(same.params.code))
    t.match(decodeJwt(String(weak.body.id_token)), { acr: 'silver' }, 'it is a wish, and the token says what came of it')
    const signedOut = await host.authorize(app, fields, null)
    t.ok((await host.browse(String(signedOut.params.returnTo), 'anna')).params.code, 'nor twice for somebody who was signed out')
    t.ok((await host.authorize(app, { ...fields, prompt: 'none' }, 'anna')).params.code, 'no reason to refuse a silent request')
    t.ok((await host.authorize(app, { ...fields, acr_values: 'urn:other' }, 'anna')).params.code, 'what the host does not know')
    const { body } = await host.send('/.well-known/openid-configuration')
    t.strictSame(body.acr_values_supported, ['silver', 'gold'])
  },
  STRENGTHS,
)

everyFramework(
  'how somebody signed in must be said in words that can be passed on',
  async (t, host) => {
    const app = await host.confidentialApp()
    for (const said of [
      { acr: 7 },
      { acr: 'two words' },
      { acr: '' },
      { amr: 'otp' },
      { amr: [7] },
      { amr: Array(21).fill('x') },
    ]) {
      told = said
      t.equal((await host.authorize(app)).status, 500, JSON.stringify(said))
    }
    told = { acr: 'x'.repeat(255), amr: Array(20).fill('otp') }
    t.equal((await host.authorize(app)).status, 302)
  },
  { authenticate: () => ({ userId: 'anna', orgId: 'org-1', isAdmin: false, ...(told as object) }) },
)
let told: unknown

for (const [name, serve] of Object.entries(mcpServers)) {
  overMemory(`${name}: an MCP server wants a stronger login of whoever calls it, and of its tools`, async t => {
    const host = await startHost(serve, { ...STRENGTHS, resources: [MCP] })
    t.teardown(host.close)
    const app = await host.confidentialApp()
    const at = seconds(host)
    const [weak, strong] = [await signedIn(host, app, `anna@${at}`), await signedIn(host, app, `anna@${at}+gold`)]
    const call = (answer: Answer) =>
      host.send('/mcp', { method: 'POST', headers: { authorization: `Bearer ${answer.body.access_token}` } })
    const refused = await call(weak)
    t.equal(refused.status, 401)
    t.match(
      refused.headers.get('www-authenticate'),
      /resource_metadata="[^"]+", error="insufficient_user_authentication".*acr_values="gold", max_age="300"$/,
    )
    t.match((await call(strong)).body, { userId: 'anna', acr: 'gold', amr: ['pwd', 'otp'], authTime: at * 1000 })
    t.throws(() => mcpMiddleware(host.authmount, { resource: MCP, maxAge: 0 }), TypeError)
  })
}
