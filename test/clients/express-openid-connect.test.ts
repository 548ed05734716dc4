/** An Express app whose users sign in through our server, with express-openid-connect, which reads the ID token alone. */
import express from 'express'
import { auth, type ConfigParams } from 'express-openid-connect'
import type { Test } from 'tap'
import { atIssuer } from '../support/at-issuer.ts'
import { listen, type TestHost } from '../support/host.ts'
import { SIGN_IN, signInApp } from '../support/sign-in.ts'
import { UserAgent } from '../support/user-agent.ts'

// It takes no other algorithm unless told so.
const HOST = { ...SIGN_IN, signingAlg: 'RS256', claimsInIdToken: true, logoutUrl: '/bye' } as const

atIssuer(
  'express-openid-connect with a code flow signs a user in, with name and email, and out',
  async (t, host, issuer) => {
    const party = await startParty(t, host, issuer, { authorizationParams: { response_type: 'code' } })
    const browser = new UserAgent(issuer)
    const page = await browser.open(`${party}/`)
    t.match(await page.json(), { sub: 'anna', name: 'Anna', email: 'anna@host.example' })
    t.equal((await browser.request(`${party}/`)).status, 200, 'stays signed in')

    const out = await browser.open(`${party}/logout`)
    const { origin, pathname, searchParams } = new URL(out.url)
    t.equal(`${origin}${pathname}`, `${issuer}/bye`)
    t.match(searchParams.get('returnTo'), /./)
    t.equal((await browser.request(`${party}/`)).status, 302, 'is signed out')

    const denied = await new UserAgent(issuer, { user: 'bert', consent: 'denied' }).open(`${party}/`)
    t.match(await denied.json(), { error: 'access_denied' })
  },
  () => HOST,
)

atIssuer(
  'express-openid-connect as its README has it is told that response_type must be code',
  async (t, host, issuer) => {
    const party = await startParty(t, host, issuer, {})
    const page = await new UserAgent(issuer).open(`${party}/`)
    t.match(await page.text(), /unsupported_response_type.*response_type must be code/s)
  },
  () => HOST,
)

async function startParty(t: Test, host: TestHost, issuer: string, extra: Partial<ConfigParams>): Promise<string> {
  const party = express()
  const { url, close } = await listen(party)
  t.teardown(close)
  const { clientId, clientSecret } = await signInApp(host, { redirectUris: [`${url}/callback`, url] })
  party.use(
    auth({
      issuerBaseURL: issuer,
      baseURL: url,
      clientID: clientId,
      clientSecret: clientSecret ?? '',
      secret: 'a long random string of the relying party',
      idpLogout: true,
      ...extra,
    }),
  )
  party.get('/', (request, response) => {
    response.json(request.oidc.user)
  })
  party.use(((error, _request, response, _next) => {
    response.status(500).json({ error: error.error, message: error.message })
  }) satisfies express.ErrorRequestHandler)
  return url
}
