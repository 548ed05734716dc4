/**
 * How many files of the core a request runs through: what a newcomer reads to follow it. Counted by V8, on Fastify over the
 * memory store, which have files of their own beside these.
 */
import { readFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { findSourceMap } from 'node:module'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { REDIRECT_URI, VERIFIER } from '../support/client.ts'
import { frameworks, startHost } from '../support/host.ts'

const ROOT = new URL('../../', import.meta.url).href

/** The files of `src` of which a function is called while `run` runs. */
async function filesOf(run: () => Promise<Response>): Promise<readonly string[]> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
  try {
    // What was called until now is taken away with the first reading.
    await session.post('Profiler.takePreciseCoverage')
    t.equal((await run()).status, 200)
    const { result } = await session.post('Profiler.takePreciseCoverage')
    const called = result.flatMap(({ functions, url }) => {
      const offsets = functions.flatMap(({ ranges: [range] }) => (range && range.count > 0 ? [range.startOffset] : []))
      return offsets.length > 0 && url.startsWith('file:') ? sourcesAt(fileURLToPath(url), offsets) : []
    })
    const files = called.filter(url => url.startsWith(`${ROOT}src/`)).map(url => url.slice(ROOT.length))
    return [...new Set(files)].toSorted()
  } finally {
    session.disconnect()
  }
}

/** The source files of a compiled one, by its source map. */
function sourcesAt(path: string, offsets: readonly number[]): readonly string[] {
  const map = findSourceMap(path)
  if (!map) return []
  const text = readFileSync(path, 'utf8')
  return offsets.map(offset => {
    const before = text.slice(0, offset).split('\n')
    const entry = map.findEntry(before.length - 1, before.at(-1)?.length ?? 0)
    return 'originalSource' in entry ? entry.originalSource : ''
  })
}

t.test('a token request runs through at most 22 files of the core, and a check of a token through 10', async t => {
  const { fastify } = frameworks
  if (!fastify) throw new Error('there is no Fastify')
  const host = await startHost(fastify, { now: Date.now })
  t.teardown(host.close)
  const app = await host.confidentialApp()
  const { access, refresh } = await host.tokens(app)
  const [code, later] = [await host.approve(app), await host.approve(app)]
  await host.redeem(app, later)
  await host.clientCredentials(app)
  await host.records(access)
  // Without the tests' own client, which looks answers up in the OpenAPI document.
  const post = (fields: Readonly<Record<string, string>>) => {
    const body = new URLSearchParams({ client_id: app.clientId, client_secret: app.clientSecret ?? '', ...fields })
    return fetch(`${host.url}/oauth/token`, { method: 'POST', body })
  }
  const requests = {
    authorization_code: [
      22,
      () => post({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, code_verifier: VERIFIER }),
    ],
    refresh_token: [22, () => post({ grant_type: 'refresh_token', refresh_token: refresh })],
    client_credentials: [22, () => post({ grant_type: 'client_credentials' })],
    'a check of a token': [10, () => fetch(`${host.url}/records`, { headers: { authorization: `Bearer ${access}` } })],
  } as const
  for (const [name, [most, run]] of Object.entries(requests)) {
    const files = await filesOf(run)
    t.comment(`${name}: ${files.length} files\n${files.join('\n')}`)
    t.ok(files.length > 5, 'they are counted')
    t.ok(files.length <= most, `${name}: ${files.length} files, at most ${most}`)
  }
})
