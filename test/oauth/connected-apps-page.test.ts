/** Connected apps as a page: what a browser shows the signed-in user, and its one button. */
import { everyFramework, everywhere } from '../support/everywhere.ts'
import type { HostOptions, TestHost } from '../support/host.ts'
import { SEALING_KEY } from '../support/sign-in.ts'

/** Without sealing keys the form is a record, with them a sealed value. */
const KEYS: Readonly<Record<string, HostOptions>> = {
  '': {},
  ' (sealed)': { sealingKeys: [SEALING_KEY], signingAlg: 'ES256' },
}

const html = { headers: { accept: 'text/html' } }
const open = (host: TestHost, user: string | null, path = '/oauth/connected-apps') => host.browse(path, user, html)
const formIdOf = (text: string) => /name="form_id" value="([\w-]+)"/.exec(text)?.[1] ?? ''
const remove = (host: TestHost, clientId: string, formId: string, user: string | null, headers: Record<string, string> = {}) =>
  host.browse(`/oauth/connected-apps/${clientId}`, user, {
    method: 'POST',
    body: new URLSearchParams({ form_id: formId }),
    headers: { accept: 'text/html', ...headers },
  })

for (const [kind, options] of Object.entries(KEYS)) {
  everywhere(
    `a user sees what they have allowed, and takes it back with a button${kind}`,
    async (t, host) => {
      const [app, other] = [await host.confidentialApp({ name: '<b>Tax</b>' }), await host.confidentialApp({ name: 'Other' })]
      const [tokens, kept] = [await host.tokens(app), await host.tokens(other)]
      const page = await open(host, 'anna')
      t.equal(page.status, 200)
      t.match(page.text, '&lt;b&gt;Tax&lt;/b&gt;')
      t.match(page.text, 'Read your records')
      t.match(page.headers.get('content-security-policy'), /default-src 'none'.*form-action 'self'.*frame-ancestors 'none'/)

      // As Chromium sends it: the page has no referrer, and so its form has no origin.
      const sent = { origin: 'null', 'sec-fetch-site': 'same-origin' }
      const removed = await remove(host, app.clientId, formIdOf(page.text), 'anna', sent)
      t.equal(removed.status, 303)
      const after = await open(host, 'anna', `${removed.location?.pathname}${removed.location?.search}`)
      t.match(after.text, /&lt;b&gt;Tax&lt;\/b&gt;<\/bdi> can no longer act for you/)
      const lie = await open(host, 'anna', `/oauth/connected-apps?removed=${other.clientId}`)
      t.notMatch(lie.text, 'can no longer act for you', 'a link cannot say so of an app that is still there')
      t.equal(await host.records(tokens.access), 401)
      t.equal(await host.records(kept.access), 200)
      t.equal((await remove(host, app.clientId, formIdOf(page.text), 'anna')).status, 303, 'twice is once')
    },
    options,
  )

  everywhere(
    `nobody else’s page can press the button${kind}`,
    async (t, host) => {
      const app = await host.confidentialApp()
      const { access } = await host.tokens(app)
      await host.tokens(app, {}, 'bert')
      const own = formIdOf((await open(host, 'anna')).text)
      const berts = formIdOf((await open(host, 'bert')).text)
      t.ok(own && berts)
      const refused = [
        await remove(host, app.clientId, '', 'anna'),
        await remove(host, app.clientId, 'forged', 'anna'),
        await remove(host, app.clientId, berts, 'anna'),
        await remove(host, app.clientId, own, 'bert'),
        await remove(host, app.clientId, own, 'anna', { 'sec-fetch-site': 'cross-site' }),
        await remove(host, app.clientId, own, null),
      ]
      t.strictSame(
        refused.map(({ status }) => status),
        [400, 403, 403, 403, 403, 401],
      )
      for (const { headers, text } of refused) {
        t.match(headers.get('content-type'), 'text/html')
        t.match(text, 'This did not work')
      }
      t.equal(await host.records(access), 200)
      host.clock.advance(3700)
      t.equal((await remove(host, app.clientId, own, 'anna')).status, 403)
    },
    options,
  )
}

everywhere('who is not signed in goes to the login; a client that is no browser is told', async (t, host) => {
  const page = await open(host, null)
  t.equal(page.status, 302)
  t.match(page.params, { returnTo: /^\/oauth\/connected-apps/ })
  t.equal((await host.browse('/oauth/connected-apps', null)).status, 401)
  t.match((await open(host, 'bert')).text, 'No app may act for you')
})

everywhere('a person is shown an error page whose reference is in the event', async (t, host) => {
  const page = await host.browse('/oauth/authorize?client_id=nope&redirect_uri=https://app.example/cb', 'anna', {
    headers: { accept: 'text/html', 'accept-language': 'de-CH, en;q=0.5' },
  })
  t.equal(page.status, 400)
  t.match(page.text, '<html lang="de" dir="ltr">')
  t.match(page.text, 'Das hat nicht geklappt')
  const [event] = host.events
  t.match(event, { type: 'error_shown', error: 'invalid_client' })
  if (event?.type === 'error_shown') t.match(page.text, `<code>${event.reference}</code>`)
  const arabic = await host.browse('/oauth/authorize?ui_locales=ar', 'anna', { headers: { accept: 'text/html' } })
  t.match(arabic.text, '<html lang="ar" dir="rtl">')
})

everyFramework(
  'a host that cannot say who is signed in is a page to a browser, and JSON to a program',
  async (t, host) => {
    const page = await host.send('/oauth/connected-apps', { headers: { accept: 'text/html' } })
    t.equal(page.status, 500)
    t.match(page.headers.get('content-type'), 'text/html')
    t.match(page.text, 'Something went wrong')
    const json = await host.send('/oauth/connected-apps')
    t.match(json, { status: 500, body: { error: { code: 'INTERNAL' } } })
  },
  {
    authenticate: () => {
      throw new Error('the directory is down')
    },
  },
)
