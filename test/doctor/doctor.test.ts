/** `npx authmount doctor`, and `authmount.check()`: over hosts that are set up rightly, and over broken ones. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import type { Finding } from 'authmount'
import { requireToken } from 'authmount/express'
import express, { type RequestHandler } from 'express'
import t, { type Test } from 'tap'
import { runCommand } from '../../src/doctor/command.ts'
import { type HostOptions, listen, type Mount, startHost, type TestHost } from '../support/host.ts'
import { startFront } from '../support/https.ts'
import { SIGN_IN } from '../support/sign-in.ts'
import { alteringProxy } from './altering-proxy.ts'
import { BROKEN, ISSUER, onExpress, onFastify } from './broken-mounts.ts'

const GOOD: Readonly<Record<string, Mount>> = { express: onExpress(), fastify: onFastify() }

const start = async (t: Test, mount: Mount, options: HostOptions = {}): Promise<TestHost> => {
  const host = await startHost(mount, { issuer: ISSUER, ...options })
  t.teardown(host.close)
  return host
}

const SETTINGS: Readonly<Record<string, HostOptions>> = {
  'the defaults': {},
  'sign-in, a path and a resource of its own': {
    ...SIGN_IN,
    issuer: `${ISSUER}/tenant`,
    mountPath: '/tenant',
    resources: [`${ISSUER}/records`],
  },
  'clients that register themselves': { clients: { registration: 'open' } },
}

for (const [framework, mount] of Object.entries(GOOD)) {
  for (const [name, options] of Object.entries(SETTINGS)) {
    t.test(`${framework}: nothing is wrong with ${name}`, async t => {
      const host = await start(t, mount, options)
      t.strictSame(await host.authmount.check('/records', { at: host.url, register: true }), [])
      const told = (kind: string) => host.events.filter(({ type }) => type === kind).length
      t.equal(told('client_registered'), options.clients ? 3 : 0)
      t.equal(told('client_unregistered'), told('client_registered'), 'nothing is left behind')
    })
  }

  for (const [name, broken] of Object.entries(BROKEN)) {
    const broke = broken.mounts[framework]
    if (!broke) continue
    t.test(`${framework}: ${name}`, async t => {
      const host = await start(t, broke, broken.options)
      const proxy = broken.proxy && (await alteringProxy(host.url, broken.proxy))
      if (proxy) t.teardown(proxy.close)
      const at = proxy?.url ?? host.url
      const findings = await host.authmount.check(broken.url ?? '/records', { at, register: broken.register })
      t.strictSame([...new Set(findings.map(({ code }) => code))].toSorted(), Object.keys(broken.finds).toSorted())
      for (const { code, cure, problem, stops } of findings) {
        t.match(cure, broken.finds[code] ?? /^$/, problem)
        t.ok(stops.length > 0, 'it says whom this stops')
      }
    })
  }
}

t.test('behind a proxy that removes a prefix, nothing is wrong once authmount knows it', async t => {
  const host = await start(t, onFastify(), { issuer: `${ISSUER}/app`, proxyPath: '/app' })
  const proxy = await alteringProxy(host.url, { path: path => path.replace(/^\/app\//, '/') })
  t.teardown(proxy.close)
  t.strictSame(await host.authmount.check('/app/records', { at: proxy.url }), [])
})

t.test('what a proxy compresses unasked can be read', async t => {
  const host = await start(t, onExpress())
  const proxy = await alteringProxy(host.url, {
    change: ({ body, headers, status }) =>
      body.length === 0
        ? { status, headers, body }
        : { status, headers: { ...headers, 'content-encoding': 'gzip' }, body: gzipSync(body) },
  })
  t.teardown(proxy.close)
  t.strictSame(await host.authmount.check('/records', { at: proxy.url }), [])
})

t.test('each kind of finding is shown by a mount that is broken in this way', async t => {
  const shown = new Set(Object.values(BROKEN).flatMap(({ finds }) => Object.keys(finds)))
  const page = await readFile(new URL('../../docs/doctor.md', import.meta.url), 'utf8')
  const listed = [...page.matchAll(/^\| `(\w+)` +\|/gm)].map(([, code = '']) => code)
  t.ok(listed.length > 40)
  t.strictSame(listed.toSorted(), [...shown].toSorted())
})

/** Runs the command, with what it prints. */
async function doctor(...args: readonly string[]) {
  const printed = { out: '', error: '' }
  const status = await runCommand(['doctor', ...args], {
    out: text => {
      printed.out += text
    },
    error: text => {
      printed.error += text
    },
  })
  return { status, ...printed }
}

t.test('on a good host the command prints a line for each check, and exits with 0', async t => {
  const front = await startFront()
  const host = await start(t, onExpress(), { issuer: front.url })
  t.teardown(front.close)
  front.forwardTo(host.url)
  const { error, out, status } = await doctor(`${front.url}/records`)
  t.strictSame([status, error], [0, ''])
  const lines = out.trimEnd().split('\n')
  t.ok(lines.length >= 12)
  t.strictSame(
    lines.filter(line => !/^(ok|note) {3,}\S/.test(line)),
    [],
  )

  t.test('as a program of its own', async t => {
    const bin = new URL('../../src/doctor/bin.ts', import.meta.url).pathname
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, ['--import', 'tsx', bin, 'doctor', `${front.url}/records`, '--json'])
    t.match(JSON.parse(stdout), { url: `${front.url}/records`, issuer: front.url, findings: [] })
  })
})

t.test('a note stops nobody', async t => {
  const login: RequestHandler = (_request, response) =>
    void response.set('content-security-policy', "default-src 'self';form-action 'self'").send('sign in')
  const host = await start(t, onExpress({ login }))
  const { out, status } = await doctor(`${ISSUER}/records`, '--at', host.url)
  t.equal(status, 0)
  t.match(out, /^note {3}the policy of the login page has form-action/m)
})

t.test('where registration needs a token, nobody registers', async t => {
  const host = await start(t, onFastify(), { clients: { registration: { initialAccessToken: () => false } } })
  const { out, status } = await doctor(`${ISSUER}/records`, '--register', '--at', host.url)
  t.equal(status, 0)
  t.match(out, /^note {3}registration needs an initial access token/m)
})

t.test('a finding is printed with its cure, or as JSON, and the exit status is 1', async t => {
  const host = await start(t, onFastify(), { loginUrl: '/sign-in' })
  const people = await doctor(`${ISSUER}/records`, '--at', host.url)
  t.equal(people.status, 1)
  t.match(people.out, /^WRONG {2}login page$/m)
  t.match(
    people.out,
    /\[login_missing\]\n {3}at: {5}https:\/\/id\.example\/sign-in.*\n {3}stops: {2}every client\n {3}change: set loginUrl/,
  )
  const programs = await doctor(`${ISSUER}/records`, '--json', '--at', host.url)
  t.equal(programs.status, 1)
  const { checks, findings } = JSON.parse(programs.out) as { checks: { name: string }[]; findings: Finding[] }
  t.match(findings, [{ code: 'login_missing', check: 'login page', stops: ['every client'] }])
  t.ok(checks.some(({ name }) => name === 'login page'))
})

t.test('a command that is wrong, or an address where nothing answers, exits with 2', async t => {
  for (const args of [[], ['a', 'b'], ['https://id.example', '--timeout', 'soon'], ['https://id.example', '--fast']]) {
    const { error, out, status } = await doctor(...args)
    t.strictSame([status, out], [2, ''])
    t.match(error, /Usage: authmount doctor <url>/)
  }
  t.match(await doctor('ftp://id.example'), { status: 2, error: /ftp:\/\/id\.example is no http or https URL/ })
  const front = await startFront()
  await front.close()
  t.match(await doctor(`${front.url}/records`), { status: 2, error: /cannot be reached: ECONNREFUSED/ })
  t.match(await doctor('--help'), { status: 0, out: /Usage: authmount doctor <url>/ })
})

t.test('check() rejects for what is no URL, and where nothing answers', async t => {
  const host = await start(t, onExpress())
  await t.rejects(host.authmount.check('records'), { name: 'TypeError', message: /records is no http or https URL/ })
  await t.rejects(host.authmount.check('/records', { at: 'nowhere' }), { name: 'TypeError' })
  const front = await startFront()
  await front.close()
  await t.rejects(host.authmount.check('/records', { at: front.url }), /https:\/\/id\.example\/records cannot be reached/)
})

t.test('a server that never answers is given up', async t => {
  const host = await start(t, async () => listen(express().use(() => {})))
  const options = { at: host.url, timeoutMs: 50 }
  await t.rejects(host.authmount.check('/records', options), /cannot be reached: no answer within 0\.05 s/)
})

t.test('a route that knows POST alone is examined as MCP clients begin', async t => {
  const mount = onExpress({
    last: (app, authmount) => void app.post('/mcp', requireToken(authmount, { scopes: ['read:records'] })),
  })
  const host = await start(t, mount)
  t.strictSame(await host.authmount.check('/mcp', { at: host.url }), [])
})
