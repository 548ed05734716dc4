/** The keys that sign: made once, sealed, rotated without a failed verification; or supplied, and refused when weak. */
import { generateKeyPairSync } from 'node:crypto'
import { createAuthmount, type OptionsError, type Store } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import { createVerifier } from 'authmount/verify'
import { decodeProtectedHeader, type JWK } from 'jose'
import t from 'tap'
import { overMemory, settings } from '../support/everywhere.ts'
import { frameworks, type HostOptions, SCOPES, startHost, type TestHost } from '../support/host.ts'
import { SEALING_KEY, SIGN_IN, signInApp, verify } from '../support/sign-in.ts'
import { newNamespace, sharedStores } from '../support/stores.ts'

const jwks = async (host: TestHost) => (await host.send('/.well-known/jwks.json')).body.keys as readonly JWK[]
const idToken = async (host: TestHost, app: Awaited<ReturnType<typeof signInApp>>) =>
  String((await host.redeem(app, await host.approve(app, { scope: 'openid' }))).body.id_token)
const [express] = Object.values(frameworks)
if (!express) throw new Error('no framework')

for (const { name, mount, connect } of settings) {
  t.test(`${name}: a new key is published long before it signs, and an old one until its last token has expired`, async t => {
    const host = await startHost(mount, { connect, ...SIGN_IN, keyRotation: { publishSeconds: 1000 } })
    t.teardown(host.close)
    host.clock.stop()
    const app = await signInApp(host)
    const kids = async () => (await jwks(host)).map(({ kid }) => kid)
    const first = await idToken(host, app)
    const [oldKid] = await kids()
    t.equal(decodeProtectedHeader(first).kid, oldKid)

    await host.authmount.rotateKeys()
    const [, newKid] = await kids()
    t.equal((await kids()).length, 2)
    t.equal(decodeProtectedHeader(await idToken(host, app)).kid, oldKid, 'published, and not signing yet')
    host.clock.advance(999)
    const last = await idToken(host, app)
    t.equal(decodeProtectedHeader(last).kid, oldKid)
    host.clock.advance(2)
    const next = await idToken(host, app)
    t.equal(decodeProtectedHeader(next).kid, newKid)
    for (const token of [first, last, next]) t.equal((await verify(host, token)).sub, 'anna')

    host.clock.advance(86_400)
    t.strictSame(await kids(), [oldKid, newKid], 'as long as a token of it could live')
    host.clock.advance(300)
    t.strictSame(await kids(), [newKid])
  })
}

for (const [store, connect] of Object.entries(sharedStores)) {
  t.test(`${store}: eight instances that boot at once end with one ring, and see each other’s rotations`, async t => {
    const namespace = newNamespace()
    const start = () => startHost(express, { connect: (_own, now) => connect(namespace, now), ...SIGN_IN })
    const hosts = await Promise.all(Array.from({ length: 8 }, start))
    t.teardown(() => Promise.all(hosts.map(host => host.close())))
    const sets = await Promise.all(hosts.map(jwks))
    t.equal(sets[0]?.length, 1)
    for (const set of sets) t.strictSame(set, sets[0])

    await hosts[0]?.authmount.rotateKeys()
    for (const host of hosts) host.clock.advance(301)
    const after = await Promise.all(hosts.map(jwks))
    t.equal(after[0]?.length, 2)
    for (const set of after) t.strictSame(set, after[0])
  })
}

overMemory('a key is replaced by itself when it is old, or when another algorithm is chosen', async t => {
  const store = memoryStore()
  const host = await startHost(express, { ...SIGN_IN, store, keyRotation: { everyDays: 10 } })
  t.teardown(host.close)
  t.equal((await jwks(host)).length, 1)
  host.clock.advance(10 * 86_400 + 1)
  t.equal((await jwks(host)).length, 2)
  host.clock.advance(3600)
  t.equal((await jwks(host)).length, 2, 'once')

  const other = await startHost(express, { ...SIGN_IN, store: memoryStore(), signingAlg: 'EdDSA' })
  t.teardown(other.close)
  const app = await signInApp(other)
  const token = await idToken(other, app)
  t.equal(decodeProtectedHeader(token).alg, 'EdDSA')
  t.equal((await verify(other, token)).sub, 'anna')
})

overMemory('discovery lists the algorithm that signs, and not that of a key which is published for older tokens', async t => {
  const listed = async (host: TestHost) =>
    (await host.send('/.well-known/openid-configuration')).body.id_token_signing_alg_values_supported
  const [ec, ed] = (['ec', 'ed25519'] as const).map((type, index) => ({
    ...(generateKeyPairSync(type as 'ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }) as JWK),
    kid: String(index),
  }))
  const supplied = await startHost(express, { ...SIGN_IN, sealingKeys: undefined, signingKeys: [ec, ed] } as HostOptions)
  t.teardown(supplied.close)
  t.strictSame(await listed(supplied), ['ES256', 'EdDSA'], 'the host gave keys for both')

  const store = memoryStore()
  const before = await startHost(express, { ...SIGN_IN, store })
  t.teardown(before.close)
  t.strictSame(await listed(before), ['ES256', 'RS256'], 'RS256 for clients that ask for it')
  const after = await startHost(express, { ...SIGN_IN, store, signingAlg: 'EdDSA' })
  t.teardown(after.close)
  t.strictSame(await listed(after), ['ES256', 'EdDSA', 'RS256'], 'the new key is published, and will sign soon')
  after.clock.advance(1201)
  t.strictSame(await listed(after), ['EdDSA', 'RS256'])
})

overMemory('an app gets its ID tokens by the algorithm it asks for, whatever the server’s own is', async t => {
  const host = await startHost(express, { ...SIGN_IN, accessTokenFormat: 'jwt' })
  t.teardown(host.close)
  const algs = async () => (await jwks(host)).map(({ alg }) => alg)
  t.strictSame(await algs(), ['ES256'], 'no key is made that nobody has asked for')
  const plain = await signInApp(host)
  const app = await signInApp(host, { idTokenSignedResponseAlg: 'RS256' })
  t.strictSame(await algs(), ['ES256', 'RS256'], 'published with the app, before the first token')
  const algOf = (token: unknown) => decodeProtectedHeader(String(token)).alg
  for (const [which, alg] of [
    [plain, 'ES256'],
    [app, 'RS256'],
  ] as const) {
    const { body } = await host.redeem(which, await host.approve(which, { scope: 'openid read:records' }))
    t.equal(algOf(body.id_token), alg)
    t.equal((await verify(host, body.id_token)).sub, 'anna')
    t.equal(algOf(body.access_token), 'ES256', 'access tokens are for resource servers, which know the server’s own')
    const refreshed = await host.refresh(which, body.refresh_token)
    t.equal(algOf(refreshed.body.id_token), alg, 'and so after a refresh')
    const hint = await host.authorize(which, { scope: 'openid', prompt: 'none', id_token_hint: String(body.id_token) })
    t.ok(hint.params.code, 'its ID token is a hint')
  }
  await host.authmount.rotateKeys()
  t.strictSame(await algs(), ['ES256', 'RS256', 'ES256', 'RS256'], 'each has a successor')
  const [, oldKid] = (await jwks(host)).map(({ kid }) => kid)
  t.equal(decodeProtectedHeader(await idToken(host, app)).kid, oldKid)
  host.clock.advance(1201)
  t.equal(decodeProtectedHeader(await idToken(host, app)).kid, (await jwks(host))[3]?.kid)

  await t.rejects(signInApp(host, { idTokenSignedResponseAlg: 'PS256' }), /must be one of ES256, RS256/)
  const choose = (idTokenSignedResponseAlg: string | null) =>
    host.browse(`/oauth-clients/${plain.clientId}`, 'anna', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ idTokenSignedResponseAlg }),
    })
  t.equal((await choose('RS256')).status, 200)
  t.equal(algOf(await idToken(host, plain)), 'RS256')
  const back = await choose(null)
  t.equal('idTokenSignedResponseAlg' in back.body, false)
  t.equal(algOf(await idToken(host, plain)), 'ES256')
})

overMemory('PS256 signs, and what it signed is verified', async t => {
  const jwk = {
    ...(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }) as JWK),
    alg: 'PS256',
  }
  const supplied = { sealingKeys: undefined, signingKeys: [jwk], accessTokenFormat: 'jwt' }
  const host = await startHost(express, { ...SIGN_IN, ...supplied } as HostOptions)
  t.teardown(host.close)
  const app = await signInApp(host)
  const { body } = await host.redeem(app, await host.approve(app, { scope: 'openid read:records' }))
  for (const token of [body.id_token, body.access_token]) {
    t.equal(decodeProtectedHeader(String(token)).alg, 'PS256')
    t.equal((await verify(host, token)).sub, 'anna')
  }
  t.equal((await jwks(host))[0]?.alg, 'PS256')
  const hint = await host.authorize(app, { scope: 'openid', prompt: 'none', id_token_hint: String(body.id_token) })
  t.ok(hint.params.code)
  const verifier = createVerifier({
    issuer: 'https://issuer.example',
    audience: 'https://issuer.example',
    now: host.clock.now,
    fetch: (input, init) => fetch(`${host.url}${new URL(String(input)).pathname}`, init),
  })
  t.match(await verifier.verify(String(body.access_token)), { userId: 'anna' })

  const managed = await startHost(express, { ...SIGN_IN, signingAlg: 'PS256' })
  t.teardown(managed.close)
  const token = await idToken(managed, await signInApp(managed))
  t.equal(decodeProtectedHeader(token).alg, 'PS256')
  t.equal((await verify(managed, token)).sub, 'anna')
})

overMemory('two instances that disagree about the algorithm each sign with theirs, and do not outdo each other', async t => {
  const store = memoryStore()
  const hosts = await Promise.all(
    (['ES256', 'EdDSA'] as const).map(signingAlg => startHost(express, { ...SIGN_IN, store, signingAlg })),
  )
  t.teardown(() => Promise.all(hosts.map(host => host.close())))
  for (let hour = 0; hour < 48; hour++) {
    for (const host of hosts) {
      await jwks(host)
      host.clock.advance(3600)
    }
  }
  t.equal((await store.keys.get())?.version, 2)
  for (const [index, host] of hosts.entries()) {
    const token = await idToken(host, await signInApp(host))
    t.equal(decodeProtectedHeader(token).alg, ['ES256', 'EdDSA'][index])
    for (const other of hosts) t.equal((await verify(other, token)).sub, 'anna')
  }
})

overMemory('no private key leaves: not in a response, a log, an event or the store', async t => {
  const store = memoryStore()
  const host = await startHost(express, { ...SIGN_IN, store, signingAlg: 'RS256' })
  t.teardown(host.close)
  const app = await signInApp(host)
  const token = await idToken(host, app)
  t.equal(decodeProtectedHeader(token).alg, 'RS256', 'the default, when nothing else is said')
  const [key] = await jwks(host)
  t.strictSame(Object.keys(key ?? {}).toSorted(), ['alg', 'e', 'kid', 'kty', 'n', 'use'])
  const ring = JSON.stringify(await store.keys.get())
  t.match(ring, /"sealed":"eyJ/)
  t.notMatch(ring, key?.n ?? 'n')
  for (const text of [JSON.stringify(host.logged), JSON.stringify(host.events)]) t.notMatch(text, /"d":|PRIVATE/)
})

overMemory('sealing keys are changed by putting a new one first', async t => {
  const store = memoryStore()
  const other = Buffer.from(SEALING_KEY).reverse()
  const open = async (sealingKeys: readonly Uint8Array[]) => {
    const host = await startHost(express, { ...SIGN_IN, store, sealingKeys })
    t.teardown(host.close)
    return host
  }
  const before = await jwks(await open([SEALING_KEY]))
  const both = await open([other, SEALING_KEY])
  t.strictSame(await jwks(both), before)
  await both.authmount.rotateKeys()
  t.equal((await jwks(await open([other]))).length, 2)
  const lost = await open([Buffer.from(SEALING_KEY).fill(7, 0, 9)])
  const answer = await lost.send('/.well-known/jwks.json')
  t.equal(answer.status, 500)
  t.match(JSON.stringify(lost.logged.map(entry => String((entry as unknown[])[1]))), /not among sealingKeys/)
  t.equal((await store.keys.get())?.version, 2, 'what cannot be opened is not replaced')
})

overMemory('a ring that cannot be read again is good for half of publishSeconds', async t => {
  const failing = { now: false }
  const wrap = (store: Store): Store => ({
    ...store,
    keys: {
      get: () => (failing.now ? Promise.reject(new Error('down')) : store.keys.get()),
      save: ring => store.keys.save(ring),
    },
  })
  const host = await startHost(express, { ...SIGN_IN, wrap, keyRotation: { publishSeconds: 1200 } })
  t.teardown(host.close)
  await jwks(host)
  host.clock.stop()
  failing.now = true
  host.clock.advance(598)
  t.equal((await host.send('/.well-known/jwks.json')).status, 200)
  host.clock.advance(2)
  t.equal((await host.send('/.well-known/jwks.json')).status, 503)
  failing.now = false
  t.equal((await host.send('/.well-known/jwks.json')).status, 200)
})

overMemory('a key that cannot do its work is refused at the start, and says why', async t => {
  const jwkOf = (key: { readonly privateKey: { export(options: { format: 'jwk' }): unknown } }) =>
    key.privateKey.export({ format: 'jwk' }) as JWK
  const good = jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
  const problemsOf = (options: object): readonly string[] => {
    try {
      createAuthmount({ issuer: 'https://a.example', store: memoryStore(), authenticate: () => null, scopes: SCOPES, ...options })
      return []
    } catch (error) {
      return (error as OptionsError).problems
    }
  }
  t.strictSame(problemsOf({ signingKeys: [good] }), [])
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ signingKeys: [jwkOf(generateKeyPairSync('rsa', { modulusLength: 1024 }))] }, /signingKeys\[0\].*1024 bits are too few/],
    [{ signingKeys: [good, jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }))] }, /signingKeys\[1\].*curve.*P-256/],
    [{ signingKeys: [{ ...good, d: undefined }] }, /a public key, without the private part \(d\)/],
    [{ signingKeys: [{ kty: 'oct', k: String(good.d) }] }, /a shared secret.*P-256/],
    [{ signingKeys: [good, { ...good, kid: 'b', alg: 'ECDH-ES+A256KW' }] }, /signingKeys\[1\].*an encryption key.*wanted/],
    [{ signingKeys: [{ ...good, key_ops: ['deriveKey'] }] }, /an encryption key/],
    [{ signingKeys: [jwkOf(generateKeyPairSync('x25519'))] }, /type x25519 cannot be used.*Ed25519/],
    [{ signingKeys: [{ ...good, x: 'AAAA' }] }, /not a key that Node can read/],
    [{ signingKeys: [{ ...good, alg: 'RS256' }] }, /says alg RS256, and is a key for ES256/],
    [{ signingKeys: [{ ...good, use: 'enc' }] }, /an encryption key/],
    [{ signingKeys: [good, good] }, /a kid of their own/],
    [{ signingKeys: [] }, /at least one key/],
    [{ signingKeys: 'secret' }, /an array of private JWKs/],
    [{ sealingKeys: [] }, /sealingKeys must be an array/],
    [{ sealingKeys: [Buffer.alloc(16, 'abcdefgh')] }, /32 bytes/],
    [{ sealingKeys: ['x'.repeat(32)] }, /32 bytes/],
    [{ sealingKeys: [Buffer.alloc(32)] }, /random/],
    [{ sealingKeys: [SEALING_KEY], signingAlg: 'HS256' }, /signingAlg must be one of RS256/],
    [{ sealingKeys: [SEALING_KEY], keyRotation: { everyDay: 1 } }, /keyRotation.everyDay is not an option/],
    [{ scopes: { openid: { description: 'Sign in' } } }, /openid.*needs sealingKeys/],
  ]
  for (const [options, expected] of cases) {
    const problems = problemsOf(options)
    t.match(problems.join('\n'), expected)
    t.notMatch(problems.join('\n'), String(good.d))
  }
  const supplied = await startHost(express, { ...SIGN_IN, sealingKeys: undefined, signingKeys: [good] } as HostOptions)
  t.teardown(supplied.close)
  t.equal((await verify(supplied, await idToken(supplied, await signInApp(supplied)))).sub, 'anna')
  await t.rejects(supplied.authmount.rotateKeys(), /yours/)
})

t.test('making the first key is not counted as waiting for the store', async t => {
  const host = await startHost(express, { ...SIGN_IN, signingAlg: 'RS256', storeTimeoutMs: 20 } as HostOptions)
  t.teardown(host.close)
  t.equal((await host.send('/.well-known/jwks.json')).status, 200)
  t.strictSame(host.logged, [])
})

t.test('the first key is made at the start, before a request needs it', async t => {
  const host = await startHost(express, SIGN_IN)
  t.teardown(host.close)
  while (!(await host.store.keys.get())) await new Promise(resolve => setTimeout(resolve, 5))
  t.pass('nobody has asked for it')
})

for (const { name, mount, connect } of settings) {
  t.test(
    `${name}: plain OAuth goes on while the signing keys cannot be read; what needs a signature is 503 and spends nothing`,
    async t => {
      const failing = { now: false }
      const wrap = (store: Store): Store => ({
        ...store,
        keys: {
          get: () => (failing.now ? Promise.reject(new Error('down')) : store.keys.get()),
          save: ring => store.keys.save(ring),
        },
      })
      const host = await startHost(mount, { connect, wrap, ...SIGN_IN })
      t.teardown(host.close)
      const app = await signInApp(host)
      const plain = await host.tokens(app, { scope: 'read:records' })
      const signedIn = await host.tokens(app, { scope: 'openid', state: 'state-2' })
      const code = await host.approve(app, { scope: 'openid', state: 'state-3' })
      failing.now = true
      host.clock.advance(3000)
      const later = await host.approve(app, { scope: 'read:records', state: 'state-4' })
      t.equal((await host.refresh(app, plain.refresh)).status, 200)
      t.equal((await host.redeem(app, later)).status, 200)
      t.equal((await host.clientCredentials(app)).status, 200)
      t.equal((await host.refresh(app, signedIn.refresh)).status, 503)
      t.equal((await host.redeem(app, code)).body.error, 'invalid_grant', 'it has expired meanwhile')
      failing.now = false
      t.equal((await host.refresh(app, signedIn.refresh)).status, 200, 'the token was not spent')
    },
  )
}
