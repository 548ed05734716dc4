/** The playground of `npm start`, walked through in a real browser as a newcomer would. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Locator, Page, Request, Response } from 'playwright-core'
import t, { type Test } from 'tap'
import { openStore } from '../../examples/host/store.ts'
import { axeViolations, launchBrowser, openPage, skipWithoutBrowser } from '../support/browser.ts'
import { exampleHosts } from '../support/example-hosts.ts'

const skip = skipWithoutBrowser()
const run = promisify(execFile)
/** As short as the default time of a store allows. */
const GRACE_SECONDS = 3

const settings = { graceSeconds: GRACE_SECONDS }
const HOSTS = {
  express: async () => exampleHosts.express(await openStore({}), settings),
  fastify: async () => exampleHosts.fastify(await openStore({}), settings),
}

/** A request as the browser made it, and the answer. */
interface Recorded {
  readonly request: Request
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A request and an answer as the page shows them. */
interface Shown {
  /** Method and URL, a header on each line, an empty line, the body. */
  readonly request: string
  readonly status: string
  readonly headers: readonly string[]
  readonly body: string
  readonly curl: string
  readonly code: string
}

/** One tab with the playground. */
async function openPlayground(t: Test, start: () => Promise<{ readonly origin: string; close(): unknown }>) {
  // Both hosts print what to open.
  const printed = t.capture(console, 'log')
  const host = await start()
  const browser = await launchBrowser()
  t.teardown(() => host.close())
  t.teardown(() => browser.close())
  const watched = await openPage(browser, host.origin, { permissions: ['clipboard-read', 'clipboard-write'] })
  const recorder = record(watched.page)
  const { page } = watched

  /** Presses the button of an action. */
  const press = async (action: string) => {
    await button(page, action).click()
  }
  /** Presses it, waits for the answer, and says that what is shown is what went over the wire. */
  const act = async (action: string): Promise<readonly Shown[]> => {
    recorder.forget()
    await press(action)
    await page.locator(`form[data-action=${action}]:not([aria-busy])`).waitFor()
    await output(page, action).locator('.notes').waitFor()
    const shown = await readShown(output(page, action))
    const recorded = await recorder.recorded()
    t.equal(recorded.length, shown.length, `${action}: every request is shown, and no other`)
    for (const [index, one] of shown.entries()) await compare(t, one, recorded[index])
    return shown
  }
  return { ...watched, ...host, printed, press, act }
}

function button(page: Page, action: string): Locator {
  return page.locator(`form[data-action=${action}] button[type=submit]`)
}

function output(page: Page, action: string): Locator {
  return page.locator(`[data-output=${action}]`)
}

/** What there is to notice, the good with a tick. */
async function notes(page: Page, action: string): Promise<string> {
  return (await output(page, action).locator('.notes li').allTextContents()).join('\n')
}

/** Keeps what the page's script asks; the requests of a redirect are one. */
function record(page: Page) {
  let kept: Promise<Recorded | null>[] = []
  page.on('response', response => {
    if (response.request().resourceType() !== 'fetch') return
    const answer = readAnswer(response)
    // Nobody may ask for it before the page is closed.
    answer.catch(() => {})
    kept.push(answer)
  })
  return {
    forget: () => {
      kept = []
    },
    recorded: async () => (await Promise.all(kept)).filter(one => one !== null),
  }
}

/** null: a redirect, of which the answer is still to come. */
async function readAnswer(response: Response): Promise<Recorded | null> {
  if (response.status() === 303) return null
  const request = response.request().redirectedFrom() ?? response.request()
  return { request, status: response.status(), headers: await response.allHeaders(), body: await response.text() }
}

async function readShown(where: Locator): Promise<readonly Shown[]> {
  const exchanges = await where.locator('.exchange').all()
  return Promise.all(
    exchanges.map(async exchange => {
      const text = async (selector: string) => (await exchange.locator(selector).allTextContents()).join('')
      const [curl = '', code = ''] = await exchange.locator('pre.code').allTextContents()
      const answer = await text('pre.answer')
      const [headers = ''] = answer.split('\n\n')
      return {
        request: await text('pre.request'),
        status: await text('.status'),
        headers: [...headers.split('\n'), ...(await text('.more pre')).split('\n')].filter(line => line !== ''),
        body: answer.slice(headers.length).trim() || (await text('pre.page')).trim(),
        curl,
        code,
      }
    }),
  )
}

async function compare(t: Test, shown: Shown, recorded: Recorded | undefined): Promise<void> {
  if (!recorded) return
  const { request } = recorded
  const sent = await request.allHeaders()
  const [head = '', ...body] = shown.request.split('\n\n')
  const [target, ...headers] = head.split('\n')
  t.equal(target, `${request.method()} ${request.url()}`)
  for (const line of headers) {
    const [, name = '', value] = /^([\w-]+): (.*)$/.exec(line) ?? []
    t.equal(sent[name], value, `${target}: ${name}`)
  }
  const told = headers.map(line => line.split(':')[0])
  t.equal(told.includes('authorization'), 'authorization' in sent, `${target}: authorization is shown where it is sent`)
  t.equal(body.join('\n\n'), request.postData() ?? '', `${target}: the body`)
  // The app does not have the host's session, and neither do the requests made in its name.
  const asUser = /\/(login|oauth-clients)$/.test(request.url())
  if (!asUser) t.notOk('cookie' in sent, `${target}: without a cookie`)

  t.match(shown.status, new RegExp(`^${recorded.status}( |$)`))
  for (const line of shown.headers) {
    const [, name = '', value] = /^([\w-]+): (.*)$/.exec(line) ?? []
    t.equal(recorded.headers[name], value, `answer to ${target}: ${name}`)
  }
  const isJson = recorded.headers['content-type']?.startsWith('application/json')
  if (isJson) t.strictSame(JSON.parse(shown.body), JSON.parse(recorded.body), `answer to ${target}`)
  else t.equal(shown.body, recorded.body.trim(), `answer to ${target}`)
}

/** Runs a command as it was shown. */
async function inShell(command: string, jar: string): Promise<{ readonly status: number; readonly body: string }> {
  const { stdout } = await run('sh', ['-c', command.replaceAll('/tmp/session.jar', jar)])
  const [head = '', ...body] = stdout.split('\r\n\r\n')
  return { status: Number(/^HTTP\/[\d.]+ (\d+)/.exec(head)?.[1]), body: body.join('\r\n\r\n') }
}

/** Runs a program as it was shown. */
async function inNode(code: string, folder: string): Promise<{ readonly exit: number; readonly text: string }> {
  const file = join(folder, 'step.mjs')
  await writeFile(file, code)
  return run(process.execPath, [file]).then(
    ({ stdout }) => ({ exit: 0, text: stdout }),
    (error: { code: number; stderr: string }) => ({ exit: error.code, text: error.stderr }),
  )
}

/** Leaves for the server, says yes where it asks, and waits for what the page makes of the answer. */
async function authorize(page: Page, origin: string, answer?: 'granted' | 'denied'): Promise<void> {
  await button(page, 'authorize').click()
  if (answer) {
    await page.waitForURL(`${origin}/oauth/consent?**`)
    await page.locator(`button[value=${answer}]`).click()
  }
  await page.waitForURL(`${origin}/playground`)
  await output(page, 'authorize').locator('.notes').waitFor()
}

/** In both schemes, and on a phone. */
async function looksRight(t: Test, page: Page, what: string): Promise<void> {
  for (const [colorScheme, width] of [
    ['light', 1280],
    ['dark', 1280],
    ['light', 360],
  ] as const) {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width, height: 800 })
    t.strictSame(await axeViolations(page), [], `${what}: ${colorScheme}, ${width} px`)
    t.ok(
      Number(await page.evaluate('document.documentElement.scrollWidth')) <= width,
      `${what}: nothing is wider than ${width} px`,
    )
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 1280, height: 800 })
}

for (const [framework, start] of Object.entries(HOSTS)) {
  t.test(`${framework}: a newcomer goes through every step of the playground`, { skip }, async t => {
    const { act, elsewhere, errors, origin, page, press, printed } = await openPlayground(t, start)
    const folder = t.testdir()
    const jar = join(folder, 'session.jar')
    t.ok(String(printed.args()).includes(`${origin}/playground`), 'what the host prints leads there')
    await page.goto('/')
    await looksRight(t, page, 'the home page')
    const [response] = await Promise.all([
      page.waitForResponse(`${origin}/playground`),
      page.getByText('Open the playground').click(),
    ])
    t.match(response.headers()['content-security-policy'], /default-src 'none'; script-src 'self'; style-src 'self';/)
    await page.getByText('Nobody is signed in').waitFor()
    await looksRight(t, page, 'the playground')

    for (const action of ['createApp', 'prepare', 'authorize', 'redeem', 'records', 'introspect', 'revoke', 'refresh', 'retry'])
      t.notOk(await button(page, action).isEnabled(), `${action} is not open yet`)
    const [signedIn] = await act('signIn')
    await page.getByText('Signed in as Anna Bell, admin of acme').waitFor()
    t.equal((await inShell(signedIn?.curl ?? '', jar)).status, 303)
    t.match(await inNode(signedIn?.code ?? '', folder), { exit: 0, text: /^303 session=/ })

    const [created] = await act('createApp')
    const { clientId, clientSecret } = JSON.parse(created?.body ?? '{}')
    t.equal((await inShell(created?.curl ?? '', jar)).status, 201)
    t.match(await inNode(created?.code ?? '', folder), { exit: 0, text: /^201[\s\S]*Paper Planner/ })

    await press('prepare')
    const proof = await output(page, 'prepare').locator('dd').allTextContents()
    await output(page, 'prepare').getByRole('tab', { name: 'The values' }).press('ArrowRight')
    await output(page, 'prepare').getByRole('button', { name: 'Copy' }).click()
    const shell = await page.evaluate<string>('navigator.clipboard.readText()')
    const [verifier = '', challenge, state] = (await run('sh', ['-c', shell])).stdout.trim().split('\n')
    t.match([verifier.length, challenge?.length, state?.length], [43, 43, 32], 'what is copied makes the same in a shell')

    const asking = page.waitForRequest(request => request.url().startsWith(`${origin}/oauth/authorize?`))
    await authorize(page, origin, 'granted')
    const [asked] = await readShown(output(page, 'authorize'))
    t.equal(asked?.request, `GET ${(await asking).url()}`)
    t.match(
      asked?.body ? asked.body : asked?.headers[0],
      /^GET http:\/\/localhost:\d+\/playground\?code=[\w-]+&state=[\w-]+&iss=/,
    )
    t.equal(page.url(), `${origin}/playground`, 'no code stays in the address bar')
    t.equal(await page.evaluate('document.activeElement?.id'), 'authorize-title', 'the focus is where the user left')
    t.match(await notes(page, 'authorize'), /✓A code[\s\S]*✓state is[\s\S]*✓iss is/)
    const { text: address } = await inNode(asked?.code ?? '', folder)
    t.strictSame(
      [...new URL(address.trim()).searchParams].toSorted(),
      [...new URL((await asking).url()).searchParams].toSorted(),
      'the client code asks for the same',
    )
    t.ok(asked?.request.includes(`code_challenge=${proof[1]}`), 'the challenge was made before')

    const [redeemed] = await act('redeem')
    t.ok(redeemed?.request.includes(`code_verifier=${proof[0]}`))
    t.ok(redeemed?.request.includes(`Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`))
    const inside = JSON.parse((await output(page, 'redeem').locator('.inside pre').textContent()) ?? '{}')
    t.match(inside, { sub: 'anna', aud: clientId, iss: origin }, 'the ID token is shown readable')
    t.equal(await button(page, 'introspect').isEnabled(), false, 'steps open in their order')

    const [records] = await act('records')
    t.strictSame(await inShell(records?.curl ?? '', jar).then(({ body }) => JSON.parse(body)), JSON.parse(records?.body ?? ''))
    t.match(await inNode(records?.code ?? '', folder), { exit: 0, text: /^200 [\s\S]*Order more paper/ })
    t.match(JSON.parse((await act('addRecord'))[0]?.body ?? ''), { text: 'Sharpen the pencils' })

    const [introspected] = await act('introspect')
    t.match(JSON.parse(introspected?.body ?? ''), { active: true, sub: 'anna' })
    t.match(JSON.parse((await inShell(introspected?.curl ?? '', jar)).body), { active: true, sub: 'anna' })
    t.match(await inNode(introspected?.code ?? '', folder), { exit: 0, text: /active: true/ })

    await page.reload()
    t.match((await readShown(output(page, 'introspect')))[0]?.body, /"active": true/, 'a reload forgets nothing')

    await act('revoke')
    t.match((await act('recordsRevoked'))[0]?.status, /^401/)
    const [refreshed] = await act('refresh')
    t.match(await notes(page, 'refresh'), /✓Another access token\.[\s\S]*✓Another refresh token/)

    const counting = page.locator('form[data-action=reuse]:has(fieldset[disabled]):has(progress:not([hidden])) .hint', {
      hasText: /^The grace lasts \d more seconds?\.$/,
    })
    const [tried] = await Promise.all([act('retry'), counting.waitFor()])
    t.pass('the page counts down')
    const [first, second] = tried.map(({ body }) => JSON.parse(body))
    t.equal(first.refresh_token, second.refresh_token, 'within the grace, the same successor')
    t.equal(tried[0]?.request, tried[1]?.request)
    t.match(await notes(page, 'retry'), /✓The same new refresh token[\s\S]*✓The same access token/)
    await page.locator('form[data-action=reuse] fieldset:not([disabled])').waitFor()

    const [reused] = await act('reuse')
    t.equal(reused?.request, tried[0]?.request, 'the very same request as before')
    t.equal(JSON.parse(reused?.body ?? '').error, 'invalid_grant')
    const [inactive, refused] = await act('left')
    t.strictSame(JSON.parse(inactive?.body ?? ''), { active: false })
    t.match(refused?.status, /^401/)
    t.match(await notes(page, 'left'), /✓The newest refresh token has ended\.[\s\S]*✓The newest access token has ended/)
    t.match(await inNode(refreshed?.code ?? '', folder), { exit: 1, text: /invalid_grant/ })
    await looksRight(t, page, 'the whole walk')

    await press('prepare')
    t.notOk(await button(page, 'records').isEnabled(), 'what came of the old request is closed again')
    await authorize(page, origin)
    t.pass('a user who has agreed is not asked again')
    const [again] = await act('redeem')
    t.match(await inNode(again?.code ?? '', folder), { exit: 1, text: /invalid_grant/ }, 'a code is good once')
    t.match((await act('records'))[0]?.status, /^401/, 'and used twice it ends what it gave')

    await button(page, 'signOut').click()
    await page.waitForURL(`${origin}/sign-out?**`)
    await looksRight(t, page, 'the sign-out page')
    await page.getByRole('checkbox', { name: 'Also take back what Paper Planner may do' }).check()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL(`${origin}/playground`)
    t.match(await notes(page, 'signOut'), /✓Nobody is signed in/)
    await act('signIn')
    t.strictSame(await page.evaluate(CONNECTED), [], 'what the app was allowed is taken back')

    const complaints = errors.filter(text => !/^Failed to load resource: .* status of 40[01] /.test(text))
    t.strictSame(complaints, [])
    t.equal(errors.length, 4, 'the browser tells of the refusals that were asked for')
    t.strictSame(elsewhere, [], 'nothing is asked of another server')
  })
}

/** What the signed-in user has allowed. */
const CONNECTED = `fetch('/oauth/connected-apps', { headers: { accept: 'application/json' } }).then(answer => answer.json())`

t.test('what goes wrong is shown as it came', { skip }, async t => {
  const { act, elsewhere, origin, page, press } = await openPlayground(t, HOSTS.fastify)
  await page.goto('/playground')

  await page.getByLabel('Password').fill('wrong')
  t.match((await act('signIn'))[0]?.status, /^401/)
  await page.getByText('Nobody is signed in').waitFor()
  await page.getByLabel('Name').first().fill('bert')
  await page.getByLabel('Password').fill('bert-demo')
  await act('signIn')
  t.match((await act('createApp'))[0], { status: /^403/, body: /FORBIDDEN/ })
  t.equal(await page.locator('#create-app.done').count(), 0, 'what was refused is not done')
  t.notOk(await button(page, 'prepare').isEnabled())

  await page.getByLabel('Name').first().fill('anna')
  await page.getByLabel('Password').fill('anna-demo')
  await act('signIn')
  for (const scope of ['openid', 'profile', 'read:records', 'write:records']) await page.getByLabel(scope).uncheck()
  t.match((await act('createApp'))[0], { status: /^400/, body: /allowedScopes/ })
  await page.getByLabel('read:records').check()
  await page.getByLabel('it cannot').check()
  await act('createApp')
  t.match(await notes(page, 'createApp'), /There is no clientSecret/)

  await press('prepare')
  await authorize(page, origin, 'denied')
  t.match(await notes(page, 'authorize'), /the user did not agree/)
  t.notOk(await button(page, 'redeem').isEnabled())

  await press('prepare')
  await authorize(page, origin, 'granted')
  const [redeemed] = await act('redeem')
  t.notMatch(redeemed?.request, /authorization:/)
  await act('records')
  t.match((await act('addRecord'))[0], { status: /^403/, body: /insufficient_scope/ })
  t.match((await act('introspect'))[0], { status: /^401/, body: /invalid_client/ })

  await page
    .getByRole('radiogroup', { name: 'Which to revoke' })
    .or(page.locator('#revoke'))
    .getByLabel('The refresh token')
    .check()
  await act('revoke')
  t.match((await act('recordsRevoked'))[0]?.status, /^401/, 'a refresh token takes the access token along')
  t.match((await act('refresh'))[0], { status: /^400/, body: /invalid_grant/ })

  // An answer that nothing here had asked for.
  await page.goto('/playground?code=made-up&state=made-up')
  t.equal(page.url(), `${origin}/playground`)
  t.notMatch(await page.locator('main').textContent(), 'made-up')

  await page.getByRole('button', { name: 'Start over' }).click()
  await page.locator('#create-app:not(.done)').waitFor()
  t.equal(await page.locator('.exchange').count(), 0, 'a new start shows nothing of what was')
  t.strictSame(elsewhere, [])
})

t.test('its scripts, which nothing builds, are type-checked', async t => {
  const root = join(import.meta.dirname, '..', '..')
  const checked = run(join(root, 'node_modules', '.bin', 'tsc'), ['-p', join(root, 'examples', 'playground')])
  t.equal(
    await checked.then(
      () => '',
      ({ stdout }: { stdout: string }) => stdout,
    ),
    '',
  )
})

t.test('under another name of the machine, the playground goes where the host is', { skip }, async t => {
  const { origin, page } = await openPlayground(t, HOSTS.fastify)
  await page.goto(`${origin.replace('localhost', '127.0.0.1')}/playground`)
  await page.waitForURL(`${origin}/playground`)
})

for (const [framework, start] of Object.entries(HOSTS)) {
  t.test(`${framework}: the sign-out page of the example sends the browser to its own paths only`, async t => {
    t.capture(console, 'log')
    const { close, origin } = await start()
    t.teardown(() => close())
    const signOut = async (fields: Record<string, string>) => {
      const init = { method: 'POST', redirect: 'manual', body: new URLSearchParams(fields) } as const
      return (await fetch(`${origin}/sign-out`, init)).headers.get('location')
    }
    t.equal(await signOut({ returnTo: '/oauth/logout/done?logout_id=x' }), '/oauth/logout/done?logout_id=x')
    const both = { returnTo: '/oauth/logout/done?logout_id=x', end_grants: 'true' }
    t.equal(await signOut(both), '/oauth/logout/done?logout_id=x&end_grants=true')
    for (const returnTo of ['https://evil.example', '//evil.example', '/\\evil.example', '/\t/evil.example', ''])
      t.equal(await signOut({ returnTo }), '/', JSON.stringify(returnTo))
    const page = await (await fetch(`${origin}/sign-out?returnTo=//evil.example&client_id=%3Cscript%3E`)).text()
    t.notMatch(page, /evil|<script/)
    t.equal((await fetch(`${origin}/whoami`)).status, 401)
    t.equal((await fetch(`${origin}/playground/page.ts`)).status, 404, 'only what the page needs is served')
    t.equal((await fetch(`${origin}/playground/..%2Fpage.ts`)).status, 404)
  })
}
