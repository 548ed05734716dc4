import * as oauth from 'oauth4webapi'
import t from 'tap'
import { atIssuer } from '../support/at-issuer.ts'
import { REDIRECT_URI } from '../support/client.ts'
import { cryptoKeyOf, newClientKey, withKeys } from '../support/client-keys.ts'
import { answerDevice, deviceApp } from '../support/devices.ts'
import { settings } from '../support/everywhere.ts'
import { startHost } from '../support/host.ts'
import { startTlsFront } from '../support/https.ts'

/** WebCrypto calls its algorithm Ed25519. */
const KEY = newClientKey('EdDSA')

for (const { name, mount, connect } of settings) {
  for (const kind of ['confidential, Basic', 'confidential, in the body', 'private_key_jwt', 'public'] as const) {
    t.test(`${name}: oauth4webapi, as it comes, takes a ${kind} app through everything`, async t => {
      const front = await startTlsFront()
      const host = await startHost(mount, { connect, issuer: front.url, mountPath: '/api/v1' })
      t.teardown(async () => {
        await front.close()
        await host.close()
      })
      front.forwardTo(host.url)
      const options = { [oauth.customFetch]: front.fetch }

      const app =
        kind === 'public' ? await host.publicApp() : await host.confidentialApp(kind === 'private_key_jwt' ? withKeys(KEY) : {})
      const client: oauth.Client = { client_id: app.clientId }
      const auth = {
        'confidential, Basic': oauth.ClientSecretBasic(app.clientSecret ?? '-'),
        'confidential, in the body': oauth.ClientSecretPost(app.clientSecret ?? '-'),
        private_key_jwt: oauth.PrivateKeyJwt({ key: await cryptoKeyOf(KEY), kid: KEY.jwk.kid }),
        public: oauth.None(),
      }[kind]

      const issuer = new URL(front.url)
      const server = await oauth.processDiscoveryResponse(
        issuer,
        await oauth.discoveryRequest(issuer, { ...options, algorithm: 'oauth2' }),
      )
      t.equal(server.token_endpoint, `${front.url}/api/v1/oauth/token`)

      const verifier = oauth.generateRandomCodeVerifier()
      const state = oauth.generateRandomState()
      const authorizationUrl = new URL(server.authorization_endpoint ?? '')
      authorizationUrl.search = new URLSearchParams({
        client_id: app.clientId,
        redirect_uri: REDIRECT_URI,
        response_type: 'code',
        scope: 'read:records write:records',
        state,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }).toString()
      const done = await host.decide(await host.browse(authorizationUrl.pathname + authorizationUrl.search, 'anna'))
      const callback = oauth.validateAuthResponse(server, client, done.location ?? new URL('about:blank'), state)
      const granted = await oauth.processAuthorizationCodeResponse(
        server,
        client,
        await oauth.authorizationCodeGrantRequest(server, client, auth, callback, REDIRECT_URI, verifier, options),
      )
      t.match(granted, { token_type: 'bearer', expires_in: 3600, scope: 'read:records write:records', refresh_token: String })

      const refreshed = await oauth.processRefreshTokenResponse(
        server,
        client,
        await oauth.refreshTokenGrantRequest(server, client, auth, granted.refresh_token ?? '', {
          ...options,
          additionalParameters: { scope: 'read:records' },
        }),
      )
      t.equal(refreshed.scope, 'read:records')
      const resource = await oauth.protectedResourceRequest(
        refreshed.access_token,
        'GET',
        new URL('/records', front.url),
        undefined,
        undefined,
        options,
      )
      t.match(await resource.json(), { clientId: app.clientId, userId: 'anna', scopes: ['read:records'] })

      if (kind !== 'public') {
        const machine = await oauth.processClientCredentialsResponse(
          server,
          client,
          await oauth.clientCredentialsGrantRequest(server, client, auth, { scope: 'read:records' }, options),
        )
        t.equal(machine.scope, 'read:records')
        const introspected = await oauth.processIntrospectionResponse(
          server,
          client,
          await oauth.introspectionRequest(server, client, auth, refreshed.access_token, options),
        )
        t.match(introspected, { active: true, client_id: app.clientId, sub: 'anna', scope: 'read:records' })
      }

      await oauth.processRevocationResponse(
        await oauth.revocationRequest(server, client, auth, refreshed.refresh_token ?? '', options),
      )
      await t.rejects(
        oauth.protectedResourceRequest(
          refreshed.access_token,
          'GET',
          new URL('/records', front.url),
          undefined,
          undefined,
          options,
        ),
        { name: 'WWWAuthenticateChallengeError', status: 401 },
      )
      await t.rejects(
        oauth
          .refreshTokenGrantRequest(server, client, auth, refreshed.refresh_token ?? '', options)
          .then(response => oauth.processRefreshTokenResponse(server, client, response)),
        { name: 'ResponseBodyError', error: 'invalid_grant' },
      )
    })
  }

  t.test(`${name}: oauth4webapi understands a user who does not agree`, async t => {
    const host = await startHost(mount, { connect })
    t.teardown(host.close)
    const app = await host.confidentialApp()
    const denied = await host.decide(await host.authorize(app), 'denied')
    const server = { issuer: 'https://issuer.example', authorization_response_iss_parameter_supported: true }
    const validate = () =>
      oauth.validateAuthResponse(server, { client_id: app.clientId }, denied.location ?? new URL('about:blank'), 'state-1')
    t.throws(validate, { name: 'AuthorizationResponseError', error: 'access_denied' })
  })
}

atIssuer(
  'oauth4webapi registers itself, with a secret, with keys and with neither, and its user lets it in',
  async (t, host, issuer) => {
    const options = { [oauth.allowInsecureRequests]: true }
    const discovered = await oauth.discoveryRequest(new URL(issuer), { ...options, algorithm: 'oauth2' })
    const server = await oauth.processDiscoveryResponse(new URL(issuer), discovered)
    // A client that names no method is one with a secret (RFC 7591 §2).
    for (const method of [undefined, 'client_secret_post', 'private_key_jwt', 'none']) {
      const metadata = { client_name: 'oauth4webapi', redirect_uris: [REDIRECT_URI] }
      const client = await oauth.processDynamicClientRegistrationResponse(
        await oauth.dynamicClientRegistrationRequest(
          server,
          {
            ...metadata,
            ...(method === undefined ? {} : { token_endpoint_auth_method: method }),
            ...(method === 'private_key_jwt' ? { jwks: { keys: [KEY.jwk] } } : {}),
          },
          options,
        ),
      )
      t.match(client, { ...metadata, token_endpoint_auth_method: method ?? 'client_secret_basic' })
      const secret = String(client.client_secret)
      const auth =
        {
          client_secret_basic: oauth.ClientSecretBasic(secret),
          client_secret_post: oauth.ClientSecretPost(secret),
          private_key_jwt: oauth.PrivateKeyJwt({ key: await cryptoKeyOf(KEY), kid: KEY.jwk.kid }),
          none: oauth.None(),
        }[String(client.token_endpoint_auth_method)] ?? oauth.None()

      const verifier = oauth.generateRandomCodeVerifier()
      const query = new URLSearchParams({
        client_id: client.client_id,
        redirect_uri: REDIRECT_URI,
        response_type: 'code',
        scope: 'read:records',
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      })
      const { pathname } = new URL(server.authorization_endpoint ?? '')
      const { location } = await host.decide(await host.browse(`${pathname}?${query}`, 'anna'))
      const callback = oauth.validateAuthResponse(server, client, location ?? new URL('about:blank'), oauth.expectNoState)
      const granted = await oauth.processAuthorizationCodeResponse(
        server,
        client,
        await oauth.authorizationCodeGrantRequest(server, client, auth, callback, REDIRECT_URI, verifier, options),
      )
      t.match(granted, { token_type: 'bearer', scope: 'read:records' })
      const records = new URL('/records', issuer)
      const resource = await oauth.protectedResourceRequest(granted.access_token, 'GET', records, undefined, undefined, options)
      t.match(await resource.json(), { clientId: client.client_id, userId: 'anna' })
    }
    await t.rejects(
      oauth
        .dynamicClientRegistrationRequest(server, { redirect_uris: ['http://app.example/cb'] }, options)
        .then(oauth.processDynamicClientRegistrationResponse),
      { name: 'ResponseBodyError', error: 'invalid_redirect_uri' },
    )
  },
  () => ({ clients: { registration: 'open' } }),
)

atIssuer(
  'oauth4webapi signs a terminal in by a code',
  async (t, host, issuer) => {
    const { clientId: client_id } = await deviceApp(host)
    const options = { [oauth.allowInsecureRequests]: true }
    const [client, auth, url] = [{ client_id }, oauth.None(), new URL(issuer)]
    const found = await oauth.discoveryRequest(url, { ...options, algorithm: 'oauth2' })
    const server = await oauth.processDiscoveryResponse(url, found)
    const begun = await oauth.processDeviceAuthorizationResponse(
      server,
      client,
      await oauth.deviceAuthorizationRequest(server, client, auth, { scope: 'read:records' }, options),
    )
    const redeem = async () =>
      oauth.processDeviceCodeResponse(
        server,
        client,
        await oauth.deviceCodeGrantRequest(server, client, auth, begun.device_code, options),
      )
    await t.rejects(redeem(), { name: 'ResponseBodyError', error: 'authorization_pending' })
    await t.rejects(redeem(), { name: 'ResponseBodyError', error: 'slow_down' })
    t.equal(await answerDevice(host, begun.verification_uri_complete ?? ''), 200)
    t.match(await redeem(), { token_type: 'bearer', scope: 'read:records' })
    await t.rejects(redeem(), { name: 'ResponseBodyError', error: 'invalid_grant' })
  },
  () => ({ devices: {} }),
)
