import { createHmac } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { base64url } from 'jose'
import { api, createApp, UNLIMITED } from '../support/apps-api.ts'
import { REDIRECT_URI, type TestApp, VERIFIER } from '../support/client.ts'
import { actSigned, assertionOf, type ClientKey, JWT_BEARER, newClientKey, postSigned, withKeys } from '../support/client-keys.ts'
import { READS_HERE, startDocuments } from '../support/documents.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { register } from '../support/registrations.ts'

const KEYS = {
  ES256: newClientKey('ES256'),
  EdDSA: newClientKey('EdDSA'),
  PS256: newClientKey('PS256'),
  RS256: newClientKey('RS256'),
}
const KEY = KEYS.ES256
const OTHER = newClientKey('ES256')
const ISSUER = 'https://issuer.example'
const ENDPOINT = `${ISSUER}/oauth/token`

everywhere('of fifty requests with one assertion at once one succeeds', async (t, host) => {
  const app = await host.confidentialApp(withKeys(KEY))
  const assertion = assertionOf(host, app, KEY)
  const answers = await Promise.all(Array.from({ length: 50 }, () => actSigned(host, assertion)))
  t.equal(answers.filter(({ status }) => status === 200).length, 1)
  t.ok(answers.every(({ body, status }) => status === 200 || body.error === 'invalid_client'))
  host.clock.advance(89)
  t.equal((await actSigned(host, assertion)).status, 401, 'nor as long as a clock could take it for good')
})

everywhere('an app proves itself with its key, wherever apps authenticate', async (t, host) => {
  for (const [alg, key] of Object.entries(KEYS)) {
    const app = await host.confidentialApp(withKeys(KEYS.ES256, key === KEYS.ES256 ? OTHER_KID : key))
    const signed = () => assertionOf(host, app, key)
    const code = await host.approve(app)
    const redeemed = await postSigned(host, '/oauth/token', signed(), {
      ...{ grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, code_verifier: VERIFIER },
    })
    t.equal(redeemed.status, 200, alg)
    const refreshed = await postSigned(host, '/oauth/token', signed(), {
      ...{ grant_type: 'refresh_token', refresh_token: String(redeemed.body.refresh_token), client_id: app.clientId },
    })
    t.equal(refreshed.status, 200, `${alg}: with the client_id beside it`)
    const token = String(refreshed.body.access_token)
    t.match((await postSigned(host, '/oauth/introspect', signed(), { token })).body, { active: true }, alg)
    t.equal((await postSigned(host, '/oauth/revoke', signed(), { token })).status, 200, alg)
    t.match((await postSigned(host, '/oauth/introspect', signed(), { token })).body, { active: false }, alg)
  }
})
const OTHER_KID = newClientKey('ES256', 'another')

/** Each request is wrong in one way; the answer is the same for an app that does not exist. */
everyFramework('an assertion that is wrong in any way is invalid_client, and spends nothing', async (t, host) => {
  const app = await host.confidentialApp(withKeys(KEY))
  const now = Math.floor(host.clock.now() / 1000)
  const good = assertionOf(host, app, KEY)
  const [head = '', payload = '', signature = ''] = good.split('.')
  const forged = (header: object, sign: (text: string) => string) => {
    const text = `${base64url.encode(JSON.stringify(header))}.${payload}`
    return `${text}.${sign(text)}`
  }
  const mac = (secret: string) => (text: string) => createHmac('sha256', secret).update(text).digest('base64url')
  const claims = (wrong: object) => assertionOf(host, app, KEY, { claims: { ...wrong } })
  const header = (wrong: object) => assertionOf(host, app, KEY, { header: { ...wrong } })
  const stolen = { ...OTHER, jwk: { ...OTHER.jwk, kid: KEY.jwk.kid } }
  const wrong: Readonly<Record<string, string>> = {
    'alg none': forged({ alg: 'none' }, () => ''),
    'alg None': forged({ alg: 'None' }, () => ''),
    'alg none, the signature left': forged({ alg: 'none', kid: KEY.jwk.kid }, () => signature),
    'HS256 with the public key as JSON': forged({ alg: 'HS256', kid: KEY.jwk.kid }, mac(JSON.stringify(KEY.jwk))),
    'HS256 with the public key as PEM': forged({ alg: 'HS256' }, mac(String(KEY.jwk.x))),
    'HS512, a secret': forged({ alg: 'HS512' }, mac('secret')),
    'another alg for the key': header({ alg: 'ES256', kid: 'key-RS256' }),
    'RS256 said of an ES256 signature': forged({ alg: 'RS256', kid: KEY.jwk.kid }, () => signature),
    'no signature': `${head}.${payload}.`,
    'another payload': `${head}.${base64url.encode(JSON.stringify({ iss: app.clientId, sub: app.clientId, aud: ISSUER, jti: 'x', exp: now + 60 }))}.${signature}`,
    'another’s key': assertionOf(host, app, stolen),
    'another’s key, given in the header': assertionOf(host, app, stolen, { header: { jwk: OTHER.jwk } }),
    'a URL of another’s keys in the header': assertionOf(host, app, stolen, {
      header: { jku: 'https://keys.example/', x5u: 'https://keys.example/' },
    }),
    'an unknown kid': header({ kid: 'unknown' }),
    'typ of an access token': header({ typ: 'at+jwt' }),
    'typ of a proof': header({ typ: 'dpop+jwt' }),
    'a critical extension': header({ crit: ['x'], x: 1 }),
    'the payload not encoded': header({ b64: false, crit: ['b64'] }),
    'aud a list': claims({ aud: [ISSUER] }),
    'aud a list with another server': claims({ aud: [ISSUER, 'https://evil.example'] }),
    'aud the token endpoint': claims({ aud: ENDPOINT }),
    'aud the issuer with a slash': claims({ aud: `${ISSUER}/` }),
    'aud another server': claims({ aud: 'https://evil.example' }),
    'no aud': claims({ aud: undefined }),
    'iss another': claims({ iss: 'another' }),
    'sub another': claims({ sub: 'another' }),
    'no iss': claims({ iss: undefined }),
    'no sub': claims({ sub: undefined }),
    'sub not a text': claims({ sub: [app.clientId], iss: [app.clientId] }),
    'no jti': claims({ jti: undefined }),
    'an empty jti': claims({ jti: '' }),
    'jti not a text': claims({ jti: 1 }),
    'no exp': claims({ exp: undefined }),
    'exp a text': claims({ exp: String(now + 60) }),
    expired: claims({ exp: now - 31 }),
    'exp more than an hour ahead': claims({ exp: now + 3700 }),
    'exp without end': claims({ exp: 1e300 }),
    'iat in the future': claims({ iat: now + 60 }),
    'nbf in the future': claims({ nbf: now + 60 }),
    huge: claims({ jti: 'j'.repeat(8192) }),
    'not a JWT': 'assertion',
    'five parts': 'a.b.c.d.e',
    empty: '..',
  }
  const code = await host.approve(app)
  for (const [name, assertion] of Object.entries(wrong)) {
    const redeem = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, code_verifier: VERIFIER }
    const answer = await postSigned(host, '/oauth/token', assertion, redeem)
    t.strictSame([answer.status, answer.body.error], [401, 'invalid_client'], name)
  }
  const redeem = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, code_verifier: VERIFIER }
  t.equal((await postSigned(host, '/oauth/token', good, redeem)).status, 200, 'the code, and the jti, are still good')
})

everyFramework('an assertion is taken with what a careful client may send', async (t, host) => {
  const app = await host.confidentialApp(withKeys(KEY))
  const now = Math.floor(host.clock.now() / 1000)
  for (const [name, change] of Object.entries({
    'typ JWT': { header: { typ: 'JWT' } },
    'typ client-authentication+jwt': { header: { typ: 'client-authentication+jwt' } },
    'without a kid, of the only key': { header: { kid: undefined } },
    'a URL of keys in the header, which is not read': { header: { jku: 'https://keys.example/' } },
    'without iat': { claims: { iat: undefined } },
    'a clock that is ahead': { claims: { iat: now + 20, nbf: now + 20 } },
    'a clock that is behind': { claims: { exp: now - 20 } },
    'for an hour': { claims: { exp: now + 3600 } },
    'further claims': { claims: { name: 'client' } },
  }))
    t.equal((await actSigned(host, assertionOf(host, app, KEY, change as object))).status, 200, name)
})

everyFramework('an app has one way to authenticate, and nothing beside it', async (t, host) => {
  const byKey = await host.confidentialApp(withKeys(KEY))
  const bySecret = await host.confidentialApp()
  const open = await host.publicApp()
  const basic = (app: TestApp) => `Basic ${Buffer.from(`${app.clientId}:${app.clientSecret ?? 'x'}`).toString('base64')}`
  const signed = (app: TestApp) => assertionOf(host, app, KEY)
  t.equal(byKey.clientSecret, null)

  for (const [name, answer] of Object.entries({
    'a secret of an app with keys': await host.clientCredentials({ ...byKey, clientSecret: 'x'.repeat(32) }),
    'the name of an app with keys': await host.clientCredentials(byKey),
    'a key of an app with a secret': await actSigned(host, signed(bySecret)),
    'a key of a public app': await actSigned(host, signed(open)),
    'of an app that does not exist': await actSigned(host, signed({ clientId: 'f'.repeat(24), clientSecret: null })),
    'another type of assertion': await actSigned(host, signed(byKey), {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer',
    }),
    'without its type': await actSigned(host, signed(byKey), { client_assertion_type: undefined }),
  })) {
    t.strictSame([answer.status, answer.body.error], [401, 'invalid_client'], name)
    if (!name.startsWith('another'))
      t.match(answer.body.error_description, /client authentication failed/, `${name}: in the words of all`)
  }
  const body = (app: TestApp) =>
    new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: JWT_BEARER,
      client_assertion: signed(app),
    })
  for (const [name, answer] of Object.entries({
    'a secret in the body': await actSigned(host, signed(byKey), { client_id: byKey.clientId, client_secret: 'x' }),
    'Basic of the same app': await host.send('/oauth/token', {
      method: 'POST',
      headers: { authorization: basic(byKey) },
      body: body(byKey),
    }),
    'Basic of another': await host.send('/oauth/token', {
      method: 'POST',
      headers: { authorization: basic(bySecret) },
      body: body(byKey),
    }),
    'another header': await host.send('/oauth/token', {
      method: 'POST',
      headers: { authorization: 'Bearer x' },
      body: body(byKey),
    }),
    'another client_id': await actSigned(host, signed(byKey), { client_id: bySecret.clientId }),
    'in the URL': await host.send(`/oauth/token?client_assertion=${signed(byKey)}`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    }),
  }))
    t.strictSame([answer.status, answer.body.error], [400, 'invalid_request'], name)
  const byMac = assertionOf(host, byKey, KEY, { header: { alg: 'HS256' } })
  t.match((await actSigned(host, byMac)).body.error_description, /client_secret_jwt is not supported/)
})

everyFramework('a suspended app has no use of its key', async (t, host) => {
  const app = await host.confidentialApp(withKeys(KEY))
  await api(host, 'POST', `/${app.clientId}/suspend`)
  t.equal((await actSigned(host, assertionOf(host, app, KEY))).status, 401)
  await api(host, 'POST', `/${app.clientId}/activate`)
  t.equal((await actSigned(host, assertionOf(host, app, KEY))).status, 200)
})

everyFramework('an app changes from its secret to keys and back by the API', async (t, host) => {
  const { clientSecret, id } = await createApp(host)
  const app = { clientId: String(id), clientSecret: String(clientSecret) }
  t.equal((await host.clientCredentials(app)).status, 200)
  const toKeys = await api(host, 'PUT', `/${id}`, { body: { ...withKeys(KEY) } })
  t.strictSame(
    [toKeys.status, toKeys.body.tokenEndpointAuthMethod, toKeys.body.jwks],
    [200, 'private_key_jwt', { keys: [KEY.jwk] }],
  )
  t.equal((await host.clientCredentials(app)).status, 401, 'the secret is gone at once')
  t.equal((await actSigned(host, assertionOf(host, app, KEY))).status, 200)
  t.equal((await host.store.apps.get(app.clientId))?.secrets.length, 0)

  const replaced = await api(host, 'PUT', `/${id}`, { body: { jwks: { keys: [OTHER_KID.jwk] } } })
  t.equal(replaced.status, 200)
  t.equal((await actSigned(host, assertionOf(host, app, KEY))).status, 401, 'a key that was replaced is gone at once')
  t.equal((await actSigned(host, assertionOf(host, app, OTHER_KID))).status, 200)

  t.equal((await api(host, 'POST', `/${id}/regenerate-secret`)).status, 400)
  const back = await api(host, 'PUT', `/${id}`, { body: { tokenEndpointAuthMethod: 'client_secret_post' } })
  t.strictSame([back.status, back.body.tokenEndpointAuthMethod, 'jwks' in back.body], [200, 'client_secret_basic', false])
  t.equal((await actSigned(host, assertionOf(host, app, OTHER_KID))).status, 401)
  const secret = await api(host, 'POST', `/${id}/regenerate-secret`)
  t.equal((await host.clientCredentials({ ...app, clientSecret: String(secret.body.clientSecret) })).status, 200)
  t.equal((await api(host, 'PUT', `/${id}`, { body: { tokenEndpointAuthMethod: 'none' } })).status, 400)
  t.match(
    host.events.filter(({ type }) => type === 'app_updated').map(event => 'changed' in event && event.changed),
    [['tokenEndpointAuthMethod', 'jwks'], ['jwks'], ['tokenEndpointAuthMethod', 'jwks']],
  )
})

everyFramework(
  'only public keys that can verify are registered',
  async (t, host) => {
    const secret = KEYS.RS256.privateKey.export({ format: 'jwk' })
    const weak = { kty: 'RSA', e: 'AQAB', n: base64url.encode(Buffer.alloc(128, 0xff)) }
    const endless = { ...KEYS.RS256.jwk, e: KEYS.RS256.jwk.n ?? '' }
    const refused: Readonly<Record<string, object>> = {
      'no keys': { tokenEndpointAuthMethod: 'private_key_jwt' },
      'keys without the method': { jwks: { keys: [KEY.jwk] } },
      'keys at a URL without the method': { jwksUri: 'https://app.example/jwks' },
      both: { ...withKeys(KEY), jwksUri: 'https://app.example/jwks' },
      'an empty set': { ...withKeys() },
      'a list in place of a set': { ...withKeys(KEY), jwks: [KEY.jwk] },
      'a private key': { ...withKeys(KEY), jwks: { keys: [secret] } },
      'a private key beside a public one': { ...withKeys(KEY), jwks: { keys: [KEY.jwk, secret] } },
      'a symmetric key': { ...withKeys(KEY), jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } },
      '1024 bits': { ...withKeys(KEY), jwks: { keys: [weak] } },
      'an exponent without end': { ...withKeys(KEY), jwks: { keys: [endless] } },
      'another curve': { ...withKeys(KEY), jwks: { keys: [{ ...KEY.jwk, crv: 'P-384' }] } },
      'a point that is on no curve': { ...withKeys(KEY), jwks: { keys: [{ ...KEY.jwk, y: KEY.jwk.x }] } },
      'a key for encryption': { ...withKeys(KEY), jwks: { keys: [{ ...KEY.jwk, use: 'enc' }] } },
      'another alg': { ...withKeys(KEY), jwks: { keys: [{ ...KEY.jwk, alg: 'ES384' }] } },
      'two of one kid': { ...withKeys(KEY, OTHER) },
      'eleven keys': {
        ...withKeys(KEY),
        jwks: { keys: Array.from({ length: 11 }, (_, index) => ({ ...KEY.jwk, kid: `${index}` })) },
      },
      'a URL without https': { tokenEndpointAuthMethod: 'private_key_jwt', jwksUri: 'http://app.example/jwks' },
      'a private address': { tokenEndpointAuthMethod: 'private_key_jwt', jwksUri: 'https://10.0.0.1/jwks' },
      'the metadata of a cloud': { tokenEndpointAuthMethod: 'private_key_jwt', jwksUri: 'https://169.254.169.254/jwks' },
      'this machine': { tokenEndpointAuthMethod: 'private_key_jwt', jwksUri: 'https://localhost/jwks' },
      'another method': { tokenEndpointAuthMethod: 'client_secret_jwt' },
      'keys of a public app': { ...withKeys(KEY), isConfidential: false },
    }
    const fields = { name: 'Keys', redirectUris: [REDIRECT_URI], allowedScopes: ['read:records'] }
    for (const [name, wrong] of Object.entries(refused))
      t.equal((await api(host, 'POST', '', { body: { ...fields, ...wrong } })).status, 400, name)
    const made = await api(host, 'POST', '', {
      body: { ...fields, ...withKeys(KEY), jwks: { keys: [{ ...KEY.jwk, x5c: ['MII'] }] } },
    })
    t.strictSame([made.status, made.body.jwks], [201, { keys: [KEY.jwk] }], made.text)
    t.equal('clientSecret' in made.body, false)
  },
  UNLIMITED,
)

everyFramework(
  'a client registers itself with its keys, and with the one algorithm that it uses',
  async (t, host) => {
    const rsa = { ...KEYS.RS256, alg: 'RS256' }
    const metadata = { redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'private_key_jwt' }
    for (const [name, wrong] of Object.entries({
      'no keys': {},
      'keys twice': { jwks: { keys: [KEY.jwk] }, jwks_uri: 'https://app.example/jwks' },
      'a private key': { jwks: { keys: [KEY.privateKey.export({ format: 'jwk' })] } },
      'a private address': { jwks_uri: 'https://10.0.0.1/jwks' },
      'an algorithm that there is not': { jwks: { keys: [KEY.jwk] }, token_endpoint_auth_signing_alg: 'HS256' },
      'a shared secret': { jwks: { keys: [KEY.jwk] }, token_endpoint_auth_method: 'client_secret_jwt' },
    }))
      t.match(await register(host, { ...metadata, ...wrong }), { status: 400, body: { error: 'invalid_client_metadata' } }, name)

    const encryption = { ...OTHER.jwk, use: 'enc', kid: 'encryption' }
    const jwks = { keys: [rsa.jwk, encryption] }
    const { body, status } = await register(host, { ...metadata, jwks, token_endpoint_auth_signing_alg: 'PS256' })
    t.equal(status, 201)
    t.match(body, { ...metadata, jwks: { keys: [rsa.jwk] }, token_endpoint_auth_signing_alg: 'PS256', client_secret: undefined })
    const app = { clientId: String(body.client_id), clientSecret: null }
    const code = await host.approve(app)
    const redeem = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, code_verifier: VERIFIER }
    t.equal(
      (await postSigned(host, '/oauth/token', assertionOf(host, app, rsa), redeem)).status,
      401,
      'its key, by another algorithm',
    )
    const pss = { ...rsa, alg: 'PS256' }
    t.equal((await postSigned(host, '/oauth/token', assertionOf(host, app, pss), redeem)).status, 200)
  },
  { clients: { registration: 'open' } },
)

// Keys at a URL.

const documents = await startDocuments()
let sets = 0

/** Publishes keys at a URL of its own. */
function publishKeys(...keys: readonly ClientKey[]): { readonly url: string; readonly path: string } {
  const path = `/keys-${++sets}`
  return { path, url: documents.publish(path, { keys: keys.map(({ jwk }) => jwk) }) }
}

const atUrl = (jwksUri: string) => ({ tokenEndpointAuthMethod: 'private_key_jwt', jwksUri })

everyFramework(
  'keys at a URL are read once, and again for a key that is new, at most once a minute',
  async (t, host) => {
    const { path, url } = publishKeys(KEY)
    const app = await host.confidentialApp(atUrl(url))
    const act = async (key: ClientKey) => (await actSigned(host, assertionOf(host, app, key))).status
    t.strictSame(await Promise.all([act(KEY), act(KEY), act(KEY)]), [200, 200, 200])
    t.equal(documents.hits(path), 1)

    documents.publish(path, { keys: [KEY.jwk, OTHER_KID.jwk] })
    t.equal(await act(OTHER_KID), 200, 'a new key is found')
    t.equal(documents.hits(path), 2)

    const flood = Array.from({ length: 30 }, (_, index) => act({ ...OTHER, jwk: { ...OTHER.jwk, kid: `unknown-${index}` } }))
    t.strictSame(new Set(await Promise.all(flood)), new Set([401]))
    t.equal(documents.hits(path), 2, 'a flood of unknown keys makes no flood of requests')
    host.clock.advance(61)
    t.equal(await act({ ...OTHER, jwk: { ...OTHER.jwk, kid: 'unknown' } }), 401)
    t.equal(documents.hits(path), 3)

    documents.publish(path, { keys: [OTHER_KID.jwk] })
    host.clock.advance(301)
    t.equal(await act(KEY), 401, 'a key that is published no more is good for five minutes')
    t.equal(await act(OTHER_KID), 200)
  },
  READS_HERE,
)

everyFramework(
  'while the keys cannot be read, the last good ones serve for an hour; without any the answer is 503',
  async (t, host) => {
    const failing: Readonly<Record<string, (response: ServerResponse) => void>> = {
      'not there': response => response.writeHead(404).end(),
      'a redirect': response => response.writeHead(302, { location: documents.origin }).end(),
      'not JSON': response => response.writeHead(200).end('<html>'),
      'not a key set': response => response.writeHead(200).end('[]'),
      'no usable key': response => response.writeHead(200).end(JSON.stringify({ keys: [{ kty: 'oct', k: 'c2VjcmV0' }] })),
      huge: response => response.writeHead(200).end(JSON.stringify({ keys: [KEY.jwk], more: 'x'.repeat(64 * 1024) })),
      'cut off': response => response.writeHead(200, { 'content-length': '10000' }).destroy(),
    }
    for (const [name, fail] of Object.entries(failing)) {
      const { path, url } = publishKeys(KEY)
      const app = await host.confidentialApp(atUrl(url))
      const act = async () => actSigned(host, assertionOf(host, app, KEY))
      documents.answer(path, (_request, response) => fail(response))
      const { body, headers, status } = await act()
      t.strictSame([status, body.error], [503, 'temporarily_unavailable'], name)
      t.match(headers.get('retry-after'), /^\d+$/, name)

      documents.publish(path, { keys: [KEY.jwk] })
      t.equal((await act()).status, 200, `${name}, and then good`)
      documents.answer(path, (_request, response) => fail(response))
      host.clock.advance(3500)
      t.equal((await act()).status, 200, `${name}, after good ones`)
      host.clock.advance(200)
      t.equal((await act()).status, 503, `${name}, for more than an hour`)
    }
    t.ok(host.logged.some(line => /the key set of an app at localhost:\d+ could not be read/.test(String(line))))
  },
  READS_HERE,
)

everyFramework('keys at an address that is not public are never asked for', async (t, host) => {
  const { path, url } = publishKeys(KEY)
  const app = await host.confidentialApp(withKeys(KEY))
  const stored = await host.store.apps.get(app.clientId)
  if (!stored) throw new Error('the app is not stored')
  // As an app that was stored before its name came to lead here.
  await host.store.apps.save({ ...stored, keys: { jwksUri: url }, version: stored.version + 1 })
  t.equal((await actSigned(host, assertionOf(host, app, KEY))).status, 503)
  t.equal(documents.hits(path), 0)
})
