import * as client from 'openid-client'
import t from 'tap'
import { atIssuer } from '../support/at-issuer.ts'
import { REDIRECT_URI } from '../support/client.ts'
import { cryptoKeyOf, newClientKey, withKeys } from '../support/client-keys.ts'
import { answerDevice, deviceApp } from '../support/devices.ts'
import { settings } from '../support/everywhere.ts'
import { startHost } from '../support/host.ts'
import { startTlsFront } from '../support/https.ts'

const KEY = newClientKey('PS256')

for (const { name, mount, connect } of settings) {
  for (const kind of ['confidential', 'private_key_jwt', 'public'] as const) {
    t.test(`${name}: openid-client, as it comes, takes a ${kind} app through everything`, async t => {
      const front = await startTlsFront()
      const host = await startHost(mount, { connect, issuer: front.url })
      t.teardown(async () => {
        await front.close()
        await host.close()
      })
      front.forwardTo(host.url)

      const app =
        kind === 'public' ? await host.publicApp() : await host.confidentialApp(kind === 'private_key_jwt' ? withKeys(KEY) : {})
      const auth = {
        confidential: client.ClientSecretBasic(app.clientSecret ?? '-'),
        private_key_jwt: client.PrivateKeyJwt({ key: await cryptoKeyOf(KEY), kid: KEY.jwk.kid }),
        public: client.None(),
      }[kind]
      const config = await client.discovery(new URL(front.url), app.clientId, undefined, auth, {
        algorithm: 'oauth2',
        [client.customFetch]: front.fetch,
      })
      t.equal(config.serverMetadata().supportsPKCE(), true)

      const pkceCodeVerifier = client.randomPKCECodeVerifier()
      const expectedState = client.randomState()
      const authorizationUrl = client.buildAuthorizationUrl(config, {
        redirect_uri: REDIRECT_URI,
        scope: 'read:records',
        state: expectedState,
        code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
      })
      const done = await host.decide(await host.browse(authorizationUrl.pathname + authorizationUrl.search, 'anna'))
      const granted = await client.authorizationCodeGrant(config, done.location ?? new URL('about:blank'), {
        pkceCodeVerifier,
        expectedState,
      })
      t.match(granted, { token_type: 'bearer', scope: 'read:records', refresh_token: String })
      t.ok(Number(granted.expiresIn()) > 3590)

      const refreshed = await client.refreshTokenGrant(config, granted.refresh_token ?? '')
      const resource = await client.fetchProtectedResource(config, refreshed.access_token, new URL('/records', front.url), 'GET')
      t.match(await resource.json(), { clientId: app.clientId, userId: 'anna' })

      if (kind !== 'public') {
        const machine = await client.clientCredentialsGrant(config, { scope: 'write:records' })
        t.equal(machine.scope, 'write:records')
        t.match(await client.tokenIntrospection(config, refreshed.access_token), { active: true, sub: 'anna' })
        await client.tokenRevocation(config, refreshed.access_token)
        t.strictSame(await client.tokenIntrospection(config, refreshed.access_token), { active: false })
      }
      await client.tokenRevocation(config, refreshed.refresh_token ?? '')
      await t.rejects(client.refreshTokenGrant(config, refreshed.refresh_token ?? ''), {
        name: 'ResponseBodyError',
        message: /invalid_grant|server responded with an error/,
      })
    })
  }
}

atIssuer(
  'openid-client registers itself with a token that the host gave out, and its user lets it in',
  async (t, host, issuer) => {
    const options = { algorithm: 'oauth2' as const, execute: [client.allowInsecureRequests] }
    const metadata = { client_name: 'openid-client', redirect_uris: [REDIRECT_URI] }
    await t.rejects(client.dynamicClientRegistration(new URL(issuer), metadata, undefined, options), {
      name: 'WWWAuthenticateChallengeError',
      status: 401,
    })
    for (const [method, auth] of [
      ['client_secret_basic', client.ClientSecretBasic()],
      ['none', client.None()],
    ] as const) {
      const config = await client.dynamicClientRegistration(
        new URL(issuer),
        { ...metadata, token_endpoint_auth_method: method, grant_types: ['authorization_code', 'refresh_token'] },
        auth,
        { ...options, initialAccessToken: 'given-out' },
      )
      const pkceCodeVerifier = client.randomPKCECodeVerifier()
      const { pathname, search } = client.buildAuthorizationUrl(config, {
        redirect_uri: REDIRECT_URI,
        scope: 'read:records',
        code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
      })
      const { location } = await host.decide(await host.browse(pathname + search, 'anna'))
      const granted = await client.authorizationCodeGrant(config, location ?? new URL('about:blank'), { pkceCodeVerifier })
      const refreshed = await client.refreshTokenGrant(config, granted.refresh_token ?? '')
      const resource = await client.fetchProtectedResource(config, refreshed.access_token, new URL('/records', issuer), 'GET')
      t.match(await resource.json(), { clientId: config.clientMetadata().client_id, userId: 'anna' })
    }
  },
  () => ({ clients: { registration: { initialAccessToken: token => token === 'given-out' } } }),
)

atIssuer(
  'openid-client signs a terminal in by a code, and refreshes',
  async (t, host, issuer) => {
    const { clientId } = await deviceApp(host)
    const config = await client.discovery(new URL(issuer), clientId, undefined, client.None(), {
      algorithm: 'oauth2',
      execute: [client.allowInsecureRequests],
    })
    const begun = await client.initiateDeviceAuthorization(config, { scope: 'read:records' })
    t.equal(await answerDevice(host, begun.verification_uri_complete ?? ''), 200)
    const granted = await client.pollDeviceAuthorizationGrant(config, begun)
    const refreshed = await client.refreshTokenGrant(config, granted.refresh_token ?? '')
    const resource = await client.fetchProtectedResource(config, refreshed.access_token, new URL('/records', issuer), 'GET')
    t.match(await resource.json(), { clientId, userId: 'anna' })

    const refused = await client.initiateDeviceAuthorization(config, { scope: 'read:records' })
    t.equal(await answerDevice(host, refused.verification_uri_complete ?? '', 'denied'), 200)
    await t.rejects(client.pollDeviceAuthorizationGrant(config, refused), { name: 'ResponseBodyError', error: 'access_denied' })
  },
  () => ({ devices: { intervalSeconds: 1 } }),
)
