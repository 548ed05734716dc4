/** Steps of the host's in a real browser: in order, abandoned, replayed, and moved to where they are not from. */
import { createServer } from 'node:http'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { launchBrowser, openPage, skipWithoutBrowser } from '../support/browser.ts'
import type { Fields, TestApp } from '../support/client.ts'
import { startHost, type TestHost } from '../support/host.ts'
import { stepMounts } from '../support/step-mounts.ts'

interface Scene {
  readonly host: TestHost
  readonly app: TestApp
  readonly home: string
  readonly authorizeUrl: (fields?: Fields) => string
  /** A page of a browser in which this user is signed in. */
  readonly open: (user?: string) => Promise<Page>
}

/** Where the app is. */
async function startApp(t: Test): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><html lang="en"><title>The app</title></html>')
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

async function start(t: Test, browser: Browser, mount: keyof typeof stepMounts): Promise<Scene> {
  const home = await startApp(t)
  const host = await startHost(stepMounts[mount], {
    steps: () => [
      { name: 'organisation', url: '/step/organisation' },
      { name: 'factor', url: '/step/factor' },
    ],
  })
  t.teardown(host.close)
  const app = await host.confidentialApp({ redirectUris: [`${home}/cb`] })
  const authorizeUrl = (fields: Fields = {}) =>
    `/oauth/authorize?${host.authorizeQuery(app, { redirect_uri: `${home}/cb`, ...fields })}`
  const open = async (user = 'anna') => {
    const { context, page } = await openPage(browser, host.url)
    t.teardown(() => context.close())
    await signIn(context, host, user)
    return page
  }
  return { host, app, home, authorizeUrl, open }
}

const signIn = (context: BrowserContext, host: TestHost, user: string) =>
  context.addCookies([{ name: 'session', value: user, url: host.url }])

async function enter(page: Page, { code = '123456', orgId = '' } = {}): Promise<void> {
  await page.getByLabel('Code').fill(code)
  await page.getByLabel('Organisation').fill(orgId)
  await page.getByRole('button', { name: 'Continue' }).click()
}

/** Does something that leads to another page, and waits for that. */
async function leads(page: Page, pathname: string, act: () => Promise<void>): Promise<void> {
  const before = page.url()
  await act()
  await page.waitForURL(url => url.href !== before && url.pathname === pathname)
}

const codeOf = (page: Page) => new URL(page.url()).searchParams.get('code')

t.test('steps in a browser', { skip: skipWithoutBrowser() }, async t => {
  const browser = await launchBrowser()
  t.teardown(() => browser.close())

  for (const mount of ['express', 'fastify'] as const) {
    t.test(
      `${mount}: a user goes through the steps in their order and is back at the app, the second time without a question`,
      async t => {
        const { app, authorizeUrl, home, host, open } = await start(t, browser, mount)
        const page = await open()
        await page.goto(authorizeUrl())
        t.equal(await page.title(), 'organisation')
        await leads(page, '/step/factor', () => enter(page, { orgId: 'org-2' }))
        await leads(page, '/oauth/consent', () => enter(page))
        await page.getByRole('button', { name: 'Allow' }).click()
        await page.waitForURL(`${home}/cb**`)
        const { body } = await host.redeem(app, codeOf(page) ?? '', { redirect_uri: `${home}/cb` })
        const guarded = await host.send('/oauth/introspect', {
          method: 'POST',
          body: new URLSearchParams({
            token: String(body.access_token),
            client_id: app.clientId,
            client_secret: app.clientSecret ?? '',
          }),
        })
        t.match(guarded.body, { active: true, acr: 'gold', amr: ['otp'] })
        t.match(
          host.events.findLast(({ type }) => type === 'token_issued'),
          { orgId: 'org-2' },
        )

        await page.goto(authorizeUrl({ state: 'second' }))
        await leads(page, '/step/factor', () => enter(page))
        await enter(page)
        await page.waitForURL(`${home}/cb**`)
        t.ok(codeOf(page), "from the form of a step on to the app, through helmet's policy")
      },
    )

    t.test(`${mount}: without the host's server the step comes again, and the back button leads round none`, async t => {
      const { authorizeUrl, open } = await start(t, browser, mount)
      const page = await open()
      await page.goto(authorizeUrl())
      await leads(page, '/step/organisation', () => page.getByRole('link', { name: 'Skip' }).click())
      await enter(page, { code: 'wrong' })
      await page.waitForFunction('document.title === "Refused"')
      await page.goBack()
      await leads(page, '/step/factor', () => enter(page))
      await leads(page, '/step/factor', () => page.getByRole('link', { name: 'Skip' }).click())
      t.equal(await page.title(), 'factor', 'what was passed before stays so')

      // Back to the step that was passed already, and forward through it once more.
      await page.goBack()
      await page.goBack()
      t.equal(await page.title(), 'organisation')
      await leads(page, '/step/organisation', () => enter(page))
      t.equal(await page.title(), 'organisation', 'a step passes once: the request begins anew')
      await leads(page, '/step/factor', () => enter(page))
      await leads(page, '/oauth/consent', () => enter(page))

      await page.goBack()
      t.equal(await page.title(), 'factor')
      await leads(page, '/step/organisation', () => enter(page))
      t.equal(await page.title(), 'organisation', 'what was passed counts for one consent screen')
    })

    t.test(`${mount}: two tabs go through their own steps, and an abandoned one stops nobody`, async t => {
      const { authorizeUrl, home, open } = await start(t, browser, mount)
      const page = await open()
      const other = await page.context().newPage()
      await page.goto(authorizeUrl())
      await other.goto(authorizeUrl())
      await leads(page, '/step/factor', () => enter(page))
      await leads(other, '/step/factor', () => enter(other))
      await leads(page, '/oauth/consent', () => enter(page))
      t.equal(await other.title(), 'factor', 'the other tab has its own to pass')
      await page.getByRole('button', { name: 'Allow' }).click()
      await page.waitForURL(`${home}/cb**`)
      await other.close()
      t.ok(codeOf(page))
    })

    t.test(`${mount}: an id that is replayed, or moved to another browser or request, lets nobody on`, async t => {
      const { authorizeUrl, host, open } = await start(t, browser, mount)
      const page = await open()
      await page.goto(authorizeUrl())
      const step = page.url()
      const returnTo = String(new URL(step).searchParams.get('returnTo'))

      const stranger = await open('bert')
      await stranger.goto(step)
      await enter(stranger)
      await stranger.waitForFunction('document.title === "Refused"')
      await page.goto(returnTo)
      t.equal(await page.title(), 'organisation', 'was not passed by it')

      await page.goto(step)
      await leads(page, '/step/organisation', () => enter(page))
      await page.goto(authorizeUrl({ state: 'another' }))
      const moved = new URL(page.url()).searchParams
      await leads(page, '/step/factor', () => enter(page))
      const passed = String(moved.get('step_id'))
      await stranger.goto(String(moved.get('returnTo')))
      t.equal(await stranger.title(), 'organisation', 'in another browser it is nobody’s')
      await page.goto(`${authorizeUrl({ state: 'a third' })}&step_id=${passed}`)
      t.equal(await page.title(), 'organisation', 'nor of another request')
      await page.goto(String(moved.get('returnTo')))
      t.equal(await page.title(), 'organisation', 'nor a second time')
      await t.rejects(host.authmount.passStep(passed, { userId: 'anna' }), { code: 'CONFLICT' })
    })
  }
})
