/** Profiles: what each demands of options, apps and requests. */
import { type AuthmountOptions, createAuthmount, OptionsError } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import t from 'tap'
import { createEvents } from '../../src/base/events.ts'
import { readConfig } from '../../src/options/config.ts'
import type { Services } from '../../src/options/context.ts'
import { DeadlineStore } from '../../src/store/deadline-store.ts'
import { Deadlines } from '../../src/store/deadlines.ts'
import { refreshToken } from '../../src/token/grants/refresh-token.ts'
import { newSigningJwk } from '../../src/tokens/signing-key.ts'
import { api, createApp, NEW_APP, UNLIMITED } from '../support/apps-api.ts'
import { defined, type Fields, REDIRECT_URI, VERIFIER } from '../support/client.ts'
import { assertionOf, JWT_BEARER, newClientKey, postSigned, withKeys } from '../support/client-keys.ts'
import { askBound, at, ProofKey } from '../support/dpop.ts'
import { everyFramework, everywhere, overMemory } from '../support/everywhere.ts'
import { frameworks, SCOPES, startHost, type TestHost } from '../support/host.ts'
import { SEALING_KEY } from '../support/sign-in.ts'

const GOOD: AuthmountOptions = {
  issuer: 'https://issuer.example',
  store: memoryStore(),
  authenticate: () => null,
  scopes: SCOPES,
}

function problemsOf(fields: Partial<AuthmountOptions>): readonly string[] {
  try {
    createAuthmount({ ...GOOD, ...fields })
    return []
  } catch (error) {
    if (error instanceof OptionsError) return error.problems
    throw error
  }
}

overMemory('options that contradict a profile are named, each', async t => {
  t.strictSame(problemsOf({ profile: 'oauth2.1' }), [])
  t.strictSame(problemsOf({ profile: 'fapi2' }), [])
  t.strictSame(problemsOf({ profile: 'fapi' as 'fapi2' }), ['profile must be one of oauth2.1, fapi2, not "fapi"'])

  const weak = { allowPlainPkce: true, allowInsecureIssuer: true, loopbackLocalhost: true, redirectSchemes: ['cursor'] }
  t.strictSame(problemsOf({ profile: 'oauth2.1', ...weak, clients: {} }), [
    'allowPlainPkce must be false: the profile oauth2.1 demands it',
    'allowInsecureIssuer must be false: the profile oauth2.1 demands it',
    'loopbackLocalhost must be false: the profile oauth2.1 demands it',
    'redirectSchemes must be empty: the profile oauth2.1 demands it',
    'clients must have schemes: []: the profile oauth2.1 demands it',
  ])
  t.strictSame(problemsOf({ profile: 'oauth2.1', clients: { schemes: [] } }), [])

  const rsa = { ...(await newSigningJwk('RS256')), kid: 'rsa' }
  const present = () => undefined
  const method = { name: 'gateway', present, prove: () => true }
  t.strictSame(
    problemsOf({
      profile: 'fapi2',
      ...weak,
      requirePushedAuthorizationRequests: false,
      dpop: 'optional',
      clients: { schemes: [] },
      devices: {},
      clientAuthentication: [method],
      signingAlg: 'RS256',
      signingKeys: [rsa],
      lifetimes: { codeSeconds: 61 },
    }),
    [
      'requirePushedAuthorizationRequests must be true: the profile fapi2 demands it',
      'dpop must be "required": the profile fapi2 demands it',
      'allowPlainPkce must be false: the profile fapi2 demands it',
      'allowInsecureIssuer must be false: the profile fapi2 demands it',
      'loopbackLocalhost must be false: the profile fapi2 demands it',
      'redirectSchemes must be empty: the profile fapi2 demands it',
      'clients must be left out: the profile fapi2 demands it',
      'devices must be left out: the profile fapi2 demands it',
      'clientAuthentication must be left out: the profile fapi2 demands it',
      'signingAlg must be one of ES256, PS256, EdDSA: the profile fapi2 demands it',
      'signingKeys must all be for ES256, PS256, EdDSA: the profile fapi2 demands it',
      'lifetimes must have codeSeconds of at most 60: the profile fapi2 demands it',
    ],
  )
  t.strictSame(problemsOf({ profile: 'fapi2', signingAlg: 'EdDSA', lifetimes: { codeSeconds: 30 } }), [])
})

everyFramework(
  'oauth2.1: every app uses PKCE, and everything else is as ever',
  async (t, host) => {
    const app = await host.confidentialApp()
    const without = { code_challenge: undefined, code_challenge_method: undefined }
    const refused = { error: 'invalid_request', error_description: /PKCE with S256 of every app/ }
    t.match((await host.authorize(app, without)).params, refused)
    t.match((await host.push(app, without)).body, refused)
    const { refresh } = await host.tokens(app)
    t.not((await host.refresh(app, refresh)).body.refresh_token, refresh)
  },
  { profile: 'oauth2.1' },
)

everyFramework(
  'fapi2: apps that contradict it cannot be registered or changed, and each field is named',
  async (t, host) => {
    const details = (message: RegExp, path = 'tokenEndpointAuthMethod') => ({ path, message })
    const method = details(/^must be private_key_jwt: the profile fapi2 demands it$/)
    for (const isConfidential of [true, false]) {
      const { body, status } = await api(host, 'POST', '', { body: { ...NEW_APP, isConfidential } })
      t.equal(status, 400)
      t.match(body, {
        error: { details: [method, details(/^must use https: the profile fapi2 demands it$/, 'redirectUris.1')] },
      })
      await t.rejects(host.confidentialApp({ isConfidential }), { code: 'VALIDATION_ERROR' })
      await t.rejects(host.confidentialApp({ isConfidential, clientId: 'seed' }), { code: 'VALIDATION_ERROR' })
    }
    const weak = { ...withKeys(newClientKey()), idTokenSignedResponseAlg: 'RS256' }
    await t.rejects(host.confidentialApp(weak), {
      message: /idTokenSignedResponseAlg must be one of ES256, PS256, EdDSA: the profile fapi2/,
    })
    const { body } = await host.send('/.well-known/oauth-authorization-server')
    t.match(body, { require_pushed_authorization_requests: true, code_challenge_methods_supported: ['S256'] })
    t.notOk([body.token_endpoint_auth_methods_supported].flat().some(name => /secret|none/.test(String(name))))
  },
  { profile: 'fapi2', sealingKeys: [SEALING_KEY], ...UNLIMITED },
)

everywhere(
  'fapi2: from the pushed request to the refresh, with keys alone',
  async (t, host) => {
    const [key, proof] = [newClientKey(), new ProofKey()]
    const app = await host.confidentialApp(withKeys(key))
    const ask = (path: string, fields: Fields) =>
      host.send(path, {
        method: 'POST',
        body: defined({ ...fields, client_assertion_type: JWT_BEARER, client_assertion: assertionOf(host, app, key) }),
        headers: { dpop: proof.proof(host, { url: at(path) }) },
      })
    t.match((await host.authorize(app)).params, { error: 'invalid_request', error_description: /must push/ })
    const query = Object.fromEntries(host.authorizeQuery(app))
    const weakly = (assertion: string, dpop: string) =>
      host.send('/oauth/par', {
        method: 'POST',
        body: defined({ ...query, client_assertion_type: JWT_BEARER, client_assertion: assertion }),
        headers: { dpop },
      })
    const rsa = newClientKey('RS256')
    const strong = proof.proof(host, { url: at('/oauth/par') })
    t.match((await weakly(assertionOf(host, app, rsa), strong)).body, {
      error_description: /one of PS256, ES256, EdDSA, Ed25519$/,
    })
    const weak = new ProofKey('RS256').proof(host, { url: at('/oauth/par') })
    t.match((await weakly(assertionOf(host, app, key), weak)).body, { error: 'invalid_dpop_proof' })
    const discovered = (await host.send('/.well-known/oauth-authorization-server')).body
    for (const [name, listed] of Object.entries(discovered))
      if (name.includes('_alg_values_supported')) t.notOk([listed].flat().includes('RS256'), name)
    const { body } = await ask('/oauth/par', Object.fromEntries(host.authorizeQuery(app)))
    const screen = await host.open({ client_id: app.clientId, request_uri: String(body.request_uri) })
    const { params } = await host.decide(screen)
    t.match(params, { iss: 'https://issuer.example' })
    const code = { code: params.code, redirect_uri: REDIRECT_URI, code_verifier: VERIFIER }
    const issued = await ask('/oauth/token', { grant_type: 'authorization_code', ...code })
    t.match(issued, { status: 200, body: { token_type: 'DPoP', refresh_token: String } })

    const refreshing = { grant_type: 'refresh_token', refresh_token: String(issued.body.refresh_token) }
    for (let times = 0; times < 2; times++) {
      const renewed = await ask('/oauth/token', refreshing)
      t.match(renewed, { status: 200, body: { token_type: 'DPoP', refresh_token: undefined } }, 'the refresh token stays')
      const token = String(renewed.body.access_token)
      const dpop = proof.proof(host, { method: 'GET', url: at('/records'), token })
      t.equal((await askBound(host, token, dpop)).status, 200)
      t.equal(await host.records(token), 401, 'as a bearer token it is none')
    }
    const { body: refused } = await postSigned(host, '/oauth/token', assertionOf(host, app, key), refreshing)
    t.equal(refused.error, 'invalid_dpop_proof')
  },
  { profile: 'fapi2' },
)

/** A host over the same store as another, under the profile. */
async function underFapi(
  t: { teardown(end: () => Promise<void>): void },
  host: TestHost,
  mount = frameworks.express,
): Promise<TestHost> {
  if (!mount) throw new Error('no such framework')
  const strict = await startHost(mount, { store: host.store, profile: 'fapi2', now: host.clock.now, ...UNLIMITED })
  t.teardown(strict.close)
  return strict
}

for (const [framework, mount] of Object.entries(frameworks)) {
  t.test(`${framework}: fapi2: apps from before the profile get nothing any more`, async t => {
    const before = await startHost(mount, UNLIMITED)
    t.teardown(before.close)
    const [secret, open] = [await createApp(before, { redirectUris: ['https://app.example/cb'] }), await before.publicApp()]
    const { access, refresh } = await before.tokens(secret)
    const strict = await underFapi(t, before, mount)
    for (const app of [secret, { ...open, clientSecret: null }]) {
      const refused = await strict.authorize(app)
      t.equal(refused.status, 303, 'with the status that the profile wants')
      t.match(refused.params, { error: /^(unauthorized_client|invalid_request)$/, state: 'state-1' })
      t.match(await strict.push(app), { status: 401, body: { error: 'invalid_client' } })
      t.match(await strict.refresh(app, refresh), { status: 401 })
    }
    const pushed = await strict.open(await before.pushed(secret))
    t.match(pushed.params, { error: 'unauthorized_client', error_description: /private_key_jwt: the profile fapi2/ })
    t.match(await api(strict, 'PUT', `/${secret.id}`, { body: { name: 'New' } }), { status: 400 })
    t.equal(await strict.records(access), 200, 'what was issued is good until it ends')
  })
}

everywhere('fapi2: a refresh token stays, and every refresh adds an access token', async (t, host) => {
  const app = await host.confidentialApp({ accessTokenLifetime: 3600, refreshTokenLifetime: 7200 })
  host.clock.stop()
  const { access, refresh } = await host.tokens(app)
  const stored = await host.store.apps.get(app.clientId)
  if (!stored) throw new Error('the app is not stored')
  const config = readConfig({ ...GOOD, store: host.store, profile: 'fapi2', now: host.clock.now })
  const events = createEvents(null, config.log)
  const deadlines = new Deadlines(config.storeTimeoutMs)
  // The services that a refresh with opaque tokens looks at: who authenticates the client does not matter here.
  const services = { keys: null } as Services
  const renew = async () => {
    const store = new DeadlineStore(config.store, deadlines)
    const context = { config, events, services, store, principal: null, now: host.clock.now() }
    const params = new Map([['refresh_token', refresh]])
    try {
      return await refreshToken.handle(
        { params, headers: {}, app: stored, audience: null, jkt: undefined, prefetched: undefined },
        context,
      )
    } finally {
      store.release()
    }
  }

  const renewed = await Promise.all([renew(), renew(), renew()])
  t.equal(new Set(renewed.map(({ accessToken }) => accessToken)).size, 3)
  for (const { accessToken, expiresInSeconds, refreshToken } of renewed) {
    t.equal(refreshToken, undefined, 'the old one is still good')
    t.equal(expiresInSeconds, 3600)
    t.equal(await host.records(accessToken), 200)
  }
  t.equal(await host.records(access), 200)

  host.clock.advance(7000)
  const { accessToken, expiresInSeconds } = await renew()
  t.equal(expiresInSeconds, 200, 'no access token outlives it')
  t.equal((await host.post('/oauth/revoke', app, { token: refresh })).status, 200)
  t.equal(await host.isActive(app, accessToken), false)
  await t.rejects(renew(), { code: 'invalid_grant' })
})
