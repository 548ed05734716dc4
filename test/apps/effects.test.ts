import type { Test } from 'tap'
import { api, createApp, UNLIMITED } from '../support/apps-api.ts'
import type { TestApp } from '../support/client.ts'
import { everywhere } from '../support/everywhere.ts'
import type { TestHost } from '../support/host.ts'

/** Which of these answers carry a token that still works. */
async function survivors(host: TestHost, answers: readonly { readonly body: Record<string, unknown> }[]): Promise<number> {
  const tokens = answers.flatMap(({ body }) => (typeof body.access_token === 'string' ? [body.access_token] : []))
  return (await Promise.all(tokens.map(token => host.records(token)))).filter(status => status === 200).length
}

/** A server takes its time, and its races are wide: a fifth of the rounds will do. */
const rounds = (t: Test, count: number) => (t.name.includes('memory:') ? count : count / 5)

everywhere(
  'of several deletions at once one is answered, and afterwards there is no such app',
  async (t, host) => {
    for (let round = 0; round < 10; round++) {
      const app = await createApp(host)
      const answers = await Promise.all(Array.from({ length: 4 }, () => api(host, 'DELETE', `/${app.id}`)))
      t.ok(answers.some(({ status }) => status === 200))
      t.strictSame(
        answers.filter(({ status }) => ![200, 404, 409].includes(status)),
        [],
      )
      t.equal((await api(host, 'DELETE', `/${app.id}`)).status, 404, 'no mark is left behind')
    }
  },
  UNLIMITED,
)

everywhere(
  'a deleted app is gone for good, with everything it had',
  async (t, host) => {
    const app = await createApp(host)
    const code = await host.approve(app)
    const { access, refresh } = await host.tokens(app)
    t.strictSame((await api(host, 'DELETE', `/${app.id}`)).body, { message: 'OAuth app deleted successfully' })
    t.equal(await host.records(access), 401)
    t.equal((await host.refresh(app, refresh)).body.error, 'invalid_client')
    t.equal((await host.redeem(app, code)).body.error, 'invalid_client')
    t.equal((await host.authorize(app)).status, 400)
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/activate'],
      ['POST', '/suspend'],
      ['POST', '/regenerate-secret'],
    ]) {
      t.equal((await api(host, String(method), `/${app.id}${path}`)).status, 404, `${method} ${path}`)
    }
    t.strictSame((await api(host, 'GET', '')).body.data, [])
    t.match((await api(host, 'GET', '?status=revoked')).body.data, [{ id: app.id, status: 'revoked' }])
    t.match(host.events.at(-1), { type: 'app_deleted', clientId: app.id, actorId: 'anna', orgId: 'org-1' })
  },
  UNLIMITED,
)

everywhere(
  'a suspended app gets nothing new, keeps what it has, and goes on when activated',
  async (t, host) => {
    const app = await createApp(host)
    const { access, refresh } = await host.tokens(app)
    t.equal((await api(host, 'POST', `/${app.id}/suspend`)).body.status, 'suspended')
    t.equal((await host.authorize(app)).status, 400)
    t.equal((await host.refresh(app, refresh)).body.error, 'invalid_client')
    t.equal((await host.clientCredentials(app)).body.error, 'invalid_client')
    t.equal(await host.records(access), 200)
    t.match((await api(host, 'GET', '?status=suspended')).body.data, [{ id: app.id }])
    t.equal((await api(host, 'POST', `/${app.id}/revoke-all-tokens`)).body.count, 2)
    t.equal((await api(host, 'POST', `/${app.id}/activate`)).body.status, 'active')
    t.equal(await host.records(access), 401, 'what was revoked is not revived')
    t.equal((await host.refresh(app, refresh)).body.error, 'invalid_grant')
    t.equal((await host.clientCredentials(app)).status, 200)
  },
  UNLIMITED,
)

everywhere(
  'a regenerated secret replaces the old one at once, or after an overlap',
  async (t, host) => {
    const app = await createApp(host)
    const first = await api(host, 'POST', `/${app.id}/regenerate-secret`)
    t.equal(first.status, 200)
    t.match(first.body, { id: app.id, clientSecret: /^am_cs_/ })
    t.equal((await host.clientCredentials(app)).status, 401)
    const second = { ...app, clientSecret: String(first.body.clientSecret) }
    t.equal((await host.clientCredentials(second)).status, 200)

    const third = await api(host, 'POST', `/${app.id}/regenerate-secret`, { body: { overlapSeconds: 60 } })
    t.equal((await host.clientCredentials(second)).status, 200, 'the old one, still')
    t.equal((await host.clientCredentials({ ...app, clientSecret: String(third.body.clientSecret) })).status, 200)
    t.equal((await host.clientCredentials(app)).status, 401, 'the one before it, never again')
    host.clock.advance(61)
    t.equal((await host.clientCredentials(second)).status, 401)

    for (let time = 0; time < 4; time++)
      await api(host, 'POST', `/${app.id}/regenerate-secret`, { body: { overlapSeconds: 600 } })
    t.equal((await host.store.apps.get(app.id))?.secrets.length, 2, 'two secrets at most, however often it is regenerated')
    for (const body of [{ overlapSeconds: -1 }, { overlapSeconds: 1e9 }, { overlapSeconds: 'x' }, { other: 1 }, '[]']) {
      t.equal((await api(host, 'POST', `/${app.id}/regenerate-secret`, { body })).status, 400)
    }
    const pub = await api(host, 'POST', '', {
      body: { name: 'Public', redirectUris: ['https://a.example'], allowedScopes: ['read:records'], isConfidential: false },
    })
    t.equal((await api(host, 'POST', `/${pub.body.id}/regenerate-secret`)).status, 400)
  },
  UNLIMITED,
)

everywhere(
  'every live token is listed, newest first, by cursor; none of it is a token',
  async (t, host) => {
    const app = await createApp(host)
    const { access, refresh } = await host.tokens(app)
    for (let index = 0; index < 5; index++) {
      host.clock.advance(1)
      await host.clientCredentials(app)
    }
    const spent = await host.refresh(app, refresh)
    const { text } = await api(host, 'GET', `/${app.id}/tokens`)
    const all = JSON.parse(text) as { id: string; tokenType: string; createdAt: string }[]
    t.equal(all.length, 8, 'two of the refresh, five of the app, and the first access token; not the spent refresh token')
    t.strictSame(
      all.map(({ createdAt }) => createdAt),
      all
        .map(({ createdAt }) => createdAt)
        .toSorted()
        .toReversed(),
    )
    t.match(all.at(-1), { tokenType: 'access', userId: 'anna', scopes: ['read:records'], isRevoked: false })
    for (const secret of [access, refresh, spent.body.access_token, spent.body.refresh_token])
      t.notOk(text.includes(String(secret)))

    const seen: string[] = []
    let path: string | undefined = `/${app.id}/tokens?limit=3`
    while (path !== undefined) {
      const page = await api(host, 'GET', path)
      seen.push(...(JSON.parse(page.text) as { id: string }[]).map(({ id }) => id))
      const link = /<([^>]+)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1]
      path = link === undefined ? undefined : new URL(link).pathname.replace('/oauth-clients', '') + new URL(link).search
    }
    t.strictSame(
      seen,
      all.map(({ id }) => id),
    )
    for (const query of ['?limit=0', '?limit=1001', '?limit=x', '?limit=1&limit=2']) {
      t.equal((await api(host, 'GET', `/${app.id}/tokens${query}`)).status, 400, query)
    }
    t.strictSame(JSON.parse((await api(host, 'GET', `/${app.id}/tokens?after=nonsense`)).text), [])
  },
  UNLIMITED,
)

everywhere(
  'revoking all ends everything issued so far, counts it, and nothing issued later',
  async (t, host) => {
    const app = await createApp(host)
    const other = await createApp(host)
    const untouched = await host.tokens(other)
    const first = await host.tokens(app)
    await host.clientCredentials(app)
    const code = await host.approve(app)
    t.strictSame((await api(host, 'POST', `/${app.id}/revoke-all-tokens`)).body, {
      message: 'All tokens revoked successfully',
      count: 3,
    })
    const later = await host.tokens(app)
    t.equal(await host.records(first.access), 401)
    t.equal((await host.redeem(app, code)).body.error, 'invalid_grant')
    await new Promise(resolve => setTimeout(resolve, 20))
    t.equal(await host.records(later.access), 200, 'what came after lives on, swept or not')
    t.equal(JSON.parse((await api(host, 'GET', `/${app.id}/tokens`)).text).length, 2)
    t.equal((await api(host, 'POST', `/${app.id}/revoke-all-tokens`)).body.count, 2)
    t.equal((await api(host, 'POST', `/${app.id}/revoke-all-tokens`)).body.count, 0)
    t.equal(await host.records(untouched.access), 200)
    t.match(host.events.at(-1), { type: 'app_tokens_revoked', count: 0, actorId: 'anna' })
  },
  UNLIMITED,
)

everywhere(
  'of tokens issued while an app is deleted, none works afterwards',
  async (t, host) => {
    let live = 0
    for (let round = 0; round < rounds(t, 60); round++) {
      const app = await createApp(host)
      const [deleted, ...issued] = await Promise.all([
        api(host, 'DELETE', `/${app.id}`),
        host.clientCredentials(app),
        host.clientCredentials(app),
      ])
      if (deleted.status !== 200) t.fail(`round ${round}: ${deleted.status}`)
      live += await survivors(host, issued)
    }
    t.equal(live, 0)
  },
  UNLIMITED,
)

everywhere(
  'of tokens issued before everything is revoked, none works afterwards; of those issued after, all do',
  async (t, host) => {
    const app = await createApp(host)
    let live = 0
    let lost = 0
    for (let round = 0; round < rounds(t, 60); round++) {
      const early = await host.clientCredentials(app)
      const racing: TestApp = app
      const [revoked] = await Promise.all([api(host, 'POST', `/${app.id}/revoke-all-tokens`), host.clientCredentials(racing)])
      if (revoked.status !== 200) t.fail(`round ${round}: ${revoked.status}`)
      const late = await host.clientCredentials(app)
      live += await survivors(host, [early])
      lost += 1 - (await survivors(host, [late]))
    }
    t.equal(live, 0)
    t.equal(lost, 0)
    await api(host, 'POST', `/${app.id}/revoke-all-tokens`)
    t.strictSame(JSON.parse((await api(host, 'GET', `/${app.id}/tokens`)).text), [])
  },
  UNLIMITED,
)

everywhere(
  'after a secret is regenerated, the old one never works again, whatever raced with it',
  async (t, host) => {
    const app = await createApp(host)
    let secret = app.clientSecret
    let late = 0
    for (let round = 0; round < rounds(t, 100); round++) {
      const old = { ...app, clientSecret: secret }
      const [regenerated] = await Promise.all([api(host, 'POST', `/${app.id}/regenerate-secret`), host.clientCredentials(old)])
      if ((await host.clientCredentials(old)).status === 200) late++
      secret = String(regenerated.body.clientSecret)
      if ((await host.clientCredentials({ ...app, clientSecret: secret })).status !== 200)
        t.fail(`round ${round}: the new secret does not work`)
    }
    t.equal(late, 0)
  },
  UNLIMITED,
)

everywhere(
  'of two simultaneous updates none is lost silently',
  async (t, host) => {
    const app = await createApp(host)
    let conflicts = 0
    for (let round = 0; round < rounds(t, 100); round++) {
      const both = await Promise.all([
        api(host, 'PUT', `/${app.id}`, { body: { name: `name ${round}` } }),
        api(host, 'PUT', `/${app.id}`, { body: { description: `description ${round}` } }),
      ])
      t.strictSame(
        both.map(({ status }) => status),
        [200, 200],
      )
      const merged = (await api(host, 'GET', `/${app.id}`)).body
      t.match(merged, { name: `name ${round}`, description: `description ${round}` })

      const rivals = await Promise.all(
        ['a', 'b'].map(suffix => api(host, 'PUT', `/${app.id}`, { body: { name: `${suffix} ${round}` } })),
      )
      const winners = rivals.filter(({ status }) => status === 200).map(({ body }) => body.name)
      conflicts += rivals.filter(({ status }) => status === 409).length
      const { name } = (await api(host, 'GET', `/${app.id}`)).body
      t.ok(winners.includes(name))
      t.ok(rivals.every(({ status }) => status === 200 || status === 409))
    }
    t.comment(`${conflicts} conflicts in 100 rounds`)
  },
  UNLIMITED,
)

everywhere(
  'suspending and renaming at the same time do both',
  async (t, host) => {
    const app = await createApp(host)
    await Promise.all([api(host, 'POST', `/${app.id}/suspend`), api(host, 'PUT', `/${app.id}`, { body: { name: 'Renamed' } })])
    t.match((await api(host, 'GET', `/${app.id}`)).body, { status: 'suspended', name: 'Renamed' })
  },
  UNLIMITED,
)
