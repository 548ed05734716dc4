/**
 * How many files of the core a request runs through: what a newcomer reads to follow it. Counted by V8, on Fastify over the
 * memory store, which have files of their own beside these.
 */
import { Session } from 'node:inspector/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { REDIRECT_URI, VERIFIER } from '../support/client.ts'
import { frameworks, startHost } from '../support/host.ts'

/** Of the files that run, which are compiled. */
const ROOT = fileURLToPath(import.meta.resolve('../../'))

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
    return result
      .filter(({ functions }) => functions.some(({ ranges }) => (ranges[0]?.count ?? 0) > 0))
      .map(({ url }) => (url.startsWith('file:') ? fileURLToPath(url).slice(ROOT.length) : ''))
      .filter(file => file.startsWith('src/'))
      .toSorted()
  } finally {
    session.disconnect()
  }
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
