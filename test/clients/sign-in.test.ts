/** Signing in with two client libraries that check all that OpenID Connect has them check, in their strictest form. */
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import t from 'tap'
import { type Answer, REDIRECT_URI } from '../support/client.ts'
import { settings } from '../support/everywhere.ts'
import { type HostOptions, type Mount, startHost } from '../support/host.ts'
import { startTlsFront } from '../support/https.ts'
import { SIGN_IN, signInApp } from '../support/sign-in.ts'
import type { Connect } from '../support/stores.ts'

const SCOPE = 'openid profile email'
const MAX_AGE_SECONDS = 600
/** What the host says of Anna, as far as the scopes of these tests allow. */
const ANNA = { sub: 'anna', name: 'Anna', given_name: 'Anna', email: 'anna@host.example', email_verified: true }

const clients = [
  { kind: 'confidential, Basic', alg: 'RS256' },
  { kind: 'confidential, in the body', alg: 'EdDSA' },
  { kind: 'public', alg: 'ES256' },
] as const

for (const { name, mount, connect } of settings) {
  for (const { kind, alg } of clients) {
    t.test(`${name}: openid-client signs in and stays signed in (${kind}, ${alg})`, async t => {
      const { front, host, app } = await start(t, { mount, connect, kind, options: { signingAlg: alg } })
      const auth = {
        'confidential, Basic': client.ClientSecretBasic(app.clientSecret ?? '-'),
        'confidential, in the body': client.ClientSecretPost(app.clientSecret ?? '-'),
        public: client.None(),
      }[kind]
      const config = await client.discovery(new URL(front.url), app.clientId, undefined, auth, {
        [client.customFetch]: front.fetch,
        execute: [client.enableNonRepudiationChecks],
      })

      const pkceCodeVerifier = client.randomPKCECodeVerifier()
      const expectedState = client.randomState()
      const expectedNonce = client.randomNonce()
      const signedIn = secondsAgo(10)
      const authorizationUrl = client.buildAuthorizationUrl(config, {
        redirect_uri: REDIRECT_URI,
        scope: SCOPE,
        state: expectedState,
        nonce: expectedNonce,
        max_age: String(MAX_AGE_SECONDS),
        code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
      })
      const user = `anna@${signedIn}`
      const screen = await host.browse(authorizationUrl.pathname + authorizationUrl.search, user)
      const granted = await client.authorizationCodeGrant(config, addressOf(await host.decide(screen, 'granted', user)), {
        pkceCodeVerifier,
        expectedState,
        expectedNonce,
        idTokenExpected: true,
        maxAge: MAX_AGE_SECONDS,
      })
      const claims = granted.claims()
      t.match(claims, { iss: front.url, sub: 'anna', aud: app.clientId, nonce: expectedNonce, auth_time: signedIn })
      t.strictSame(await client.fetchUserInfo(config, granted.access_token, claims?.sub ?? ''), ANNA)
      await t.rejects(client.fetchUserInfo(config, granted.access_token, 'bert'), {
        code: 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED',
      })

      const refreshed = await client.refreshTokenGrant(config, granted.refresh_token ?? '')
      const { auth_time, aud, iss, sub } = claims ?? {}
      t.match(refreshed.claims(), { iss, sub, aud, auth_time, nonce: undefined })
      t.not(refreshed.id_token, granted.id_token)
      t.strictSame(await client.fetchUserInfo(config, refreshed.access_token, sub ?? ''), ANNA)
    })

    t.test(`${name}: oauth4webapi signs in and stays signed in (${kind}, ${alg})`, async t => {
      const { front, host, app } = await start(t, { mount, connect, kind, options: { signingAlg: alg, mountPath: '/api/v1' } })
      const options = { [oauth.customFetch]: front.fetch }
      // Only what the app was told to expect is accepted, of all that the server says it can sign with.
      const party: oauth.Client = { client_id: app.clientId, id_token_signed_response_alg: alg, require_auth_time: true }
      const auth = {
        'confidential, Basic': oauth.ClientSecretBasic(app.clientSecret ?? '-'),
        'confidential, in the body': oauth.ClientSecretPost(app.clientSecret ?? '-'),
        public: oauth.None(),
      }[kind]

      const issuer = new URL(front.url)
      const discovered = await oauth.discoveryRequest(issuer, { ...options, algorithm: 'oidc' })
      const server = await oauth.processDiscoveryResponse(issuer, discovered)
      t.ok(server.id_token_signing_alg_values_supported?.includes(alg))

      const verifier = oauth.generateRandomCodeVerifier()
      const state = oauth.generateRandomState()
      const nonce = oauth.generateRandomNonce()
      const signedIn = secondsAgo(10)
      const authorizationUrl = new URL(server.authorization_endpoint ?? '')
      authorizationUrl.search = new URLSearchParams({
        client_id: app.clientId,
        redirect_uri: REDIRECT_URI,
        response_type: 'code',
        scope: SCOPE,
        state,
        nonce,
        max_age: String(MAX_AGE_SECONDS),
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }).toString()
      const user = `anna@${signedIn}`
      const screen = await host.browse(authorizationUrl.pathname + authorizationUrl.search, user)
      const back = addressOf(await host.decide(screen, 'granted', user))
      const callback = oauth.validateAuthResponse(server, party, back, state)
      const answer = await oauth.authorizationCodeGrantRequest(server, party, auth, callback, REDIRECT_URI, verifier, options)
      const granted = await oauth.processAuthorizationCodeResponse(server, party, answer, {
        expectedNonce: nonce,
        maxAge: MAX_AGE_SECONDS,
        requireIdToken: true,
      })
      await oauth.validateApplicationLevelSignature(server, answer, options)
      const claims = oauth.getValidatedIdTokenClaims(granted)
      t.match(claims, { iss: front.url, sub: 'anna', aud: app.clientId, nonce, auth_time: signedIn })

      const userInfo = async (accessToken: string, subject: string) =>
        oauth.processUserInfoResponse(server, party, subject, await oauth.userInfoRequest(server, party, accessToken, options))
      t.strictSame(await userInfo(granted.access_token, claims?.sub ?? ''), ANNA)
      await t.rejects(userInfo(granted.access_token, 'bert'), { code: 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED' })

      const again = await oauth.refreshTokenGrantRequest(server, party, auth, granted.refresh_token ?? '', options)
      const refreshed = await oauth.processRefreshTokenResponse(server, party, again)
      await oauth.validateApplicationLevelSignature(server, again, options)
      const { auth_time, aud, iss, sub } = claims ?? {}
      t.match(oauth.getValidatedIdTokenClaims(refreshed), { iss, sub, aud, auth_time, nonce: undefined })
      t.strictSame(await userInfo(refreshed.access_token, sub ?? ''), ANNA)
    })
  }

  t.test(`${name}: both libraries understand a login that a client forbids`, async t => {
    const { front, host, app } = await start(t, { mount, connect, kind: 'confidential, Basic' })
    const refused = addressOf(await host.authorize(app, { scope: SCOPE, prompt: 'none' }, null))
    const config = await client.discovery(new URL(front.url), app.clientId, app.clientSecret ?? '', undefined, {
      [client.customFetch]: front.fetch,
    })
    const checks = { expectedState: 'state-1', idTokenExpected: true }
    const expected = { name: 'AuthorizationResponseError', error: 'login_required' }
    await t.rejects(client.authorizationCodeGrant(config, refused, checks), expected)
    const party = { client_id: app.clientId }
    t.throws(() => oauth.validateAuthResponse(config.serverMetadata(), party, refused, 'state-1'), expected)
  })
}

interface Setting {
  readonly mount: Mount
  readonly connect: Connect
  readonly kind: (typeof clients)[number]['kind']
  readonly options?: HostOptions
}

/** A host behind TLS, with an app that users may sign in to. */
async function start(t: { teardown(fn: () => Promise<void>): void }, { mount, connect, kind, options }: Setting) {
  const front = await startTlsFront()
  const host = await startHost(mount, { ...SIGN_IN, connect, issuer: front.url, ...options })
  t.teardown(async () => {
    await front.close()
    await host.close()
  })
  front.forwardTo(host.url)
  return { front, host, app: await signInApp(host, { isConfidential: kind !== 'public' }) }
}

function addressOf({ location, status, text }: Answer): URL {
  if (!location) throw new Error(`no redirect: ${status} ${text}`)
  return location
}

function secondsAgo(seconds: number): number {
  return Math.floor(Date.now() / 1000) - seconds
}
