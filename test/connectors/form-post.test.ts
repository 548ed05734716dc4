/** A provider of another site posts its callback: what a real browser then does with cookies that are `SameSite=Lax`. */
import type { Browser } from 'playwright-core'
import t, { type Test } from 'tap'
import { launchBrowser, skipWithoutBrowser } from '../support/browser.ts'
import { withConnectors } from '../support/connectors.ts'
import { FakeProvider } from '../support/fake-provider.ts'
import { frameworks, type Mount, startHost, type TestHost } from '../support/host.ts'

interface Scene {
  readonly host: TestHost
  readonly fake: FakeProvider
  /** The same server under another name: of another site than the host. */
  readonly elsewhere: string
}

async function start(t: Test, mount: Mount): Promise<Scene> {
  const fake = await FakeProvider.start()
  const elsewhere = fake.url.replace('127.0.0.1', 'localhost')
  fake.on('/token', { body: { access_token: 'access', token_type: 'Bearer', refresh_token: 'refresh', expires_in: 3600 } })
  fake.on('/connectors/oauth/success', { headers: { 'content-type': 'text/html' }, body: '<h1>Connected</h1>' })
  let url = ''
  const provider = () => ({
    clientId: 'the-host',
    clientSecret: 'secret of the host',
    scopes: ['name'],
    endpoints: { authorization: `${elsewhere}/authorize`, token: `${elsewhere}/token` },
    authorizationParams: { response_mode: 'form_post' },
    redirectUri: `${url}/connectors/oauth/callback`,
  })
  const host = await startHost(mount, {
    ...withConnectors({ drive: provider }, { baseUrls: [elsewhere] }),
    issuer: 'http://localhost',
  })
  url = host.url
  fake.on('/authorize', ({ query }) => ({
    headers: { 'content-type': 'text/html' },
    body: `<form method="post" action="${query.get('redirect_uri')}">
      <input name="state" value="${query.get('state')}"><input name="code" value="code"></form>
      <script>document.forms[0].submit()</script>`,
  }))
  t.teardown(async () => {
    await host.close()
    await fake.close()
  })
  return { host, fake, elsewhere }
}

t.test('in a browser', { skip: skipWithoutBrowser() }, async t => {
  const browser: Browser = await launchBrowser()
  t.teardown(() => browser.close())
  for (const [framework, mount] of Object.entries(frameworks)) {
    for (const [who, session, outcome] of [
      ['a session that the host keeps in a Lax cookie', 'anna', 200],
      ['bearer tokens, and so only the cookie of the flow', null, 200],
      ['another user’s session by now', 'bert', 403],
    ] as const) {
      await t.test(`${framework}: a callback that another site posts arrives with ${who}`, async t => {
        const { elsewhere, host } = await start(t, mount)
        const context = await browser.newContext()
        t.teardown(() => context.close())
        const page = await context.newPage()
        await page.goto(`${host.url}/open`)
        const authorizationUrl = await page.evaluate(async () => {
          const headers = { authorization: 'Bearer host-anna' }
          const response = await fetch('/connectors/drive/oauth/authorize', { headers })
          return ((await response.json()) as { authorizationUrl: string }).authorizationUrl
        })
        if (session) await context.addCookies([{ name: 'session', value: session, url: host.url, sameSite: 'Lax' }])
        await page.goto(authorizationUrl)
        if (outcome === 200) {
          await page.waitForURL(`${elsewhere}/connectors/oauth/success?connectorId=drive`)
          t.match(host.events.at(-1), { type: 'connector_connected', userId: 'anna' })
        } else {
          await page.waitForURL(/posted=/)
          t.strictSame(
            host.events.map(({ type }) => type),
            ['error_shown'],
          )
        }
        const posts = page.url()
        t.notMatch(posts, /code=/)
      })
    }
  }
})
