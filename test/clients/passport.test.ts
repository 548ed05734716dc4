/** An Express app whose users sign in through our server, with passport-openidconnect. */
import { Agent } from 'node:https'
import express from 'express'
import session from 'express-session'
import { Passport } from 'passport'
import { Strategy } from 'passport-openidconnect'
import t from 'tap'
import type { TestApp } from '../support/client.ts'
import { settings } from '../support/everywhere.ts'
import { type Listening, listen, startHost } from '../support/host.ts'
import { startTlsFront, type TlsFront } from '../support/https.ts'
import { signInAt } from '../support/relying-party.ts'
import { SIGN_IN, signInApp, verify } from '../support/sign-in.ts'

for (const { name, mount, connect } of settings) {
  t.test(`${name}: passport-openidconnect signs a user in`, async t => {
    const front = await startTlsFront()
    const host = await startHost(mount, { ...SIGN_IN, connect, issuer: front.url })
    front.forwardTo(host.url)
    // The port of a loopback address may differ from the registered one (RFC 8252 §7.3).
    const app = await signInApp(host, { redirectUris: ['http://127.0.0.1/callback'] })
    const party = await startParty(front, app)
    t.teardown(async () => {
      await party.close()
      await front.close()
      await host.close()
    })

    const signedIn = Math.floor(Date.now() / 1000) - 10
    const answer = await signInAt(party.url, host, { user: `anna@${signedIn}` })
    t.equal(answer.status, 200)
    const user = (await answer.json()) as SignedIn
    t.match(user, {
      issuer: front.url,
      id: 'anna',
      displayName: 'Anna',
      name: { givenName: 'Anna' },
      emails: [{ value: 'anna@host.example' }],
      refreshToken: String,
    })
    t.equal(Date.parse(user.signedInAt), signedIn * 1000)
    t.match(await verify(host, user.idToken), { sub: 'anna', aud: app.clientId, nonce: String })

    const denied = await signInAt(party.url, host, { user: `bert@${signedIn}`, consent: 'denied' })
    t.equal(denied.status, 401)
    const foreign = await signInAt(party.url, host, {
      user: `bert@${signedIn}`,
      back: address => address.searchParams.set('state', 'x'),
    })
    t.equal(foreign.status, 403)
    const spoiled = await signInAt(party.url, host, {
      user: `cora@${signedIn}`,
      back: address => address.searchParams.set('code', 'x'),
    })
    t.equal(spoiled.status, 500)
    t.match(await spoiled.json(), { name: 'TokenError', code: 'invalid_grant' })
  })
}

/** What the relying party keeps of a user. */
interface SignedIn {
  readonly issuer: string
  readonly idToken: string
  readonly refreshToken: string
  readonly signedInAt: string
}

async function startParty(front: TlsFront, app: TestApp): Promise<Listening> {
  const passport = new Passport()
  passport.use(await strategy(front, app))
  const party = express()
  party.use(session({ secret: 'secret of the relying party', resave: false, saveUninitialized: false }))
  party.get('/login', passport.authenticate('openidconnect'))
  party.get('/callback', passport.authenticate('openidconnect', { session: false }), (request, response) => {
    response.json(request.user)
  })
  party.use(((error, _request, response, _next) => {
    response.status(500).json({ name: error.name, code: error.code })
  }) satisfies express.ErrorRequestHandler)
  return listen(party)
}

/** The library does not discover: it is told what our discovery document says. */
async function strategy(front: TlsFront, app: TestApp): Promise<Strategy> {
  const discovered = await front.fetch(`${front.url}/.well-known/openid-configuration`, {})
  const server = (await discovered.json()) as Readonly<Record<string, string>>
  return new Strategy(
    {
      issuer: server.issuer ?? '',
      authorizationURL: server.authorization_endpoint ?? '',
      tokenURL: server.token_endpoint ?? '',
      userInfoURL: server.userinfo_endpoint ?? '',
      clientID: app.clientId,
      clientSecret: app.clientSecret ?? '',
      callbackURL: '/callback',
      scope: 'profile email',
      nonce: 'yes',
      maxAge: '600',
      agent: new Agent({ ca: front.certificate }),
    },
    (
      issuer: string,
      profile: object,
      _idProfile: object,
      context: object,
      idToken: string | object,
      _accessToken: string | object,
      refreshToken: string,
      _params: unknown,
      done: (error: Error | null, user: object) => void,
    ) => done(null, { ...profile, issuer, idToken, refreshToken, signedInAt: (context as { timestamp: Date }).timestamp }),
  )
}
