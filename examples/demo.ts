/** Drives the whole flow over HTTP, on both frameworks, with a client library that knows nothing of authmount; prints every step. */
import * as oauth from 'oauth4webapi'
import { startExpress } from './express/app.ts'
import { startFastify } from './fastify/app.ts'
import type { SeededApps } from './host/authorization.ts'
import { browse, freePort, heading, printed } from './host/printed.ts'
import { openStore } from './host/store.ts'

const express = await startExpress(await freePort(), await openStore({}))
await demonstrate('Express', express.origin, express.apps)
express.server.closeAllConnections()
express.server.close()

const fastify = await startFastify(await freePort(), await openStore({}))
await demonstrate('Fastify', fastify.origin, fastify.apps)
await fastify.server.close()

async function demonstrate(framework: string, origin: string, apps: SeededApps): Promise<void> {
  heading(`${framework}: the app discovers the server`)
  // The demo speaks plain http on a loopback address, which the library takes only when told to.
  const options = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: printed }
  const issuer = new URL(origin)
  const discovered = await oauth.discoveryRequest(issuer, { ...options, algorithm: 'oauth2' })
  const server = await oauth.processDiscoveryResponse(issuer, discovered)

  heading(`${framework}: the app sends the user to the authorization endpoint`)
  const client: oauth.Client = { client_id: apps.public.clientId }
  const redirectUri = `${origin}/callback`
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const authorizeUrl = new URL(server.authorization_endpoint ?? '')
  authorizeUrl.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'read:records write:records',
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }).toString()
  const toLogin = await browse(authorizeUrl)

  heading(`${framework}: she signs in with the host, as she always does`)
  const returnTo = toLogin.searchParams.get('returnTo') ?? ''
  const signedIn = await printed(new URL('/login', origin), {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ name: 'anna', password: 'anna-demo', returnTo }),
  })
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? ''

  heading(`${framework}: she is asked, and agrees`)
  const screen = await browse(new URL(returnTo, origin), { headers: { cookie } })
  await printed(screen, { headers: { cookie } })
  const consent = { consent_id: screen.searchParams.get('consent_id') ?? '', consent: 'granted' }
  const callback = await browse(new URL('/oauth/authorize', origin), {
    method: 'POST',
    headers: { cookie },
    body: new URLSearchParams(consent),
  })

  heading(`${framework}: the app redeems the code`)
  const parameters = oauth.validateAuthResponse(server, client, callback, state)
  const answered = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    parameters,
    redirectUri,
    verifier,
    options,
  )
  const granted = await oauth.processAuthorizationCodeResponse(server, client, answered)

  heading(`${framework}: the app calls the API for her`)
  const api = new URL('/api/records', origin)
  const json = new Headers({ 'content-type': 'application/json' })
  await oauth.protectedResourceRequest(granted.access_token, 'POST', api, json, JSON.stringify({ text: 'From the app' }), options)
  await oauth.protectedResourceRequest(granted.access_token, 'GET', api, undefined, undefined, options)

  heading(`${framework}: the app refreshes`)
  const refreshed = await oauth.processRefreshTokenResponse(
    server,
    client,
    await oauth.refreshTokenGrantRequest(server, client, oauth.None(), granted.refresh_token ?? '', options),
  )

  heading(`${framework}: the app revokes, and the API refuses what it had`)
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(server, client, oauth.None(), refreshed.refresh_token ?? '', options),
  )
  const refused = await printed(api, { headers: { authorization: `Bearer ${refreshed.access_token}` } })
  if (refused.status !== 401) throw new Error(`a revoked token was answered ${refused.status}`)

  heading(`${framework}: another app acts for itself, and asks about its token`)
  const machine: oauth.Client = { client_id: apps.confidential.clientId }
  const secret = oauth.ClientSecretBasic(apps.confidential.clientSecret ?? '')
  const own = await oauth.processClientCredentialsResponse(
    server,
    machine,
    await oauth.clientCredentialsGrantRequest(server, machine, secret, { scope: 'read:records' }, options),
  )
  await oauth.processIntrospectionResponse(
    server,
    machine,
    await oauth.introspectionRequest(server, machine, secret, own.access_token, options),
  )
  console.log(`\n✔ ${framework}: complete\n`)
}
