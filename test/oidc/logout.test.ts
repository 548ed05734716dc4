/** OpenID Connect RP-Initiated Logout 1.0: an app asks, the host decides. */
import { REDIRECT_URI } from '../support/client.ts'
import { everyFramework } from '../support/everywhere.ts'
import type { HostOptions, TestHost } from '../support/host.ts'
import { SIGN_IN, signInApp } from '../support/sign-in.ts'

const LOGOUT: HostOptions = { ...SIGN_IN, logoutUrl: '/sign-out' }
/** Whether consents can be deleted just now. */
const failing = { now: false }
type App = Awaited<ReturnType<typeof signInApp>>

async function signIn(host: TestHost, app: App, scope = 'openid read:records') {
  const { body } = await host.redeem(app, await host.approve(app, { scope }))
  return { idToken: String(body.id_token), access: String(body.access_token), refresh: String(body.refresh_token) }
}
const ask = (host: TestHost, fields: Record<string, string>, user: string | null = 'anna') =>
  host.browse(`/oauth/logout?${new URLSearchParams(fields)}`, user)

everyFramework(
  'the host’s page decides, and the browser then returns to the app',
  async (t, host) => {
    const app = await signInApp(host)
    const { idToken, access } = await signIn(host, app, 'openid read:records offline_access')
    const { body } = await host.send('/.well-known/openid-configuration')
    t.equal(body.end_session_endpoint, 'https://issuer.example/oauth/logout')
    const asked = await ask(host, {
      id_token_hint: idToken,
      post_logout_redirect_uri: REDIRECT_URI,
      state: 's 1&',
      ui_locales: 'de',
      logout_hint: 'anna',
    })
    t.equal(asked.status, 302)
    t.equal(asked.location?.pathname, '/sign-out')
    t.match(asked.params, {
      client_id: app.clientId,
      ui_locales: 'de',
      logout_hint: 'anna',
      returnTo: /^\/oauth\/logout\/done\?logout_id=/,
    })
    const done = await host.browse(asked.params.returnTo ?? '', null)
    t.equal(done.location?.href, `${REDIRECT_URI}?state=s+1%26`)
    t.equal(await host.records(access), 200, 'signing out is not taking back what was to outlive it')
    t.equal((await host.browse(asked.params.returnTo ?? '', null)).location?.href, done.location?.href, 'a reload is harmless')

    const nobody = await ask(host, { id_token_hint: idToken, post_logout_redirect_uri: REDIRECT_URI, state: 's' }, null)
    t.equal(nobody.status, 200, 'there is nobody to sign out, and nobody to redirect')
    t.match(nobody.text, `href="${REDIRECT_URI}?state=s"`)
    t.notMatch(nobody.text, /http-equiv="?refresh/i)
    const page = await ask(host, {}, null)
    t.equal(page.status, 200)
    t.match(page.text, /You are signed out/)
    const posted = await host.browse('/oauth/logout', null, {
      method: 'POST',
      body: new URLSearchParams({ id_token_hint: idToken, x: 'y' }),
    })
    t.equal(posted.status, 303)
    t.strictSame(Object.keys(posted.params), ['id_token_hint'])
  },
  LOGOUT,
)

everyFramework(
  'a user who wants that also ends what the app may do, once, and only from the host’s page',
  async (t, host) => {
    const app = await signInApp(host)
    const { idToken, access, refresh } = await signIn(host, app, 'openid read:records offline_access')
    const asked = await ask(host, { id_token_hint: idToken })
    const { returnTo = '' } = asked.params
    for (const forged of ['/oauth/logout/done?end_grants=true', '/oauth/logout/done?end_grants=true&logout_id=x'])
      t.equal((await host.browse(forged, 'anna')).status, 400)
    t.equal(await host.records(access), 200)
    host.events.length = 0
    t.equal((await host.browse(`${returnTo}&end_grants=true`, null)).status, 200)
    t.equal(await host.records(access), 401)
    t.equal((await host.refresh(app, refresh)).body.error, 'invalid_grant')
    t.match(host.events, [{ type: 'consent_withdrawn', clientId: app.clientId, userId: 'anna', orgId: 'org-1', revoked: 1 }])
    t.ok((await host.authorize(app, { scope: 'openid read:records' })).params.consent_id, 'the user is asked again')

    host.clock.advance(1)
    const again = await signIn(host, app)
    await host.browse(`${returnTo}&end_grants=true`, null)
    t.equal(await host.records(again.access), 200, 'a link that was used ends nothing more')
    host.clock.advance(700)
    t.equal((await host.browse(returnTo, null)).status, 400)
  },
  LOGOUT,
)

everyFramework(
  'a store that fails while grants are ended leaves the click to be repeated',
  async (t, host) => {
    const app = await signInApp(host)
    const { idToken, access } = await signIn(host, app)
    const { returnTo = '' } = (await ask(host, { id_token_hint: idToken })).params
    failing.now = true
    t.equal((await host.browse(`${returnTo}&end_grants=true`, null)).status, 503)
    failing.now = false
    t.equal((await host.browse(`${returnTo}&end_grants=true`, null)).status, 200)
    t.equal(await host.records(access), 401)
  },
  {
    ...LOGOUT,
    wrap: store => ({
      ...store,
      consents: {
        get: (...args) => store.consents.get(...args),
        list: (...args) => store.consents.list(...args),
        save: consent => (failing.now ? Promise.reject(new Error('down')) : store.consents.save(consent)),
      },
    }),
  },
)

everyFramework(
  'somebody whose login is not seen, because a token of ours is with it, is not told that they are signed out',
  async (t, host) => {
    const app = await signInApp(host)
    const { access } = await signIn(host, app)
    const answer = await host.send('/oauth/logout', { headers: { cookie: `session=anna; other=${access}` } })
    t.equal(answer.status, 403)
    t.equal((await ask(host, { client_id: '<img src=x>' })).status, 400)
    t.equal((await ask(host, { client_id: '0'.repeat(24) })).status, 400)
    t.equal((await host.browse('/oauth/logout', null, { method: 'POST' })).status, 303)
  },
  LOGOUT,
)

everyFramework(
  'nobody is sent anywhere that the app has not registered',
  async (t, host) => {
    const [app, other] = [await signInApp(host), await signInApp(host, { redirectUris: ['https://other.example/cb'] })]
    const { idToken, access } = await signIn(host, app)
    const cases: readonly Record<string, string>[] = [
      { id_token_hint: idToken, post_logout_redirect_uri: 'https://evil.example/' },
      { id_token_hint: idToken, post_logout_redirect_uri: `${REDIRECT_URI}/` },
      { id_token_hint: idToken, post_logout_redirect_uri: 'https://other.example/cb' },
      { post_logout_redirect_uri: REDIRECT_URI },
      { post_logout_redirect_uri: 'javascript:alert(1)', client_id: app.clientId },
      { id_token_hint: idToken, client_id: other.clientId, post_logout_redirect_uri: 'https://other.example/cb' },
      { id_token_hint: access, client_id: app.clientId },
      { id_token_hint: `${idToken.slice(0, -20)}AAAAAAAAAAAAAAAAAAAA` },
      { client_id: "'; --", post_logout_redirect_uri: REDIRECT_URI },
      { state: 'x'.repeat(5000) },
    ]
    for (const fields of cases) {
      const refused = await ask(host, fields, 'anna')
      const expected = fields.id_token_hint === access ? 302 : 400
      t.equal(refused.status, expected, JSON.stringify(fields).slice(0, 200))
      if (expected === 400) t.equal(refused.location, undefined)
    }
    t.equal((await host.browse(`/oauth/logout?state=a&state=b`, 'anna')).status, 400)
    host.clock.advance(7200)
    const late = await ask(host, { id_token_hint: idToken, post_logout_redirect_uri: REDIRECT_URI }, null)
    t.match(late.text, `href="${REDIRECT_URI}"`, 'an expired hint is still a hint')
    const named = await ask(host, { client_id: app.clientId, post_logout_redirect_uri: REDIRECT_URI }, null)
    t.equal(named.location, undefined)
    t.match(named.text, `href="${REDIRECT_URI}"`)
  },
  LOGOUT,
)

everyFramework(
  'an app that has addresses for after a logout is returned to at these alone',
  async (t, host) => {
    const bye = 'https://app.example/bye?x=1'
    const app = await signInApp(host, { clientId: 'with-a-bye', postLogoutRedirectUris: [bye] })
    const { idToken } = await signIn(host, app)
    const { params } = await ask(host, { id_token_hint: idToken, post_logout_redirect_uri: bye, state: 's' })
    t.equal((await host.browse(params.returnTo ?? '', null)).location?.href, `${bye}&state=s`)
    t.equal((await ask(host, { id_token_hint: idToken, post_logout_redirect_uri: REDIRECT_URI })).status, 400)
    await signInApp(host, { clientId: 'with-a-bye' })
    t.equal(
      (await ask(host, { id_token_hint: idToken, post_logout_redirect_uri: bye })).status,
      302,
      'a field that is not given stays',
    )
    await signInApp(host, { clientId: 'with-a-bye', postLogoutRedirectUris: [] })
    t.equal((await ask(host, { id_token_hint: idToken, post_logout_redirect_uri: bye })).status, 400)
    t.equal((await ask(host, { id_token_hint: idToken, post_logout_redirect_uri: REDIRECT_URI })).status, 302)
  },
  LOGOUT,
)

everyFramework(
  'a host without a logout page offers none',
  async (t, host) => {
    t.equal((await host.send('/oauth/logout')).status, 404)
    t.notOk((await host.send('/.well-known/openid-configuration')).body.end_session_endpoint)
  },
  { ...SIGN_IN },
)
