/** authmount/verify: what events have revoked stays revoked, whatever else is revoked meanwhile. */
import type { AuthmountEvent } from 'authmount'
import { createVerifier } from 'authmount/verify'
import t from 'tap'
import { API, ISSUER, outcome, start } from './support/verifier.ts'

const FLOOD = 100_010

t.test('an app that gives back many tokens of its own evicts no revocation of another', async t => {
  const { host, verifier, now } = await start('jwt')
  t.teardown(host.close)
  const [app, other, own] = [await host.confidentialApp(), await host.confidentialApp(), await host.confidentialApp()]
  const [grant, token, reused, taken, live] = [
    await host.tokens(app),
    await host.tokens(app),
    await host.tokens(app),
    await host.tokens(other, {}, 'bert'),
    await host.tokens(own),
  ]
  for (const { access } of [grant, token, reused, live]) t.equal(await outcome(verifier, access), 'anna')
  host.events.length = 0
  await host.post('/oauth/revoke', app, { token: grant.refresh })
  await host.post('/oauth/revoke', app, { token: token.access })
  await host.refresh(app, reused.refresh)
  host.clock.advance(3600 * 24)
  await host.refresh(app, reused.refresh)
  host.clock.advance(-3600 * 24)
  await host.authmount.endUserGrants('bert', other.clientId)
  t.strictSame(
    host.events.map(({ type }) => type).filter(type => type !== 'token_refreshed'),
    ['token_revoked', 'token_revoked', 'refresh_reuse', 'user_grants_ended'],
  )
  for (const event of host.events) verifier.onEvent(event)
  const ended = [grant.access, token.access, reused.access, taken.access]
  for (const access of ended) t.equal(await outcome(verifier, access), 'invalid_token')

  const flood = (clientId: string, index: number): AuthmountEvent => ({
    type: 'token_revoked',
    tokenType: index % 2 ? 'refresh' : 'access',
    at: now(),
    clientId,
    orgId: 'org-1',
    userId: 'mallory',
    grantId: `${own.clientId}${index}`,
    jti: index % 2 ? null : `${own.clientId}.${index}`,
  })
  for (let index = 0; index < FLOOD; index++) verifier.onEvent(flood(own.clientId, index))
  for (const access of ended) t.equal(await outcome(verifier, access), 'invalid_token', 'after the flood')
  // And a hundred apps that do so.
  for (let index = 0; index < 2 * FLOOD; index++) verifier.onEvent(flood(`app-${index % 100}`, index))
  for (const access of ended) t.equal(await outcome(verifier, access), 'invalid_token', 'after that of a hundred apps')
  t.equal(await outcome(verifier, live.access), 'anna', 'and nothing else is')
})

t.test('of one app, what ends a grant or a user is kept before what ends a token', async t => {
  const { host, verifier, now } = await start('jwt')
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const grant = await host.tokens(app)
  const user = await host.tokens(app, {}, 'bert')
  host.events.length = 0
  await host.post('/oauth/revoke', app, { token: grant.refresh })
  await host.send(`/oauth/connected-apps/${app.clientId}`, { method: 'DELETE', headers: { cookie: 'session=bert' } })
  for (const event of host.events) verifier.onEvent(event)
  const [revoked] = host.events
  for (let index = 0; index < 2 * FLOOD; index++)
    verifier.onEvent({ ...revoked, type: 'token_revoked', tokenType: 'access', at: now(), jti: `j${index}` } as AuthmountEvent)
  for (const { access } of [grant, user]) t.equal(await outcome(verifier, access), 'invalid_token')
})

t.test('revocations are kept for as long as an access token can live, and then make room', async t => {
  const { host, verifier, now } = await start('jwt')
  t.teardown(host.close)
  const app = await host.confidentialApp({ accessTokenLifetime: 86_400 })
  const { access, refresh } = await host.tokens(app)
  host.events.length = 0
  await host.post('/oauth/revoke', app, { token: refresh })
  const [revoked] = host.events
  if (!revoked) throw new Error('no event')
  verifier.onEvent(revoked)
  host.clock.advance(86_390)
  t.equal(await outcome(verifier, access), 'invalid_token')
  host.clock.advance(100)
  const begun = performance.now()
  for (let index = 0; index < 2 * FLOOD; index++)
    verifier.onEvent({ ...revoked, at: now(), clientId: `app-${index}`, grantId: `g${index}` } as AuthmountEvent)
  t.ok(performance.now() - begun < 30_000, 'also of very many apps')
})

t.test(
  'a process that starts again refuses what it refused before, once it has been given the events of the last day',
  async t => {
    const first = await start('jwt')
    t.teardown(first.host.close)
    const { host } = first
    const app = await host.confidentialApp()
    const { access, refresh } = await host.tokens(app)
    const kept = await host.tokens(app)
    host.events.length = 0
    await host.post('/oauth/revoke', app, { token: refresh })
    const stored = JSON.stringify(host.events)
    for (const event of JSON.parse(stored)) first.verifier.onEvent(event)
    t.equal(await outcome(first.verifier, access), 'invalid_token')
    const started = createVerifier({
      issuer: ISSUER,
      audience: API,
      now: host.clock.now,
      log: { error: () => {}, warn: () => {} },
      fetch: (url, init) => fetch(new URL(new URL(String(url)).pathname, host.url), init),
    })
    t.equal(await outcome(started, access), 'anna', 'it remembers nothing, as the page says')
    // A process that reads a stream of them from a day ago hears some twice.
    for (const event of [...JSON.parse(stored), ...JSON.parse(stored)]) started.onEvent(event)
    t.equal(await outcome(started, access), 'invalid_token')
    t.equal(await outcome(started, kept.access), 'anna')
  },
)
