/** authmount/verify and the published keys: no good token is refused, whatever happens to them, and no token makes them be read without end. */
import { memoryStore } from 'authmount/stores/memory'
import { createVerifier } from 'authmount/verify'
import { decodeProtectedHeader } from 'jose'
import t from 'tap'
import { closeGate, outcome, start, stoppedClock, tokensOf, withKid } from './support/verifier.ts'

const JWKS = '/.well-known/jwks.json'
/** As many readings as tokens can cause at once. */
const BURST = 10
const all = (value: unknown, count = 10) => Array.from({ length: count }, () => value)

t.test('a service that was idle while a key was rotated accepts the first tokens of the new one', async t => {
  const { host, verifier, asked } = await start('jwt')
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const [old = ''] = await tokensOf(host, app, 1)
  t.equal(await outcome(verifier, old), 'anna')
  await host.authmount.rotateKeys()
  host.clock.advance(25 * 60)
  const tokens = await tokensOf(host, app, 10)
  t.not(decodeProtectedHeader(tokens[0] ?? '').kid, decodeProtectedHeader(old).kid)
  asked.length = 0
  t.strictSame(await Promise.all(tokens.map(token => outcome(verifier, token))), all('anna'))
  t.strictSame(asked, [JWKS], 'ten at once share one reading')
  t.equal(await outcome(verifier, old), 'anna', 'and the old key is still published')
  t.strictSame(asked, [JWKS])
})

t.test('of ten good tokens at once, none is refused after the ring was replaced', async t => {
  const { host, verifier, asked, replace } = await start('jwt')
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const [old = ''] = await tokensOf(host, app, 1)
  t.equal(await outcome(verifier, old), 'anna')
  host.clock.advance(60)
  const next = await replace({ store: { ...host.store, keys: memoryStore().keys } })
  const tokens = await tokensOf(next, app, 10)
  asked.length = 0
  t.strictSame(await Promise.all(tokens.map(token => outcome(verifier, token))), all('anna'))
  t.strictSame(asked, [JWKS], 'ten at once share one reading')
  t.equal(await outcome(verifier, old), 'invalid_token', 'a token that was checked before is not believed longer than its key')
})

t.test('a reading that began before the key was there decides nothing', async t => {
  const { host, verifier, asked, network, replace } = await start('jwt')
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const [old = ''] = await tokensOf(host, app, 1)
  t.equal(await outcome(verifier, old), 'anna')
  const { body } = await host.send(JWKS)
  let answer = () => {}
  const slow = new Promise<void>(resolve => {
    answer = resolve
  })
  let first = true
  const late = createVerifier({
    issuer: 'https://issuer.example',
    audience: 'https://api.example',
    now: host.clock.now,
    log: { error: () => {}, warn: () => {} },
    fetch: async (url, init) => {
      const { pathname } = new URL(String(url))
      asked.push(pathname)
      if (pathname === JWKS && first) {
        first = false
        await slow
        return Response.json(body)
      }
      return fetch(new URL(pathname, network.host.url), init)
    },
  })
  asked.length = 0
  const before = outcome(late, old)
  while (!asked.includes(JWKS)) await new Promise(resolve => setImmediate(resolve))
  const next = await replace({ store: { ...host.store, keys: memoryStore().keys } })
  const tokens = await tokensOf(next, app, 10)
  const outcomes = tokens.map(token => outcome(late, token))
  answer()
  t.strictSame(await Promise.all(outcomes), all('anna'))
  t.equal(await before, 'anna')
  t.equal(asked.filter(path => path === JWKS).length, 2)
})

t.test('a key that is not known is a 503 while the keys cannot be read, and never a 401', async t => {
  const clock = stoppedClock()
  const { host, verifier, errors, network, replace } = await start('jwt', { now: clock.now })
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const [known = '', other = ''] = await tokensOf(host, app, 2)
  t.equal(await outcome(verifier, known), 'anna')
  clock.advance(60)
  const next = await replace({ store: { ...host.store, keys: memoryStore().keys } })
  const tokens = await tokensOf(next, app, 30)
  network.down = true
  for (const token of tokens.slice(0, 20)) {
    const answer = await verifier.guard()({ method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` } })
    t.match(answer, { refusal: { status: 503, headers: { 'retry-after': /^[1-5]$/ } } })
    t.equal(await outcome(verifier, other), 'anna', 'a key at hand is good')
  }
  t.strictSame(await Promise.all(tokens.map(token => outcome(verifier, token))), all('temporarily_unavailable', 30))
  const lines = errors.filter(message => message.startsWith('the published keys could not be read again'))
  t.equal(lines.length, BURST, 'the log has a line for each reading, not for each token')
  network.down = false
  t.match(await outcome(verifier, tokens[0] ?? ''), /anna|temporarily_unavailable/, 'just after it is reachable again')
  clock.advance(5)
  t.strictSame(await Promise.all(tokens.map(token => outcome(verifier, token))), all('anna', 30))
})

t.test('keys older than five minutes are read before they are believed', async t => {
  const { host, verifier, asked, replace } = await start('jwt')
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const [checked = '', fresh = ''] = await tokensOf(host, app, 2)
  t.equal(await outcome(verifier, checked), 'anna')
  await replace({ store: { ...host.store, keys: memoryStore().keys } })
  host.clock.advance(301)
  asked.length = 0
  t.equal(await outcome(verifier, fresh), 'invalid_token', 'a token of a key that was withdrawn')
  t.equal(await outcome(verifier, checked), 'invalid_token', 'also one that was checked before')
  t.ok(asked.length <= 3, asked.join())
})

t.test('a busy service never waits for keys that are only old', async t => {
  const { host, verifier, asked, network } = await start('jwt')
  t.teardown(host.close)
  const [token = ''] = await tokensOf(host, await host.confidentialApp(), 1)
  t.equal(await outcome(verifier, token), 'anna')
  const gate = closeGate(network)
  host.clock.advance(241)
  asked.length = 0
  t.equal(await outcome(verifier, token), 'anna', 'although the reading has not ended')
  t.strictSame(asked, [JWKS])
  gate.open()
  await new Promise(resolve => setTimeout(resolve, 100))
  host.clock.advance(200)
  asked.length = 0
  t.equal(await outcome(verifier, token), 'anna')
  t.strictSame(asked, [], 'it has been read')
})

t.test('while the keys cannot be read, those at hand are good for an hour, and no token waits but the first', async t => {
  const { host, verifier, asked, errors, network } = await start('jwt')
  t.teardown(host.close)
  const app = await host.confidentialApp({ accessTokenLifetime: 86_400 })
  const [first = '', second = '', third = ''] = await tokensOf(host, app, 3)
  t.equal(await outcome(verifier, first), 'anna')
  network.down = true
  host.clock.advance(600)
  t.equal(await outcome(verifier, second), 'anna')
  for (let seconds = 600; seconds < 3540; seconds += 55) {
    host.clock.advance(55)
    const gate = closeGate(network)
    const failures = errors.length
    for (const token of [first, second]) t.equal(await outcome(verifier, token), 'anna', 'before the reading has ended')
    gate.open()
    while (errors.length === failures) await new Promise(resolve => setImmediate(resolve))
  }
  host.clock.advance(120)
  for (const token of [first, third]) t.equal(await outcome(verifier, token), 'temporarily_unavailable')
  network.down = false
  asked.length = 0
  t.equal(await outcome(verifier, third), 'anna')
  t.strictSame(asked, [JWKS])
})

t.test('a service that was idle while the keys could not be read reads them before it believes them', async t => {
  const { host, verifier, network, replace } = await start('jwt')
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const [first = '', second = ''] = await tokensOf(host, app, 2)
  t.equal(await outcome(verifier, first), 'anna')
  network.down = true
  host.clock.advance(301)
  t.equal(await outcome(verifier, first), 'anna')
  network.down = false
  await replace({ store: { ...host.store, keys: memoryStore().keys } })
  host.clock.advance(600)
  for (const token of [first, second]) t.equal(await outcome(verifier, token), 'invalid_token', 'its key was withdrawn')
})

t.test('forged tokens that name unknown keys cause a bounded number of readings, and delay no good one', async t => {
  const clock = stoppedClock()
  const { host, verifier, asked, network } = await start('jwt', { now: clock.now })
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const [good = '', other = ''] = await tokensOf(host, app, 2)
  t.equal(await outcome(verifier, good), 'anna')
  asked.length = 0
  for (let index = 0; index < 30; index++) t.equal(await outcome(verifier, withKid(good, 'one')), 'invalid_token')
  t.strictSame(asked, [JWKS], 'of one key: one reading')
  for (let index = 0; index < 100; index++)
    t.match(await outcome(verifier, withKid(good, `k${index}`)), /invalid_token|temporarily_unavailable/)
  await Promise.all(Array.from({ length: 100 }, (_, index) => outcome(verifier, withKid(good, `c${index}`))))
  t.ok(asked.length <= BURST, `${asked.length}`)

  const gate = closeGate(network)
  clock.advance(60)
  asked.length = 0
  const forged = outcome(verifier, withKid(good, 'slow'))
  while (asked.length === 0) await new Promise(resolve => setImmediate(resolve))
  t.equal(await outcome(verifier, other), 'anna', 'while the reading that the forged one caused is under way')
  gate.open()
  t.equal(await forged, 'invalid_token')
})

t.test('without any keys, forged tokens make a server that is away be asked a bounded number of times', async t => {
  const clock = stoppedClock()
  const { host, verifier, asked, network } = await start('jwt', { now: clock.now })
  t.teardown(host.close)
  const [good = ''] = await tokensOf(host, await host.confidentialApp(), 1)
  network.down = true
  for (let index = 0; index < 100; index++)
    t.equal(await outcome(verifier, withKid(good, `k${index}`)), 'temporarily_unavailable')
  t.ok(asked.length <= BURST, `${asked.length}`)
  network.down = false
  clock.advance(5)
  t.equal(await outcome(verifier, good), 'anna')
})

t.test('a clock that jumps, either way, makes no good token a 401', async t => {
  const { host, verifier } = await start('jwt')
  t.teardown(host.close)
  const app = await host.confidentialApp({ accessTokenLifetime: 86_400 })
  const tokens = await tokensOf(host, app, 4)
  for (const [index, seconds] of [0, 80_000, -79_000, -500].entries()) {
    host.clock.advance(seconds)
    t.equal(await outcome(verifier, tokens[index] ?? ''), 'anna', `${seconds}`)
    t.equal(await outcome(verifier, tokens[0] ?? ''), 'anna')
  }
})

t.test('an answer that is no key set is a failure of the server, not of the token', async t => {
  const { host } = await start('jwt')
  t.teardown(host.close)
  const [good = ''] = await tokensOf(host, await host.confidentialApp(), 1)
  for (const wrong of [{}, { keys: 'none' }, { keys: [7] }, [], { error: 'not found' }]) {
    const verifier = createVerifier({
      issuer: 'https://issuer.example',
      audience: 'https://api.example',
      now: host.clock.now,
      log: { error: () => {}, warn: () => {} },
      fetch: async (url, init) => {
        const { pathname } = new URL(String(url))
        return pathname === JWKS ? Response.json(wrong) : fetch(new URL(pathname, host.url), init)
      },
    })
    t.equal(await outcome(verifier, good), 'temporarily_unavailable', JSON.stringify(wrong))
  }
})
