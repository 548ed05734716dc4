/** Pictures of what people see, to be looked at: `npm run screens` writes them into `screens/`. */
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { BrowserContextOptions } from 'playwright-core'
import { startExpress } from '../../examples/express/app.ts'
import { openStore } from '../../examples/host/store.ts'
import { launchBrowser, openPage } from '../support/browser.ts'
import { startHost } from '../support/host.ts'
import { loginMounts } from '../support/login-mounts.ts'
import { SIGN_IN } from '../support/sign-in.ts'

const FOLDER = resolve(import.meta.dirname, '../../screens')
const LOGO = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64" rx="14" fill="#0a6640"/><path d="M18 44V20h8l6 14 6-14h8v24" fill="none" stroke="#fff" stroke-width="5"/></svg>')}`

const looks: Readonly<Record<string, BrowserContextOptions>> = {
  desktop: { viewport: { width: 1000, height: 900 } },
  dark: { viewport: { width: 1000, height: 900 }, colorScheme: 'dark' },
  phone: { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 },
  arabic: { viewport: { width: 500, height: 900 }, locale: 'ar' },
  german: { viewport: { width: 500, height: 900 }, locale: 'de', colorScheme: 'dark' },
  japanese: { viewport: { width: 500, height: 900 }, locale: 'ja' },
}

await mkdir(FOLDER, { recursive: true })
const browser = await launchBrowser()
const host = await startHost(loginMounts.express as never, {
  ...SIGN_IN,
  branding: { name: 'Acme' },
  isVerified: clientId => clientId === app?.clientId,
  scopes: {
    profile: { description: 'See your name and picture' },
    'read:records': { description: 'Read your records', category: 'Records' },
    'write:records': { description: 'Add and change records for you', category: 'Records' },
    'read:invoices': { description: 'See your invoices', category: 'Money' },
  },
})
const allowedScopes = ['openid', 'profile', 'read:records', 'write:records', 'read:invoices']
const description = 'Makes a report of your records, every quarter, and mails it to your accountant.'
const links = {
  homepageUrl: 'https://reports.example',
  privacyPolicyUrl: 'https://reports.example/p',
  termsOfServiceUrl: 'https://reports.example/t',
}
const app = await host.confidentialApp({
  name: 'Quarterly Reports',
  description,
  allowedScopes,
  ...links,
  logoUrl: 'https://reports.example/logo.svg',
})
const other = await host.publicApp({ name: 'Pocket Records', allowedScopes })
await host.tokens(other, { scope: 'openid profile read:records' })

for (const [name, options] of Object.entries(looks)) {
  const { context, page } = await openPage(browser, host.url, options)
  await context.addCookies([{ name: 'session', value: 'anna', url: host.url }])
  await page.route('https://reports.example/logo.svg', async route => {
    await route.fulfill({ contentType: 'image/svg+xml', body: decodeURIComponent(LOGO.slice(LOGO.indexOf(',') + 1)) })
  })
  const shoot = async (what: string, path: string) => {
    await page.goto(path)
    await page.screenshot({ path: join(FOLDER, `${what}-${name}.png`), fullPage: true })
  }
  const ask = (asking: typeof app, fields: Record<string, string>) => `/oauth/authorize?${host.authorizeQuery(asking, fields)}`
  await shoot('consent', ask(app, { scope: allowedScopes.join(' ') }))
  await shoot('consent-again', ask(other, { scope: allowedScopes.join(' ') }))
  await shoot('error', '/oauth/authorize?client_id=0&redirect_uri=https://app.example/')
  await shoot('connected-apps', '/oauth/connected-apps')
  await page.goto('/console/')
  await page.getByText('Quarterly Reports').waitFor()
  await page.screenshot({ path: join(FOLDER, `console-${name}.png`), fullPage: true })
  await page.getByText('Quarterly Reports').first().click()
  await page.waitForURL('**/console/#/apps/**')
  await page.waitForLoadState('networkidle')
  await page.screenshot({ path: join(FOLDER, `console-app-${name}.png`), fullPage: true })
  await context.close()
}

// The playground of `npm start`, at its start and after the code has been redeemed.
const example = await startExpress(0, await openStore({}))
for (const name of ['desktop', 'dark', 'phone'] as const) {
  const { context, page } = await openPage(browser, example.origin, looks[name])
  await page.goto('/playground')
  await page.screenshot({ path: join(FOLDER, `playground-${name}.png`), fullPage: true })
  const press = (label: string) => page.getByRole('button', { name: label, exact: true }).click()
  await press('Sign in')
  await press('Create the app')
  await press('Make them')
  await press('Go to the server')
  await page.getByRole('button', { name: 'Allow' }).click()
  await press('Redeem the code')
  await press('Read the records')
  await page.waitForLoadState('networkidle')
  await page.screenshot({ path: join(FOLDER, `playground-walked-${name}.png`), fullPage: true })
  await context.close()
}
example.server.closeAllConnections()
example.server.close()
await browser.close()
await host.close()
console.log(`written to ${FOLDER}`)
