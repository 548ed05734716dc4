/** Where an app is signed in: what a user sees of it, and how they end one of them. */
import type { TestApp } from '../support/client.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import type { HostOptions, TestHost } from '../support/host.ts'
import { SEALING_KEY } from '../support/sign-in.ts'

const DAY = 86_400

interface Device {
  readonly grantId: string
  readonly scopes: readonly string[]
  readonly signedInAt: string
  readonly lastUsedAt: string
  readonly name?: string
  readonly ip?: string
  readonly place?: string
}

async function devices(host: TestHost, user = 'anna'): Promise<readonly Device[]> {
  const { text } = await host.browse('/oauth/connected-apps', user)
  return (JSON.parse(text) as readonly { readonly devices: readonly Device[] }[]).flatMap(({ devices }) => devices)
}
const grantOf = (token: string) => /_at_(.+)\./.exec(token)?.[1] ?? ''
const path = (app: TestApp, grantId: string) => `/oauth/connected-apps/${app.clientId}/devices/${grantId}`
const end = (host: TestHost, app: TestApp, grantId: string, user: string | null, headers: Record<string, string> = {}) =>
  host.browse(path(app, grantId), user, { method: 'DELETE', headers })

const html = { headers: { accept: 'text/html' } }
const formIdOf = async (host: TestHost, user: string) =>
  /name="form_id" value="([\w-]+)"/.exec((await host.browse('/oauth/connected-apps', user, html)).text)?.[1] ?? ''
const press = (host: TestHost, at: string, formId: string, user: string | null, headers: Record<string, string> = {}) =>
  host.browse(at, user, {
    method: 'POST',
    body: new URLSearchParams({ form_id: formId }),
    headers: { accept: 'text/html', ...headers },
  })

everywhere('a user sees where an app is signed in, and since when, and ends one of them', async (t, host) => {
  host.clock.stop()
  const began = host.clock.now()
  const at = (seconds: number) => new Date(began + seconds * 1000).toISOString()
  const app = await host.confidentialApp()
  const laptop = await host.tokens(app)
  host.clock.advance(DAY)
  const phone = await host.tokens(app, { scope: 'read:records write:records' })
  const hers = await host.tokens(app, {}, 'bert')
  host.clock.advance(DAY)
  t.strictSame(
    (await devices(host)).map(({ signedInAt, lastUsedAt }) => [signedInAt, lastUsedAt]),
    [
      [at(DAY), at(DAY)],
      [at(0), at(0)],
    ],
  )
  const { body } = await host.refresh(app, laptop.refresh)
  t.strictSame(await devices(host), [
    { grantId: grantOf(laptop.access), scopes: ['read:records'], signedInAt: at(0), lastUsedAt: at(2 * DAY) },
    { grantId: grantOf(phone.access), scopes: ['read:records', 'write:records'], signedInAt: at(DAY), lastUsedAt: at(DAY) },
  ])

  t.equal((await end(host, app, grantOf(laptop.access), 'anna')).status, 200)
  t.equal(await host.records(body.access_token), 401)
  t.equal((await host.refresh(app, body.refresh_token)).body.error, 'invalid_grant')
  t.strictSame(
    (await devices(host)).map(({ grantId }) => grantId),
    [grantOf(phone.access)],
  )
  t.equal((await host.refresh(app, phone.refresh)).status, 200, 'the other goes on')
  t.equal((await host.refresh(app, hers.refresh)).status, 200, 'and so does that of another user')
  t.ok((await host.authorize(app)).params.code, 'the consent stays')
  const told = host.events.filter(({ type }) => type === 'device_ended')
  t.match(told, [{ clientId: app.clientId, grantId: grantOf(laptop.access), userId: 'anna', orgId: 'org-1' }])
  t.equal(told.length, 1)
  t.equal((await end(host, app, grantOf(laptop.access), 'anna')).status, 200, 'a repeat after a lost answer is told the same')
  host.clock.advance(901)
  t.equal((await end(host, app, grantOf(laptop.access), 'anna')).status, 404)
})

everywhere('nobody ends what is not theirs', async (t, host) => {
  const [app, other] = [await host.confidentialApp(), await host.confidentialApp()]
  const { access } = await host.tokens(app)
  await host.tokens(other, {}, 'bert')
  const grantId = grantOf(access)
  const refused: readonly (readonly [status: number, answer: Promise<{ readonly status: number }>])[] = [
    [404, end(host, app, grantId, 'bert')],
    [404, end(host, other, grantId, 'anna')],
    [404, end(host, app, `${app.clientId}${'A'.repeat(22)}`, 'anna')],
    [400, end(host, app, 'nonsense', 'anna')],
    [400, end(host, { ...app, clientId: 'nonsense' }, grantId, 'anna')],
    [401, end(host, app, grantId, null)],
    [401, end(host, app, grantId, null, { authorization: `Bearer ${access}` })],
    [403, end(host, app, grantId, 'anna', { 'sec-fetch-site': 'cross-site' })],
    [403, end(host, app, grantId, 'anna', { origin: 'https://evil.example' })],
  ]
  for (const [index, [status, answer]] of refused.entries()) t.equal((await answer).status, status, String(index))
  t.equal(await host.records(access), 200)
  t.equal((await end(host, app, grantId, 'anna')).status, 200)
  t.equal((await end(host, app, grantId, 'bert')).status, 404, 'nor does anyone learn that it has been ended')
  t.equal((await end(host, other, grantId, 'anna')).status, 404)
})

for (const [kind, options] of Object.entries({ '': {}, ' (sealed)': { sealingKeys: [SEALING_KEY] } } as Record<
  string,
  HostOptions
>)) {
  everyFramework(
    `the page has a button for each device, which no other page can press${kind}`,
    async (t, host) => {
      const app = await host.confidentialApp({ name: '<b>Tax</b>' })
      const [laptop, phone] = [await host.tokens(app), await host.tokens(app)]
      await host.tokens(app, {}, 'bert')
      const page = await host.browse('/oauth/connected-apps', 'anna', html)
      t.match(page.text, 'Where it is signed in (2)')
      const [own, berts] = [await formIdOf(host, 'anna'), await formIdOf(host, 'bert')]
      const at = path(app, grantOf(laptop.access))
      t.match(page.text, `action="${at}"`)
      const refused = [
        await press(host, at, '', 'anna'),
        await press(host, at, 'forged', 'anna'),
        await press(host, at, berts, 'anna'),
        await press(host, at, own, 'bert'),
        await press(host, at, own, 'anna', { 'sec-fetch-site': 'cross-site' }),
        await press(host, at, own, null),
      ]
      t.strictSame(
        refused.map(({ status }) => status),
        [400, 403, 403, 403, 403, 401],
      )
      t.equal((await press(host, at, berts, 'bert')).status, 303, 'one of another user is not found, and so not there')
      t.equal(await host.records(laptop.access), 200)
      const lie = await host.browse(`/oauth/connected-apps?ended=${grantOf(laptop.access)}`, 'anna', html)
      t.notMatch(lie.text, 'role="status"', 'a link cannot say so of what is still there')

      const ended = await press(host, at, own, 'anna')
      t.equal(ended.status, 303)
      const after = await host.browse(`${ended.location?.pathname}${ended.location?.search}`, 'anna', html)
      t.match(after.text, /role="status".*&lt;b&gt;Tax&lt;\/b&gt;<\/bdi> can no longer act for you from there/)
      t.match(after.text, 'Where it is signed in (1)')
      t.equal(await host.records(laptop.access), 401)
      t.equal(await host.records(phone.access), 200)
      t.equal((await press(host, at, own, 'anna')).status, 303, 'twice is once')
      const told = await host.browse(`/oauth/connected-apps?ended=${grantOf(laptop.access)}`, 'bert', html)
      t.notMatch(told.text, 'role="status"', 'and nobody else is told')
    },
    options,
  )
}

const asked: (string | undefined)[] = []
everywhere(
  'of the device is kept what the host says, and it is shown to the user alone',
  async (t, host) => {
    const app = await host.confidentialApp()
    const screen = await host.authorize(app)
    const agent = `<i>Browser</i> ${'x'.repeat(300)}`
    const agreed = await host.browse('/oauth/authorize', 'anna', {
      method: 'POST',
      body: new URLSearchParams({ consent_id: screen.params.consent_id ?? '', consent: 'granted' }),
      headers: { 'user-agent': agent },
    })
    const { body } = await host.redeem(app, agreed.params.code ?? '')
    host.clock.advance(1)
    const query = host.authorizeQuery(app)
    const silently = await host.browse(`/oauth/authorize?${query}`, 'anna', { headers: { 'user-agent': 'nothing' } })
    await host.redeem(app, silently.params.code ?? '')
    const [second, first] = await devices(host)
    t.match(first, { name: agent.slice(0, 200), ip: '127.0.0.1', place: 'Berlin' })
    t.strictSame(Object.keys(second ?? {}), ['grantId', 'scopes', 'signedInAt', 'lastUsedAt'], 'null: nothing is kept')
    t.strictSame(asked.splice(0), [agent, 'nothing'], 'no request of the app is looked at')
    const page = await host.browse('/oauth/connected-apps', 'anna', html)
    t.match(page.text, /<bdi>&lt;i&gt;Browser.*<\/bdi> · <bdi>Berlin<\/bdi> · <bdi>127\.0\.0\.1<\/bdi> · Signed in on/)
    const introspected = await host.post('/oauth/introspect', app, { token: String(body.access_token) })
    const shown = [introspected.text, JSON.stringify(body), JSON.stringify(host.events)].join()
    t.notMatch(shown, /Berlin|Browser|127\.0\.0\.1/)
  },
  {
    async describeDevice({ headers, ip }) {
      asked.push(headers['user-agent'])
      if (headers['user-agent'] === 'nothing') return null
      return { name: headers['user-agent'], ip, place: 'Berlin', secret: 'is not kept' } as object
    },
  },
)

const MISBEHAVIOUR: Readonly<Record<string, () => unknown>> = {
  throws: () => {
    throw new Error('the directory of browsers is down')
  },
  rejects: () => Promise.reject(new Error('the directory of browsers is down')),
  hangs: () => new Promise(() => {}),
  'returns a text': () => 'Firefox',
  'returns what is no text': () => ({ name: { toString: () => 'Firefox' } }),
}
const behaviour = { now: (): unknown => null }
everyFramework(
  'a function for devices that fails issues nothing, and closes no screen',
  async (t, host) => {
    const app = await host.confidentialApp()
    const screen = await host.authorize(app)
    for (const [what, behave] of Object.entries(MISBEHAVIOUR)) {
      behaviour.now = behave
      const answer = await host.decide(screen)
      t.strictSame([answer.status, answer.location], [500, undefined], what)
      t.notMatch(answer.text, 'directory of browsers', what)
    }
    t.equal(await host.store.consents.get({ userId: 'anna' }, app.clientId), undefined)
    for (const fine of [undefined, null, {}, { name: '', ip: undefined }, { name: 'a\ud83d' }]) {
      behaviour.now = () => fine
      t.ok((await host.approve(app)).startsWith('am_ac_'), JSON.stringify(fine))
    }
    t.ok((await host.decide(screen)).params.code, 'the screen was open all the time')
    behaviour.now = () => ({ name: 'x'.repeat(1_000_000), ['__proto__']: { ip: '6.6.6.6' } })
    await host.redeem(app, await host.approve(app))
    t.strictSame(
      (await devices(host)).map(({ ip, name }) => [ip, name?.length]),
      [[undefined, 200]],
    )
  },
  { describeDevice: () => behaviour.now() as null, hookTimeoutMs: 50 },
)
