/** A Fastify app whose users sign in through our server, with @fastify/oauth2, which knows nothing but the issuer. */
import { globalAgent } from 'node:https'
import cookie from '@fastify/cookie'
import oauth2, { type OAuth2Namespace } from '@fastify/oauth2'
import Fastify from 'fastify'
import t from 'tap'
import type { TestApp } from '../support/client.ts'
import { settings } from '../support/everywhere.ts'
import { type Listening, startHost } from '../support/host.ts'
import { startTlsFront, type TlsFront } from '../support/https.ts'
import { signInAt } from '../support/relying-party.ts'
import { SIGN_IN, signInApp, verify } from '../support/sign-in.ts'

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
    // Its HTTP client wants JSON unless told otherwise; to a revocation there is nothing to say (RFC 7009 §2.2).
    await party.authmount.revokeToken(first.token, 'access_token', { json: true })
    return { first: first.token, refreshed: refreshed.token, userinfo }
  })
  return { url: await party.listen({ port: 0, host: '127.0.0.1' }), close: () => party.close() }
}

function bearer(token: string): RequestInit {
  return { headers: { authorization: `Bearer ${token}` } }
}
