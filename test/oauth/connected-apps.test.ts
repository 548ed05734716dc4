/** What a user has allowed, and how it is taken back. */
import { everywhere } from '../support/everywhere.ts'
import type { TestHost } from '../support/host.ts'

const call = (host: TestHost, method: string, path: string, user: string | null, headers: Record<string, string> = {}) =>
  host.send(`/oauth/connected-apps${path}`, {
    method,
    headers: { ...(user === null ? {} : { authorization: `Bearer host-${user}` }), ...headers },
  })

everywhere('a user sees the apps they have allowed, and only those', async (t, host) => {
  const [first, second, other] = [
    await host.confidentialApp({ name: 'First' }),
    await host.publicApp({ name: 'Second', homepageUrl: 'https://second.example/' }),
    await host.confidentialApp({ name: 'Not theirs' }),
  ]
  await host.tokens(first)
  host.clock.advance(1)
  await host.tokens(second)
  await host.tokens(second, { scope: 'read:records write:records' })
  await host.tokens(other, {}, 'bert')
  const { body, status } = await call(host, 'GET', '', 'anna')
  t.equal(status, 200)
  const list = body as unknown as readonly Record<string, unknown>[]
  t.strictSame(
    list.map(({ name, activeTokens, homepageUrl }) => [name, activeTokens, homepageUrl]),
    [
      ['Second', 4, 'https://second.example/'],
      ['First', 2, undefined],
    ],
  )
  t.strictSame(list[0]?.scopes, [
    { name: 'read:records', description: 'Read your records' },
    { name: 'write:records', description: 'Change your records' },
  ])
  t.equal((await call(host, 'GET', '', null)).status, 401)
  t.strictSame((await call(host, 'GET', '', 'cora')).body, [])
})

everywhere('taking it back ends the consent and every token, and nobody else’s', async (t, host) => {
  const app = await host.confidentialApp()
  const mine = await host.tokens(app)
  const again = await host.tokens(app)
  const hers = await host.tokens(app, {}, 'bert')
  const waiting = await host.approve(app)
  t.equal((await call(host, 'DELETE', `/${app.clientId}`, 'anna')).status, 200)
  for (const { access, refresh } of [mine, again]) {
    t.equal(await host.records(access), 401)
    t.equal((await host.refresh(app, refresh)).body.error, 'invalid_grant')
  }
  t.equal((await host.redeem(app, waiting)).body.error, 'invalid_grant', 'nor is a code that was still out')
  t.equal(await host.records(hers.access), 200)
  t.ok((await host.authorize(app)).params.consent_id, 'the user is asked again')
  t.match(
    host.events.find(({ type }) => type === 'consent_withdrawn'),
    { clientId: app.clientId, userId: 'anna', revoked: 2 },
  )

  t.equal((await call(host, 'DELETE', `/${app.clientId}`, 'anna')).status, 200, 'a repeat after a lost answer is told the same')
  host.clock.advance(700)
  t.equal((await call(host, 'DELETE', `/${app.clientId}`, 'anna')).status, 404)
  t.equal((await call(host, 'DELETE', '/nonsense', 'anna')).status, 400)
  t.equal((await call(host, 'DELETE', `/${app.clientId}`, null)).status, 401)
  t.equal((await call(host, 'DELETE', `/${app.clientId}`, null, { authorization: `Bearer ${hers.access}` })).status, 401)
  const forged = await host.browse(`/oauth/connected-apps/${app.clientId}`, 'bert', {
    method: 'DELETE',
    headers: { 'sec-fetch-site': 'cross-site' },
  })
  t.equal(forged.status, 403)
  t.equal(await host.records(hers.access), 200)
})

everywhere('a host ends everything of a user’s, or of a user’s with one app', async (t, host) => {
  const [first, second] = [await host.confidentialApp(), await host.confidentialApp()]
  const [one, two, hers] = [await host.tokens(first), await host.tokens(second), await host.tokens(first, {}, 'bert')]
  t.equal(await host.authmount.endUserGrants('anna', first.clientId), 1)
  t.strictSame([await host.records(one.access), await host.records(two.access)], [401, 200])
  const waiting = await host.approve(second)
  t.equal(await host.authmount.endUserGrants('anna'), 1)
  t.equal(await host.records(two.access), 401)
  t.equal((await host.redeem(second, waiting)).body.error, 'invalid_grant')
  t.equal(await host.records(hers.access), 200)
  t.equal(await host.authmount.endUserGrants('anna'), 0)
})
