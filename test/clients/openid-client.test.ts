import * as client from 'openid-client'
import t from 'tap'
import { REDIRECT_URI } from '../support/client.ts'
import { settings } from '../support/everywhere.ts'
import { startHost } from '../support/host.ts'
import { startTlsFront } from '../support/https.ts'

for (const { name, mount, connect } of settings) {
  for (const kind of ['confidential', 'public'] as const) {
    t.test(`${name}: openid-client, as it comes, takes a ${kind} app through everything`, async t => {
      const front = await startTlsFront()
      const host = await startHost(mount, { connect, issuer: front.url })
      t.teardown(async () => {
        await front.close()
        await host.close()
      })
      front.forwardTo(host.url)

      const app = kind === 'public' ? await host.publicApp() : await host.confidentialApp()
      const auth = kind === 'public' ? client.None() : client.ClientSecretBasic(app.clientSecret ?? '')
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

      if (kind === 'confidential') {
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
