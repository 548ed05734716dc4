/** Two client libraries that are refused for how their user signed in, and do what the challenge says (RFC 9470 §4). */
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { atIssuer } from '../support/at-issuer.ts'
import { REDIRECT_URI } from '../support/client.ts'
import type { TestHost } from '../support/host.ts'
import { signInApp } from '../support/sign-in.ts'
import { STRENGTHS, strongMounts } from '../support/step-up.ts'

/** The answer that the browser of the user brings back: signed in with a second factor, if the login was asked for it. */
async function answered(host: TestHost, { pathname, search }: URL, user: string): Promise<URL> {
  const first = await host.browse(pathname + search, user)
  const strong = `anna@${Math.floor(host.clock.now() / 1000)}+gold`
  const isLogin = first.location?.pathname === '/login'
  const screen = isLogin ? await host.browse(String(first.params.returnTo), strong) : first
  const done = screen.params.consent_id === undefined ? screen : await host.decide(screen, 'granted', isLogin ? strong : user)
  return done.location ?? new URL('about:blank')
}

/** What a challenge asks for, as parameters of the authorization request. */
function wantedBy(error: unknown): Record<string, string> {
  const [challenge] = (error as oauth.WWWAuthenticateChallengeError).cause
  const { acr_values = '', error: code, max_age = '', scope = '' } = challenge?.parameters ?? {}
  return code === 'insufficient_user_authentication' ? { acr_values, max_age, scope: `openid ${scope}` } : {}
}

const STRONG_HOST = () => ({ ...STRENGTHS, defaultScopes: ['read:records'] })

atIssuer(
  'openid-client follows a challenge for another way to sign in',
  async (t, host, issuer) => {
    const app = await signInApp(host)
    const options = { execute: [client.allowInsecureRequests] }
    const config = await client.discovery(new URL(issuer), app.clientId, app.clientSecret ?? '', undefined, options)
    t.strictSame(config.serverMetadata().acr_values_supported, ['silver', 'gold'])
    const signIn = async (user: string, wanted: Record<string, string>) => {
      const pkceCodeVerifier = client.randomPKCECodeVerifier()
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: REDIRECT_URI,
        scope: 'openid read:records',
        code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
        ...wanted,
      })
      const maxAge = wanted.max_age === undefined ? {} : { maxAge: Number(wanted.max_age) }
      return client.authorizationCodeGrant(config, await answered(host, url, user), { pkceCodeVerifier, ...maxAge })
    }
    const transfer = (token: string) => client.fetchProtectedResource(config, token, new URL('/transfer', issuer), 'GET')

    const first = await signIn('anna@1000000000', {})
    const error = await transfer(first.access_token).catch(error => error)
    const second = await signIn('anna@1000000000', wantedBy(error))
    t.match(second.claims(), { acr: 'gold', amr: ['pwd', 'otp'], auth_time: Number })
    t.match(await (await transfer(second.access_token)).json(), { userId: 'anna', acr: 'gold' })
  },
  STRONG_HOST,
  strongMounts,
)

atIssuer(
  'oauth4webapi follows a challenge for another way to sign in',
  async (t, host, issuer) => {
    const app = await signInApp(host)
    const insecure = { [oauth.allowInsecureRequests]: true }
    const server = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), insecure))
    const known = { client_id: app.clientId }
    const auth = oauth.ClientSecretBasic(app.clientSecret ?? '')
    const signIn = async (user: string, wanted: Record<string, string>) => {
      const verifier = oauth.generateRandomCodeVerifier()
      const url = new URL(server.authorization_endpoint ?? '')
      url.search = new URLSearchParams({
        client_id: app.clientId,
        redirect_uri: REDIRECT_URI,
        response_type: 'code',
        scope: 'openid read:records',
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...wanted,
      }).toString()
      const callback = oauth.validateAuthResponse(server, known, await answered(host, url, user))
      const answer = await oauth.authorizationCodeGrantRequest(server, known, auth, callback, REDIRECT_URI, verifier, insecure)
      const maxAge = wanted.max_age === undefined ? {} : { maxAge: Number(wanted.max_age) }
      return oauth.processAuthorizationCodeResponse(server, known, answer, { ...maxAge, requireIdToken: true })
    }
    const transfer = (token: string) =>
      oauth.protectedResourceRequest(token, 'GET', new URL('/transfer', issuer), undefined, undefined, insecure)

    const first = await signIn('anna@1000000000', {})
    const error = await transfer(first.access_token).catch(error => error)
    const second = await signIn('anna@1000000000', wantedBy(error))
    t.match(oauth.getValidatedIdTokenClaims(second), { acr: 'gold', amr: ['pwd', 'otp'] })
    t.match(await (await transfer(second.access_token)).json(), { userId: 'anna', acr: 'gold' })
  },
  STRONG_HOST,
  strongMounts,
)
