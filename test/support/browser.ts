import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { runsOn } from './places.ts'

/** The path of Chromium or Chrome; undefined where neither is installed. */
export function findChromium(): string | undefined {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    const { status, stdout } = spawnSync('which', [name], { encoding: 'utf8' })
    if (status === 0) return stdout.trim()
  }
  return undefined
}

/** For the options of a test that needs a browser: why it is left out of this run. Throws in CI where there is no browser. */
export function skipWithoutBrowser(): string | false {
  if (!runsOn('browser')) return 'left out of this run'
  if (findChromium() !== undefined) return false
  if (process.env.CI) throw new Error('Chromium is not installed: apt-get install chromium')
  return 'Chromium is not installed: apt-get install chromium'
}

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function launchBrowser(): Promise<Browser> {
  const executablePath = findChromium()
  if (executablePath === undefined) throw new Error('Chromium is not installed')
  return chromium.launch({ executablePath, headless: true, args: ARGS })
}

/** A page, and all that happened on it that nobody had asked for. */
export interface Watched {
  readonly page: Page
  readonly context: BrowserContext
  /** Errors of its scripts and what it could not load. */
  readonly errors: string[]
  readonly dialogs: string[]
  /** Requests to other origins than `origin`. */
  readonly elsewhere: string[]
}

/** A page of a browser of its own, at `origin`. */
export async function openPage(browser: Browser, origin: string, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({ baseURL: origin, ...options })
  const page = await context.newPage()
  const [errors, dialogs, elsewhere]: string[][] = [[], [], []]
  page.on('console', message => {
    // Browsers look for a picture of every site.
    const favicon = message.location().url.endsWith('/favicon.ico')
    if (message.type() === 'error' && !favicon) errors?.push(message.text())
  })
  page.on('pageerror', error => errors?.push(error.message))
  page.on('dialog', async dialog => {
    dialogs?.push(dialog.message())
    await dialog.dismiss()
  })
  page.on('request', request => {
    const url = new URL(request.url())
    if (/^https?:$/.test(url.protocol) && url.origin !== origin) elsewhere?.push(request.url())
  })
  return { page, context, errors: errors ?? [], dialogs: dialogs ?? [], elsewhere: elsewhere ?? [] }
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe-core finds wrong with a page (WCAG 2.2 A and AA, and what is good practice): each rule with its first element. */
export async function axeViolations(page: Page): Promise<readonly string[]> {
  // Evaluated by the debugger, which no policy of the page's holds back.
  await page.evaluate(AXE)
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
    }
    const { violations } = await axe.run()
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)
  })
}
