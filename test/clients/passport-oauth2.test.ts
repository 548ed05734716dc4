/** An Express app that lets its users connect their account here, with passport-oauth2. */
import express from 'express'
import session from 'express-session'
import { Passport } from 'passport'
import OAuth2Strategy, { type StrategyOptions, type VerifyCallback } from 'passport-oauth2'
import type { Test } from 'tap'
import { atIssuer } from '../support/at-issuer.ts'
import { listen, type TestHost } from '../support/host.ts'
import { UserAgent } from '../support/user-agent.ts'

for (const [lines, extra] of [
  ['state: true', { state: true }],
  ['state: true and pkce: true', { state: true, pkce: true }],
] as const) {
  atIssuer(`passport-oauth2 with ${lines} gets tokens`, async (t, host, issuer) => {
    const party = await startParty(t, host, issuer, { ...extra, scope: ['read:records', 'write:records'] })
    const answer = await new UserAgent(issuer).open(`${party}/auth/example`)
    const { accessToken, refreshToken } = (await answer.json()) as Readonly<Record<string, string>>
    t.equal(await host.records(accessToken), 200)
    t.match(refreshToken, /^am_rt_/)

    const denied = await new UserAgent(issuer, { user: 'bert', consent: 'denied' }).open(`${party}/auth/example`)
    t.match(denied.url, `${party}/login`, 'its failureRedirect')
  })
}

atIssuer('passport-oauth2 as its README has it is told which line it lacks', async (t, host, issuer) => {
  const party = await startParty(t, host, issuer)
  const answer = await new UserAgent(issuer).open(`${party}/auth/example`)
  t.equal(answer.status, 500)
  t.match(await answer.json(), { name: 'AuthorizationError', message: /state: true/ })
})

async function startParty(t: Test, host: TestHost, issuer: string, extra: Partial<StrategyOptions> = {}): Promise<string> {
  // The port of a loopback address may differ from the registered one (RFC 8252 §7.3).
  const app = await host.confidentialApp({ redirectUris: ['http://127.0.0.1/auth/example/callback'] })
  const passport = new Passport()
  passport.use(
    new OAuth2Strategy(
      {
        authorizationURL: `${issuer}/oauth/authorize`,
        tokenURL: `${issuer}/oauth/token`,
        clientID: app.clientId,
        clientSecret: app.clientSecret ?? '',
        callbackURL: '/auth/example/callback',
        ...extra,
      } as StrategyOptions,
      (accessToken: string, refreshToken: string, _profile: unknown, done: VerifyCallback) =>
        done(null, { accessToken, refreshToken }),
    ),
  )
  const party = express()
  party.use(session({ secret: 'secret of the relying party', resave: false, saveUninitialized: false }))
  party.get('/auth/example', passport.authenticate('oauth2'))
  party.get(
    '/auth/example/callback',
    passport.authenticate('oauth2', { failureRedirect: '/login', session: false }),
    (request, response) => {
      response.json(request.user)
    },
  )
  party.get('/login', (_request, response) => {
    response.send('Log in')
  })
  party.use(((error, _request, response, _next) => {
    response.status(500).json({ name: error.name, message: error.message })
  }) satisfies express.ErrorRequestHandler)
  const { url, close } = await listen(party)
  t.teardown(close)
  return url
}
