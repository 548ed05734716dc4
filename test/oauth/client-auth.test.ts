import { createHash } from 'node:crypto'
import { request as rawRequest } from 'node:http'
import type { TestApp } from '../support/client.ts'
import { everyFramework } from '../support/everywhere.ts'
import type { TestHost } from '../support/host.ts'

const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`

function withBasic(host: TestHost, authorization: string, fields: Record<string, string> = {}) {
  return host.send('/oauth/token', {
    method: 'POST',
    headers: { authorization },
    body: new URLSearchParams({ grant_type: 'client_credentials', ...fields }),
  })
}

/** Gives an app a secret of our choosing, as one that was imported from elsewhere may have. */
async function setSecret(host: TestHost, app: TestApp, secret: string): Promise<void> {
  const stored = await host.store.apps.get(app.clientId)
  if (!stored) throw new Error('the app is not stored')
  const hash = createHash('sha256').update(secret).digest('base64url')
  await host.store.apps.save({ ...stored, secrets: [{ hash, createdAt: 0, usableUntil: null }], version: stored.version + 1 })
}

everyFramework('a confidential app proves itself by Basic or in the body', async (t, host) => {
  const app = await host.confidentialApp()
  t.equal((await host.clientCredentials(app)).status, 200)
  t.equal((await withBasic(host, basic(app.clientId, app.clientSecret ?? ''))).status, 200)
  t.equal((await withBasic(host, basic(app.clientId, app.clientSecret ?? ''), { client_id: app.clientId })).status, 200)
  t.equal(
    (await withBasic(host, basic(app.clientId, app.clientSecret ?? '').replace('Basic', 'basic'))).status,
    200,
    'schemes have no case',
  )
})

everyFramework('a missing, empty or wrong secret is invalid_client', async (t, host) => {
  const app = await host.confidentialApp()
  for (const client_secret of [
    undefined,
    '',
    'null',
    'undefined',
    'wrong',
    `${app.clientSecret} `,
    app.clientSecret?.toLowerCase(),
  ]) {
    const answer = await host.clientCredentials({ ...app, clientSecret: null }, { client_secret })
    t.equal(answer.status, 401, String(client_secret))
    t.equal(answer.body.error, 'invalid_client', String(client_secret))
    t.equal(answer.headers.get('www-authenticate'), null, 'nothing was tried that has a challenge')
  }
  const answer = await withBasic(host, basic(app.clientId, 'wrong'))
  t.equal(answer.status, 401)
  t.match(answer.headers.get('www-authenticate'), /^Basic realm="/)
  t.equal(answer.headers.get('cache-control'), 'no-store')
})

everyFramework('a verifier never replaces a secret', async (t, host) => {
  const app = await host.confidentialApp()
  const code = await host.approve(app)
  const answer = await host.redeem({ ...app, clientSecret: null }, code)
  t.equal(answer.status, 401)
  t.equal(answer.body.error, 'invalid_client')
  t.equal((await host.redeem(app, code)).status, 200, 'and the code is not burnt')
})

everyFramework('a public app that sends a secret is refused', async (t, host) => {
  const app = await host.publicApp()
  const code = await host.approve(app)
  t.equal((await host.redeem({ ...app, clientSecret: 'any' }, code)).body.error, 'invalid_client')
  const asBasic = await host.send('/oauth/token', {
    method: 'POST',
    headers: { authorization: basic(app.clientId, 'any') },
    body: new URLSearchParams({ grant_type: 'authorization_code', code }),
  })
  t.equal(asBasic.body.error, 'invalid_client')
  t.equal((await host.redeem(app, code)).status, 200)
})

everyFramework('two methods at once are invalid_request; Basic does not win', async (t, host) => {
  const app = await host.confidentialApp()
  const other = await host.confidentialApp()
  const header = basic(app.clientId, app.clientSecret ?? '')
  const cases = [
    { client_id: app.clientId, client_secret: app.clientSecret ?? '' },
    { client_id: other.clientId, client_secret: other.clientSecret ?? '' },
    { client_secret: 'x' },
    { client_id: other.clientId },
  ]
  for (const fields of cases) {
    const answer = await withBasic(host, header, fields)
    t.equal(answer.status, 400)
    t.equal(answer.body.error, 'invalid_request')
  }
})

everyFramework('Basic credentials are form-encoded', async (t, host) => {
  const app = await host.confidentialApp()
  const secret = 'a:b%+é &'
  await setSecret(host, app, secret)
  const encoded = new URLSearchParams([['', secret]]).toString().slice(1)
  t.equal((await withBasic(host, basic(app.clientId, encoded))).status, 200)
  for (const raw of [secret, 'a:b%25+é &', 'a:b%+%C3%A9+%26']) {
    t.equal((await withBasic(host, basic(app.clientId, raw))).body.error, 'invalid_client', raw)
  }
  t.equal((await host.clientCredentials({ ...app, clientSecret: secret })).status, 200, 'in the body')
})

everyFramework('a malformed Authorization header is invalid_client, never an accident', async (t, host) => {
  const app = await host.confidentialApp()
  const good = basic(app.clientId, app.clientSecret ?? '')
  const bad = [
    'Basic',
    'Basic ',
    'Basic !!!!',
    `Basic ${Buffer.from('no colon').toString('base64')}`,
    `Basic ${Buffer.from(':secret').toString('base64')}`,
    basic('%zz', 'secret'),
    basic(app.clientId, '%zz'),
    basic('a'.repeat(9000), 'b'),
    good.replace(' ', '\t'),
    `${good}, ${good}`,
    `Bearer ${app.clientSecret}`,
    'Digest username="x"',
  ]
  for (const authorization of bad) {
    const answer = await withBasic(host, authorization)
    t.equal(answer.status, 401, authorization.slice(0, 30))
    t.equal(answer.body.error, 'invalid_client', authorization.slice(0, 30))
  }
})

everyFramework('of two Authorization headers neither counts', async (t, host) => {
  const app = await host.confidentialApp()
  const good = basic(app.clientId, app.clientSecret ?? '')
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const request = rawRequest(`${host.url}/oauth/token`, { method: 'POST' }, response => {
      response.resume()
      resolve(response.statusCode)
    })
    request.on('error', reject)
    request.setHeader('authorization', [good, basic(app.clientId, 'wrong')])
    request.setHeader('content-type', 'application/x-www-form-urlencoded')
    request.end('grant_type=client_credentials')
  })
  t.equal(status, 401)
})

everyFramework('unknown, suspended, deleted and wrong secret answer in identical bytes', async (t, host) => {
  const app = await host.confidentialApp()
  const wrong = await host.clientCredentials({ ...app, clientSecret: 'wrong' })
  const answers = [await host.clientCredentials({ clientId: 'f'.repeat(24), clientSecret: 'wrong' })]
  const stored = await host.store.apps.get(app.clientId)
  if (!stored) throw new Error('the app is not stored')
  for (const [index, status] of (['suspended', 'deleted'] as const).entries()) {
    await host.store.apps.save({ ...stored, status, version: 2 + index })
    answers.push(await host.clientCredentials(app))
  }
  for (const answer of answers) {
    t.equal(answer.status, wrong.status)
    t.equal(answer.text, wrong.text)
    t.strictSame([...answer.headers.keys()], [...wrong.headers.keys()])
  }
})

everyFramework('a secret that has been replaced works until its overlap ends', async (t, host) => {
  const app = await host.confidentialApp()
  const stored = await host.store.apps.get(app.clientId)
  if (!stored) throw new Error('the app is not stored')
  const usableUntil = host.clock.now() + 60_000
  await host.store.apps.save({ ...stored, secrets: stored.secrets.map(secret => ({ ...secret, usableUntil })), version: 2 })
  t.equal((await host.clientCredentials(app)).status, 200)
  host.clock.advance(61)
  t.equal((await host.clientCredentials(app)).status, 401)
})

everyFramework('client_credentials is for an app that can prove itself, and speaks of no user', async (t, host) => {
  const scoped = { allowedScopes: ['read:records', 'profile'] }
  const app = await host.confidentialApp(scoped)
  const { body } = await host.clientCredentials(app)
  t.strictSame(Object.keys(body).toSorted(), ['access_token', 'expires_in', 'scope', 'token_type'])
  t.equal(body.scope, 'read:records', 'not the scopes of a user')
  for (const scope of ['', 'read:records profile', 'read:records offline_access'])
    t.equal((await host.clientCredentials(app, { scope })).body.scope, 'read:records', scope)
  for (const scope of ['profile', 'openid', 'offline_access', 'bogus', 'write:records']) {
    t.equal((await host.clientCredentials(app, { scope })).body.error, 'invalid_scope', scope)
  }
  const pub = await host.publicApp(scoped)
  t.equal((await host.clientCredentials(pub)).body.error, 'unauthorized_client')
  const web = await host.confidentialApp({ ...scoped, allowedGrantTypes: ['authorization_code'] })
  t.equal((await host.clientCredentials(web)).body.error, 'unauthorized_client')
  const personal = await host.confidentialApp({ allowedScopes: ['profile'] })
  t.equal((await host.clientCredentials(personal)).body.error, 'invalid_scope')

  const oauth = await host.send('/records', { headers: { authorization: `Bearer ${body.access_token}` } })
  t.match(oauth.body, { clientId: app.clientId, userId: null, orgId: 'org-1', scopes: ['read:records'] })
  const claims = await host.post('/oauth/introspect', app, { token: String(body.access_token) })
  t.equal(claims.body.sub, app.clientId)
})
