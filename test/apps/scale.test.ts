import t from 'tap'
import { api, createApp, UNLIMITED } from '../support/apps-api.ts'
import { fastest, slowness, stopwatch } from '../support/fastest.ts'
import { frameworks, startHost } from '../support/host.ts'

const [[framework, mount] = []] = Object.entries(frameworks)
if (!framework || !mount) throw new Error('no framework')

t.test('an organisation with ten thousand apps lists and searches a page within 50 ms', async t => {
  const host = await startHost(mount, UNLIMITED)
  t.teardown(host.close)
  for (let index = 0; index < 10_000; index++) await host.confidentialApp({ name: `App number ${index}` })
  for (const query of ['', '?page=400', '?search=number%209', '?search=nothing']) {
    const ms = await fastest(() => api(host, 'GET', query))
    t.ok(ms < 50 * (await slowness()), `${query || 'the first page'}: ${ms.toFixed(1)} ms`)
  }
  t.match((await api(host, 'GET', '?search=number%209999')).body.pagination, { total: 1 })
})

t.test('an app with a hundred thousand tokens lists a page within 50 ms, and is revoked at once', async t => {
  const host = await startHost(mount, UNLIMITED)
  t.teardown(host.close)
  const app = await createApp(host)
  const now = host.clock.now()
  for (let index = 0; index < 100_000; index++) {
    const grantId = `${app.id}${String(index).padStart(22, '0')}`
    const grant = {
      id: grantId,
      appId: app.id,
      orgId: 'org-1',
      userId: null,
      scopes: ['read:records'],
      createdAt: now,
      epoch: 1,
      context: {},
    }
    await host.store.grants.create(grant, [
      { id: `token ${index}`, kind: 'access', scopes: ['read:records'], issuedAt: now + index, expiresAt: now + 3_600_000 },
    ])
  }
  const ms = await fastest(() => api(host, 'GET', `/${app.id}/tokens?limit=100`))
  t.ok(ms < 50 * (await slowness()), `the first page: ${ms.toFixed(1)} ms`)
  const lap = stopwatch()
  const { body } = await api(host, 'POST', `/${app.id}/revoke-all-tokens`)
  const revokedMs = lap()
  t.equal(body.count, 100_000)
  t.ok(revokedMs < 100 * (await slowness()), `revoked in ${revokedMs.toFixed(1)} ms`)
})
