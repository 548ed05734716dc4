/** What the consent page says, in whose words and colours, and how a host replaces it. */

import type { ConsentView } from 'authmount'
import { createAuthmount } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import t from 'tap'
import type { TestApp } from '../support/client.ts'
import { everyFramework } from '../support/everywhere.ts'
import { type HostOptions, SCOPES, type TestHost } from '../support/host.ts'
import { SEALING_KEY } from '../support/sign-in.ts'

async function show(host: TestHost, app: TestApp, fields: Record<string, string> = {}, language?: string) {
  const screen = await host.authorize(app, fields)
  const headers = { accept: 'text/html', ...(language && { 'accept-language': language }) }
  return host.browse(String(screen.headers.get('location')), 'anna', { headers })
}

everyFramework('the page is small, and needs nothing but itself', async (t, host) => {
  const app = await host.confidentialApp({ name: 'Helper', description: 'x'.repeat(500) })
  const page = await show(host, app, { scope: 'read:records write:records' })
  t.ok(Buffer.byteLength(page.text) < 20 * 1024, `${Buffer.byteLength(page.text)} bytes`)
  t.notMatch(page.text, /<script|<link|url\(|@import|src=/)
})

everyFramework('scopes stand under their categories, and what was allowed before is folded', async (t, host) => {
  const app = await host.confidentialApp({ allowedScopes: ['read:records', 'write:records', 'profile'] })
  await host.tokens(app, { scope: 'read:records profile' })
  const { text } = await show(host, app, { scope: 'read:records write:records profile' })
  const [open = '', folded = ''] = text.split('<details>')
  t.match(open, /<h2><bdi>Records<\/bdi><\/h2><ul><li><bdi>Change your records/)
  t.notMatch(open, 'Read your records')
  t.match(folded, 'Already allowed (2)')
  t.match(folded, 'Read your records')
})

everyFramework('the page speaks the language the app asks for, or the browser prefers', async (t, host) => {
  const app = await host.confidentialApp()
  const asked = await show(host, app, { ui_locales: 'xx ja-JP' }, 'de')
  t.match(asked.text, '<html lang="ja" dir="ltr">')
  const cases: Record<string, string> = {
    'de-AT,de;q=0.9': 'de',
    'tlh, ar;q=0.1, es;q=0.5': 'es',
    'zh-TW': 'zh',
    'fr;q=0': 'en',
    'q=;;,,*': 'en',
    ar: 'ar',
  }
  for (const [header, tag] of Object.entries(cases))
    t.match((await show(host, app, {}, header)).text, `<html lang="${tag}"`, header)
  const hostile = await show(host, app, {}, 'de'.repeat(5000).slice(0, 7000))
  t.equal(hostile.status, 200)
})

const BRANDED: HostOptions = {
  branding: {
    name: 'Acme & Söhne',
    logoUrl: 'https://cdn.acme.example/logo.svg',
    accentColor: '#ffcc00',
    css: 'main{border-radius:0}</style><script>',
  },
  isVerified: clientId => clientId !== '',
  scopes: { ...SCOPES, 'read:records': { description: 'Read your records', translations: { de: 'Ihre Unterlagen lesen' } } },
  sealingKeys: [SEALING_KEY],
  signingAlg: 'ES256',
}

everyFramework(
  'the page wears the host’s colours, says whether it knows the app, and names the resource',
  async (t, host) => {
    const app = await host.confidentialApp({ allowedScopes: ['openid', 'read:records'] })
    const page = await show(host, app, { scope: 'openid read:records', resource: 'https://issuer.example' }, 'de')
    t.match(page.text, 'Acme &amp; Söhne')
    t.match(page.text, '--accent:#ffcc00;--on-accent:#000')
    t.match(page.text, 'main{border-radius:0}')
    t.notMatch(page.text, '</style><script>', 'it stays a style')
    t.match(page.headers.get('content-security-policy'), 'img-src https://cdn.acme.example;')
    t.match(page.text, 'Von <bdi>Acme &amp; Söhne</bdi> geprüft')
    t.match(page.text, 'Ihre Unterlagen lesen')
    t.match(page.text, 'Erfahren, wer Sie sind')
    t.match(page.text, 'Sie nutzt dies bei <bdi>https://issuer.example</bdi>')
    t.match(page.text, /href="\/oauth\/authorize\?[^"]*prompt=select_account/)
  },
  BRANDED,
)

const views: ConsentView[] = []
everyFramework(
  'a host draws its own page',
  async (t, host) => {
    const app = await host.confidentialApp({ name: 'Helper' })
    const page = await show(host, app)
    t.equal(page.text, '<!doctype html><title>Mine</title>')
    t.match(page.headers.get('content-security-policy'), /^default-src 'self'; frame-ancestors 'none'; base-uri 'none'$/)
    t.equal(page.headers.get('x-frame-options'), 'DENY')
    t.match(views.at(-1), {
      action: '/oauth/authorize',
      app: { name: 'Helper' },
      user: 'Anna',
      verified: null,
      scopes: [{ name: 'read:records', granted: false }],
      language: 'en',
    })
  },
  {
    renderConsent: view => {
      views.push(view)
      return { html: '<!doctype html><title>Mine</title>', contentSecurityPolicy: "default-src 'self'" }
    },
  },
)

const POLICIES: readonly (readonly [given: string, sent: string])[] = [
  ["default-src 'self'; frame-ancestors *", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"],
  ["form-action 'self';base-uri 'self';frame-ancestors 'self';img-src *;", "img-src *; frame-ancestors 'none'; base-uri 'none'"],
  ["FRAME-ANCESTORS\t*; Form-Action 'self' https://a.example", "frame-ancestors 'none'; base-uri 'none'"],
  [
    "default-src 'self'; frame-ancestors *, form-action 'self', img-src *",
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none', img-src *; frame-ancestors 'none'; base-uri 'none'",
  ],
  ['', "frame-ancestors 'none'; base-uri 'none'"],
]
for (const [contentSecurityPolicy, sent] of POLICIES) {
  everyFramework(
    `a page of the host’s cannot be framed, and its button works, whatever its policy says: ${contentSecurityPolicy}`,
    async (t, host) => {
      const page = await show(host, await host.confidentialApp())
      t.equal(page.headers.get('content-security-policy'), sent)
      t.equal(page.headers.get('x-frame-options'), 'DENY')
    },
    { renderConsent: () => ({ html: '<!doctype html><title>Mine</title>', contentSecurityPolicy }) },
  )
}

everyFramework(
  'a page of the host’s that fails, or is none, is an error that says nothing of it',
  async (t, host) => {
    const app = await host.confidentialApp()
    const page = await show(host, app)
    t.equal(page.status, 500)
    t.match(page.text, 'Something went wrong')
    t.notMatch(page.text, 'secret')
  },
  { renderConsent: () => Promise.reject(new Error('secret of the template')) },
)

t.test('branding that cannot work is refused at the start', async t => {
  const base = { issuer: 'https://a.example', store: memoryStore(), authenticate: () => null, scopes: SCOPES }
  for (const branding of [
    { accentColor: 'red' },
    { logoUrl: 'http://a.example/x' },
    { name: '' },
    { colour: '#fff' },
    { css: 5 },
  ])
    t.throws(() => createAuthmount({ ...base, branding: branding as never }), { name: 'OptionsError' }, JSON.stringify(branding))
})

t.test('the page is made in a millisecond', async t => {
  const { consentPage } = await import('../../src/pages/consent-page.ts')
  const { createTheme } = await import('../../src/pages/theme.ts')
  const { pickLanguage } = await import('../../src/pages/language.ts')
  const look = {
    theme: createTheme({ accentColor: '#1d4ed8', css: null, logoUrl: null, name: null }, 'https://issuer.example'),
    language: pickLanguage(null, 'de'),
  }
  const scopes = Array.from({ length: 20 }, (_, index) => ({
    name: `s${index}`,
    description: `Does ${index}`,
    detail: '',
    category: `C${index % 4}`,
    access: null,
    sensitive: false,
    optional: false,
    granted: false,
  }))
  const app = {
    clientId: '0'.repeat(24),
    name: 'Helper',
    description: 'd'.repeat(500),
    logoUrl: null,
    homepageUrl: null,
    privacyPolicyUrl: null,
    termsOfServiceUrl: null,
  }
  const view: ConsentView = {
    consentId: 'c',
    action: '/oauth/authorize',
    app,
    unregistered: null,
    staysConnected: false,
    verified: true,
    user: 'Anna',
    accountName: null,
    orgName: null,
    switchUserUrl: '/x',
    scopes,
    resources: [],
    redirectUri: 'https://app.example/cb',
    language: 'de',
  }
  for (let index = 0; index < 200; index++) consentPage(view, look)
  const began = process.cpuUsage()
  for (let index = 0; index < 1000; index++) consentPage(view, look)
  const { system, user } = process.cpuUsage(began)
  t.ok(user + system < 1_000_000, `${(user + system) / 1000} µs each`)
  t.comment(`${(user + system) / 1000} µs each`)
})

everyFramework(
  'a page of an app that asks to stay connected says so, and so does the list of connected apps',
  async (t, host) => {
    const app = await host.confidentialApp()
    const page = await host.browse(
      String((await host.authorize(app, { scope: 'read:records offline_access' })).headers.get('location')),
      'anna',
    )
    t.match(page.text, 'It stays connected while you are away.')
    const without = await host.browse(String((await host.authorize(app)).headers.get('location')), 'anna')
    t.notMatch(without.text, 'stays connected')
    await host.approve(app, { scope: 'read:records offline_access' })
    const list = await host.browse('/oauth/connected-apps', 'anna')
    t.match(list.text, '"description":"It stays connected while you are away."')
  },
)
