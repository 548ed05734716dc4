/** A user allows an app a part of what it asks for: what they are shown, what is issued, what is remembered, and for how long. */
import type { ConsentView } from 'authmount'
import type { Answer, TestApp } from '../support/client.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { type HostOptions, SCOPES, type TestHost, USERS } from '../support/host.ts'

const DAY = 86_400
const CALENDAR = 'read:calendar'
const DELETE = 'delete:records'
/** `read:records` is what the app cannot do without. */
const ALL = `read:records ${CALENDAR} ${DELETE}`

const OPTIONS: HostOptions = {
  scopes: {
    ...SCOPES,
    [CALENDAR]: {
      description: 'Read your calendar',
      detail: 'To plan around your appointments.',
      translations: { de: { description: 'Ihren Kalender lesen', detail: 'Um Ihre Termine herum.' } },
      access: 'read',
      optional: true,
    },
    [DELETE]: { description: 'Delete your records', access: 'write', sensitive: true, optional: true },
  },
}

const newApp = (host: TestHost) => host.confidentialApp({ allowedScopes: ALL.split(' ') })
const allow = (host: TestHost, screen: Answer, ...scopes: readonly string[]) =>
  host.decide(screen, 'granted', 'anna', { optional_scope: scopes.join(' ') })
const scopeOf = async (host: TestHost, app: TestApp, { params }: Answer) => (await host.redeem(app, params.code ?? '')).body.scope
const show = (host: TestHost, screen: Answer, headers: Record<string, string> = { accept: 'text/html' }) =>
  host.browse(String(screen.headers.get('location')), 'anna', { headers })
/** The boxes of the page: what is offered, and what is ticked. */
const boxes = ({ text }: Answer) =>
  [...text.matchAll(/<input type="checkbox" name="optional_scope" value="([^"]+)"( checked)?>/g)].map(
    ([, name, checked]) => `${name}${checked ?? ''}`,
  )
const askedAgain = ({ params }: Answer) => params.consent_id !== undefined

everywhere(
  'optional scopes start unticked; the app gets those that are ticked, and is told of no other',
  async (t, host) => {
    const app = await newApp(host)
    const screen = await host.authorize(app, { scope: ALL })
    t.strictSame(boxes(await show(host, screen)), [CALENDAR, DELETE])
    const agreed = await allow(host, screen, CALENDAR)
    t.strictSame(Object.keys(agreed.params).toSorted(), ['code', 'iss', 'state'])
    const { body } = await host.redeem(app, agreed.params.code ?? '')
    t.equal(body.scope, `read:records ${CALENDAR}`)
    const introspected = await host.post('/oauth/introspect', app, { token: String(body.access_token) })
    t.equal(introspected.body.scope, body.scope)
    t.equal((await host.refresh(app, body.refresh_token)).body.scope, body.scope)
    t.equal((await host.refresh(app, body.refresh_token, { scope: DELETE })).body.error, 'invalid_scope')
    t.match(
      host.events.find(({ type }) => type === 'consent_granted'),
      { scopes: ['read:records', CALENDAR], declined: [DELETE] },
    )
    const consent = await host.store.consents.get({ userId: 'anna' }, app.clientId)
    t.strictSame(consent?.scopes, ['read:records', CALENDAR])

    // What was allowed is issued without a question, and so is the same request as before.
    for (const [scope, granted] of [
      [`${CALENDAR} read:records`, `${CALENDAR} read:records`],
      [CALENDAR, CALENDAR],
      [ALL, `read:records ${CALENDAR}`],
    ] as const)
      t.equal(await scopeOf(host, app, await host.authorize(app, { scope })), granted, scope)
  },
  OPTIONS,
)

everyFramework(
  'what was declined is not asked for at each sign-in, but after 90 days, when the app wants it, or with something new',
  async (t, host) => {
    host.clock.stop()
    const app = await newApp(host)
    const ask = (fields: Record<string, string> = {}) => host.authorize(app, { scope: `read:records ${CALENDAR}`, ...fields })
    t.ok((await allow(host, await ask())).params.code)
    t.equal(await scopeOf(host, app, await ask()), 'read:records')
    t.ok(askedAgain(await ask({ prompt: 'consent' })), 'the app may ask at any time')
    const more = await ask({ scope: ALL })
    t.strictSame(boxes(await show(host, more)), [CALENDAR, DELETE], 'with something new, everything is asked')
    const silent = await ask({ scope: ALL, prompt: 'none' })
    t.equal(silent.params.error, 'consent_required', 'nobody has decided on that')

    host.clock.advance(90 * DAY - 0.001)
    t.equal(await scopeOf(host, app, await ask()), 'read:records')
    host.clock.advance(0.001)
    t.equal(await scopeOf(host, app, await ask({ prompt: 'none' })), 'read:records', 'a silent renewal is no sign-out')
    const again = await ask()
    t.strictSame(boxes(await show(host, again)), [CALENDAR])
    t.equal(await scopeOf(host, app, await allow(host, again, CALENDAR)), `read:records ${CALENDAR}`)
    t.equal(await scopeOf(host, app, await ask()), `read:records ${CALENDAR}`)
  },
  OPTIONS,
)

everywhere(
  'what was allowed before is ticked, and taken back when it comes unticked',
  async (t, host) => {
    const app = await newApp(host)
    const ask = (fields: Record<string, string> = {}) => host.authorize(app, { scope: ALL, ...fields })
    const before = await host.redeem(app, (await allow(host, await ask(), CALENDAR, DELETE)).params.code ?? '')
    const screen = await ask({ prompt: 'consent' })
    const page = await show(host, screen)
    t.strictSame(boxes(page), [`${CALENDAR} checked`, `${DELETE} checked`])
    t.equal(await scopeOf(host, app, await allow(host, screen, CALENDAR)), `read:records ${CALENDAR}`)
    t.equal(await scopeOf(host, app, await ask()), `read:records ${CALENDAR}`)
    t.strictSame(boxes(await show(host, await ask({ prompt: 'consent' }))), [`${CALENDAR} checked`, DELETE])
    t.equal((await host.refresh(app, before.body.refresh_token)).body.scope, ALL, 'an earlier sign-in keeps what it has')
    await host.browse(`/oauth/connected-apps/${app.clientId}`, 'anna', { method: 'DELETE' })
    t.strictSame(boxes(await show(host, await ask())), [CALENDAR, DELETE], 'a withdrawal forgets all of it')
  },
  OPTIONS,
)

everyFramework(
  'where everything is optional, to allow nothing is to deny, and to untick everything takes it back',
  async (t, host) => {
    const app = await newApp(host)
    const ask = (fields: Record<string, string> = {}) => host.authorize(app, { scope: `${CALENDAR} ${DELETE}`, ...fields })
    const nothing = await allow(host, await ask())
    t.strictSame([nothing.params.error, nothing.params.code], ['access_denied', undefined])
    t.equal(await host.store.consents.get({ userId: 'anna' }, app.clientId), undefined)
    t.equal(await scopeOf(host, app, await allow(host, await ask(), CALENDAR)), CALENDAR)
    t.equal(await scopeOf(host, app, await ask()), CALENDAR)
    const unticked = await allow(host, await ask({ prompt: 'consent' }))
    t.equal(unticked.params.error, 'access_denied')
    t.ok(askedAgain(await ask()), 'nothing is issued in silence any more')
    t.strictSame((await host.store.consents.get({ userId: 'anna' }, app.clientId))?.scopes, [])
    t.equal(host.events.filter(({ type }) => type === 'consent_denied').length, 2)
  },
  OPTIONS,
)

everyFramework(
  'what was not offered cannot be ticked, and the screen stays open',
  async (t, host) => {
    const app = await host.confidentialApp({ allowedScopes: [...ALL.split(' '), 'write:records'] })
    const screen = await host.authorize(app, { scope: `read:records ${CALENDAR}` })
    const tried = [
      DELETE,
      'write:records',
      'read:records',
      'openid',
      'offline_access',
      'x\ny',
      `${CALENDAR} ${DELETE}`,
      '__proto__',
    ]
    for (const optional_scope of tried) {
      const answer = await host.decide(screen, 'granted', 'anna', { optional_scope })
      t.strictSame([answer.status, answer.location], [400, undefined], optional_scope)
    }
    const inUrl = await host.browse(`/oauth/authorize?optional_scope=${CALENDAR}`, 'anna', {
      method: 'POST',
      body: new URLSearchParams({ consent_id: screen.params.consent_id ?? '', consent: 'granted' }),
    })
    t.equal(inUrl.status, 400)
    const json = await host.browse('/oauth/authorize', 'anna', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ consent_id: screen.params.consent_id, consent: 'granted', optional_scope: [CALENDAR] }),
    })
    t.equal(json.status, 400)
    t.equal(await host.store.consents.get({ userId: 'anna' }, app.clientId), undefined)
    t.equal((await host.decide(screen, 'granted', 'bert', { optional_scope: CALENDAR })).status, 403)
    t.equal(await scopeOf(host, app, await allow(host, screen, CALENDAR)), `read:records ${CALENDAR}`)
  },
  OPTIONS,
)

everywhere(
  'two tabs that are answered differently each get what they said, and a second click cannot change it',
  async (t, host) => {
    const app = await newApp(host)
    const [first, second] = [
      await host.authorize(app, { scope: ALL, state: 'first' }),
      await host.authorize(app, { scope: ALL, state: 'second' }),
    ]
    const answers = await Promise.all([allow(host, first, CALENDAR), allow(host, second), allow(host, first, CALENDAR)])
    t.equal(answers[0]?.params.code, answers[2]?.params.code, 'the same click again')
    for (const other of [[DELETE], [], [CALENDAR, DELETE]]) t.equal((await allow(host, first, ...other)).status, 400)
    t.equal((await host.decide(first, 'denied')).status, 400)
    t.equal(await scopeOf(host, app, answers[0]), `read:records ${CALENDAR}`)
    t.equal(await scopeOf(host, app, answers[1]), 'read:records')
    const consent = await host.store.consents.get({ userId: 'anna' }, app.clientId)
    t.strictSame(consent?.scopes, ['read:records', CALENDAR], 'the other tab did not show it as allowed')
    t.strictSame(Object.keys(consent?.declined ?? {}), [DELETE])
  },
  OPTIONS,
)

everyFramework(
  'the page marks what is sensitive or changes data, and says who is signed in, where; Deny comes first',
  async (t, host) => {
    const app = await newApp(host)
    const screen = await host.authorize(app, { scope: ALL })
    const { text } = await show(host, screen)
    t.match(
      text,
      /Delete your records<\/bdi> <strong class="mark warn">Sensitive<\/strong> <span class="mark">Changes data<\/span>/,
    )
    t.match(text, /Read your calendar<\/bdi><br><span class="soft"><bdi>To plan around your appointments\./)
    t.match(text, 'Optional: tick to allow')
    t.match(text, /<strong><bdi>Anna<\/bdi><\/strong>.*<bdi>anna@acme\.example<\/bdi> · <bdi>&lt;Acme&gt;<\/bdi>/)
    t.ok(text.indexOf('value="denied"') < text.indexOf('value="granted"'), 'Enter in a box presses the first button')
    t.notMatch(text.split('<form')[0], 'type="checkbox"', 'the boxes are in the form')
    const german = await show(host, screen, { accept: 'text/html', 'accept-language': 'de' })
    for (const words of ['Ihren Kalender lesen', 'Um Ihre Termine herum.', 'Sensibel', 'Ändert Daten', 'Freiwillig'])
      t.match(german.text, words)
    for (const language of ['es', 'fr', 'ja', 'zh', 'ar'])
      t.notMatch(
        (await show(host, screen, { accept: 'text/html', 'accept-language': language })).text,
        /Sensitive<|Optional: tick/,
      )
  },
  {
    ...OPTIONS,
    authenticate: async () => ({ ...(USERS.anna ?? fail()), accountName: 'anna@acme.example', orgName: '<Acme>' }),
  },
)

const views: ConsentView[] = []
everyFramework(
  'a page of the host’s is told the same, as JSON and for renderConsent',
  async (t, host) => {
    const app = await newApp(host)
    const screen = await host.authorize(app, { scope: ALL })
    const calendar = {
      name: CALENDAR,
      description: 'Read your calendar',
      detail: 'To plan around your appointments.',
      category: '',
      access: 'read',
      sensitive: false,
      optional: true,
      granted: false,
    }
    const { body } = await show(host, screen, { accept: 'application/json' })
    t.strictSame(body.user, { name: 'Anna', account_name: null, org_name: null })
    t.strictSame((body.scopes as readonly unknown[])[1], calendar)
    t.equal((await show(host, screen)).text, '<p>')
    t.strictSame(views.at(-1)?.scopes[1], calendar)
    t.match(views.at(-1), { user: 'Anna', accountName: null, orgName: null })
    const answer = await host.browse('/oauth/authorize', 'anna', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ consent_id: screen.params.consent_id, consent: 'granted', optional_scope: `${DELETE} ${CALENDAR}` }),
    })
    const code = new URL(String(answer.body.redirect_uri)).searchParams.get('code') ?? ''
    t.equal((await host.redeem(app, code)).body.scope, ALL, 'in the order of the request')
  },
  {
    ...OPTIONS,
    renderConsent(view) {
      views.push(view)
      return '<p>'
    },
  },
)

everywhere(
  'a consent expires, each scope by itself; what the app holds goes on',
  async (t, host) => {
    host.clock.stop()
    const app = await host.confidentialApp({ refreshTokenLifetime: 60 * DAY })
    const { refresh } = await host.tokens(app)
    host.clock.advance(20 * DAY)
    await host.tokens(app, { scope: 'write:records', state: 'later' })
    host.clock.advance(10 * DAY - 0.001)
    t.ok((await host.authorize(app)).params.code)
    host.clock.advance(0.001)
    t.equal((await host.authorize(app, { prompt: 'none' })).params.error, 'consent_required')
    t.ok((await host.authorize(app, { scope: 'write:records' })).params.code, 'this one was allowed later')
    const screen = await host.authorize(app, { scope: 'read:records write:records' })
    const { body } = await show(host, screen, { accept: 'application/json' })
    t.match(body.scopes, [
      { name: 'read:records', granted: false },
      { name: 'write:records', granted: true },
    ])
    const { body: refreshed } = await host.refresh(app, refresh)
    t.equal(await host.records(refreshed.access_token), 200)
    t.match((await host.browse('/oauth/connected-apps', 'anna')).text, app.clientId, 'and can be ended by the user')
    t.ok((await host.decide(screen)).params.code)
    host.clock.advance(29 * DAY)
    t.ok((await host.authorize(app, { scope: 'read:records write:records' })).params.code, 'both count anew')
  },
  { lifetimes: { consentDays: 30 } },
)

everyFramework(
  'an optional scope whose consent has expired starts unticked, and can be declined then',
  async (t, host) => {
    const app = await newApp(host)
    const ask = (fields: Record<string, string> = {}) => host.authorize(app, { scope: `read:records ${CALENDAR}`, ...fields })
    await allow(host, await ask(), CALENDAR)
    host.clock.advance(30 * DAY)
    const screen = await ask()
    t.strictSame(boxes(await show(host, screen)), [CALENDAR])
    t.equal(await scopeOf(host, app, await allow(host, screen)), 'read:records')
    t.equal(await scopeOf(host, app, await ask()), 'read:records')
  },
  { ...OPTIONS, lifetimes: { consentDays: 30 } },
)

function fail(): never {
  throw new Error('there is no such user')
}
