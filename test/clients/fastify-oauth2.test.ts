/** A Fastify app whose users sign in through our server, with @fastify/oauth2, which knows nothing but the issuer. */
import { globalAgent } from 'node:https'
import cookie from '@fastify/cookie'
import oauth2, { type FastifyOAuth2Options, type OAuth2Namespace, type Token } from '@fastify/oauth2'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { atIssuer } from '../support/at-issuer.ts'
import type { TestApp } from '../support/client.ts'
import { settings } from '../support/everywhere.ts'
import { type Listening, startHost, type TestHost } from '../support/host.ts'
import { startTlsFront, type TlsFront } from '../support/https.ts'
import { signInAt } from '../support/relying-party.ts'
import { SIGN_IN, signInApp, verify } from '../support/sign-in.ts'
import { UserAgent } from '../support/user-agent.ts'

declare module 'fastify' {
  interface FastifyInstance {
    authmount: OAuth2Namespace
  }
}

const ANNA = { sub: 'anna', name: 'Anna', given_name: 'Anna', email: 'anna@host.example', email_verified: true }

for (const { name, mount, connect } of settings) {
  t.test(`${name}: @fastify/oauth2 discovers the server and signs a user in`, async t => {
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

    const answer = await signInAt(party.url, host)
    const signedIn = (await answer.json()) as SignedIn
    t.equal(answer.status, 200)
    t.match(await verify(host, signedIn.first.id_token), { iss: front.url, sub: 'anna', aud: app.clientId })
    t.match(await verify(host, signedIn.refreshed.id_token), { iss: front.url, sub: 'anna', aud: app.clientId })
    t.strictSame(signedIn.userinfo, [ANNA, ANNA])
    t.equal((await host.send('/oauth/userinfo', bearer(signedIn.first.access_token))).status, 401, 'revoked')

    const foreign = await signInAt(party.url, host, { user: 'bert', back: address => address.searchParams.set('state', 'x') })
    t.match(await foreign.json(), { message: 'Invalid state' })
    const spoiled = await signInAt(party.url, host, { user: 'bert', back: address => address.searchParams.set('code', 'x') })
    t.match(await spoiled.json(), { message: /400/ })
  })
}

atIssuer('@fastify/oauth2 as its README has it gets tokens, refreshes and revokes them', async (t, host, issuer) => {
  const { party, url } = await startReadme(t, host, issuer, { scope: ['read:records', 'write:records'] })
  const token = (await (await new UserAgent(issuer).open(`${url}/login`)).json()) as Token
  t.match(token, { token_type: 'Bearer', scope: 'read:records write:records', refresh_token: String })
  t.equal(await host.records(token.access_token), 200)
  const { token: newer } = await party.authmount.getNewAccessTokenUsingRefreshToken(token, {})
  t.equal(await host.records(newer.access_token), 200)
  await party.authmount.revokeAllToken(newer, {})
  t.equal(await host.records(newer.access_token), 401)
})

atIssuer('@fastify/oauth2 with an empty list of scopes gets the default scopes', async (t, host, issuer) => {
  const { url } = await startReadme(t, host, issuer, { scope: [] })
  const token = (await (await new UserAgent(issuer).open(`${url}/login`)).json()) as Token
  t.match(token, { scope: 'read:records write:records' })
})

atIssuer('@fastify/oauth2 without its scope option sends the word “undefined”, and is told so', async (t, host, issuer) => {
  const { url } = await startReadme(t, host, issuer, {})
  const back = new URL((await new UserAgent(issuer).open(`${url}/login`)).url)
  t.equal(back.pathname, '/callback')
  t.equal(back.searchParams.get('error'), 'invalid_scope')
  t.match(back.searchParams.get('error_description'), /no scope option set/)
})

async function startReadme(t: Test, host: TestHost, issuer: string, extra: Partial<FastifyOAuth2Options>) {
  // The port of a loopback address may differ from the registered one (RFC 8252 §7.3).
  const { clientId, clientSecret } = await host.confidentialApp({ redirectUris: ['http://127.0.0.1/callback'] })
  const party = Fastify({ forceCloseConnections: true })
  t.teardown(() => party.close())
  await party.register(oauth2, {
    name: 'authmount',
    credentials: {
      client: { id: clientId, secret: clientSecret ?? '' },
      auth: { tokenHost: issuer, tokenPath: '/oauth/token', authorizeHost: issuer, authorizePath: '/oauth/authorize' },
    },
    startRedirectPath: '/login',
    callbackUri: request => `http://${request.host}/callback`,
    ...extra,
  })
  party.get('/callback', async function (request) {
    return (await this.authmount.getAccessTokenFromAuthorizationCodeFlow(request)).token
  })
  return { party, url: await party.listen({ port: 0, host: '127.0.0.1' }) }
}

interface SignedIn {
  readonly first: { readonly access_token: string; readonly id_token?: string }
  readonly refreshed: { readonly id_token?: string }
  readonly userinfo: readonly unknown[]
}

async function startParty(front: TlsFront, { clientId, clientSecret }: TestApp): Promise<Listening> {
  // The plugin asks by Node's own agent, and has its HTTP client ask for tokens by the agent it is given.
  globalAgent.options.ca = front.certificate
  const party = Fastify({ forceCloseConnections: true })
  await party.register(cookie)
  await party.register(oauth2, {
    name: 'authmount',
    scope: ['openid', 'profile', 'email'],
    credentials: { client: { id: clientId, secret: clientSecret ?? '' }, http: { agent: globalAgent } },
    callbackUri: request => `http://${request.host}/callback`,
    startRedirectPath: '/login',
    discovery: { issuer: front.url },
    pkce: 'S256',
  })
  party.get('/callback', async (request, reply): Promise<SignedIn> => {
    const first = await party.authmount.getAccessTokenFromAuthorizationCodeFlow(request, reply)
    const refreshed = await party.authmount.getNewAccessTokenUsingRefreshToken(first.token, {})
    const userinfo = [
      await party.authmount.userinfo(refreshed.token.access_token),
      await party.authmount.userinfo(first.token.access_token, { method: 'POST' }),
    ]
    await party.authmount.revokeToken(first.token, 'access_token', {})
    return { first: first.token, refreshed: refreshed.token, userinfo }
  })
  return { url: await party.listen({ port: 0, host: '127.0.0.1' }), close: () => party.close() }
}

function bearer(token: string): RequestInit {
  return { headers: { authorization: `Bearer ${token}` } }
}
