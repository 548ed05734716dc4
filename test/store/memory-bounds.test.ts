import { setImmediate, setTimeout } from 'node:timers/promises'
import type { Grant, Token } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import t from 'tap'
import { ExpiringMap, Sweeper } from '../../adapters/memory/sweeper.ts'
import { newApp, newConsent } from '../../src/testing/records.ts'
import { Clock } from '../support/clock.ts'
import { stopwatch } from '../support/fastest.ts'

const APP = 'a'.repeat(24)

function grantOf(index: number, clock: Clock): readonly [Grant, Token] {
  const id = `${APP}${String(index).padStart(22, '0')}`
  const now = clock.now()
  return [
    { id, appId: APP, orgId: 'o', userId: null, scopes: ['a'], createdAt: now, epoch: 1, context: {} },
    { id: `token-${index}`, kind: 'access', scopes: ['a'], issuedAt: now, expiresAt: now + 60_000 },
  ]
}

t.test('a store that is full refuses to write, and goes on reading', async t => {
  const clock = new Clock()
  const { grants, oneTime } = memoryStore({ maxRecords: 10, now: clock.now })
  for (let index = 0; index < 10; index++) {
    const [grant, token] = grantOf(index, clock)
    await grants.create(grant, [token])
  }
  const [grant, token] = grantOf(10, clock)
  await t.rejects(grants.create(grant, [token]), /the memory store is full/)
  await t.rejects(
    oneTime.put({ kind: 'consent_lookup', id: 'x', expiresAt: clock.now() + 1000, data: { consentId: 'y' } }),
    /the memory store is full/,
  )
  t.ok(await grants.find({ grantId: grantOf(3, clock)[0].id, tokenId: 'token-3' }))
  await grants.revoke(grantOf(3, clock)[0].id)
  t.equal(await grants.create(grant, [token]), true, 'what is revoked makes room')
  clock.advance(61)
  // A full store does not look again at once, lest refusing be what keeps it busy.
  await setTimeout(150)
  for (let index = 20; index < 30; index++) t.equal(await grants.create(...pair(index, clock)), true, 'so does what has expired')
})

t.test('apps and consents are counted too; a change to one that is there is never refused', async t => {
  const clock = new Clock()
  const { apps, consents, grants, oneTime } = memoryStore({ maxRecords: 4, now: clock.now })
  const app = newApp({ expiresAt: clock.now() + 60_000 })
  const consent = newConsent()
  const value = { kind: 'consent_lookup', id: 'x', expiresAt: clock.now() + 60_000, data: { consentId: 'y' } } as const
  await apps.save(app)
  await consents.save(consent)
  await oneTime.claim(value, 'attempt')
  await grants.create(...pair(1, clock))
  await t.rejects(apps.save(newApp()), /the memory store is full/)
  await t.rejects(consents.save(newConsent()), /the memory store is full/)
  await t.rejects(oneTime.claim({ ...value, id: 'z' }, 'attempt'), /the memory store is full/)
  t.equal(await apps.save({ ...app, status: 'suspended', version: 2 }), true, 'an app can be suspended')
  t.equal(
    await consents.save({ ...consent, scopes: [], expiresAt: clock.now() + 60_000, version: 2 }),
    true,
    'a consent withdrawn',
  )
  await oneTime.put({ ...value, data: { consentId: 'z' } })
  await grants.revoke(pair(1, clock)[0].id)
  t.equal(await oneTime.claim({ ...value, id: 'z' }, 'attempt'), true)
  clock.advance(61)
  await setTimeout(150)
  for (let index = 0; index < 4; index++) t.equal(await apps.save(newApp()), true, 'what has expired makes room')
  await t.rejects(apps.save(newApp()), /the memory store is full/)
})

t.test('a list of an organisation with many apps reads about a page, and deleted ones do not slow it', async t => {
  const { apps } = memoryStore()
  const orgId = 'big'
  for (let index = 0; index < 20_000; index++) {
    const id = index.toString(16).padStart(24, '0')
    await apps.save(newApp({ id, orgId, createdAt: index, status: index % 2 ? 'active' : 'deleted' }))
  }
  const query = { orgId, offset: 0, limit: 20 }
  const lap = stopwatch()
  for (let round = 0; round < 1000; round++) await apps.list(query)
  const each = lap()
  const { items, total } = await apps.list(query)
  t.strictSame([items.length, items[0]?.createdAt, total], [20, 19_999, 10_000])
  t.ok(each < 1000, `a list took ${(each / 1000).toFixed(3)} ms`)
})

function pair(index: number, clock: Clock): [Grant, readonly Token[]] {
  const [grant, token] = grantOf(index, clock)
  return [grant, [token]]
}

t.test('a grant that goes on being refreshed does not grow without end, nor become slow', async t => {
  const clock = new Clock()
  const { grants } = memoryStore({ now: clock.now, maxRecords: 1000 })
  const [grant, first] = grantOf(1, clock)
  const token = (index: number): Token => ({ ...first, id: `refresh ${index}`, kind: 'refresh', expiresAt: clock.now() + 60_000 })
  await grants.create(grant, [token(0)])
  for (let index = 0; index < 20_000; index++) {
    clock.advance(1)
    t.equal(await grants.rotate({ grant, token: token(index) }, [token(index + 1)], 'x'.repeat(400)), 'rotated')
  }
  t.ok((await grants.find({ grantId: grant.id, tokenId: 'refresh 19990' }))?.spent, 'what was spent of late is remembered')
  t.equal(await grants.find({ grantId: grant.id, tokenId: 'refresh 5' }), undefined)
})

t.test('an expired record is absent at its very instant', async t => {
  let at = 1000
  const { oneTime } = memoryStore({ now: () => at })
  await oneTime.put({ kind: 'consent_lookup', id: 'x', expiresAt: 2000, data: { consentId: 'y' } })
  at = 1999
  t.ok(await oneTime.peek('consent_lookup', 'x'))
  at = 2000
  t.equal(await oneTime.peek('consent_lookup', 'x'), undefined)
})

t.test('what has expired is swept by itself, in slices that nobody feels', async t => {
  const clock = new Clock()
  const count = 300_000
  const records = new ExpiringMap(new Sweeper(count, clock.now, 100))
  for (let index = 0; index < count; index++) records.set(`record ${index}`, { expiresAt: clock.now() + 60_000 })
  clock.advance(61)
  const turns: number[] = []
  const lap = stopwatch()
  while (records.get(`record ${count - 1}`)) {
    await setImmediate()
    turns.push(lap())
  }
  // A slice takes 4 ms; the rest is room for the garbage collector.
  const long = turns.filter(ms => ms > 20)
  t.ok(long.length < 10, `of ${turns.length} turns of the event loop ${long.length} took over 20 ms`)
  t.ok(turns.filter(ms => ms > 2).length >= 5, 'and the sweep is spread over several')
})

t.test('the sweeper does not keep a process alive', async t => {
  const { execFile } = await import('node:child_process')
  const { promisify } = await import('node:util')
  const code = `
    import { memoryStore } from 'authmount/stores/memory'
    const { consents, oneTime } = memoryStore()
    await oneTime.put({ kind: 'consent_lookup', id: 'x', expiresAt: Date.now() + 1e6, data: { consentId: 'y' } })
    console.log('stored')`
  const began = Date.now()
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', code], {
    timeout: 20_000,
  })
  t.match(stdout, 'stored')
  t.ok(Date.now() - began < 20_000)
})
