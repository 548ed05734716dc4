/** Devices without a browser (RFC 8628): two codes, a user's answer, one grant. */

import type { Answer, Fields, TestApp } from '../support/client.ts'
import { CHALLENGE, VERIFIER } from '../support/client.ts'
import { DEVICE_CODE, deviceApp } from '../support/devices.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { type HostOptions, SCOPES, type TestHost } from '../support/host.ts'
import { SIGN_IN } from '../support/sign-in.ts'

const DEVICES: HostOptions = { devices: {}, rateLimits: { codes: false, screens: false, userCodes: false } }
const HTML = { accept: 'text/html' }
const JSON_ONLY = { accept: 'application/json' }

function ask(host: TestHost, app: TestApp, fields: Fields = {}): Promise<Answer> {
  return host.post('/oauth/device_authorization', app, { scope: 'read:records', ...fields })
}

function poll(host: TestHost, app: TestApp, { body }: Answer, fields: Fields = {}): Promise<Answer> {
  return host.post('/oauth/token', app, { grant_type: DEVICE_CODE, device_code: String(body.device_code), ...fields })
}

/** What the page of a code says, as JSON. */
function look(host: TestHost, code: unknown, user = 'anna'): Promise<Answer> {
  return host.browse(`/oauth/device?user_code=${encodeURIComponent(String(code))}`, user, { headers: JSON_ONLY })
}

function answer(host: TestHost, fields: Readonly<Record<string, unknown>>, user = 'anna'): Promise<Answer> {
  return host.browse('/oauth/device', user, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fields),
  })
}

async function decide(host: TestHost, { body }: Answer, consent = 'granted', user = 'anna'): Promise<Answer> {
  const seen = await look(host, body.user_code, user)
  return answer(host, { user_code: body.user_code, form_id: seen.body.form_id, consent }, user)
}

everywhere(
  'a device asks, its user types the code and agrees, and the device has tokens that it refreshes',
  async (t, host) => {
    const app = await deviceApp(host)
    const asked = await ask(host, app)
    t.equal(asked.status, 200)
    t.match(asked.headers.get('cache-control'), 'no-store')
    t.match(asked.body, { user_code: /^[B-Z]{4}-[B-Z]{4}$/, expires_in: 600, interval: 5 })
    t.equal(asked.body.verification_uri, 'https://issuer.example/oauth/device')
    t.equal(asked.body.verification_uri_complete, `https://issuer.example/oauth/device?user_code=${asked.body.user_code}`)
    t.match((await poll(host, app, asked)).body, { error: 'authorization_pending' })
    t.match((await poll(host, app, asked)).body, { error: 'slow_down' })
    host.clock.advance(5)
    t.match((await poll(host, app, asked)).body, { error: 'authorization_pending' })

    // As people type it.
    const typed = ` ${String(asked.body.user_code).toLowerCase().replace('-', ' ')} `
    const page = await host.browse(`/oauth/device?${new URLSearchParams({ user_code: typed })}`, 'anna', { headers: HTML })
    t.equal(page.status, 200)
    t.match(page.text, 'Terminal')
    t.match(page.text, String(asked.body.user_code))
    t.match(page.text, 'Asked from')
    const field = (name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page.text)?.[1] ?? ''
    const body = new URLSearchParams({ form_id: field('form_id'), user_code: field('user_code'), consent: 'granted' })
    const done = await host.browse('/oauth/device', 'anna', { method: 'POST', body, headers: HTML })
    t.equal(done.status, 200)
    t.match(done.text, 'Device connected')

    const issued = await poll(host, app, asked)
    t.equal(issued.status, 200)
    t.match(issued.body, { token_type: 'Bearer', scope: 'read:records' })
    t.equal(await host.records(issued.body.access_token), 200)
    const refreshed = await host.refresh(app, issued.body.refresh_token)
    t.equal(await host.records(refreshed.body.access_token), 200)
    t.match((await poll(host, app, asked)).body, { error: 'invalid_grant' }, 'a code is good once')
    t.equal(await host.records(refreshed.body.access_token), 200, 'and its replay ends nothing')

    const connected = await host.browse('/oauth/connected-apps', 'anna')
    t.match(connected.body, [{ clientId: app.clientId, name: 'Terminal' }])
    t.match(
      host.events.map(({ type }) => type).filter(type => type === 'consent_granted' || type === 'token_issued'),
      ['consent_granted', 'token_issued'],
    )
    await host.authmount.endUserGrants('anna', app.clientId)
    t.equal(await host.records(refreshed.body.access_token), 401)
  },
  DEVICES,
)

everywhere(
  'a user who denies, or never answers, gives the device nothing',
  async (t, host) => {
    const app = await deviceApp(host)
    const denied = await ask(host, app)
    t.match((await decide(host, denied, 'denied')).body, { granted: false })
    t.match((await poll(host, app, denied)).body, { error: 'access_denied' })

    const late = await ask(host, app)
    host.clock.advance(600)
    t.equal((await look(host, late.body.user_code)).status, 400)
    t.match((await poll(host, app, late)).body, { error: 'expired_token' })

    const slow = await ask(host, app)
    await decide(host, slow)
    host.clock.advance(1100)
    t.equal((await poll(host, app, slow)).status, 200, 'agreed in time, fetched later')
    host.clock.advance(200)
    t.match((await poll(host, app, slow)).body, { error: 'invalid_grant' })
    t.equal((await host.store.grants.listTokens({ userId: 'anna', limit: 10 })).items.length > 0, true)
  },
  DEVICES,
)

everywhere(
  'of an agreement, a denial and many questions at once, one decision holds and one grant is made',
  async (t, host) => {
    const app = await deviceApp(host)
    for (let round = 0; round < 10; round++) {
      const asked = await ask(host, app)
      const seen = await look(host, asked.body.user_code)
      const said = (consent: string) => answer(host, { user_code: asked.body.user_code, form_id: seen.body.form_id, consent })
      const [granted, denied, ...polls] = await Promise.all([
        said('granted'),
        said('denied'),
        ...Array.from({ length: 8 }, () => poll(host, app, asked)),
      ])
      t.equal([granted, denied].filter(answer => answer?.status === 200).length, 1)
      host.clock.advance(5)
      const after = await Promise.all(Array.from({ length: 4 }, () => poll(host, app, asked)))
      const issued = [...polls, ...after].filter(({ status }) => status === 200)
      t.equal(issued.length, granted?.status === 200 ? 1 : 0)
      for (const { body } of issued) t.equal(await host.records(body.access_token), 200)
    }
  },
  DEVICES,
)

everywhere(
  'a second click has the answer of the first, and another answer is refused',
  async (t, host) => {
    const app = await deviceApp(host)
    const asked = await ask(host, app)
    const { body } = await look(host, asked.body.user_code)
    const fields = { user_code: asked.body.user_code, form_id: body.form_id }
    t.equal((await answer(host, { ...fields, consent: 'granted' })).status, 200)
    t.equal((await answer(host, { ...fields, consent: 'granted' })).status, 200)
    t.equal((await answer(host, { ...fields, consent: 'denied' })).status, 400)
    t.equal((await decide(host, asked, 'granted', 'bert')).status, 400, 'nor can another user answer it again')
    t.equal((await poll(host, app, asked)).status, 200)
  },
  DEVICES,
)

everyFramework(
  'what is not in order is refused in the words of the standard',
  async (t, host) => {
    const app = await deviceApp(host)
    const other = await deviceApp(host)
    const plain = await host.publicApp()
    t.match((await ask(host, plain)).body, { error: 'unauthorized_client' })
    t.match((await ask(host, { clientId: 'nobody', clientSecret: null })).body, { error: 'invalid_client' })
    t.match((await ask(host, app, { scope: 'nothing:known' })).body, { error: 'invalid_scope' })
    t.match((await ask(host, app, { resource: 'https://elsewhere.example' })).body, { error: 'invalid_target' })
    t.match((await ask(host, app, { code_challenge: 'short', code_challenge_method: 'S256' })).body, { error: 'invalid_request' })

    const asked = await ask(host, app)
    t.match((await poll(host, other, asked)).body, { error: 'invalid_grant' })
    t.match((await poll(host, plain, asked)).body, { error: 'unauthorized_client' })
    t.match((await host.post('/oauth/token', app, { grant_type: DEVICE_CODE })).body, { error: 'invalid_request' })
    t.match((await host.post('/oauth/token', app, { grant_type: DEVICE_CODE, device_code: 'x' })).body, {
      error: 'invalid_grant',
    })

    const { body } = await look(host, asked.body.user_code)
    const right = { user_code: asked.body.user_code, form_id: body.form_id, consent: 'granted' }
    t.equal((await answer(host, { ...right, form_id: 'x' })).status, 403, 'not from our page')
    t.equal((await answer(host, right, 'bert')).status, 403, 'the page was shown to somebody else')
    t.equal((await answer(host, { ...right, consent: 'maybe' })).status, 400)
    t.equal((await answer(host, { ...right, user_code: 'BBBB-BBBB' })).status, 400)
    t.match((await poll(host, app, asked)).body, { error: 'authorization_pending' })

    const login = await host.browse(`/oauth/device?user_code=${asked.body.user_code}&x=y`, null, { headers: HTML })
    t.equal(login.status, 302)
    t.equal(login.params.returnTo, `/oauth/device?user_code=${asked.body.user_code}`)
    const wrong = await host.browse('/oauth/device?user_code=wrong', 'anna', { headers: HTML })
    t.equal(wrong.status, 400)
    t.match(wrong.text, 'No device waits with this code')
    t.match((await host.browse('/oauth/device', 'anna', { headers: HTML })).text, 'name="user_code"')
  },
  DEVICES,
)

everyFramework(
  'a code is bound to the challenge that the device sent, and to the app as it is',
  async (t, host) => {
    const app = await deviceApp(host)
    const challenge = { code_challenge: CHALLENGE, code_challenge_method: 'S256' }
    const bound = await ask(host, app, challenge)
    await decide(host, bound)
    t.match((await poll(host, app, bound, { code_verifier: 'a'.repeat(43) })).body, { error: 'invalid_grant' })
    t.match((await poll(host, app, bound, { code_verifier: VERIFIER })).body, { error: 'invalid_grant' }, 'one guess')
    const again = await ask(host, app, challenge)
    await decide(host, again)
    t.equal((await poll(host, app, again, { code_verifier: VERIFIER })).status, 200)

    const withdrawn = await ask(host, app)
    await decide(host, withdrawn)
    const [{ appId } = { appId: '' }] = (await host.browse('/oauth/connected-apps', 'anna')).body as unknown as {
      appId: string
    }[]
    await host.browse(`/oauth/connected-apps/${appId}`, 'anna', { method: 'DELETE' })
    t.match((await poll(host, app, withdrawn)).body, { error: 'invalid_grant' }, 'the user took it back before the device came')

    const stopped = await ask(host, app)
    await decide(host, stopped)
    await host.browse(`/oauth-clients/${appId}/revoke-all-tokens`, 'anna', { method: 'POST' })
    t.match((await poll(host, app, stopped)).body, { error: 'invalid_grant' })
  },
  DEVICES,
)

everyFramework(
  'a user can try thirty codes in ten minutes, and nobody else is disturbed',
  async (t, host) => {
    const app = await deviceApp(host)
    const asked = await ask(host, app)
    const answers: Answer[] = []
    for (let tries = 0; tries < 40; tries++) answers.push(await look(host, 'BCDF-GHJK'))
    t.strictSame([answers.filter(({ status }) => status === 400).length, answers.at(-1)?.status], [30, 429])
    t.equal((await look(host, asked.body.user_code)).status, 429, 'not even with a right code')
    t.match((await decide(host, asked, 'granted', 'bert')).body, { granted: true })
    host.clock.advance(600)
    t.equal((await look(host, 'BCDF-GHJK')).status, 400)
  },
  { devices: {} },
)

everyFramework(
  'with openid a device has an ID token of who agreed',
  async (t, host) => {
    const app = await deviceApp(host, { allowedScopes: ['openid', 'read:records'] })
    const asked = await ask(host, app, { scope: 'openid read:records' })
    await decide(host, asked)
    const { body } = await poll(host, app, asked)
    t.match(JSON.parse(Buffer.from(String(body.id_token).split('.')[1] ?? '', 'base64url').toString()), {
      sub: 'anna',
      aud: app.clientId,
    })
  },
  { ...DEVICES, ...SIGN_IN },
)

everyFramework(
  'a page of the host’s own is where the device sends its user',
  async (t, host) => {
    const { body } = await ask(host, await deviceApp(host))
    t.equal(body.verification_uri, 'https://issuer.example/link')
    t.match((await host.send('/.well-known/oauth-authorization-server')).body, {
      device_authorization_endpoint: 'https://issuer.example/oauth/device_authorization',
    })
  },
  { devices: { pageUrl: '/link', codeSeconds: 60, intervalSeconds: 1 } },
)

everyFramework('without the option there are no devices', async (t, host) => {
  t.equal((await host.send('/oauth/device_authorization', { method: 'POST' })).status, 404)
  await t.rejects(deviceApp(host))
})

everyFramework(
  'a user passes the steps of the host before they let a device in, and what was passed lets in one device',
  async (t, host) => {
    const app = await deviceApp(host)
    const [asked, other] = [await ask(host, app), await ask(host, app)]
    const path = `/oauth/device?user_code=${asked.body.user_code}`
    const field = (page: Answer, name: string) =>
      new RegExp(`${name}="([^"]+)"`).exec(page.text)?.[1]?.replaceAll('&amp;', '&') ?? ''
    const agree = (page: Answer, action: string, code: unknown, consent = 'granted') => {
      const body = new URLSearchParams({ form_id: field(page, 'name="form_id" value'), user_code: String(code), consent })
      return host.browse(action, 'anna', { method: 'POST', body, headers: HTML })
    }
    const step = await host.browse(path, 'anna', { headers: HTML })
    t.equal(step.location?.pathname, '/step/factor')
    t.equal((await look(host, asked.body.user_code)).body.error, 'interaction_required', 'JSON leads to no page')

    const next = await host.authmount.passStep(String(step.params.step_id), { userId: 'anna', orgId: 'org-2', acr: 'gold' })
    const page = await host.browse(next, 'anna', { headers: HTML })
    t.equal(page.status, 200)
    const action = field(page, 'action')
    t.match((await agree(page, '/oauth/device', asked.body.user_code)).location?.pathname, '/step/factor', 'round the step')
    t.match((await agree(page, action, other.body.user_code)).location?.pathname, '/step/factor', 'for another device')
    t.match((await agree(page, action, asked.body.user_code)).text, 'Device connected')
    t.match((await agree(page, action, asked.body.user_code)).text, 'Device connected', 'a second click')
    t.match((await poll(host, app, other)).body, { error: 'authorization_pending' })
    const { body } = await poll(host, app, asked)
    const guarded = await host.send('/any', { headers: { authorization: `Bearer ${body.access_token}` } })
    t.match(guarded.body, { userId: 'anna', orgId: 'org-2', acr: 'gold' })

    const json = await look(host, other.body.user_code)
    t.equal(json.status, 403)
    t.match((await agree(page, '/oauth/device', other.body.user_code, 'denied')).status, 200, 'a denial passes no step')
  },
  { ...DEVICES, steps: () => [{ name: 'factor', url: '/step/factor' }] },
)

everyFramework(
  'of optional scopes a device gets those that its user ticks, and none beforehand',
  async (t, host) => {
    const app = await deviceApp(host, { allowedScopes: ['read:records', 'read:calendar', 'delete:records'] })
    const all = { scope: 'read:records read:calendar delete:records' }
    const asked = await ask(host, app, all)
    const { body } = await look(host, asked.body.user_code)
    t.match(body.scopes, [
      { optional: false },
      { optional: true, detail: 'To plan around it.' },
      { optional: true, sensitive: true },
    ])
    const page = await host.browse(`/oauth/device?user_code=${asked.body.user_code}`, 'anna', { headers: HTML })
    t.strictSame(page.text.match(/<input type="checkbox"[^>]*>/g), [
      '<input type="checkbox" name="optional_scope" value="read:calendar">',
      '<input type="checkbox" name="optional_scope" value="delete:records">',
    ])
    const fields = { user_code: asked.body.user_code, form_id: body.form_id, consent: 'granted' }
    t.equal((await answer(host, { ...fields, optional_scope: 'write:records' })).status, 400, 'it was not offered')
    t.equal((await answer(host, { ...fields, optional_scope: 'read:calendar' })).status, 200)
    t.equal((await answer(host, { ...fields, optional_scope: 'delete:records' })).status, 400, 'a second click changes nothing')
    t.equal((await answer(host, { ...fields, optional_scope: 'read:calendar' })).status, 200)
    t.equal((await poll(host, app, asked)).body.scope, 'read:records read:calendar')
    t.match(
      host.events.find(({ type }) => type === 'consent_granted'),
      { scopes: ['read:records', 'read:calendar'], declined: ['delete:records'] },
    )

    const again = await ask(host, app, all)
    await decide(host, again)
    t.equal((await poll(host, app, again)).body.scope, 'read:records', 'nothing is ticked that was allowed elsewhere')
    const consent = await host.store.consents.get({ userId: 'anna' }, app.clientId)
    t.strictSame(consent?.scopes, ['read:records', 'read:calendar'], 'nor is it taken back')

    const nothing = await ask(host, app, { scope: 'read:calendar' })
    t.strictSame((await decide(host, nothing)).body, { granted: false }, 'to allow nothing is to deny')
    t.equal((await poll(host, app, nothing)).body.error, 'access_denied')
  },
  {
    ...DEVICES,
    scopes: {
      ...SCOPES,
      'read:calendar': { description: 'Read your calendar', detail: 'To plan around it.', optional: true },
      'delete:records': { description: 'Delete your records', sensitive: true, optional: true },
    },
  },
)
