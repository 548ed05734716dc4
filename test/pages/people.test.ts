/** What people see, in a real browser: the consent page, its errors, and connected apps. */
import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { axeViolations, launchBrowser, openPage, skipWithoutBrowser } from '../support/browser.ts'
import type { Fields, TestApp } from '../support/client.ts'
import { DEVICE_CODE, deviceApp } from '../support/devices.ts'
import { type HostOptions, SCOPES, startHost, type TestHost } from '../support/host.ts'
import { loginMounts } from '../support/login-mounts.ts'
import { SIGN_IN } from '../support/sign-in.ts'

const skip = skipWithoutBrowser()
const PHONE = { width: 360, height: 740 }
const OPTIONS: HostOptions = {
  ...SIGN_IN,
  branding: { name: 'Acme' },
  isVerified: () => false,
  logoutUrl: '/login',
}

interface Scene {
  readonly host: TestHost
  readonly app: TestApp
  /** Where the app is: it shows what it was sent. */
  readonly home: string
  authorizeUrl(fields?: Fields): string
}

async function start(t: Test, mount: string, fields: object = {}, options: HostOptions = {}): Promise<Scene> {
  const home = await startApp(t)
  const host = await startHost(loginMounts[mount] as never, { ...OPTIONS, ...options })
  t.teardown(host.close)
  const app = await host.confidentialApp({
    name: 'Quarterly Reports',
    description: 'Makes a report of your records.',
    redirectUris: [`${home}/cb`],
    allowedScopes: ['openid', 'profile', 'read:records', 'write:records'],
    homepageUrl: 'https://reports.example',
    privacyPolicyUrl: 'https://reports.example/privacy',
    ...fields,
  })
  const scope = 'openid profile read:records write:records'
  const authorizeUrl = (more: Fields = {}) =>
    `/oauth/authorize?${host.authorizeQuery(app, { redirect_uri: `${home}/cb`, scope, ...more })}`
  return { host, app, home, authorizeUrl }
}

async function startApp(t: Test): Promise<string> {
  const server = createServer((request, response) => {
    const url = request.url ?? ''
    response.setHeader('content-type', 'text/html')
    const frame = url.startsWith('/frame?') ? `<iframe src="${decodeURIComponent(url.slice(7))}"></iframe>` : ''
    response.end(`<!doctype html><html lang="en"><title>The app</title><main><h1>The app</h1>${frame}</main></html>`)
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

async function signIn(page: Page, name: string): Promise<void> {
  await page.getByLabel('Name').fill(name)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** A request as a browser sends it that opens a page; `fetch` would overwrite these headers. */
async function navigate(url: string, cookie: string) {
  const request = get(url, { headers: { cookie, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' } })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return { status: response.statusCode, headers: response.headers, text: await text(response) }
}

const codeOf = (page: Page) => new URL(page.url()).searchParams.get('code')

t.test('pages in a browser', { skip }, async t => {
  const browser: Browser = await launchBrowser()
  t.teardown(() => browser.close())

  for (const mount of Object.keys(loginMounts)) {
    t.test(
      `${mount}: helmet’s default policy stops neither a first nor a second sign-in, nor an error, nor a sign-out`,
      async t => {
        const { authorizeUrl, home, host } = await start(t, mount)
        const { context, page } = await openPage(browser, host.url)
        await page.goto(authorizeUrl())
        await signIn(page, 'anna')
        await page.getByRole('button', { name: 'Allow' }).click()
        await page.waitForURL(`${home}/cb**`)
        t.ok(codeOf(page), 'the first')

        // Agreed: from the form of the login straight on to the app.
        await context.clearCookies()
        await page.goto(authorizeUrl())
        await signIn(page, 'anna')
        await page.waitForURL(`${home}/cb**`)
        t.ok(codeOf(page), 'the second')

        await context.clearCookies()
        await page.goto(authorizeUrl({ claims: '{"id_token":{"sub":{"value":"bert"}}}' }))
        await signIn(page, 'anna')
        await page.waitForURL(`${home}/cb**`)
        t.equal(new URL(page.url()).searchParams.get('error'), 'login_required', 'an error')

        const onward = await host.browse(authorizeUrl(), null)
        const back = `${onward.params.returnTo}`
        t.match(back, 'after_login=1')
        const asProgram = await host.browse(back, 'anna')
        t.equal(asProgram.status, 302, 'a program is redirected')
        const shown = await navigate(host.url + back, 'session=anna')
        t.match(shown, {
          status: 200,
          headers: { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', 'x-frame-options': 'DENY' },
          text: `<a class="button main" href="${home}/cb?code=am_ac_`,
        })
        t.match(shown.headers['content-security-policy'], /^default-src 'none'.*frame-ancestors 'none'/)
        const unmarked = await navigate(host.url + back.replace('after_login=1', ''), 'session=anna')
        t.equal(unmarked.status, 302, 'a request that comes from no login is redirected')
      },
    )

    t.test(`${mount}: a user signs in, is asked, allows, and is back at the app with a code`, async t => {
      const { authorizeUrl, home, host, app } = await start(t, mount)
      const { dialogs, elsewhere, errors, page } = await openPage(browser, host.url)
      await page.goto(authorizeUrl())
      await signIn(page, 'anna')
      t.equal(await page.title(), 'Allow Quarterly Reports?')
      t.match(await page.textContent('main'), /Signed in as Anna/)
      t.match(await page.textContent('main'), /Not verified by Acme/)
      t.match(await page.textContent('main'), new RegExp(`You will be sent to ${new URL(home).host}`))
      t.strictSame(await axeViolations(page), [])
      t.strictSame(elsewhere, [], 'nothing is loaded from elsewhere')
      await page.getByRole('button', { name: 'Allow' }).click()
      await page.waitForURL(`${home}/**`)
      t.equal((await host.redeem(app, codeOf(page) ?? '', { redirect_uri: `${home}/cb` })).status, 200)
      t.strictSame([...errors, ...dialogs], [])
      await page.goto(host.url + authorizeUrl())
      await page.waitForURL(`${home}/**`)
      t.ok(codeOf(page), 'the second time nobody is asked')
    })

    t.test(`${mount}: a user denies; another says "not you?" and signs in as themselves`, async t => {
      const { authorizeUrl, home, host, app } = await start(t, mount)
      const { context, page } = await openPage(browser, host.url)
      await context.addCookies([{ name: 'session', value: 'anna', url: host.url }])
      await page.goto(authorizeUrl())
      await page.getByRole('button', { name: 'Deny' }).click()
      await page.waitForURL(`${home}/**`)
      t.equal(new URL(page.url()).searchParams.get('error'), 'access_denied')

      await page.goto(host.url + authorizeUrl())
      await page.getByRole('link', { name: 'Not you?' }).click()
      await signIn(page, 'bert')
      await page.getByRole('button', { name: 'Allow' }).click()
      await page.waitForURL(`${home}/**`)
      const { body } = await host.redeem(app, codeOf(page) ?? '', { redirect_uri: `${home}/cb` })
      t.match(await host.authmount.checkToken(String(body.access_token)), { userId: 'bert' })
    })

    t.test(`${mount}: another site’s page cannot frame it`, async t => {
      const { authorizeUrl, home, host } = await start(t, mount)
      const { context, page } = await openPage(browser, host.url)
      await context.addCookies([{ name: 'session', value: 'anna', url: host.url }])
      await page.goto(`${home}/frame?${encodeURIComponent(host.url + authorizeUrl())}`)
      await page.waitForLoadState()
      for (const frame of page.frames().slice(1)) t.notMatch(await frame.content(), 'Quarterly Reports')
    })

    t.test(`${mount}: what an app calls itself runs nowhere`, async t => {
      const payload = '"><img src=x onerror=alert(1)><svg onload=alert(2)></title><script>alert(3)</script>{{7*7}}'
      const { authorizeUrl, host } = await start(t, mount, { name: payload.slice(0, 100), description: payload })
      const { context, dialogs, elsewhere, errors, page } = await openPage(browser, host.url)
      await context.addCookies([{ name: 'session', value: 'anna', url: host.url }])
      await page.goto(authorizeUrl())
      t.match(await page.textContent('h1'), '<img src=x onerror=alert(1)>')
      t.equal(await page.locator('script, main img, svg').count(), 0)
      await page.getByRole('button', { name: 'Allow' }).click()
      await page.goto(`${host.url}/oauth/connected-apps`)
      t.match(await page.textContent('main'), '<img src=x onerror=alert(1)>')
      t.strictSame([...dialogs, ...errors, ...elsewhere.filter(url => !url.includes('/cb'))], [])
    })

    t.test(`${mount}: everything works without scripts, and with the keyboard alone`, async t => {
      const { authorizeUrl, home, host } = await start(t, mount)
      const bare = await openPage(browser, host.url, { javaScriptEnabled: false })
      await bare.page.goto(authorizeUrl({ response_mode: 'form_post' }))
      await signIn(bare.page, 'anna')
      await bare.page.getByRole('button', { name: 'Allow' }).click()
      await bare.page.getByRole('button', { name: 'Continue' }).click()
      await bare.page.waitForURL(`${home}/**`)

      const { context, page } = await openPage(browser, host.url)
      await context.addCookies([{ name: 'session', value: 'bert', url: host.url }])
      await page.goto(authorizeUrl())
      const reached: string[] = []
      for (let tabs = 0; tabs < 12; tabs++) {
        await page.keyboard.press('Tab')
        const name = await page.evaluate('document.activeElement.textContent')
        reached.push(String(name))
        if (name === 'Allow') break
      }
      t.strictSame(reached, ['Not you?', 'Deny', 'Allow'])
      const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')
      t.equal(outline, 'solid', 'where one is can be seen')
      await page.keyboard.press('Enter')
      await page.waitForURL(`${home}/**`)
      t.ok(codeOf(page))
    })

    t.test(`${mount}: a user ticks what they allow, where Enter in a box denies, and ends one device of two`, async t => {
      const scopes = {
        ...SCOPES,
        'read:calendar': { description: 'Read your calendar', detail: 'To plan around it.', optional: true },
        'delete:records': { description: 'Delete your records', access: 'write', sensitive: true, optional: true },
      } as const
      const allowedScopes = ['read:records', 'read:calendar', 'delete:records']
      const describeDevice = () => ({ name: 'Chromium' })
      const { authorizeUrl, app, home, host } = await start(t, mount, { allowedScopes }, { scopes, describeDevice })
      const { context, page } = await openPage(browser, host.url, { viewport: PHONE })
      await context.addCookies([{ name: 'session', value: 'anna', url: host.url }])
      const ask = (fields: Fields = {}) => page.goto(host.url + authorizeUrl({ scope: allowedScopes.join(' '), ...fields }))
      const answer = async () => {
        await page.waitForURL(`${home}/**`)
        const redeemed = await host.redeem(app, codeOf(page) ?? '', { redirect_uri: `${home}/cb` })
        return redeemed.body
      }
      await ask()
      t.strictSame(await axeViolations(page), [])
      const calendar = page.getByLabel(/Read your calendar/)
      t.notOk(await calendar.isChecked())
      await calendar.focus()
      await page.keyboard.press('Enter')
      await page.waitForURL(`${home}/**`)
      t.equal(new URL(page.url()).searchParams.get('error'), 'access_denied')

      await ask()
      await page.getByText('Read your calendar').click()
      await page.getByRole('button', { name: 'Allow' }).click()
      const first = await answer()
      t.equal(first.scope, 'read:records read:calendar')
      await ask({ prompt: 'consent' })
      t.ok(await calendar.isChecked(), 'what was allowed before is ticked')
      t.notOk(await page.getByLabel(/Delete your records.*Sensitive.*Changes data/).isChecked())
      await page.getByRole('button', { name: 'Allow' }).click()
      const second = await answer()

      await page.goto(`${host.url}/oauth/connected-apps`)
      await page.getByText('Where it is signed in (2)').click()
      t.strictSame(await axeViolations(page), [])
      t.ok(((await page.locator('details button').first().boundingBox())?.height ?? 0) >= 44, 'a button a thumb can hit')
      await page.getByRole('button', { name: 'End this one' }).first().click()
      await page.getByRole('status').waitFor()
      t.match(await page.textContent('main'), 'Quarterly Reports can no longer act for you from there')
      const active = [await host.isActive(app, first.access_token), await host.isActive(app, second.access_token)]
      t.equal(active.filter(Boolean).length, 1, 'one of the two')
    })

    for (const colorScheme of ['light', 'dark'] as const) {
      for (const locale of colorScheme === 'light' ? (['en', 'ar'] as const) : (['de', 'ja'] as const)) {
        t.test(`${mount}: on a phone, ${colorScheme}, in ${locale}, long texts hold and axe finds nothing`, async t => {
          const long = { name: `Donaudampfschifffahrtsgesellschaftskapitän${'s'.repeat(50)}`, description: 'x'.repeat(400) }
          const { authorizeUrl, host } = await start(t, mount, long)
          const { context, page } = await openPage(browser, host.url, { colorScheme, locale, viewport: PHONE })
          await context.addCookies([{ name: 'session', value: 'anna', url: host.url }])
          await page.goto(authorizeUrl())
          t.equal(await page.getAttribute('html', 'lang'), locale)
          t.equal(await page.getAttribute('html', 'dir'), locale === 'ar' ? 'rtl' : 'ltr')
          t.ok(Number(await page.evaluate('document.documentElement.scrollWidth')) <= PHONE.width, 'nothing sticks out')
          t.strictSame(await axeViolations(page), [])
          const boxes = await page
            .locator('button')
            .evaluateAll(buttons => buttons.map(button => (button as unknown as { offsetHeight: number }).offsetHeight))
          t.ok(
            boxes.every(height => height >= 44),
            `buttons a thumb can hit: ${boxes}`,
          )
          await page.locator('button.main').click()
          await page.goto(`${host.url}/oauth/connected-apps`)
          t.strictSame(await axeViolations(page), [])
          await page.goto(`${host.url}/oauth/authorize?client_id=nope&redirect_uri=x`)
          t.strictSame(await axeViolations(page), [])
        })
      }
    }

    t.test(`${mount}: a user signs in, types the code of a device, compares it and lets the device in`, async t => {
      const { host } = await start(t, mount, {}, { devices: {} })
      const terminal = await deviceApp(host)
      const { body } = await host.post('/oauth/device_authorization', terminal, { scope: 'read:records' })
      const { errors, page } = await openPage(browser, host.url, { viewport: PHONE, locale: 'de' })
      await page.goto('/oauth/device')
      await signIn(page, 'anna')
      t.strictSame(await axeViolations(page), [])
      await page.getByLabel('Code').fill('bcdf ghjk')
      await page.getByRole('button', { name: 'Weiter' }).click()
      t.match(await page.getByRole('alert').textContent(), 'Kein Gerät wartet')
      t.strictSame(await axeViolations(page), [])
      await page.getByLabel('Code').fill(String(body.user_code).toLowerCase())
      await page.getByRole('button', { name: 'Weiter' }).click()
      t.match(await page.textContent('main'), String(body.user_code))
      t.ok(Number(await page.evaluate('document.documentElement.scrollWidth')) <= PHONE.width, 'nothing sticks out')
      t.strictSame(await axeViolations(page), [])
      await page.locator('button.main').click()
      t.match(await page.getByRole('status').textContent(), 'Terminal auf Ihrem Gerät')
      t.strictSame(
        errors.filter(error => !error.includes('400')),
        [],
        'nothing but the wrong code',
      )
      const fields = { grant_type: DEVICE_CODE, device_code: String(body.device_code) }
      t.equal((await host.post('/oauth/token', terminal, fields)).status, 200)
    })

    t.test(`${mount}: access is removed with the page’s own button`, async t => {
      const { authorizeUrl, app, home, host } = await start(t, mount)
      const { context, page } = await openPage(browser, host.url)
      await context.addCookies([{ name: 'session', value: 'anna', url: host.url }])
      await page.goto(authorizeUrl())
      await page.getByRole('button', { name: 'Allow' }).click()
      await page.waitForURL(`${home}/**`)
      const { body } = await host.redeem(app, codeOf(page) ?? '', { redirect_uri: `${home}/cb` })
      await page.goto(`${host.url}/oauth/connected-apps`)
      await page.getByRole('button', { name: 'Remove access' }).click()
      await page.getByRole('status').waitFor()
      t.match(await page.textContent('main'), 'Quarterly Reports can no longer act for you')
      t.notOk(await host.isActive(app, body.access_token))
    })
  }
})
