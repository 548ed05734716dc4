import { request as rawRequest } from 'node:http'
import { everywhere } from '../support/everywhere.ts'

everywhere('revocation answers 200 with an empty object, whatever the token was', async (t, host) => {
  const app = await host.confidentialApp()
  const { access, refresh } = await host.tokens(app)
  for (const token of [access, access, refresh, refresh, 'garbage', 'am_at_x', 'x'.repeat(9000), access.toUpperCase()]) {
    const answer = await host.post('/oauth/revoke', app, { token })
    t.equal(answer.status, 200)
    t.equal(answer.text, '{}')
    t.equal(answer.headers.get('cache-control'), 'no-store')
  }
  t.equal(
    host.events.filter(({ type }) => type === 'token_revoked').length,
    4,
    'a repeat may follow a lost answer, and is announced again; made-up tokens are not',
  )
})

everywhere('revoking a refresh token ends its grant; revoking an access token ends that alone', async (t, host) => {
  const app = await host.confidentialApp()
  const one = await host.tokens(app)
  await host.post('/oauth/revoke', app, { token: one.access })
  t.equal(await host.records(one.access), 401)
  t.equal(await host.isActive(app, one.refresh), true)
  const next = await host.refresh(app, one.refresh)
  await host.post('/oauth/revoke', app, { token: String(next.body.refresh_token) })
  t.equal(await host.records(next.body.access_token), 401)
  t.equal((await host.refresh(app, next.body.refresh_token)).body.error, 'invalid_grant')
})

everywhere('a spent refresh token still revokes its grant', async (t, host) => {
  const app = await host.confidentialApp()
  const { refresh } = await host.tokens(app)
  const { body } = await host.refresh(app, refresh)
  await host.post('/oauth/revoke', app, { token: refresh })
  t.equal(await host.isActive(app, body.access_token), false)
})

everywhere('a wrong or unknown hint changes nothing', async (t, host) => {
  const app = await host.publicApp()
  for (const token_type_hint of ['access_token', 'refresh_token', 'nonsense']) {
    const { access, refresh } = await host.tokens(app)
    t.equal((await host.post('/oauth/revoke', app, { token: refresh, token_type_hint })).status, 200)
    t.equal(await host.records(access), 401, token_type_hint)
  }
})

everywhere('another app can neither revoke a token nor learn of it', async (t, host) => {
  const app = await host.confidentialApp()
  const other = await host.confidentialApp()
  const { access, refresh } = await host.tokens(app)
  for (const token of [access, refresh]) {
    const answer = await host.post('/oauth/revoke', other, { token })
    t.equal(answer.status, 200)
    t.equal(answer.text, (await host.post('/oauth/revoke', other, { token: 'garbage' })).text)
    t.strictSame((await host.post('/oauth/introspect', other, { token })).body, { active: false })
  }
  t.equal(await host.isActive(app, access), true)
  t.equal(await host.isActive(app, refresh), true)
})

everywhere('a confidential app must prove itself to revoke', async (t, host) => {
  const app = await host.confidentialApp()
  const { access } = await host.tokens(app)
  for (const clientSecret of [null, 'wrong']) {
    const answer = await host.post('/oauth/revoke', { ...app, clientSecret }, { token: access })
    t.equal(answer.status, 401)
    t.equal(answer.body.error, 'invalid_client')
  }
  t.equal(await host.records(access), 200)
  t.equal((await host.post('/oauth/revoke', app, {})).body.error, 'invalid_request', 'no token')
})

everywhere('introspection says everything of a live token, and nothing of any other', async (t, host) => {
  const app = await host.confidentialApp()
  const { access, refresh } = await host.tokens(app)
  const now = Math.floor(host.clock.now() / 1000)
  const { body, headers } = await host.post('/oauth/introspect', app, { token: access })
  t.strictSame(Object.keys(body), ['active', 'scope', 'client_id', 'token_type', 'exp', 'iat', 'nbf', 'sub', 'aud', 'iss', 'jti'])
  t.match(body, {
    active: true,
    scope: 'read:records',
    client_id: app.clientId,
    token_type: 'Bearer',
    sub: 'anna',
    aud: 'https://issuer.example',
    iss: 'https://issuer.example',
  })
  t.ok(Math.abs(Number(body.iat) - now) <= 2)
  t.equal(Number(body.exp) - Number(body.iat), 3600)
  t.notMatch(JSON.stringify(body), access)
  t.equal(headers.get('cache-control'), 'no-store')
  t.equal((await host.post('/oauth/introspect', app, { token: refresh })).body.token_type, 'refresh_token')
  await host.refresh(app, refresh)
  for (const token of [refresh, 'garbage', 'eyJhbGciOiJub25lIn0.e30.', `am_rt_${access.slice(6)}`, `${access}x`, ` ${access}`]) {
    t.strictSame((await host.post('/oauth/introspect', app, { token })).body, { active: false }, token.slice(0, 12))
  }
  host.clock.advance(3601)
  t.strictSame((await host.post('/oauth/introspect', app, { token: access })).body, { active: false })
})

everywhere('introspection needs an app with a secret', async (t, host) => {
  const app = await host.confidentialApp()
  const pub = await host.publicApp()
  const { access } = await host.tokens(pub)
  for (const caller of [
    pub,
    { ...app, clientSecret: null },
    { ...app, clientSecret: 'wrong' },
    { clientId: '', clientSecret: null },
  ]) {
    const answer = await host.post('/oauth/introspect', caller, { token: access })
    t.equal(answer.status, 401)
    t.equal(answer.body.error, 'invalid_client')
  }
})

everywhere('of two Authorization headers a guarded route takes neither', async (t, host) => {
  const app = await host.confidentialApp()
  const { access } = await host.tokens(app)
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const request = rawRequest(`${host.url}/records`, response => {
      response.resume()
      resolve(response.statusCode)
    })
    request.on('error', reject)
    request.setHeader('authorization', [`Bearer ${access}`, 'Bearer other'])
    request.end()
  })
  t.equal(status, 401)
})

everywhere('a guarded route answers a token that is missing, bad or too weak as RFC 6750 says', async (t, host) => {
  const app = await host.confidentialApp()
  const weak = await host.tokens(app, { scope: 'write:records' })
  const good = await host.tokens(app)
  const ask = (authorization?: string) => host.send('/records', authorization === undefined ? {} : { headers: { authorization } })

  const missing = await ask()
  t.equal(missing.status, 401)
  t.match(
    missing.headers.get('www-authenticate'),
    /^Bearer realm="https:\/\/issuer.example", resource_metadata="[^"]+", scope="read:records"$/,
  )
  for (const token of ['garbage', good.refresh, good.access.replace('am_at', 'am_xx'), 'eyJhbGciOiJub25lIn0.e30.']) {
    const answer = await ask(`Bearer ${token}`)
    t.equal(answer.status, 401)
    t.match(
      answer.headers.get('www-authenticate'),
      /^Bearer realm="https:\/\/issuer\.example", resource_metadata="[^"]+", error="invalid_token", error_description="[^"]+", scope="read:records"$/,
    )
  }
  const refused = await ask(`Bearer ${weak.access}`)
  t.equal(refused.status, 403)
  t.match(refused.headers.get('www-authenticate'), /error="insufficient_scope".*scope="write:records read:records"$/)
  t.equal((await ask(`Basic ${good.access}`)).status, 401)
  t.equal((await ask(`Bearer ${good.access}`)).status, 200)
  t.equal((await ask(`bearer ${good.access}`)).status, 200)
  t.equal((await host.send(`/records?access_token=${good.access}`)).status, 401, 'never from the URL')
  t.equal((await host.send('/any', { headers: { authorization: `Bearer ${weak.access}` } })).status, 200)
  t.match((await ask(`Bearer ${good.access}`)).body, {
    clientId: app.clientId,
    userId: 'anna',
    orgId: 'org-1',
    scopes: ['read:records'],
  })
  t.match((await host.send('/open', { headers: { authorization: `Bearer ${good.access}` } })).body, { open: true, oauth: null })
})
