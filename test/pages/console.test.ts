/** The apps console: its files, and the page in a real browser, mounted on both frameworks. */
import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import type { App } from 'authmount'
import { authmountConsole, authmountRouter } from 'authmount/express'
import authmountPlugin, { authmountConsole as consolePlugin } from 'authmount/fastify'
import express from 'express'
import Fastify from 'fastify'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { api, createApp, NEW_APP, UNLIMITED } from '../support/apps-api.ts'
import { axeViolations, launchBrowser, openPage, skipWithoutBrowser, type Watched } from '../support/browser.ts'
import type { TestApp } from '../support/client.ts'
import { newClientKey } from '../support/client-keys.ts'
import { type HostOptions, listen, type Mount, SCOPES, startHost, type TestHost } from '../support/host.ts'

const skip = skipWithoutBrowser()
const browser = skip ? undefined : await launchBrowser()
t.teardown(() => browser?.close())

const COOKIE = 'session=anna; Path=/; HttpOnly; SameSite=Lax'
const OPTIONS: HostOptions = { ...UNLIMITED, mountPath: '/api/v1', branding: { name: 'Acme' } }
const PHONE = { width: 360, height: 740 }

/** Hosts with the console at /admin/oauth, and a login that takes everyone for Anna. */
const mounts: Readonly<Record<string, Mount>> = {
  express: async authmount => {
    const app = express()
    app.use(authmountRouter(authmount))
    app.use('/admin/oauth', authmountConsole(authmount))
    app.get('/login', (request, response) => {
      response.setHeader('set-cookie', COOKIE).redirect(303, String(request.query.returnTo))
    })
    return listen(app)
  },
  fastify: async authmount => {
    const app = Fastify({ forceCloseConnections: true })
    await app.register(authmountPlugin, { authmount })
    await app.register(consolePlugin, { authmount, prefix: '/admin/oauth' })
    app.get<{ Querystring: { returnTo: string } }>('/login', async (request, reply) =>
      reply.header('set-cookie', COOKIE).redirect(request.query.returnTo, 303),
    )
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  },
}

async function start(t: Test, mount: string, options: HostOptions = {}): Promise<TestHost> {
  const host = await startHost(mounts[mount] as Mount, { ...OPTIONS, ...options })
  t.teardown(host.close)
  return host
}

interface Visit extends Watched {
  /** Opens a view, and waits until it is there. */
  open(hash: string): Promise<void>
  /** What is said above the page, good or bad. */
  said(text: string | RegExp): Promise<void>
  press(name: string): Promise<void>
}

/** A browser with the cookie of a user. */
async function visit(t: Test, host: TestHost, user: string | null, options: BrowserContextOptions = {}): Promise<Visit> {
  const watched = await openPage(browser as Browser, host.url, { locale: 'en-US', ...options })
  const { context, page } = watched
  t.teardown(() => context.close())
  if (user !== null) await context.addCookies([{ name: 'session', value: user, url: host.url }])
  return {
    ...watched,
    async open(hash) {
      await page.goto(`/admin/oauth/${hash}`)
      await settled(page)
    },
    said: text => page.locator('.notices').getByText(text).waitFor(),
    press: name => page.getByRole('button', { name, exact: true }).click(),
  }
}

const settled = (page: Page) => page.locator('#view:not([aria-busy])').waitFor()
const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor()
const focused = (page: Page) => page.evaluate<string>('document.activeElement.id || document.activeElement.tagName')
const occurrences = async (page: Page, text: string) => (await page.content()).split(text).length - 1

for (const mount of Object.keys(mounts)) {
  t.test(`${mount}: the files`, async t => {
    const host = await start(t, mount)

    t.test('with and without a slash at the end of its path, there is the page', async t => {
      const bare = await host.send('/admin/oauth')
      t.equal(bare.status, 302)
      t.equal(bare.headers.get('location'), './oauth/')
      const page = await host.send('/admin/oauth/')
      t.equal(page.status, 200)
      t.match(page.text, 'data-api="/api/v1/oauth-clients" data-login="/login"')
    })

    t.test('the page may run its own script, talk to its own server, and nothing else', async t => {
      const { headers } = await host.send('/admin/oauth/')
      t.equal(
        headers.get('content-security-policy'),
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; " +
          "frame-ancestors 'none'; base-uri 'none'; trusted-types 'none'; require-trusted-types-for 'script'",
      )
      t.equal(headers.get('cache-control'), 'no-store')
      t.equal(headers.get('x-content-type-options'), 'nosniff')
      t.equal(headers.get('x-frame-options'), 'DENY')
    })

    t.test('its files are asked for again, and sent again when they have changed', async t => {
      for (const path of host.authmount.console().paths.slice(1)) {
        const file = await host.send(`/admin/oauth${path}`)
        t.equal(file.status, 200, path)
        t.match(file.headers.get('content-type'), path.endsWith('.css') ? 'text/css' : 'text/javascript')
        t.equal(file.headers.get('cache-control'), 'no-cache')
        t.equal(file.headers.get('x-content-type-options'), 'nosniff')
        const headers = { 'if-none-match': file.headers.get('etag') ?? '' }
        const again = await host.send(`/admin/oauth${path}`, { headers })
        t.equal(again.status, 304)
        t.equal(again.text, '')
        t.equal(again.headers.get('content-length'), null)
      }
    })

    t.test('it answers HEAD; everything else is the host’s', async t => {
      const head = await host.send('/admin/oauth/', { method: 'HEAD' })
      t.equal(head.status, 200)
      t.equal(head.text, '')
      t.equal((await host.send('/admin/oauth/', { method: 'POST' })).status, 404)
      t.equal((await host.send('/admin/oauth/none.js')).status, 404)
      t.equal((await host.send('/admin/oauth/../../package.json')).status, 404)
    })
  })

  t.test(`${mount}: an admin manages an app from its creation to its end`, { skip }, async t => {
    const host = await start(t, mount)
    const { context, dialogs, elsewhere, errors, page, press, said } = await visit(t, host, null)
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])

    t.comment('sign in through the host')
    await page.goto('/admin/oauth#/new')
    await heading(page, 'Sign in first')
    await page.getByRole('link', { name: 'Sign in' }).click()
    await heading(page, 'Create an app')
    t.equal(new URL(page.url()).pathname + new URL(page.url()).hash, '/admin/oauth/#/new', 'where the user wanted to be')
    t.ok(
      errors.every(error => /status of (401|404)/.test(error)),
      'nobody signed in, and no app yet',
    )
    errors.length = 0

    t.comment('errors stand at their fields')
    await page.getByLabel('Redirect URIs').fill('https://app.example/cb\n\nhttp://app.example/cb')
    await page.getByLabel('Access tokens live').fill('5')
    await press('Create the app')
    await page.getByText('Some fields need your attention.').waitFor()
    const problemOf = (name: string) => page.locator(`#${name}-error`).textContent()
    t.equal(await problemOf('name'), 'Must have 1 to 100 characters. ')
    t.equal(await problemOf('redirectUris'), 'http://app.example/cb must use https, except on localhost, 127.0.0.1 or [::1]. ')
    t.equal(await problemOf('allowedScopes'), 'Must have at least one entry. ')
    t.match(await problemOf('accessTokenLifetime'), 'from 300 to 86400')
    t.equal(await problemOf('homepageUrl'), '')
    t.equal(await focused(page), 'name')
    t.equal(await page.getByLabel('Name', { exact: true }).getAttribute('aria-invalid'), 'true')
    t.ok(errors.every(error => /status of 400/.test(error)))
    errors.length = 0

    t.comment('create')
    await page.getByLabel('Name', { exact: true }).fill('Quarterly Reports')
    await page.getByLabel('Description').fill('Makes reports.')
    await page.getByLabel('Redirect URIs').fill('https://app.example/cb\nhttp://localhost:3000/cb')
    await page.getByRole('group', { name: 'Records' }).getByLabel('read:records').check()
    await page.getByLabel('Access tokens live').fill('7200')
    await page.getByLabel('Home page').fill('https://reports.example/')
    await press('Create the app')
    await said('Quarterly Reports is created. Copy its secret now.')
    const clientSecret = (await page.locator('#client-secret').textContent()) ?? ''
    const clientId = (await page.locator('#client-id').textContent()) ?? ''
    const app: TestApp = { clientId, clientSecret }
    t.match(clientSecret, /^am_cs_/)
    t.match((await api(host, 'GET', `/${clientId}`)).body, {
      name: 'Quarterly Reports',
      description: 'Makes reports.',
      redirectUris: ['https://app.example/cb', 'http://localhost:3000/cb'],
      allowedScopes: ['read:records'],
      accessTokenLifetime: 7200,
      refreshTokenLifetime: 604_800,
      isConfidential: true,
      homepageUrl: 'https://reports.example/',
    })

    t.comment('the secret is there once')
    t.equal(await focused(page), 'secret-panel')
    t.equal(await occurrences(page, clientSecret), 1)
    await press('Copy the secret')
    await said('Copied.')
    t.equal(await page.evaluate('navigator.clipboard.readText()'), clientSecret)
    await press('I have saved it')
    t.equal(await occurrences(page, clientSecret), 0)
    t.notMatch(await page.locator('body').textContent(), /copied|copy its secret/i, 'nor is it asked for')
    await page.reload()
    await heading(page, 'Quarterly Reports')
    t.equal(await occurrences(page, clientSecret), 0)
    t.equal(await page.evaluate('localStorage.length + sessionStorage.length'), 0)

    t.comment('it works, and its token is listed')
    const token = (await host.clientCredentials(app)).body.access_token
    t.type(token, 'string')
    await page.reload()
    await page.getByText('Access token of the app itself').waitFor()

    t.comment('edit')
    await page.getByRole('link', { name: 'Edit' }).click()
    await heading(page, 'Edit Quarterly Reports')
    t.equal(await page.getByLabel('Kind of app').count(), 0)
    await page.getByLabel('Name', { exact: true }).fill('Yearly Reports')
    await page.getByLabel('Home page').fill('')
    const [update] = await Promise.all([page.waitForRequest(request => request.method() === 'PUT'), press('Save')])
    t.strictSame(update.postDataJSON(), { name: 'Yearly Reports', homepageUrl: null }, 'only what was changed is sent')
    await said('Saved.')
    await heading(page, 'Yearly Reports')
    t.notOk((await api(host, 'GET', `/${clientId}`)).body.homepageUrl)

    t.comment('rotate the secret, first with an overlap')
    const works = async (secret: string | null) => (await host.clientCredentials({ clientId, clientSecret: secret })).status
    const rotate = async (overlap: string) => {
      // The secret before may still be shown, under the same words.
      const [before = 'no secret'] = await page.locator('#client-secret').allTextContents()
      await press('Rotate the secret')
      await page.getByLabel('How long the old secret still works').selectOption(overlap)
      await press('Rotate')
      await said('There is a new secret. Copy it now.')
      await page.locator('#client-secret').filter({ hasNotText: before }).waitFor()
      const secret = (await page.locator('#client-secret').textContent()) ?? ''
      t.equal(await occurrences(page, secret), 1)
      return secret
    }
    const second = await rotate('3600')
    t.strictSame([await works(clientSecret), await works(second)], [200, 200])
    host.clock.advance(3600)
    t.strictSame([await works(clientSecret), await works(second)], [401, 200])
    const third = await rotate('0')
    t.strictSame([await works(second), await works(third)], [401, 200])
    await press('I have saved it')

    t.comment('revoke all, after a second thought')
    const current = { clientId, clientSecret: third }
    const live = (await host.clientCredentials(current)).body.access_token
    await press('Revoke all tokens')
    await press('Cancel')
    t.equal(await focused(page), 'revoke')
    t.equal(await host.isActive(current, live), true)
    await press('Revoke all tokens')
    await press('Revoke all')
    await said(/^\d+ tokens were revoked\.$/)
    await page.getByText('It has no live tokens.').waitFor()
    t.equal(await host.isActive(current, live), false)

    t.comment('suspend, activate')
    await press('Suspend')
    await said(/is suspended/)
    t.equal(await focused(page), 'switch')
    t.not(await works(third), 200)
    await press('Activate')
    await said(/is active again/)
    t.equal(await works(third), 200)

    t.comment('delete, with its name')
    await press('Delete')
    await page.getByLabel('Type its name to confirm').fill('Yearly')
    await press('Delete for good')
    await page.getByText('That is not the name of the app.').waitFor()
    await page.getByLabel('Type its name to confirm').fill('Yearly Reports')
    await press('Delete for good')
    await said('Yearly Reports is deleted.')
    await page.getByText('There are no apps yet.').waitFor()
    t.equal(await works(third), 401)
    await page.getByLabel('Status').selectOption('Deleted')
    await press('Search')
    await page.getByRole('heading', { level: 2, name: 'Yearly Reports' }).waitFor()
    t.equal(await page.getByRole('link', { name: 'Yearly Reports' }).count(), 0)

    t.strictSame(errors, [])
    t.strictSame(dialogs, [])
    t.strictSame(elsewhere, [])
  })

  t.test(`${mount}: what others have typed is text`, { skip }, async t => {
    const payload = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
    const scopes = { ...SCOPES, 'bold:scope': { description: '<b>bold</b>', category: '<i>category</i>' } }
    const host = await start(t, mount, { scopes, branding: { name: payload } })
    const { clientId } = await createApp(host, { name: payload, description: payload, allowedScopes: ['bold:scope'] })
    // The API takes web addresses only: these are as a store may have them from elsewhere.
    const stored = (await host.store.apps.get(clientId)) as App
    const profile = { homepageUrl: 'javascript:alert(3)', termsOfServiceUrl: `https://x.example/${payload}` }
    await host.store.apps.save({ ...stored, profile, version: stored.version + 1 })
    const { dialogs, elsewhere, errors, open, page, press } = await visit(t, host, 'anna')

    const markup = page.locator('#view img, #view script, #view b, #view i, dialog img, dialog script, .brand img, .brand script')
    for (const hash of [
      '',
      `#/apps/${clientId}`,
      `#/apps/${clientId}/edit`,
      '#/new',
      `#/apps?search=${encodeURIComponent(payload)}`,
    ]) {
      await open(hash)
      t.equal(await markup.count(), 0, hash)
    }
    await open(`#/apps/${clientId}`)
    await heading(page, payload)
    await page.getByText('javascript:alert(3)').waitFor()
    t.equal(await page.locator('a[href^="javascript:"]').count(), 0)
    for (const name of ['Delete', 'Revoke all tokens', 'Rotate the secret']) {
      await press(name)
      await page.getByRole('dialog').getByText(payload).waitFor()
      t.equal(await markup.count(), 0, name)
      await press('Cancel')
    }
    t.strictSame(dialogs, [])
    t.strictSame(elsewhere, [])
    t.strictSame(errors, [])
  })

  t.test(`${mount}: who is no admin may look`, { skip }, async t => {
    const host = await start(t, mount)
    const { id } = await createApp(host, { name: 'Reports' })
    await createApp(host, { name: 'Of another organisation' }, 'cora')
    const { open, page } = await visit(t, host, 'bert')

    await open('')
    await page.getByText('Only its admins can change them.').waitFor()
    t.equal(await page.getByRole('link', { name: 'Create an app' }).count(), 0)
    t.equal(await page.getByText('Of another organisation').count(), 0)
    await page.getByRole('link', { name: 'Reports' }).click()
    await page.getByText('Only an admin of your organisation can change it or see its tokens.').waitFor()
    t.strictSame(await page.getByRole('button').allTextContents(), ['Copy the client ID'])
    for (const hash of ['#/new', `#/apps/${id}/edit`]) {
      await open(hash)
      await page.getByText(/^Only an admin of your organisation can/).waitFor()
      t.equal(await page.locator('form').count(), 0)
    }
  })

  t.test(`${mount}: axe finds nothing, in the light, in the dark and on a phone`, { skip }, async t => {
    const host = await start(t, mount)
    const { id, ...app } = await createApp(host, {
      name: 'Reports',
      description: 'Makes reports.',
      homepageUrl: 'https://a.example',
    })
    await host.clientCredentials(app)
    const looks: readonly BrowserContextOptions[] = [{}, { colorScheme: 'dark' }, { viewport: PHONE }]
    for (const look of looks) {
      const name = JSON.stringify(look)
      const anna = await visit(t, host, 'anna', look)
      const check = async (what: string, { page } = anna) => {
        t.strictSame(await axeViolations(page), [], `${what} ${name}`)
        t.equal(
          await page.evaluate('document.documentElement.scrollWidth - innerWidth'),
          0,
          `${what} is no wider than the screen`,
        )
      }
      await anna.open('')
      await check('the list')
      await anna.open('#/new')
      await anna.press('Create the app')
      await anna.page.getByText('Some fields need your attention.').waitFor()
      await check('a form with problems')
      await anna.open(`#/apps/${id}`)
      await anna.press('Rotate the secret')
      await check('a dialog')
      await anna.press('Rotate')
      await anna.page.locator('#client-secret').waitFor()
      await check('an app with its new secret')
      const nobody = await visit(t, host, null, look)
      await nobody.open('')
      await check('the way to the login', nobody)
    }
  })
}

t.test('in the browser', { skip }, async t => {
  t.test('the list is paged, searched and filtered by its address, so that reload and Back work', async t => {
    const host = await start(t, 'express')
    for (let count = 1; count <= 45; count++) await createApp(host, { name: `App ${count}` })
    const suspended = await createApp(host, { name: 'Sleeping' })
    await api(host, 'POST', `/${suspended.id}/suspend`)
    const { errors, open, page, press, said } = await visit(t, host, 'anna')
    const names = () => page.getByRole('heading', { level: 2 }).allTextContents()
    const older = () => page.getByRole('link', { name: 'Older' })

    await open('')
    t.equal((await names())[0], 'Sleeping')
    await older().focus()
    await page.keyboard.press('Enter')
    await page.getByText('Page 2 of 3').waitFor()
    t.equal(await focused(page), 'older', 'the focus stays where it is of use')
    t.equal((await names()).length, 20)
    await page.reload()
    await page.getByText('Page 2 of 3').waitFor()
    await page.getByRole('link', { name: 'App 20', exact: true }).click()
    await heading(page, 'App 20')
    t.equal(await focused(page), 'H1')
    await page.goBack()
    await page.getByText('Page 2 of 3').waitFor()

    await page.getByLabel('Name', { exact: true }).fill('app 4')
    await page.keyboard.press('Enter')
    await said('7 apps found.')
    t.equal(await focused(page), 'search')
    await page.getByLabel('Name', { exact: true }).fill('')
    await page.getByLabel('Status').selectOption('Suspended')
    await press('Search')
    await said('1 app found.')
    t.strictSame(await names(), ['Sleeping'])
    await page.goBack()
    await said('7 apps found.')
    t.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'app 4')
    t.strictSame(errors, [])
  })

  t.test('tokens are listed a page at a time', async t => {
    const host = await start(t, 'fastify')
    const { id, ...app } = await createApp(host)
    for (let count = 0; count < 30; count++) await host.clientCredentials(app)
    const { open, page, press, said } = await visit(t, host, 'anna')
    await open(`#/apps/${id}`)
    const tokens = page.locator('section li')
    t.equal(await tokens.count(), 25)
    await press('Show more tokens')
    await said('5 more tokens.')
    t.equal(await tokens.count(), 30)
    t.equal(await page.getByRole('button', { name: 'Show more tokens' }).isVisible(), false)
  })

  t.test('a secret that was made is shown, whatever happens next', async t => {
    const host = await start(t, 'express')
    const { id, clientId } = await createApp(host)
    const { open, page, press } = await visit(t, host, 'anna')
    await open(`#/apps/${id}`)
    await press('Rotate the secret')
    await page.route(`**/oauth-clients/${id}`, route => route.abort())
    await press('Rotate')
    await heading(page, 'That did not work')
    const clientSecret = await page.locator('#client-secret').textContent()
    t.equal((await host.clientCredentials({ clientId, clientSecret })).status, 200)
    await page.getByRole('link', { name: 'All apps' }).click()
    await heading(page, 'OAuth apps')
    t.equal(await page.locator('#client-secret').textContent(), clientSecret)
  })

  t.test('a public app has no secret to show or rotate', async t => {
    const host = await start(t, 'fastify')
    const { open, page, press, said } = await visit(t, host, 'anna')
    await open('#/new')
    await page.getByLabel('Name', { exact: true }).fill('Pocket')
    await page.getByLabel('Public').check()
    await page.getByLabel('Redirect URIs').fill('com.example.app:/cb')
    await page.getByLabel('Allowed origins').fill('capacitor://localhost/\nhttps://ui.example')
    await page.getByLabel('After a logout, back to').fill('com.example.app:/bye')
    await page.getByLabel('Back-channel logout URI').fill('https://10.0.0.1/logout')
    await page.getByLabel('It needs the session').check()
    await page.getByLabel('read:records').check()
    await press('Create the app')
    await page.getByText('capacitor://localhost/ must be an origin such as').waitFor()
    await page.getByText('Must be an https URL at a public address').waitFor()
    await page.getByLabel('Allowed origins').fill('capacitor://localhost\nhttps://ui.example')
    await page.getByLabel('Back-channel logout URI').fill('https://pocket.example/logout')
    const [created] = await Promise.all([page.waitForRequest(request => request.method() === 'POST'), press('Create the app')])
    t.match(created.postDataJSON(), {
      postLogoutRedirectUris: ['com.example.app:/bye'],
      backchannelLogoutUri: 'https://pocket.example/logout',
      backchannelLogoutSessionRequired: true,
    })
    await said('Pocket is created.')
    await page.getByText('https://ui.example').waitFor()
    await page.getByText('https://pocket.example/logout').waitFor()
    await page.getByRole('link', { name: 'Edit' }).click()
    await page.getByLabel('Allowed origins').fill('')
    const [update] = await Promise.all([page.waitForRequest(request => request.method() === 'PUT'), press('Save')])
    t.strictSame(update.postDataJSON(), { allowedOrigins: [] })
    await said('Saved.')
    t.equal(await page.locator('#client-secret').count(), 0)
    t.equal(await page.getByRole('button', { name: 'Rotate the secret' }).count(), 0)
  })

  t.test('an app with keys is created, changes to a secret, and gets one by rotating it', async t => {
    const host = await start(t, 'express')
    const { open, page, press, said } = await visit(t, host, 'anna')
    const { jwk } = newClientKey()
    await open('#/new')
    await page.getByLabel('Name', { exact: true }).fill('Ledger')
    await page.getByLabel('Confidential, with keys').check()
    await page.getByLabel('Redirect URIs').fill('https://ledger.example/cb')
    await page.getByLabel('read:records').check()
    await page.getByLabel('Or its key set').fill('no JSON')
    await press('Create the app')
    await page.getByText('Must be a key set').waitFor()
    await page.getByLabel('Or its key set').fill(JSON.stringify({ keys: [jwk] }))
    await press('Create the app')
    await said('Ledger is created.')
    await page.getByText('Confidential: it signs with a key of its own').waitFor()
    await page.getByText(`${jwk.kid} (P-256)`).waitFor()
    t.equal(await page.getByRole('button', { name: 'Rotate the secret' }).count(), 0)

    await page.getByRole('link', { name: 'Edit' }).click()
    await page.getByLabel('Confidential Runs on a server').check()
    const [update] = await Promise.all([page.waitForRequest(request => request.method() === 'PUT'), press('Save')])
    t.strictSame(update.postDataJSON(), { tokenEndpointAuthMethod: 'client_secret_basic' })
    await said('Saved.')
    t.equal(await page.getByRole('button', { name: 'Rotate the secret' }).count(), 1)
  })

  t.test('too many changes: when to try again, in words', async t => {
    const host = await start(t, 'express', { rateLimiter: undefined })
    const { id } = await createApp(host)
    for (let count = 0; count < 10; count++) await api(host, 'PUT', `/${id}`, { body: { name: `Name ${count}` } })
    const { open, page, press } = await visit(t, host, 'anna')
    await open(`#/apps/${id}`)
    await press('Suspend')
    const alert = page.locator('.notices').getByRole('alert')
    await alert.getByText(/^That was too many changes in a short time: try again in (\d+ seconds|one second)\.$/).waitFor()
    await press('Revoke all tokens')
    await press('Revoke all')
    await page
      .getByRole('dialog')
      .getByText(/^That was too many changes/)
      .waitFor()
  })

  t.test('who is signed out in the middle of a form signs in beside it, and loses nothing', async t => {
    const host = await start(t, 'fastify')
    const { context, open, page, press, said } = await visit(t, host, 'anna')
    await open('#/new')
    await page.getByLabel('Name', { exact: true }).fill('Patience')
    await page.getByLabel('Redirect URIs').fill(NEW_APP.redirectUris[0] ?? '')
    await page.getByLabel('read:records').check()
    await context.clearCookies()
    await press('Create the app')
    const link = page.getByRole('link', { name: /^Sign in/ })
    const [beside] = await Promise.all([context.waitForEvent('page'), link.click()])
    await heading(beside, 'Create an app')
    await press('Create the app')
    await said(/^Patience is created/)
  })

  t.test('who is an admin no longer is told so', async t => {
    const host = await start(t, 'express')
    const { id } = await createApp(host)
    const { context, open, press, said } = await visit(t, host, 'anna')
    await open(`#/apps/${id}`)
    await context.addCookies([{ name: 'session', value: 'bert', url: host.url }])
    await press('Suspend')
    await said('Only an admin of the organisation may do this.')
  })

  t.test('a host that sends whoever is not signed in to its login is understood', async t => {
    const host = await start(t, 'fastify')
    const { open, page } = await visit(t, host, null)
    await page.route('**/oauth-clients**', route => route.fulfill({ status: 302, headers: { location: '/login' } }))
    await open('')
    await heading(page, 'Sign in first')
  })

  t.test('an app that is not there, and a server that is not, are told apart', async t => {
    const host = await start(t, 'express')
    const { open, page, press } = await visit(t, host, 'anna')
    await open(`#/apps/${'0'.repeat(24)}`)
    await page.getByText('There is no such app. It may have been deleted.').waitFor()
    await open('#/elsewhere')
    await page.getByText('There is nothing at this address.').waitFor()
    await page.route('**/oauth-clients**', route => route.abort())
    await open('')
    await page.getByText('The server did not answer.').waitFor()
    await page.unroute('**/oauth-clients**')
    await press('Try again')
    await heading(page, 'OAuth apps')
  })

  t.test('a scope that the server knows no more stays until someone removes it', async t => {
    const host = await start(t, 'fastify')
    const { id } = await createApp(host)
    const stored = (await host.store.apps.get(id)) as App
    await host.store.apps.save({ ...stored, scopes: ['read:records', 'old:scope'], version: stored.version + 1 })
    const { open, page, press, said } = await visit(t, host, 'anna')
    await open(`#/apps/${id}/edit`)
    await page.getByLabel('Description').fill('Newly described.')
    await press('Save')
    await said('Saved.')
    t.match((await api(host, 'GET', `/${id}`)).body.allowedScopes, ['read:records', 'old:scope'])
    await open(`#/apps/${id}/edit`)
    await page.getByLabel('write:records').check()
    await press('Save')
    await page.getByText('old:scope is not a scope this server knows.').waitFor()
    await page.getByLabel('write:records').uncheck()
    await page.getByRole('group', { name: 'No longer offered' }).getByLabel('old:scope').uncheck()
    await press('Save')
    await said('Saved.')
    t.strictSame((await api(host, 'GET', `/${id}`)).body.allowedScopes, ['read:records'])
  })

  t.test('everything can be reached and done with the keyboard', async t => {
    const host = await start(t, 'express')
    const { id } = await createApp(host)
    const { open, page } = await visit(t, host, 'anna')
    await open(`#/apps/${id}`)
    const reached: string[] = []
    for (let count = 0; count < 8; count++) {
      await page.keyboard.press('Tab')
      reached.push(await page.evaluate<string>('document.activeElement.textContent'))
    }
    const expected = ['Edit', 'Rotate the secret', 'Suspend', 'Revoke all tokens', 'Delete']
    t.strictSame(
      reached.filter(text => expected.includes(text)),
      expected,
    )
    await page.locator('#revoke').focus()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    t.equal(await page.evaluate('document.activeElement.textContent'), 'Cancel', 'what can be undone has the focus')
    await page.keyboard.press('Escape')
    t.equal(await focused(page), 'revoke')
  })
})

t.test('an admin sees the agents that came by themselves, lets them in and keeps them out', { skip }, async t => {
  const host = await start(t, 'fastify', { clients: { registration: 'open', admission: 'organization' } })
  const register = async (name: string) => {
    const { body } = await host.send('/api/v1/oauth/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: name, redirect_uris: ['https://app.example/cb'], token_endpoint_auth_method: 'none' }),
    })
    return { clientId: String(body.client_id), clientSecret: null }
  }
  const [good, evil] = [await register('Good <i>Helper</i>'), await register('Evil')]
  t.equal((await host.authorize(good, {}, 'bert')).status, 403)
  t.equal((await host.authorize(evil, {}, 'bert')).status, 403)

  const { errors, open, page, press, said } = await visit(t, host, 'anna')
  await open('#/apps')
  await page.getByRole('link', { name: 'Agents', exact: true }).click()
  await heading(page, 'Agents')
  await page.getByText('asked for by bert').first().waitFor()
  t.strictSame(await axeViolations(page), [])
  await press('Allow “Good <i>Helper</i>”')
  await said('can connect “Good <i>Helper</i>” now')
  t.ok((await host.authorize(good, {}, 'bert')).params.consent_id)
  await press('Refuse “Evil”…')
  await page.getByRole('button', { name: 'Refuse', exact: true }).click()
  await said('0 connections have ended')
  t.match((await host.authorize(evil, {}, 'bert')).status, 403)

  const { access } = await host.tokens(good, {}, 'bert')
  await open('#/agents')
  await press('End the access of “Good <i>Helper</i>”…')
  await page.getByRole('button', { name: 'End access', exact: true }).click()
  await said('One connection has ended')
  await t.rejects(host.authmount.checkToken(access), { code: 'invalid_token' })
  t.ok(errors.every(error => /status of 404/.test(error)))
})

t.test('the brand is the host’s', async t => {
  const branding = { name: 'Acme', accentColor: '#0a6640', logoUrl: 'https://cdn.example/logo.svg', css: 'h1{color:teal}' }
  const host = await start(t, 'express', { branding })
  const { headers, text } = await host.send('/admin/oauth/')
  t.match(text, '<img src="https://cdn.example/logo.svg" alt="">')
  t.match(headers.get('content-security-policy'), 'img-src https://cdn.example;')
  const style = await host.send('/admin/oauth/console.css')
  t.match(style.text, '--accent:#0a6640')
  t.match(style.text, 'h1{color:teal}')
})

t.test('every module is served, and fits the others', async t => {
  const folder = resolve(import.meta.dirname, '../../src/console/browser')
  const host = await start(t, 'express')
  const modules = (await readdir(folder)).filter(name => name.endsWith('.js')).map(name => `/${name}`)
  const served = host.authmount.console().paths.filter(path => path.endsWith('.js'))
  t.strictSame(served.toSorted(), modules.toSorted())
  const tsc = resolve(import.meta.dirname, '../../node_modules/.bin/tsc')
  const problems = await promisify(execFile)(tsc, ['-p', folder]).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  )
  t.equal(problems, '')
})
