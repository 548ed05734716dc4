/** Seeds and imports: `registerApp` with a fixed `clientId` and secret may be called at every start. */
import { createHash } from 'node:crypto'
import type { NewApp } from 'authmount'
import { VERIFIER } from '../support/client.ts'
import { everyFramework, everywhere, overMemory } from '../support/everywhere.ts'
import { frameworks, startHost, type TestHost } from '../support/host.ts'

const OWNER = { orgId: 'org-1', userId: 'anna' }
const SECRET = 'seed-secret-0123456789abcdef0123456789'
const OTHER_SECRET = 'other-secret-0123456789abcdef012345678'
const SEED: NewApp & { readonly clientId: string } = {
  clientId: 'reports',
  clientSecret: SECRET,
  name: 'Reports',
  redirectUris: ['https://app.example/cb'],
  allowedScopes: ['read:records', 'write:records'],
}
const ID = createHash('sha256').update('reports').digest('hex').slice(0, 24)

const seed = (host: TestHost, fields: Partial<NewApp> = {}) => host.authmount.registerApp({ ...SEED, ...fields }, OWNER)
const eventsOf = (host: TestHost) => host.events.flatMap(event => (event.type.startsWith('app_') ? [event.type] : []))

everywhere('a call with a fixed clientId is idempotent: the second changes nothing', async (t, host) => {
  const first = await seed(host)
  t.match(first, { clientId: 'reports', clientSecret: SECRET, app: { id: ID, clientId: 'reports', status: 'active' } })
  t.notMatch(Object.keys(first.app).join(), /secret|hash|orgId|epoch|version/i, 'the API’s view of it')
  const stored = await host.store.apps.get(ID)
  host.clock.advance(1)
  t.strictSame(await seed(host), first)
  t.strictSame(await host.store.apps.get(ID), stored, 'nothing was written')
  t.strictSame(eventsOf(host), ['app_created'])
  t.equal((await host.clientCredentials(first)).status, 200)
})

for (const [framework, mount] of Object.entries(frameworks)) {
  overMemory(`${framework}: after a restart with an empty store the same id, clientId and secret work`, async t => {
    const before = await startHost(mount)
    const { app } = await seed(before)
    await before.close()
    const after = await startHost(mount)
    t.teardown(after.close)
    t.equal((await seed(after)).app.id, app.id)
    const credentials = { clientId: 'reports', clientSecret: SECRET }
    const { access } = await after.tokens(credentials, { scope: 'read:records' })
    t.equal(await after.records(access), 200)
    t.equal((await after.clientCredentials(credentials)).status, 200)
  })
}

everywhere('a later call sets the fields that are given, and leaves the others', async (t, host) => {
  await seed(host, { description: 'Makes reports', homepageUrl: 'https://app.example', accessTokenLifetime: 600 })
  const { access } = await host.tokens({ clientId: 'reports', clientSecret: SECRET }, { scope: 'read:records' })
  const { app } = await seed(host, {
    name: 'Reports 2',
    redirectUris: ['https://app.example/new'],
    logoUrl: 'https://app.example/logo',
  })
  t.match(app, {
    name: 'Reports 2',
    description: 'Makes reports',
    homepageUrl: 'https://app.example',
    logoUrl: 'https://app.example/logo',
    redirectUris: ['https://app.example/new'],
    accessTokenLifetime: 600,
    slug: `reports-${ID.slice(-6)}`,
  })
  const event = host.events.find(({ type }) => type === 'app_updated')
  t.match(event, { clientId: 'reports', orgId: 'org-1', actorId: 'anna' })
  t.strictSame((event as { changed?: readonly string[] } | undefined)?.changed?.toSorted(), ['logoUrl', 'name', 'redirectUris'])
  t.equal(await host.records(access), 200, 'what was issued lives on')
})

everywhere('another fixed secret replaces the first at once; none given leaves the one that is there', async (t, host) => {
  await seed(host)
  t.equal((await seed(host, { clientSecret: OTHER_SECRET })).clientSecret, OTHER_SECRET)
  t.equal((await host.clientCredentials({ clientId: 'reports', clientSecret: SECRET })).status, 401)
  t.equal((await host.clientCredentials({ clientId: 'reports', clientSecret: OTHER_SECRET })).status, 200)
  t.equal((await seed(host, { clientSecret: undefined })).clientSecret, null, 'it cannot be read again')
  t.equal((await host.clientCredentials({ clientId: 'reports', clientSecret: OTHER_SECRET })).status, 200)
  t.strictSame(eventsOf(host), ['app_created', 'app_secret_regenerated'])
})

everywhere('a deleted app is refused, and a suspended one stays suspended', async (t, host) => {
  await seed(host)
  await host.browse(`/oauth-clients/${ID}/suspend`, 'anna', { method: 'POST' })
  t.equal((await seed(host, { name: 'Again' })).app.status, 'suspended')
  t.equal((await host.clientCredentials({ clientId: 'reports', clientSecret: SECRET })).status, 401)
  await host.browse(`/oauth-clients/${ID}`, 'anna', { method: 'DELETE' })
  await t.rejects(seed(host), { name: 'ApiError', code: 'CONFLICT', message: /deleted/ })
  t.equal((await host.store.apps.get(ID))?.status, 'deleted')
})

everywhere('of ten calls at once, each succeeds, and there is one app', async (t, host) => {
  const all = await Promise.all(Array.from({ length: 10 }, () => seed(host)))
  t.ok(all.every(({ app, clientSecret }) => app.id === ID && clientSecret === SECRET))
  t.equal((await host.store.apps.list({ orgId: 'org-1', offset: 0, limit: 20 })).total, 1)
  // Two calls of one millisecond write the same record, and both are told that it was created.
  t.strictSame([...new Set(eventsOf(host))], ['app_created'])
})

everyFramework('a clientId of 24 hex digits is the id itself', async (t, host) => {
  const clientId = '4aa07e761953474f6358dae9'
  const { app } = await seed(host, { clientId })
  t.match(app, { id: clientId, clientId })
  t.equal((await host.store.apps.get(clientId))?.clientId, undefined)
  t.equal((await host.clientCredentials({ clientId, clientSecret: SECRET })).status, 200)
})

everyFramework('a public app has a fixed clientId and no secret', async (t, host) => {
  const fields = { clientId: 'pocket', clientSecret: undefined, isConfidential: false }
  t.match(await seed(host, fields), { clientId: 'pocket', clientSecret: null })
  t.match(await seed(host, fields), { clientId: 'pocket', clientSecret: null })
  const app = { clientId: 'pocket', clientSecret: null }
  t.equal((await host.redeem(app, await host.approve(app), { code_verifier: VERIFIER })).status, 200)
  await t.rejects(seed(host, { ...fields, clientSecret: SECRET }), { code: 'VALIDATION_ERROR', message: /clientSecret/ })
  // It becomes confidential: the first secret is made, unless one is given.
  const { clientSecret } = await seed(host, { ...fields, isConfidential: true })
  t.match(clientSecret, /^am_cs_/)
  t.equal((await host.clientCredentials({ clientId: 'pocket', clientSecret })).status, 200)
  t.equal((await seed(host, fields)).app.isConfidential, false)
  t.strictSame((await host.store.apps.get((await seed(host, fields)).app.id))?.secrets, [])
})

everyFramework('what cannot be taken is refused, with the reason', async (t, host) => {
  const refused = (fields: Partial<NewApp>, code: string, message: RegExp, owner = OWNER) =>
    t.rejects(host.authmount.registerApp({ ...SEED, ...fields }, owner), { name: 'ApiError', code, message }, String(message))
  await refused({ clientSecret: 'x'.repeat(31) }, 'VALIDATION_ERROR', /clientSecret must have at least 32 characters/)
  await refused({ clientSecret: `${SECRET}ü` }, 'VALIDATION_ERROR', /clientSecret must have printable ASCII/)
  await refused({ clientId: '' }, 'VALIDATION_ERROR', /clientId must have 1 to 2,048/)
  await refused({ clientId: 'tö' }, 'VALIDATION_ERROR', /clientId must have/)
  await refused({ clientId: undefined }, 'VALIDATION_ERROR', /clientSecret needs a clientId/)
  await seed(host)
  await refused({}, 'CONFLICT', /another organisation/, { orgId: 'org-2', userId: 'cora' })
  const stored = await host.store.apps.get(ID)
  if (!stored) throw new Error('the app is not stored')
  await host.store.apps.save({ ...stored, clientId: 'somebody else', version: stored.version + 1 })
  await refused({}, 'CONFLICT', /same id/)
  await host.store.apps.save({ ...stored, origin: 'registered', version: stored.version + 2 })
  await refused({}, 'CONFLICT', /registered itself/)

  const body = JSON.stringify({ ...SEED, clientId: 'mine' })
  const headers = { 'content-type': 'application/json' }
  const answer = await host.browse('/oauth-clients', 'anna', { method: 'POST', headers, body })
  t.equal(answer.status, 400, 'the API takes neither')
  t.match(answer.text, /clientId is not a field that can be set here; clientSecret is not/)
})

everyFramework('a later call may leave out whatever the stored app has', async (t, host) => {
  await seed(host, { isConfidential: false, clientSecret: undefined, allowedGrantTypes: ['authorization_code'] })
  const { clientId, name, allowedScopes } = SEED
  const again = await host.authmount.registerApp({ clientId, name, allowedScopes }, OWNER)
  t.match(again.app, {
    redirectUris: ['https://app.example/cb'],
    allowedGrantTypes: ['authorization_code'],
    isConfidential: false,
  })
  const open = await host.authmount.registerApp(
    { clientId, name, allowedScopes, allowedOrigins: ['capacitor://localhost'] },
    OWNER,
  )
  t.strictSame(open.app.allowedOrigins, ['capacitor://localhost'], 'a public app is known to be one')
})
