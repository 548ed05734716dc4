/** An Express app that lets its users connect their account here, with simple-oauth2, whose paths are ours by default. */
import express from 'express'
import { type AccessToken, AuthorizationCode, ClientCredentials } from 'simple-oauth2'
import type { Test } from 'tap'
import { atIssuer } from '../support/at-issuer.ts'
import type { TestApp } from '../support/client.ts'
import { listen, type TestHost } from '../support/host.ts'
import { UserAgent } from '../support/user-agent.ts'

atIssuer('simple-oauth2 with state gets tokens, refreshes and revokes them', async (t, host, issuer) => {
  const app = await appOf(host)
  const client = new AuthorizationCode(configOf(issuer, app))
  let got: AccessToken | undefined
  const party = await startParty(t, client, 'a state of its own', token => {
    got = token
  })
  await new UserAgent(issuer).open(`${party}/auth`)
  if (!got) throw new Error('no token')
  t.match(got.token, { token_type: 'Bearer', scope: 'read:records', refresh_token: String })
  t.equal(got.expired(), false)
  t.equal(await host.records(got.token.access_token), 200)

  const refreshed = await client.createToken(got.token).refresh({ scope: 'read:records' })
  t.not(refreshed.token.access_token, got.token.access_token)
  t.equal(await host.records(refreshed.token.access_token), 200)

  await refreshed.revoke('access_token')
  t.equal(await host.records(refreshed.token.access_token), 401)
  const again = await refreshed.refresh()
  await again.revokeAll()
  t.equal(await host.records(again.token.access_token), 401)
  const refused: unknown = await again.refresh().catch(error => error.data.payload)
  t.match(refused, { error: 'invalid_grant' })
})

atIssuer('simple-oauth2 gets and revokes a token of the app itself', async (t, host, issuer) => {
  const client = new ClientCredentials(configOf(issuer, await appOf(host)))
  const got = await client.getToken({ scope: ['read:records', 'write:records'] })
  t.equal(got.token.scope, 'read:records write:records')
  t.equal(await host.records(got.token.access_token), 200)
  await got.revoke('access_token')
  t.equal(await host.records(got.token.access_token), 401)
})

atIssuer('simple-oauth2 without state is told what it lacks, where its browser comes back', async (t, host, issuer) => {
  const client = new AuthorizationCode(configOf(issuer, await appOf(host)))
  const party = await startParty(t, client, undefined)
  const back = new URL((await new UserAgent(issuer).open(`${party}/auth`)).url)
  t.equal(`${back.origin}${back.pathname}`, `${party}/callback`)
  t.equal(back.searchParams.get('error'), 'invalid_request')
  t.match(back.searchParams.get('error_description'), /^state is required/)
})

function appOf(host: TestHost): Promise<TestApp> {
  // The port of a loopback address may differ from the registered one (RFC 8252 §7.3).
  return host.confidentialApp({ redirectUris: ['http://127.0.0.1/callback'] })
}

function configOf(issuer: string, { clientId, clientSecret }: TestApp) {
  return { client: { id: clientId, secret: clientSecret ?? '' }, auth: { tokenHost: issuer } }
}

async function startParty(
  t: Test,
  client: AuthorizationCode,
  state: string | undefined,
  keep: (token: AccessToken) => void = () => {},
): Promise<string> {
  const party = express()
  const { url, close } = await listen(party)
  t.teardown(close)
  const redirect_uri = `${url}/callback`
  party.get('/auth', (_request, response) => {
    const fields = { redirect_uri, scope: 'read:records' }
    response.redirect(client.authorizeURL(state === undefined ? fields : { ...fields, state }))
  })
  party.get('/callback', async (request, response) => {
    const { code, state: returned } = request.query
    if (code === undefined || returned !== state) return response.status(400).send('Authentication failed')
    keep(await client.getToken({ code: String(code), redirect_uri, scope: 'read:records' }))
    return response.send('Connected')
  })
  return url
}
