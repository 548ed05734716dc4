import type { GrantedToken, Store, Token } from 'authmount'
import { everywhere } from '../support/everywhere.ts'

const STRICT = { rotationGraceSeconds: 0 }

everywhere('a refresh token is replaced by its successor, with the same scopes, in the same grant', async (t, host) => {
  const app = await host.confidentialApp()
  const first = await host.tokens(app)
  const { body, status } = await host.refresh(app, first.refresh)
  t.equal(status, 200)
  t.match(body, {
    access_token: /^am_at_/,
    refresh_token: /^am_rt_/,
    token_type: 'Bearer',
    expires_in: 3600,
    scope: 'read:records',
  })
  t.not(body.refresh_token, first.refresh)
  t.not(body.access_token, first.access)
  t.equal(String(body.refresh_token).slice(6, 52), first.refresh.slice(6, 52), 'one grant')
  t.equal(await host.isActive(app, first.refresh), false)
  t.equal(await host.isActive(app, first.access), true)
  t.equal((await host.refresh(app, body.refresh_token)).status, 200)
})

everywhere('a retry within the grace gets the same successor', async (t, host) => {
  const app = await host.publicApp()
  const { refresh } = await host.tokens(app)
  const first = await host.refresh(app, refresh)
  host.clock.advance(9)
  const retry = await host.refresh(app, refresh)
  t.equal(retry.status, 200)
  t.equal(retry.body.refresh_token, first.body.refresh_token)
  t.equal(retry.body.access_token, first.body.access_token)
  t.ok(Number(retry.body.expires_in) <= 3591 && Number(retry.body.expires_in) > 3580)
  t.equal((await host.refresh(app, retry.body.refresh_token)).status, 200)
})

everywhere('a rotated token that comes back after the grace ends its grant', async (t, host) => {
  const app = await host.confidentialApp()
  const other = await host.tokens(app)
  const { access, refresh } = await host.tokens(app)
  const { body } = await host.refresh(app, refresh)
  host.clock.advance(11)
  const reuse = await host.refresh(app, refresh)
  t.equal(reuse.status, 400)
  t.equal(reuse.body.error, 'invalid_grant')
  for (const token of [access, body.access_token, body.refresh_token]) t.equal(await host.isActive(app, token), false)
  t.equal((await host.refresh(app, body.refresh_token)).body.error, 'invalid_grant')
  t.match(
    host.events.find(({ type }) => type === 'refresh_reuse'),
    { clientId: app.clientId, userId: 'anna', orgId: 'org-1' },
  )
  t.equal(await host.isActive(app, other.access), true, 'the user’s other grant is untouched')
})

everywhere('the grace covers only the immediate predecessor', async (t, host) => {
  const app = await host.confidentialApp()
  const { refresh } = await host.tokens(app)
  const second = (await host.refresh(app, refresh)).body.refresh_token
  const third = (await host.refresh(app, second)).body
  t.equal((await host.refresh(app, refresh)).body.error, 'invalid_grant')
  t.equal(await host.isActive(app, third.access_token), false)
  t.equal(await host.isActive(app, third.refresh_token), false)
})

everywhere('twenty simultaneous refreshes in the grace all get the same successor', async (t, host) => {
  const app = await host.confidentialApp()
  const { refresh } = await host.tokens(app)
  const answers = await Promise.all(Array.from({ length: 20 }, () => host.refresh(app, refresh)))
  t.ok(answers.every(({ status }) => status === 200))
  t.equal(new Set(answers.map(({ body }) => body.refresh_token)).size, 1)
  t.equal(host.events.filter(({ type }) => type === 'token_refreshed').length, 1)
})

everywhere(
  'without a grace, of twenty simultaneous refreshes one succeeds, and the others end the grant',
  async (t, host) => {
    const app = await host.confidentialApp()
    const { refresh } = await host.tokens(app)
    const answers = await Promise.all(Array.from({ length: 20 }, () => host.refresh(app, refresh)))
    const winners = answers.filter(({ status }) => status === 200)
    t.equal(winners.length, 1)
    t.ok(answers.every(({ body, status }) => status === 200 || body.error === 'invalid_grant'))
    t.equal(await host.isActive(app, winners[0]?.body.access_token), false)
  },
  STRICT,
)

everywhere(
  'without a grace, a serial retry ends the grant as well',
  async (t, host) => {
    const app = await host.confidentialApp()
    const { refresh } = await host.tokens(app)
    const { body } = await host.refresh(app, refresh)
    t.equal((await host.refresh(app, refresh)).body.error, 'invalid_grant')
    t.equal(await host.isActive(app, body.access_token), false)
  },
  STRICT,
)

/** A store whose successors were sealed otherwise than this version does. */
const sealedAs =
  (alter: (sealed: string) => string) =>
  (store: Store): Store => ({
    ...store,
    grants: Object.assign(Object.create(store.grants), {
      rotate: (found: GrantedToken, next: readonly Token[], replay: string) => store.grants.rotate(found, next, alter(replay)),
    }),
  })

const UNANSWERABLE = {
  'of the format before, a JWE': () =>
    'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA',
  'of a later version': (sealed: string) => `Ag${sealed.slice(2)}`,
  'cut short': (sealed: string) => sealed.slice(0, 60),
  altered: (sealed: string) => sealed.replace(/^(.{50})(.)/, (_, head, char) => head + (char === 'A' ? 'B' : 'A')),
  empty: () => '',
}
for (const [which, alter] of Object.entries(UNANSWERABLE)) {
  everywhere(
    `a retry whose sealed successor is ${which} counts as reuse`,
    async (t, host) => {
      const app = await host.confidentialApp()
      const { refresh } = await host.tokens(app)
      const { body } = await host.refresh(app, refresh)
      const retry = await host.refresh(app, refresh)
      t.equal(retry.status, 400)
      t.equal(retry.body.error, 'invalid_grant')
      t.equal(await host.isActive(app, body.access_token), false)
      t.match(
        host.events.find(({ type }) => type === 'refresh_reuse'),
        { clientId: app.clientId, userId: 'anna' },
      )
      t.match(host.logged, [[/the successor of a refresh token cannot be opened/]])
    },
    { wrap: sealedAs(alter) },
  )
}

everywhere('asking for less narrows the access token, not the grant', async (t, host) => {
  const app = await host.confidentialApp()
  const { refresh } = await host.tokens(app, { scope: 'read:records write:records' })
  const narrowed = await host.refresh(app, refresh, { scope: 'write:records' })
  t.equal(narrowed.body.scope, 'write:records')
  t.equal(await host.records(narrowed.body.access_token), 403)
  const full = await host.refresh(app, narrowed.body.refresh_token)
  t.equal(full.body.scope, 'read:records write:records')
})

everywhere('a scope that the app has lost is missing from the next refresh', async (t, host) => {
  const app = await host.confidentialApp()
  const { access, refresh } = await host.tokens(app, { scope: 'read:records write:records' })
  const stored = await host.store.apps.get(app.clientId)
  if (!stored) throw new Error('the app is not stored')
  await host.store.apps.save({ ...stored, scopes: ['write:records'], version: 2 })
  t.equal(await host.records(access), 200, 'what was issued stays as it is')
  const { body } = await host.refresh(app, refresh)
  t.equal(body.scope, 'write:records')
  t.equal(await host.records(body.access_token), 403)
})

everywhere('asking for more is refused, and the token stays good', async (t, host) => {
  const app = await host.confidentialApp()
  const { refresh } = await host.tokens(app)
  for (const scope of [
    'admin',
    'write:records',
    'read:records write:records',
    ' ',
    'profile',
    'read:records,',
    'read:records offline_access',
  ]) {
    const answer = await host.refresh(app, refresh, { scope })
    t.equal(answer.status, 400, JSON.stringify(scope))
    t.equal(answer.body.error, 'invalid_scope', JSON.stringify(scope))
  }
  t.equal((await host.refresh(app, refresh)).status, 200)
})

everywhere('a retry that asks for more than was granted is refused like the first', async (t, host) => {
  const app = await host.confidentialApp()
  const { refresh } = await host.tokens(app)
  const { body } = await host.refresh(app, refresh)
  for (const scope of ['write:records', 'bogus', ' '])
    t.equal((await host.refresh(app, refresh, { scope })).body.error, 'invalid_scope', scope)
  t.equal((await host.refresh(app, refresh)).body.refresh_token, body.refresh_token, 'and costs nothing')
})

everywhere('no access token outlives the refresh token that could end it', async (t, host) => {
  const app = await host.confidentialApp({ accessTokenLifetime: 86_400, refreshTokenLifetime: 3600 })
  const { body } = await host.redeem(app, await host.approve(app))
  t.equal(body.expires_in, 3600)
  host.clock.advance(3601)
  t.equal(await host.records(body.access_token), 401)
})

everywhere('another app neither gets nor burns a refresh token', async (t, host) => {
  const app = await host.confidentialApp()
  const other = await host.confidentialApp()
  const { refresh } = await host.tokens(app)
  t.equal((await host.refresh(other, refresh)).body.error, 'invalid_grant')
  t.equal((await host.refresh(app, refresh)).status, 200)
})

everywhere('a confidential app must prove itself to refresh', async (t, host) => {
  const app = await host.confidentialApp()
  const { refresh } = await host.tokens(app)
  const answer = await host.refresh({ ...app, clientSecret: null }, refresh)
  t.equal(answer.status, 401)
  t.equal(answer.body.error, 'invalid_client')
  t.equal((await host.refresh(app, refresh)).status, 200)
})

everywhere('nothing but a refresh token refreshes, and it opens no door', async (t, host) => {
  const app = await host.confidentialApp()
  const code = await host.approve(app)
  const { access, refresh } = await host.tokens(app)
  const mixed = `am_rt_${access.slice(6)}`
  for (const token of [
    access,
    code,
    mixed,
    'x',
    'a'.repeat(5000),
    'eyJhbGciOiJub25lIn0.e30.',
    `${refresh}\n`,
    refresh.toUpperCase(),
  ]) {
    t.equal((await host.refresh(app, token)).body.error, 'invalid_grant', token.slice(0, 20))
  }
  t.equal(await host.records(refresh), 401)
  t.equal((await host.refresh(app, refresh)).status, 200)
})

everywhere('a suspended app cannot refresh; its access tokens live on', async (t, host) => {
  const app = await host.confidentialApp()
  const { access, refresh } = await host.tokens(app)
  const stored = await host.store.apps.get(app.clientId)
  if (!stored) throw new Error('the app is not stored')
  await host.store.apps.save({ ...stored, status: 'suspended', version: 2 })
  t.equal((await host.refresh(app, refresh)).body.error, 'invalid_client')
  t.equal(await host.records(access), 200)
})

everywhere('after a revocation that was answered 200, no descendant of a racing refresh lives', async (t, host) => {
  const app = await host.confidentialApp()
  for (let round = 0; round < 100; round++) {
    const { refresh } = await host.tokens(app)
    const [revoked, refreshed] = await Promise.all([
      host.post('/oauth/revoke', app, { token: refresh }),
      host.refresh(app, refresh),
    ])
    if (revoked.status !== 200) t.fail(`revocation answered ${revoked.status}`)
    if (refreshed.status !== 200) continue
    const live = [await host.isActive(app, refreshed.body.access_token), await host.isActive(app, refreshed.body.refresh_token)]
    if (live.includes(true)) t.fail(`round ${round}: a token survived`)
  }
  t.pass('100 rounds')
})
