/** A Redis that fails, as an application sees it: 503 while it lasts, and nothing lost or used twice afterwards. */

import { inspect } from 'node:util'
import { redisStore } from 'authmount/stores/redis'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { RedisProcess } from '../servers/redis.ts'
import { installed } from '../servers/server.ts'
import type { Answer } from '../support/client.ts'
import { frameworks, startHost, type TestHost } from '../support/host.ts'
import { SpoilingProxy } from '../support/proxy.ts'
import { newApp, newConsent, newGrant, newToken } from '../support/records.ts'

if (!(await installed('redis-server', '--version'))) t.bailout('redis-server is not installed')

/** The settings that the documentation recommends. */
const CLIENT = {
  maxRetriesPerRequest: 1,
  retryStrategy: (times: number) => Math.min(times * 50, 500),
  reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? 2 : false),
} as const
const [[, mount] = []] = Object.entries(frameworks)
if (!mount) throw new Error('no framework')

interface Bad {
  readonly server: RedisProcess
  readonly host: TestHost
}

async function hostOver(t: Test, settings: readonly string[], port?: (server: RedisProcess) => Promise<number>): Promise<Bad> {
  const server = await RedisProcess.start(...settings)
  const redis = new Redis(port ? await port(server) : server.port, CLIENT)
  redis.on('error', () => {})
  const host = await startHost(mount as NonNullable<typeof mount>, { store: redisStore(redis, { warn: () => {} }) })
  t.teardown(async () => {
    await host.close()
    redis.disconnect()
    await server.remove()
  })
  return { server, host }
}

function assertUnavailable(t: Test, answer: Answer, what: string): void {
  t.equal(answer.status, 503, what)
  t.match(answer.headers.get('retry-after'), /^[1-9]\d*$/, what)
  t.match(answer.text, /temporarily_unavailable/, what)
}

/** Waits until the host answers 200 again. Resolves to how long that took, in milliseconds. */
async function recovered(run: () => Promise<Answer>, limitMs: number): Promise<number> {
  const began = performance.now()
  while ((await run()).status !== 200) {
    if (performance.now() - began > limitMs) throw new Error(`not recovered within ${limitMs} ms`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return performance.now() - began
}

t.test('killed and started again: 503 meanwhile, and what was used, rotated or revoked stays so', async t => {
  const { host, server } = await hostOver(t, ['--appendonly', 'yes', '--appendfsync', 'always'])
  const app = await host.confidentialApp()
  const codes: string[] = []
  const rotated: string[] = []
  const revoked: string[] = []
  for (let index = 0; index < 20; index++) {
    const code = await host.approve(app)
    const { body } = await host.redeem(app, code)
    codes.push(code)
    const next = await host.refresh(app, body.refresh_token)
    rotated.push(String(body.refresh_token))
    if (index % 2 === 0) await host.post('/oauth/revoke', app, { token: String(next.body.refresh_token) })
    if (index % 2 === 0) revoked.push(String(next.body.access_token))
  }
  const alive = await host.tokens(app)

  await server.kill('SIGKILL')
  const began = performance.now()
  for (const request of [
    () => host.clientCredentials(app),
    () => host.refresh(app, alive.refresh),
    () => host.post('/oauth/revoke', app, { token: alive.access }),
    () => host.post('/oauth/introspect', app, { token: alive.access }),
    () => host.send('/records', { headers: { authorization: `Bearer ${alive.access}` } }),
  ]) {
    assertUnavailable(t, await request(), 'while Redis is away')
  }
  t.ok(performance.now() - began < 5 * 2500, 'none took longer than the time a store is given')

  await server.up()
  const ms = await recovered(() => host.clientCredentials(app), 3000)
  t.ok(ms < 3000, `back after ${ms.toFixed(0)} ms`)
  t.equal(await host.records(alive.access), 200)
  for (const token of revoked) t.equal(await host.isActive(app, token), false)
  host.clock.advance(11)
  for (const token of rotated.slice(1, 2)) {
    t.equal((await host.refresh(app, token)).body.error, 'invalid_grant', 'reuse is still detected')
    t.ok(host.events.some(({ type }) => type === 'refresh_reuse'))
  }
  for (const code of codes) t.equal((await host.redeem(app, code)).body.error, 'invalid_grant')
})

t.test('a server that refuses writes: 503, and the log has nothing of the records', async t => {
  const { host, server } = await hostOver(t, [])
  const app = await host.confidentialApp()
  const admin = new Redis(server.port)
  t.teardown(() => admin.disconnect())
  const refusals = {
    OOM: () => admin.config('SET', 'maxmemory', '1'),
    NOREPLICAS: async () => {
      await admin.config('SET', 'maxmemory', '0')
      await admin.config('SET', 'min-replicas-to-write', '1')
    },
    READONLY: async () => {
      await admin.config('SET', 'min-replicas-to-write', '0')
      await admin.replicaof('127.0.0.1', '1')
    },
  }
  for (const [code, refuse] of Object.entries(refusals)) {
    await refuse()
    host.logged.length = 0
    assertUnavailable(t, await host.authorize(app, { state: 'the-state-of-the-app', login_hint: 'anna@secret.example' }), code)
    const text = inspect(host.logged, { depth: null, maxStringLength: null, showHidden: true })
    // The documented client reconnects on READONLY, until the time of the request is over.
    t.match(text, new RegExp(`${code} |no answer within`))
    for (const secret of ['session-of-anna', 'the-state-of-the-app', 'anna@secret', 'code_challenge'])
      t.notMatch(text, secret, `${code}: ${secret}`)
  }
})

t.test('a server that hangs: every request ends in time, and a retry gets on', async t => {
  const { host, server } = await hostOver(t, ['--enable-debug-command', 'yes'])
  const app = await host.confidentialApp()
  const { refresh } = await host.tokens(app)
  const [admin, other] = [new Redis(server.port), new Redis(server.port)]
  t.teardown(() => {
    for (const redis of [admin, other]) redis.disconnect()
  })
  await Promise.all([admin.ping(), other.ping()])
  const sleeping = admin.call('DEBUG', 'SLEEP', '4')
  const isAwake = () => Promise.race([other.ping().then(() => true), new Promise(resolve => setTimeout(resolve, 300, false))])
  while (await isAwake());
  const began = performance.now()
  const answers = await Promise.all([host.refresh(app, refresh), host.clientCredentials(app), host.authorize(app)])
  const ms = performance.now() - began
  for (const answer of answers) assertUnavailable(t, answer, 'while Redis hangs')
  t.ok(ms < 3500, `answered after ${ms.toFixed(0)} ms`)
  await sleeping
  t.equal((await host.refresh(app, refresh)).status, 200, 'the refresh token was not burnt')
})

t.test('a thousand replies lost after the write: its caller is told that it succeeded, and no other is', async t => {
  const server = await RedisProcess.start()
  const proxy = await SpoilingProxy.before(server.port)
  const redis = new Redis(proxy.port, { retryStrategy: () => 1, maxRetriesPerRequest: null })
  redis.on('error', () => {})
  t.teardown(async () => {
    redis.disconnect()
    await proxy.close()
    await server.remove()
  })
  const { apps, consents, grants, oneTime } = redisStore(redis, { warn: () => {} })
  const losing = async <T>(call: () => Promise<T>) => {
    proxy.dropNext = true
    return call()
  }
  let wrong = 0
  const expect = (right: boolean) => {
    if (!right) wrong++
  }
  for (let round = 0; round < 125; round++) {
    const entry = newConsent()
    await oneTime.put(entry)
    expect((await losing(() => oneTime.consume('consent', entry.id, 'mine')))?.first === true)
    expect((await oneTime.consume('consent', entry.id, 'another'))?.first === false)
    const claimed = newConsent()
    expect(await losing(() => oneTime.claim(claimed, 'mine')))
    expect(!(await oneTime.claim(claimed, 'another')))

    const [grant, refresh, next] = [newGrant(), newToken('refresh'), newToken('refresh')]
    expect(await losing(() => grants.create(grant, [refresh])))
    const added = newToken('access')
    expect((await losing(() => grants.add({ grant, token: refresh }, [added]))) === 'added')
    expect((await losing(() => grants.rotate({ grant, token: refresh }, [next], 'mine'))) === 'rotated')
    expect((await grants.rotate({ grant, token: refresh }, [newToken('refresh')], 'another')) === 'reused')
    expect((await grants.find({ grantId: grant.id, tokenId: next.id }))?.spent === null)
    expect((await grants.listTokens({ appId: grant.appId, epoch: 1, limit: 5 })).total === 2)

    const app = newApp()
    expect(await losing(() => apps.save(app)))
    expect(await losing(() => apps.save({ ...app, epoch: 2, version: 2 })))
    expect(!(await apps.save({ ...app, name: 'another', version: 2 })))

    const consent = { owner: { userId: app.createdBy }, appId: app.id, scopes: ['read'], grantedAt: 1, version: 1 }
    expect(await losing(() => consents.save(consent)))
    expect(!(await consents.save({ ...consent, scopes: ['write'] })))
  }
  t.equal(proxy.dropped, 1000)
  t.equal(wrong, 0)
})

t.test('a primary that is demoted refuses writes: 503, and no harm done', async t => {
  const { host, server } = await hostOver(t, [])
  const app = await host.confidentialApp()
  const { access, refresh } = await host.tokens(app)
  const admin = new Redis(server.port)
  t.teardown(() => admin.disconnect())
  // A replica of nothing: it keeps what it has, and takes no writes.
  await admin.config('SET', 'replica-serve-stale-data', 'yes')
  await admin.replicaof('127.0.0.1', 1)
  assertUnavailable(t, await host.clientCredentials(app), 'a new token')
  assertUnavailable(t, await host.refresh(app, refresh), 'a rotation')
  assertUnavailable(t, await host.post('/oauth/revoke', app, { token: access }), 'a revocation')
  await admin.replicaof('NO', 'ONE')
  t.ok((await recovered(() => host.clientCredentials(app), 3000)) < 3000)
  // The refused revocation may have been sent again since. Either way a client that repeats it hears of its success.
  t.equal((await host.post('/oauth/revoke', app, { token: access })).status, 200)
  t.equal(await host.records(access), 401)
  t.equal((await host.refresh(app, refresh)).status, 200)
})

t.test('a server out of memory: writes are 503, revocations too, and tokens can be checked', async t => {
  const { host, server } = await hostOver(t, [])
  const app = await host.confidentialApp()
  const { access, refresh } = await host.tokens(app)
  const admin = new Redis(server.port)
  t.teardown(() => admin.disconnect())
  await admin.config('SET', 'maxmemory', '1')
  assertUnavailable(t, await host.clientCredentials(app), 'a new token')
  assertUnavailable(t, await host.refresh(app, refresh), 'a rotation')
  // It first claims the mark that the grant has ended, which needs memory.
  assertUnavailable(t, await host.post('/oauth/revoke', app, { token: access }), 'a revocation')
  t.equal(await host.records(access), 200)
  await admin.config('SET', 'maxmemory', '0')
  t.equal((await host.refresh(app, refresh)).status, 200)
  t.equal((await host.post('/oauth/revoke', app, { token: access })).status, 200)
  t.equal(await host.records(access), 401)
})
