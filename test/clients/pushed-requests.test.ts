import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import t from 'tap'
import { REDIRECT_URI } from '../support/client.ts'
import { settings } from '../support/everywhere.ts'
import { startHost } from '../support/host.ts'
import { startTlsFront } from '../support/https.ts'

for (const { name, mount, connect } of settings) {
  t.test(`${name}: openid-client and oauth4webapi, as they come, push their requests`, async t => {
    const front = await startTlsFront()
    const host = await startHost(mount, {
      connect,
      issuer: front.url,
      mountPath: '/api/v1',
      requirePushedAuthorizationRequests: true,
    })
    t.teardown(async () => {
      await front.close()
      await host.close()
    })
    front.forwardTo(host.url)
    const [confidential, open] = [await host.confidentialApp(), await host.publicApp()]

    const config = await client.discovery(
      new URL(front.url),
      confidential.clientId,
      undefined,
      client.ClientSecretBasic(confidential.clientSecret ?? ''),
      { algorithm: 'oauth2', [client.customFetch]: front.fetch },
    )
    const pkceCodeVerifier = client.randomPKCECodeVerifier()
    const expectedState = client.randomState()
    const parameters = {
      redirect_uri: REDIRECT_URI,
      scope: 'read:records',
      state: expectedState,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    }
    const url = await client.buildAuthorizationUrlWithPAR(config, parameters)
    t.strictSame([...url.searchParams.keys()].sort(), ['client_id', 'request_uri'])
    const { location } = await host.decide(await host.browse(url.pathname + url.search, 'anna'))
    const granted = await client.authorizationCodeGrant(config, location ?? new URL('about:blank'), {
      pkceCodeVerifier,
      expectedState,
    })
    t.equal(granted.scope, 'read:records')
    const refused = await client.buildAuthorizationUrlWithPAR(config, { ...parameters, scope: 'unknown' }).catch(error => error)
    t.match(refused, { name: 'ResponseBodyError', error: 'invalid_scope', status: 400 })

    const options = { [oauth.customFetch]: front.fetch }
    const issuer = new URL(front.url)
    const server = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { ...options, algorithm: 'oauth2' }),
    )
    t.equal(server.pushed_authorization_request_endpoint, `${front.url}/api/v1/oauth/par`)
    t.equal(server.require_pushed_authorization_requests, true)
    for (const [app, auth] of [
      [confidential, oauth.ClientSecretPost(confidential.clientSecret ?? '-')],
      [open, oauth.None()],
    ] as const) {
      const asking: oauth.Client = { client_id: app.clientId }
      const verifier = oauth.generateRandomCodeVerifier()
      const state = oauth.generateRandomState()
      const pushed = await oauth.processPushedAuthorizationResponse(
        server,
        asking,
        await oauth.pushedAuthorizationRequest(
          server,
          asking,
          auth,
          {
            redirect_uri: REDIRECT_URI,
            response_type: 'code',
            scope: 'read:records',
            state,
            prompt: 'consent',
            code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
            code_challenge_method: 'S256',
          },
          options,
        ),
      )
      const query = new URLSearchParams({ client_id: app.clientId, request_uri: pushed.request_uri })
      const done = await host.decide(await host.browse(`/api/v1/oauth/authorize?${query}`, 'anna'))
      const callback = oauth.validateAuthResponse(server, asking, done.location ?? new URL('about:blank'), state)
      const tokens = await oauth.processAuthorizationCodeResponse(
        server,
        asking,
        await oauth.authorizationCodeGrantRequest(server, asking, auth, callback, REDIRECT_URI, verifier, options),
      )
      t.match(tokens, { token_type: 'bearer', scope: 'read:records', refresh_token: String })
    }
  })
}
