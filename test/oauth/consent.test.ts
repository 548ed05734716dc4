import type { TestApp } from '../support/client.ts'
import { CHALLENGE, defined, REDIRECT_URI, VERIFIER } from '../support/client.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { authenticate, SCOPES, type TestHost } from '../support/host.ts'

/** The consent POST as a single-page app of the host makes it: the documented parameters, and the host's own bearer token. */
function decideAsJson(host: TestHost, app: TestApp, fields: Record<string, unknown> = {}, headers: Record<string, string> = {}) {
  const query = host.authorizeQuery(app)
  query.delete('response_type')
  return host.send('/oauth/authorize', {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer host-anna', ...headers },
    body: JSON.stringify({ ...Object.fromEntries(query), consent: 'granted', ...fields }),
  })
}

everywhere('the page says who asks, as whom, for what, and where it leads', async (t, host) => {
  const app = await host.confidentialApp({ name: 'Tax <b>Helper</b>', homepageUrl: 'https://app.example/?a=1&b="' })
  const screen = await host.authorize(app, { scope: 'read:records write:records' })
  const page = await host.browse(String(screen.headers.get('location')), 'anna')
  t.equal(page.status, 200)
  t.match(page.text, 'Tax &lt;b&gt;Helper&lt;/b&gt;')
  t.match(page.text, 'Read your records')
  t.match(page.text, 'Change your records')
  t.match(page.text, 'Anna')
  t.match(page.text, 'app.example')
  t.match(page.text, 'href="https://app.example/?a=1&amp;b=&quot;"', 'the link is escaped')
})

everyFramework('what an app calls itself cannot turn the direction of the text around it', async (t, host) => {
  const [name, description] = ['Bank\u202eelpmaxe', 'Pays\u2067 bills']
  const screen = await host.authorize(await host.confidentialApp({ name, description }))
  const { text } = await host.browse(String(screen.headers.get('location')), 'anna', { headers: { accept: 'text/html' } })
  const [, body = ''] = text.split('<body')
  for (const said of [name, description]) {
    const before = body.split(said).slice(0, -1)
    t.ok(before.length > 0)
    t.ok(
      before.every(part => part.endsWith('<bdi>')),
      JSON.stringify(said),
    )
  }
})

everywhere('the page can be neither framed nor scripted', async (t, host) => {
  const app = await host.confidentialApp({
    name: '"><script>alert(1)</script>',
    description: '<img src=x onerror=alert(1)>{{7*7}}',
  })
  const page = await host.browse(String((await host.authorize(app)).headers.get('location')), 'anna')
  const policy = page.headers.get('content-security-policy') ?? ''
  t.match(policy, /default-src 'none'/)
  t.match(policy, /frame-ancestors 'none'/)
  t.match(policy, /base-uri 'none'/)
  t.notMatch(policy, /form-action/, 'which Chromium would hold against wherever the app sends its user')
  t.notMatch(policy, /unsafe/)
  t.equal(page.headers.get('x-frame-options'), 'DENY')
  t.equal(page.headers.get('referrer-policy'), 'no-referrer')
  t.equal(page.headers.get('cache-control'), 'no-store')
  t.notMatch(page.text, /<script|<img/)
})

everywhere('the page names the scheme of a private address, not what someone wrote behind it', async (t, host) => {
  const redirect_uri = 'com.evil.app://www.google.com/cb'
  const app = await host.publicApp({ redirectUris: [redirect_uri] })
  const page = await host.browse(String((await host.authorize(app, { redirect_uri })).headers.get('location')), 'anna')
  t.match(page.text, 'com.evil.app:')
  t.notMatch(page.text.replaceAll(/href="[^"]*"/g, ''), 'google', 'nothing that can be read')
})

everywhere('a page whose login has run out is not shown a password prompt', async (t, host) => {
  const app = await host.confidentialApp()
  const answer = await decideAsJson(host, app, {}, { authorization: 'Bearer expired' })
  t.equal(answer.status, 401)
  t.equal(answer.headers.get('www-authenticate'), null)
})

everywhere('the same question can be had as JSON, for a page of the host', async (t, host) => {
  const app = await host.confidentialApp({ name: 'Helper' })
  const screen = await host.authorize(app)
  const answer = await host.browse(String(screen.headers.get('location')), 'anna', { headers: { accept: 'application/json' } })
  t.match(answer.body, {
    consent_id: screen.params.consent_id,
    client: { client_id: app.clientId, name: 'Helper' },
    redirect_uri: REDIRECT_URI,
    scopes: [{ name: 'read:records', description: 'Read your records', category: 'Records' }],
  })
})

everywhere(
  'a host with a consent page of its own is sent the request and the id of the screen',
  async (t, host) => {
    const app = await host.confidentialApp()
    const screen = await host.authorize(app)
    t.equal(screen.location?.pathname, '/consent')
    t.match(screen.params, { client_id: app.clientId, scope: 'read:records', state: 'state-1', consent_id: String })
    const answer = await decideAsJson(host, app, { consent_id: screen.params.consent_id })
    t.match(answer.body.redirect_uri, /^https:\/\/app\.example\/cb\?code=/)
  },
  { consentUrl: '/consent' },
)

everywhere('agreeing redirects a form with 303 and tells JSON where to go', async (t, host) => {
  const app = await host.confidentialApp()
  const form = await host.decide(await host.authorize(app))
  t.equal(form.status, 303)
  t.match(form.params, { code: /^am_ac_/, state: 'state-1', iss: 'https://issuer.example' })
  const json = await decideAsJson(host, app, { state: 'state-2' })
  t.equal(json.status, 200)
  t.strictSame(Object.keys(json.body), ['redirect_uri'])
  const uri = new URL(String(json.body.redirect_uri))
  t.match(Object.fromEntries(uri.searchParams), { code: /^am_ac_/, state: 'state-2', iss: 'https://issuer.example' })
  t.equal((await host.redeem(app, uri.searchParams.get('code') ?? '')).status, 200)
})

everywhere('denying sends access_denied, and the screen is closed', async (t, host) => {
  const app = await host.confidentialApp()
  const screen = await host.authorize(app)
  const denied = await host.decide(screen, 'denied')
  t.equal(denied.status, 303)
  t.match(denied.params, { error: 'access_denied', state: 'state-1', iss: 'https://issuer.example' })
  t.equal(denied.params.code, undefined)
  t.equal((await host.decide(screen)).status, 400)
  const json = await decideAsJson(host, app, { consent: 'denied', state: 'other' })
  t.match(json.body.redirect_uri, /[?&]error=access_denied&/)
  t.equal(await host.store.consents.get({ userId: 'anna' }, app.clientId), undefined)
  t.equal(host.events.filter(({ type }) => type === 'consent_denied').length, 2)
})

everywhere('a form without the id of an open screen is refused', async (t, host) => {
  const app = await host.confidentialApp()
  await host.authorize(app)
  const fields = Object.fromEntries(host.authorizeQuery(app))
  for (const consent_id of [undefined, '', 'A'.repeat(43), 'forged']) {
    const answer = await host.browse('/oauth/authorize', 'anna', {
      method: 'POST',
      body: defined({ ...fields, consent: 'granted', consent_id }),
    })
    t.equal(answer.status, 403, String(consent_id))
    t.equal(answer.location, undefined)
  }
  t.equal(await host.store.consents.get({ userId: 'anna' }, app.clientId), undefined)
})

everywhere('JSON needs a credential that no other site can send, unless it names the screen', async (t, host) => {
  const app = await host.confidentialApp()
  const query = Object.fromEntries(host.authorizeQuery(app))
  const byCookie = await host.browse('/oauth/authorize', 'anna', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...query, consent: 'granted' }),
  })
  t.equal(byCookie.status, 403)
  const screen = await host.authorize(app)
  const named = await host.browse('/oauth/authorize', 'anna', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ consent_id: screen.params.consent_id, consent: 'granted' }),
  })
  t.equal(named.status, 200)
})

everywhere('a screen can be answered only by the one who opened it', async (t, host) => {
  const app = await host.confidentialApp()
  const screen = await host.authorize(app)
  t.equal((await host.decide(screen, 'granted', 'bert')).status, 403)
  t.equal((await host.browse(String(screen.headers.get('location')), 'bert')).status, 403)
  t.equal((await host.decide(screen, 'granted', null)).status, 401)
  t.equal((await host.decide(screen, 'granted', 'anna')).status, 303, 'and it is still open to her')
})

everyFramework(
  'where a host names neither sessions nor times of login, a screen and a button are still those of one user',
  async (t, host) => {
    const app = await host.confidentialApp()
    const screen = await host.authorize(app)
    for (const user of ['bert', 'cora', null]) {
      const other = await host.decide(screen, 'granted', user)
      t.ok(other.status >= 400, `${user}: ${other.status}`)
      t.equal(other.location, undefined)
    }
    t.ok((await host.decide(screen)).params.code)

    const { text } = await host.browse('/oauth/connected-apps', 'anna', { headers: { accept: 'text/html' } })
    const form_id = /name="form_id" value="([\w-]+)"/.exec(text)?.[1] ?? ''
    await host.approve(app, {}, 'bert')
    const press = (user: string) =>
      host.browse(`/oauth/connected-apps/${app.clientId}`, user, { method: 'POST', body: new URLSearchParams({ form_id }) })
    t.equal((await press('bert')).status, 403)
    t.ok((await host.authorize(app, {}, 'bert')).params.code, 'what he allowed is as it was')
    t.equal((await press('anna')).status, 303)
  },
  {
    async authenticate(request) {
      const user = await authenticate(request)
      return user && { userId: user.userId, orgId: user.orgId, isAdmin: user.isAdmin }
    },
  },
)

everywhere('twenty clicks on Allow give one code, until it is redeemed', async (t, host) => {
  const app = await host.confidentialApp()
  const screen = await host.authorize(app)
  const answers = await Promise.all(Array.from({ length: 20 }, () => host.decide(screen)))
  t.strictSame(new Set(answers.map(({ status }) => status)), new Set([303]))
  t.equal(new Set(answers.map(({ params }) => params.code)).size, 1)
  const [{ params } = { params: {} as Record<string, string> }] = answers
  t.equal((await host.decide(screen)).params.code, params.code)
  t.equal((await host.decide(screen, 'denied')).status, 400, 'another answer')
  t.equal((await host.decide(screen, 'granted', 'bert')).status, 403, 'another user')
  const { body } = await host.redeem(app, params.code ?? '')
  t.equal((await host.decide(screen)).status, 400, 'redeemed')
  t.ok(await host.isActive(app, body.access_token), 'and its tokens live on')
})

everywhere('a second click on Deny says the same again, and Allow then does not', async (t, host) => {
  const screen = await host.authorize(await host.confidentialApp())
  for (const _ of [1, 2]) t.equal((await host.decide(screen, 'denied')).params.error, 'access_denied')
  t.equal((await host.decide(screen)).status, 400)
})

everywhere('an authorization request may be posted, and goes on by GET', async (t, host) => {
  const app = await host.confidentialApp()
  const body = new URLSearchParams(host.authorizeQuery(app, { state: 'a&b' }))
  body.set('client_secret', 'not for a URL')
  const answer = await host.browse('/oauth/authorize', null, { method: 'POST', body })
  t.equal(answer.status, 303)
  t.equal(answer.location?.pathname, '/oauth/authorize')
  body.delete('client_secret')
  t.strictSame(new Map(answer.location?.searchParams), new Map(body))
  t.ok((await host.browse(String(answer.headers.get('location')), 'anna')).params.consent_id)
})

everywhere('a POST can repeat the request but not change it', async (t, host) => {
  const app = await host.confidentialApp()
  const other = await host.confidentialApp({ redirectUris: ['https://other.example/cb'] })
  const changes = {
    scope: 'read:records write:records',
    redirect_uri: 'https://other.example/cb',
    client_id: other.clientId,
    state: 'another',
    code_challenge: VERIFIER,
    code_challenge_method: 'plain',
  }
  for (const [name, value] of Object.entries(changes)) {
    const screen = await host.authorize(app, { scope: 'read:records', state: `state of ${name}` })
    const changed = await host.decide(screen, 'granted', 'anna', { [name]: value })
    t.equal(changed.status, 400, name)
    t.equal(changed.location, undefined, name)
    const repeated = await host.decide(screen, 'granted', 'anna', {
      client_id: app.clientId,
      redirect_uri: REDIRECT_URI,
      nonce: 'ignored',
    })
    t.equal(repeated.status, 303, name)
    const { body } = await host.redeem(app, repeated.params.code ?? '')
    t.equal(body.scope, 'read:records')
    await host.authmount.endUserGrants('anna', app.clientId)
  }
})

everywhere('JSON that answers an open screen takes from it what it does not say', async (t, host) => {
  const app = await host.publicApp()
  await host.authorize(app, { nonce: 'n-1' })
  const answer = await decideAsJson(host, app, { code_challenge: undefined, code_challenge_method: undefined, nonce: 'other' })
  t.equal(answer.status, 200)
  const code = new URL(String(answer.body.redirect_uri)).searchParams.get('code') ?? ''
  t.equal(
    (await host.redeem(app, code, { code_verifier: undefined })).body.error,
    'invalid_grant',
    'the challenge of the request holds',
  )
  t.equal((await decideAsJson(host, app)).status, 400, 'and the screen is closed')
})

everywhere('JSON without a screen is checked as a request is', async (t, host) => {
  const app = await host.publicApp()
  const cases: readonly (readonly [fields: Record<string, unknown>, status: number, error: string])[] = [
    [{ code_challenge: undefined, code_challenge_method: undefined }, 400, 'invalid_request'],
    [{ code_challenge: VERIFIER, code_challenge_method: 'plain' }, 400, 'invalid_request'],
    [{ redirect_uri: 'https://evil.example/cb' }, 403, 'invalid_request'],
    [{ client_id: 'f'.repeat(24) }, 403, 'invalid_client'],
    [{ scope: 'bogus' }, 400, 'invalid_scope'],
    [{ redirect_uri: undefined }, 400, 'invalid_request'],
    [{ client_id: undefined }, 400, 'invalid_request'],
    [{ consent: undefined }, 400, 'invalid_request'],
    [{ consent: 'yes' }, 400, 'invalid_request'],
    [{ consent: true }, 400, 'invalid_request'],
    [{ scope: ['read:records'] }, 400, 'invalid_request'],
    [{ consent_id: 'unknown' }, 403, 'access_denied'],
  ]
  for (const [fields, status, error] of cases) {
    const answer = await decideAsJson(host, app, fields)
    t.equal(answer.status, status, JSON.stringify(fields))
    t.equal(answer.body.error, error, JSON.stringify(fields))
    t.equal(answer.body.redirect_uri, undefined)
  }
  t.equal((await decideAsJson(host, app, {}, { authorization: 'Bearer nobody' })).status, 401)
  t.equal((await decideAsJson(host, app, { code_challenge: CHALLENGE })).status, 200)
})

everywhere('an app that is suspended while the user decides gets no code', async (t, host) => {
  const app = await host.confidentialApp()
  const screen = await host.authorize(app)
  const stored = await host.store.apps.get(app.clientId)
  if (!stored) throw new Error('the app is not stored')
  await host.store.apps.save({ ...stored, status: 'suspended', version: 2 })
  const page = await host.browse(String(screen.headers.get('location')), 'anna')
  t.equal(page.status, 400)
  const answer = await host.decide(screen)
  t.equal(answer.status, 403)
  t.equal(answer.location, undefined)
})

everywhere('a screen closes by itself', async (t, host) => {
  const app = await host.confidentialApp()
  const screen = await host.authorize(app)
  host.clock.advance(601)
  t.equal((await host.browse(String(screen.headers.get('location')), 'anna')).status, 400)
  t.equal((await host.decide(screen)).status, 403)
})

const MANY = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`scope-${index}`, { description: `Scope ${index}` }]))

everywhere(
  'of forty screens that are answered at once, every answer is kept',
  async (t, host) => {
    const app = await host.confidentialApp({ allowedScopes: Object.keys(MANY) })
    const screens = await Promise.all(Object.keys(MANY).map(scope => host.authorize(app, { scope, state: scope })))
    const answers = await Promise.all(screens.map(screen => host.decide(screen)))
    t.ok(answers.every(({ params }) => params.code))
    const consent = await host.store.consents.get({ userId: 'anna' }, app.clientId)
    t.strictSame([...(consent?.scopes ?? [])].toSorted(), Object.keys(MANY).toSorted())
  },
  { scopes: { ...SCOPES, ...MANY } },
)

everywhere('a withdrawal is not undone by an answer that was under way', async (t, host) => {
  const app = await host.confidentialApp()
  const before = await host.tokens(app)
  const screen = await host.authorize(app, { scope: 'read:records write:records', state: 'state-2' })
  const { consents } = host.store
  const { save } = consents
  const held: { release?: () => void } = {}
  const waiting = new Promise<void>(resolve => {
    held.release = resolve
  })
  const begun = new Promise<void>(resolve => {
    let first = true
    Object.assign(consents, {
      async save(...args: Parameters<typeof save>) {
        if (first) {
          first = false
          resolve()
          await waiting
        }
        return save(...args)
      },
    })
  })
  const answering = host.decide(screen)
  await begun
  t.equal(await host.authmount.endUserGrants('anna'), 1)
  held.release?.()
  const answer = await answering
  t.equal(answer.params.code, undefined)
  t.equal(answer.body.error, 'access_denied')
  t.strictSame((await consents.get({ userId: 'anna' }, app.clientId))?.scopes, [])
  t.equal(await host.records(before.access), 401)
  t.ok((await host.authorize(app, { state: 'state-3' })).params.consent_id, 'the user is asked again')
})

everywhere('what was withdrawn is not among what is agreed to next', async (t, host) => {
  const app = await host.confidentialApp()
  await host.approve(app, { scope: 'read:records write:records' })
  await host.authmount.endUserGrants('anna', app.clientId)
  await host.approve(app, { scope: 'read:records', state: 'state-2' })
  const consent = await host.store.consents.get({ userId: 'anna' }, app.clientId)
  t.strictSame(consent?.scopes, ['read:records'])
  t.equal(consent?.expiresAt, undefined)
})
