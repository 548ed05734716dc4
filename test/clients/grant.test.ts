/** An Express app that lets its users connect their account here, with grant. */
import express from 'express'
import session from 'express-session'
import grant, { type GrantProvider, type GrantResponse } from 'grant'
import type { Test } from 'tap'
import { atIssuer } from '../support/at-issuer.ts'
import { listen, type TestHost } from '../support/host.ts'
import { UserAgent } from '../support/user-agent.ts'

declare module 'express-session' {
  interface SessionData {
    grant?: { readonly response?: GrantResponse }
  }
}

const TWO = ['read:records', 'write:records']

for (const [lines, extra] of [
  ['state: true', { state: true }],
  ['pkce: true', { pkce: true }],
] as const) {
  atIssuer(`grant with ${lines} and a space between scopes gets tokens`, async (t, host, issuer) => {
    const got = await connect(t, host, issuer, { ...extra, scope: TWO, scope_delimiter: ' ' })
    t.match(got, { access_token: String, refresh_token: String, raw: { scope: TWO.join(' ') } })
    t.equal(await host.records(got.access_token), 200)
  })
}

atIssuer('grant as its README has it is told which line it lacks', async (t, host, issuer) => {
  const got = await connect(t, host, issuer, { scope: ['read:records'] })
  t.match(got, { error: 'invalid_request', error_description: /state: true or pkce: true/ })
})

atIssuer('grant with its comma between scopes is told to use a space', async (t, host, issuer) => {
  const got = await connect(t, host, issuer, { state: true, scope: TWO })
  t.match(got, { error: 'invalid_scope', error_description: /names are separated by spaces, not by commas/ })
})

/** What grant hands to its app in the end. */
async function connect(t: Test, host: TestHost, issuer: string, extra: GrantProvider): Promise<GrantResponse> {
  // The port of a loopback address may differ from the registered one (RFC 8252 §7.3).
  const app = await host.confidentialApp({ redirectUris: ['http://127.0.0.1/connect/acme/callback'] })
  const party = express()
  const { url, close } = await listen(party)
  t.teardown(close)
  party.use(session({ secret: 'grant', resave: false, saveUninitialized: true }))
  party.use(
    grant.default.express({
      defaults: { origin: url, transport: 'session' },
      acme: {
        authorize_url: `${issuer}/oauth/authorize`,
        access_url: `${issuer}/oauth/token`,
        oauth: 2,
        key: app.clientId,
        secret: app.clientSecret ?? '',
        callback: '/hello',
        ...extra,
      },
    }),
  )
  party.get('/hello', (request, response) => {
    response.json(request.session.grant?.response ?? null)
  })
  return (await (await new UserAgent(issuer).open(`${url}/connect/acme`)).json()) as GrantResponse
}
