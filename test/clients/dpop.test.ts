/** Bound tokens (RFC 9449) with the strict clients, as they come: nonces, refresh, userinfo, guarded routes. */
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import t, { type Test } from 'tap'
import { REDIRECT_URI } from '../support/client.ts'
import { settings } from '../support/everywhere.ts'
import { startHost } from '../support/host.ts'
import { startTlsFront } from '../support/https.ts'
import { SIGN_IN, signInApp } from '../support/sign-in.ts'

for (const { name, mount, connect } of settings) {
  const begin = async (t: Test, isConfidential: boolean) => {
    const front = await startTlsFront()
    const host = await startHost(mount, { connect, ...SIGN_IN, issuer: front.url, mountPath: '/api/v1' })
    t.teardown(async () => {
      await front.close()
      await host.close()
    })
    front.forwardTo(host.url)
    const app = await signInApp(host, { isConfidential, dpopBoundAccessTokens: true })
    return { app, front, host }
  }

  t.test(`${name}: oauth4webapi takes bound tokens through everything`, async t => {
    const { app, front, host } = await begin(t, true)
    const options = { [oauth.customFetch]: front.fetch }
    const of: oauth.Client = { client_id: app.clientId, id_token_signed_response_alg: 'ES256' }
    const auth = oauth.ClientSecretBasic(app.clientSecret ?? '')
    const issuer = new URL(front.url)
    const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options))
    t.ok(server.dpop_signing_alg_values_supported?.includes('ES256'))
    const DPoP = oauth.DPoP(of, await oauth.generateKeyPair('ES256', { extractable: true }))
    let nonces = 0
    /** Tries again with the nonce that the first try is refused for, as the library's documents say. */
    const retried = async <T>(ask: () => Promise<T>): Promise<T> =>
      ask().catch(error => {
        if (!oauth.isDPoPNonceError(error)) throw error
        nonces++
        return ask()
      })

    const verifier = oauth.generateRandomCodeVerifier()
    const authorization = new URL(server.authorization_endpoint ?? '')
    authorization.search = new URLSearchParams({
      client_id: app.clientId,
      redirect_uri: REDIRECT_URI,
      response_type: 'code',
      scope: 'openid read:records',
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      dpop_jkt: await DPoP.calculateThumbprint(),
    }).toString()
    const { location } = await host.decide(await host.browse(authorization.pathname + authorization.search, 'anna'))
    const callback = oauth.validateAuthResponse(server, of, location ?? new URL('about:blank'), oauth.expectNoState)
    const bound = { ...options, DPoP }
    const granted = await retried(async () =>
      oauth.processAuthorizationCodeResponse(
        server,
        of,
        await oauth.authorizationCodeGrantRequest(server, of, auth, callback, REDIRECT_URI, verifier, bound),
      ),
    )
    t.match(granted, { token_type: 'dpop', refresh_token: String, id_token: String })
    const userinfo = await retried(async () =>
      oauth.processUserInfoResponse(server, of, 'anna', await oauth.userInfoRequest(server, of, granted.access_token, bound)),
    )
    t.equal(userinfo.sub, 'anna')
    const refreshed = await retried(async () =>
      oauth.processRefreshTokenResponse(
        server,
        of,
        await oauth.refreshTokenGrantRequest(server, of, auth, granted.refresh_token ?? '', bound),
      ),
    )
    const records = new URL('/records', front.url)
    const ask = (token: string, how: object) => oauth.protectedResourceRequest(token, 'GET', records, undefined, undefined, how)
    const answered = await retried(() => ask(refreshed.access_token, bound))
    t.match(await answered.json(), { userId: 'anna' })
    t.ok(nonces > 0, 'nonces were demanded')
    await t.rejects(ask(refreshed.access_token, options), { name: 'WWWAuthenticateChallengeError', status: 401 })
    const machine = await retried(async () =>
      oauth.processClientCredentialsResponse(
        server,
        of,
        await oauth.clientCredentialsGrantRequest(server, of, auth, { scope: 'read:records' }, bound),
      ),
    )
    t.equal(machine.token_type, 'dpop')
    const introspected = await oauth.processIntrospectionResponse(
      server,
      of,
      await oauth.introspectionRequest(server, of, auth, machine.access_token, options),
    )
    t.match(introspected, { active: true, token_type: 'DPoP', cnf: { jkt: await DPoP.calculateThumbprint() } })
  })

  t.test(`${name}: openid-client takes bound tokens through everything`, async t => {
    const { app, front, host } = await begin(t, false)
    const config = await client.discovery(
      new URL(front.url),
      app.clientId,
      { id_token_signed_response_alg: 'ES256' },
      client.None(),
      { [client.customFetch]: front.fetch },
    )
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('Ed25519'))
    const pkceCodeVerifier = client.randomPKCECodeVerifier()
    const { pathname, search } = client.buildAuthorizationUrl(config, {
      redirect_uri: REDIRECT_URI,
      scope: 'openid read:records',
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    })
    const { location } = await host.decide(await host.browse(pathname + search, 'anna'))
    const callback = location ?? new URL('about:blank')
    const granted = await client.authorizationCodeGrant(config, callback, { pkceCodeVerifier }, undefined, { DPoP })
    t.equal(granted.token_type, 'dpop')
    t.match(await client.fetchUserInfo(config, granted.access_token, 'anna', { DPoP }), { sub: 'anna' })
    const refreshed = await client.refreshTokenGrant(config, granted.refresh_token ?? '', undefined, { DPoP })
    const records = new URL('/records', front.url)
    const how = [undefined, undefined] as const
    const answered = await client.fetchProtectedResource(config, refreshed.access_token, records, 'GET', ...how, { DPoP })
    t.match(await answered.json(), { userId: 'anna' })
    await t.rejects(client.refreshTokenGrant(config, refreshed.refresh_token ?? ''), 'without the key')
  })
}
