import { CHALLENGE, VERIFIER } from '../support/client.ts'
import { everywhere } from '../support/everywhere.ts'

everywhere('a code becomes tokens once, for its app, its address and its verifier', async (t, host) => {
  const app = await host.confidentialApp()
  const { body, headers, status } = await host.redeem(app, await host.approve(app))
  t.equal(status, 200)
  t.strictSame(Object.keys(body).toSorted(), ['access_token', 'expires_in', 'refresh_token', 'scope', 'token_type'])
  t.match(body, {
    access_token: /^am_at_/,
    token_type: 'Bearer',
    expires_in: 3600,
    refresh_token: /^am_rt_/,
    scope: 'read:records',
  })
  t.equal(headers.get('cache-control'), 'no-store')
  t.equal(headers.get('pragma'), 'no-cache')
  t.equal(await host.records(body.access_token), 200)
})

everywhere('a public app redeems with its verifier alone', async (t, host) => {
  const app = await host.publicApp()
  t.equal((await host.redeem(app, await host.approve(app))).status, 200)
})

everywhere('a verifier that was never announced is refused', async (t, host) => {
  const app = await host.confidentialApp()
  const none = { code_challenge: undefined, code_challenge_method: undefined }
  t.equal((await host.redeem(app, await host.approve(app, none))).body.error, 'invalid_grant')
  t.equal((await host.redeem(app, await host.approve(app, none), { code_verifier: undefined })).status, 200)
})

everywhere('a wrong verifier kills the code', async (t, host) => {
  const app = await host.publicApp()
  const flipped = VERIFIER.replace('d', 'D')
  for (const code_verifier of [
    undefined,
    '',
    'a'.repeat(43),
    CHALLENGE,
    `${VERIFIER}\n`,
    flipped,
    'short',
    'ü'.repeat(43),
    'a'.repeat(129),
  ]) {
    const code = await host.approve(app)
    const wrong = await host.redeem(app, code, { code_verifier })
    t.equal(wrong.status, 400, JSON.stringify(code_verifier))
    t.equal(wrong.body.error, 'invalid_grant', JSON.stringify(code_verifier))
    t.equal((await host.redeem(app, code)).body.error, 'invalid_grant', 'and no second guess')
  }
})

everywhere('a code used twice ends what its first use was given, and nothing else', async (t, host) => {
  const app = await host.confidentialApp()
  const other = await host.tokens(app)
  const code = await host.approve(app)
  const { body } = await host.redeem(app, code)
  const again = await host.redeem(app, code)
  t.equal(again.status, 400)
  t.equal(again.body.error, 'invalid_grant')
  t.equal(await host.isActive(app, body.access_token), false)
  t.equal(await host.isActive(app, body.refresh_token), false)
  t.equal(await host.records(body.access_token), 401)
  t.equal(await host.isActive(app, other.access), true)
  t.match(host.events.at(-1), { type: 'code_replay', clientId: app.clientId, userId: 'anna' })
})

everywhere(
  'of twenty simultaneous redemptions of each of twenty codes, at most one succeeds, and it does not last',
  async (t, host) => {
    const app = await host.confidentialApp()
    const codes = await Promise.all(Array.from({ length: 20 }, () => host.approve(app)))
    const answers = await Promise.all(codes.map(code => Promise.all(Array.from({ length: 20 }, () => host.redeem(app, code)))))
    for (const ofCode of answers) {
      const issued = ofCode.filter(({ status }) => status === 200)
      t.ok(issued.length <= 1)
      for (const { body } of issued) t.equal(await host.isActive(app, body.access_token), false)
    }
    const refused = answers.flat().filter(({ status }) => status !== 200)
    t.ok(refused.every(({ body, status }) => status === 400 && body.error === 'invalid_grant'))
  },
)

everywhere('a code is bound to its redirect URI; a mistake does not burn it', async (t, host) => {
  const app = await host.confidentialApp({ redirectUris: ['https://app.example/cb', 'https://app.example/other'] })
  const code = await host.approve(app)
  for (const redirect_uri of ['https://app.example/other', 'https://app.example/cb/', 'https://evil.example']) {
    t.equal((await host.redeem(app, code, { redirect_uri })).body.error, 'invalid_grant', redirect_uri)
  }
  t.equal((await host.redeem(app, code)).status, 200)
  const bound = await host.approve(app)
  t.equal((await host.redeem(app, bound, { redirect_uri: undefined })).status, 200, 'PKCE binds it as well (OAuth 2.1)')
  const unbound = await host.approve(app, { code_challenge: undefined, code_challenge_method: undefined })
  const without = await host.redeem(app, unbound, { redirect_uri: undefined, code_verifier: undefined })
  t.equal(without.body.error, 'invalid_grant', 'nothing else binds it')
})

everywhere('another app neither gets nor burns a code; nor does a wrong secret', async (t, host) => {
  const app = await host.confidentialApp()
  const other = await host.confidentialApp()
  const code = await host.approve(app)
  t.equal((await host.redeem(other, code)).body.error, 'invalid_grant')
  const forged = await host.redeem({ ...app, clientSecret: other.clientSecret }, code)
  t.equal(forged.status, 401)
  t.equal(forged.body.error, 'invalid_client')
  t.equal((await host.redeem(app, code)).status, 200)
})

everywhere('a code is dead after a minute', async (t, host) => {
  const app = await host.confidentialApp()
  const code = await host.approve(app)
  host.clock.advance(61)
  t.equal((await host.redeem(app, code)).body.error, 'invalid_grant')
})

everywhere('a code from before everything of the app was revoked is as dead as its tokens', async (t, host) => {
  const app = await host.confidentialApp()
  const code = await host.approve(app)
  const { access, refresh } = await host.tokens(app)
  const stored = await host.store.apps.get(app.clientId)
  if (!stored) throw new Error('the app is not stored')
  await host.store.apps.save({ ...stored, epoch: 2, version: 2 })
  t.equal((await host.redeem(app, code)).body.error, 'invalid_grant')
  t.equal((await host.refresh(app, refresh)).body.error, 'invalid_grant')
  t.equal(await host.isActive(app, access), false)
  t.equal(await host.records(access), 401)
  t.equal(await host.records((await host.tokens(app)).access), 200)
})

everywhere('what an app has lost since the user agreed, an old code does not bring back', async (t, host) => {
  const app = await host.confidentialApp()
  const code = await host.approve(app, { scope: 'read:records write:records' })
  const stored = await host.store.apps.get(app.clientId)
  if (!stored) throw new Error('the app is not stored')
  await host.store.apps.save({ ...stored, scopes: ['read:records'], version: 2 })
  t.equal((await host.redeem(app, code)).body.scope, 'read:records')
})

everywhere('a suspended app gets nothing for a code it has', async (t, host) => {
  const app = await host.confidentialApp()
  const code = await host.approve(app)
  const stored = await host.store.apps.get(app.clientId)
  if (!stored) throw new Error('the app is not stored')
  await host.store.apps.save({ ...stored, status: 'suspended', version: 2 })
  const answer = await host.redeem(app, code)
  t.equal(answer.status, 401)
  t.equal(answer.body.error, 'invalid_client')
})

everywhere('an app without the refresh_token grant is given no refresh token', async (t, host) => {
  const app = await host.confidentialApp({ allowedGrantTypes: ['authorization_code'] })
  const { body } = await host.redeem(app, await host.approve(app))
  t.equal(body.refresh_token, undefined)
  t.equal((await host.refresh(app, 'am_rt_x')).body.error, 'unauthorized_client')
})

everywhere(
  'plain works where the host has enabled it, and is then advertised',
  async (t, host) => {
    const app = await host.publicApp()
    const code = await host.approve(app, { code_challenge: VERIFIER, code_challenge_method: 'plain' })
    t.equal((await host.redeem(app, code)).status, 200)
    const wrong = await host.approve(app, { code_challenge: VERIFIER, code_challenge_method: undefined })
    t.equal((await host.redeem(app, wrong, { code_verifier: CHALLENGE })).body.error, 'invalid_grant')
    const { body } = await host.send('/.well-known/oauth-authorization-server')
    t.strictSame(body.code_challenge_methods_supported, ['S256', 'plain'])
  },
  { allowPlainPkce: true },
)

everywhere('a grant type that is not offered, missing or not the app’s is named for what it is', async (t, host) => {
  const app = await host.confidentialApp({ allowedGrantTypes: ['authorization_code'] })
  const of = async (grant_type: string | undefined) => (await host.post('/oauth/token', app, { grant_type })).body.error
  t.equal(await of('password'), 'unsupported_grant_type')
  t.equal(await of('constructor'), 'unsupported_grant_type')
  t.equal(await of('urn:ietf:params:oauth:grant-type:device_code'), 'unsupported_grant_type')
  t.equal(await of(undefined), 'invalid_request')
  t.equal(await of('client_credentials'), 'unauthorized_client')
  t.equal(await of('authorization_code'), 'invalid_request', 'without a code')
})

everywhere('tokens live as long as their app says', async (t, host) => {
  const app = await host.confidentialApp({ accessTokenLifetime: 300, refreshTokenLifetime: 3600 })
  const { body } = await host.redeem(app, await host.approve(app))
  t.equal(body.expires_in, 300)
  host.clock.advance(301)
  t.equal(await host.records(body.access_token), 401)
  t.equal((await host.refresh(app, body.refresh_token)).status, 200)
})

everywhere('of a code that is presented twice at the same moment, nothing lives afterwards', async (t, host) => {
  const app = await host.confidentialApp()
  let alive = 0
  for (let round = 0; round < 40; round++) {
    const code = await host.approve(app)
    const answers = await Promise.all([host.redeem(app, code), host.redeem(app, code)])
    const tokens = answers.flatMap(({ body }) => (body.access_token ? [body.access_token, body.refresh_token] : []))
    const active = await Promise.all(tokens.map(token => host.isActive(app, token)))
    alive += active.filter(Boolean).length
    t.ok(answers.every(({ body, status }) => status === 200 || body.error === 'invalid_grant'))
  }
  t.equal(alive, 0)
  t.ok(host.events.some(({ type }) => type === 'code_replay'))
})
