/** An Express app whose users sign in through our server, with Auth.js and a provider of its own kind `oidc`. */
import express from 'express4'
import type { Test } from 'tap'
import { atIssuer } from '../support/at-issuer.ts'
import type { TestApp } from '../support/client.ts'
import { listen } from '../support/host.ts'
import { SIGN_IN, signInApp } from '../support/sign-in.ts'
import { UserAgent } from '../support/user-agent.ts'

// Imported without its types, which would bring those of the DOM into this program.
const AUTH_JS: string = '@auth/express'
const { ExpressAuth, getSession } = (await import(AUTH_JS)) as {
  readonly ExpressAuth: (config: object) => express.RequestHandler
  readonly getSession: (request: express.Request, config: object) => Promise<unknown>
}

// Its documentation asks for this on hosts that it does not know.
process.env.AUTH_TRUST_HOST = 'true'

atIssuer(
  'Auth.js signs a user in, with name and email',
  async (t, host, issuer) => {
    const party = await startParty(t, issuer, await appOf(host))
    t.match(await signIn(party, new UserAgent(issuer)), { user: { name: 'Anna', email: 'anna@host.example' } })

    const denied = new UserAgent(issuer, { user: 'bert', consent: 'denied' })
    t.equal(await signIn(party, denied), null)
  },
  () => ({ ...SIGN_IN, claimsInIdToken: true }),
)

atIssuer(
  'Auth.js signs a user in without claimsInIdToken, and knows no name',
  async (t, host, issuer) => {
    const party = await startParty(t, issuer, await appOf(host))
    const session = await signIn(party, new UserAgent(issuer))
    t.match(session, { user: {} })
    t.notMatch(session, { user: { name: 'Anna' } })
  },
  () => SIGN_IN,
)

function appOf(host: Parameters<typeof signInApp>[0]): Promise<TestApp> {
  // The port of a loopback address may differ from the registered one (RFC 8252 §7.3).
  return signInApp(host, { redirectUris: ['http://127.0.0.1/auth/callback/acme'] })
}

async function startParty(t: Test, issuer: string, { clientId, clientSecret }: TestApp): Promise<string> {
  const config = {
    logger: { error: () => {} },
    secret: 'a secret of the relying party, of 32 characters and more',
    providers: [{ id: 'acme', name: 'Acme', type: 'oidc', issuer, clientId, clientSecret: clientSecret ?? '' }],
  }
  const party = express()
  party.set('trust proxy', true)
  party.use('/auth/*', ExpressAuth(config))
  party.get('/', async (request, response) => {
    response.json(await getSession(request, config))
  })
  const { url, close } = await listen(party)
  t.teardown(close)
  return url
}

/** Signs in as the button of its page does. Answers the session. */
async function signIn(party: string, browser: UserAgent): Promise<unknown> {
  const { csrfToken } = (await (await browser.request(`${party}/auth/csrf`)).json()) as { readonly csrfToken: string }
  await browser.open(`${party}/auth/signin/acme`, {
    method: 'POST',
    body: new URLSearchParams({ csrfToken, callbackUrl: `${party}/` }),
  })
  return (await browser.request(`${party}/`)).json()
}
