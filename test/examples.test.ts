import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import t from 'tap'
import { overMemory } from './support/everywhere.ts'
import { runsOn, urlOf } from './support/places.ts'

const ROOT = resolve(import.meta.dirname, '..')

/** The databases of this run, by the variables in which the example hosts look for one. */
const DATABASES = { REDIS_URL: urlOf('redis'), MONGO_URL: urlOf('mongo'), POSTGRES_URL: urlOf('postgres') } as const

/** Runs one of the package's scripts as its user would, with no database but what `env` names. */
function run(script: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], {
    cwd: ROOT,
    env: { ...process.env, ...Object.fromEntries(Object.keys(DATABASES).map(name => [name, ''])), ...env },
    detached: true,
  })
  let output = ''
  child.stdout.on('data', chunk => {
    output += chunk
  })
  child.stderr.on('data', chunk => {
    output += chunk
  })
  return { child, output: () => output, stop: () => process.kill(-(child.pid ?? 0), 'SIGTERM') }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

const starts: readonly (readonly [string, NodeJS.ProcessEnv])[] = [
  ...(runsOn('memory')
    ? ([
        ['express', {}],
        ['fastify', {}],
      ] as const)
    : []),
  ...Object.entries(DATABASES).flatMap(([name, url], index) =>
    url ? [[index % 2 === 0 ? 'express' : 'fastify', { [name]: url }] as const] : [],
  ),
]
for (const [framework, database] of starts) {
  t.test(
    `npm start serves the ${framework} example over ${Object.keys(database)[0] ?? 'memory'}, and what it prints works`,
    async t => {
      const port = await freePort()
      const { child, output, stop } = run('start', [framework], { PORT: String(port), ...database })
      t.teardown(stop)
      while (!output().includes('Ctrl-C')) {
        const [chunk] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => [null])])
        if (chunk === null) throw new Error(output())
      }
      const text = output()
      const authorizeUrl = /http:\/\/localhost:\d+\/oauth\/authorize\S+/.exec(text)?.[0] ?? ''
      const toLogin = await fetch(authorizeUrl, { redirect: 'manual' })
      t.match(toLogin.headers.get('location'), /^\/login\?returnTo=/)

      const [, id = '', secret = ''] = /-u '([\w-]+):([\w-]+)'/.exec(text) ?? []
      const origin = `http://localhost:${port}`
      const granted = await fetch(`${origin}/oauth/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      })
      const { access_token: token } = (await granted.json()) as { access_token: string }
      const records = await fetch(`${origin}/api/records`, { headers: { authorization: `Bearer ${token}` } })
      t.equal(records.status, 200)

      const admin = await fetch(`${origin}/login`, {
        method: 'POST',
        redirect: 'manual',
        body: new URLSearchParams({ name: 'anna', password: 'anna-demo' }),
      })
      const cookie = admin.headers.get('set-cookie')?.split(';')[0] ?? ''
      const listed = await fetch(`${origin}/oauth-clients`, { headers: { cookie } })
      t.match(await listed.json(), { pagination: { total: 3 } })
      const [, appId = ''] = /oauth-clients\/(\w+)\/revoke-all-tokens/.exec(text) ?? []
      const [, json = ''] = /-d '(\{.*\})'/.exec(text) ?? []
      const created = await fetch(`${origin}/oauth-clients`, {
        method: 'POST',
        headers: { cookie, 'content-type': 'application/json' },
        body: json,
      })
      t.equal(created.status, 201)
      const revoked = await fetch(`${origin}/oauth-clients/${appId}/revoke-all-tokens`, { method: 'POST', headers: { cookie } })
      t.match(await revoked.json(), { count: 1 })

      t.match(text, `${origin}/admin/oauth`)
      t.equal((await fetch(`${origin}/admin/oauth/`, { headers: { cookie } })).status, 200, 'the console')

      // The connector, as a browser goes through it: Contacts knows who is signed in there, and asks.
      t.match(text, `${origin}/connections`)
      const visit = (url: string | URL, init: RequestInit = {}) =>
        fetch(url, { redirect: 'manual', ...init, headers: { cookie, ...init.headers } })
      t.match(await (await visit(`${origin}/connections`)).text(), 'Connect Contacts')
      const begun = await visit(`${origin}/connectors/contacts/oauth/authorize`)
      const { authorizationUrl } = (await begun.json()) as { authorizationUrl: string }
      const screen = await visit(authorizationUrl)
      const consentUrl = new URL(screen.headers.get('location') ?? '', authorizationUrl)
      const consent = { consent_id: consentUrl.searchParams.get('consent_id') ?? '', consent: 'granted' }
      const body = new URLSearchParams(consent)
      const agreed = await visit(new URL('/oauth/authorize', authorizationUrl), { method: 'POST', body })
      const connected = await visit(agreed.headers.get('location') ?? '')
      const back = new URL(connected.headers.get('location') ?? '', origin)
      t.equal(back.pathname, '/connections')
      t.match(await (await visit(back)).text(), 'Carla Diaz')
      await visit(`${origin}/connections/disconnect`, { method: 'POST' })
      t.match(await (await visit(`${origin}/connections`)).text(), 'Connect Contacts')

      const login = await fetch(`${origin}/login`, {
        method: 'POST',
        redirect: 'manual',
        body: new URLSearchParams({ name: 'bert', password: 'bert-demo', returnTo: '//evil.example' }),
      })
      t.equal(new URL(login.headers.get('location') ?? '', origin).origin, origin, 'the login redirects nowhere else')
      t.equal(
        (await fetch(`${origin}/login`, { method: 'POST', body: new URLSearchParams({ name: 'bert', password: 'x' }) })).status,
        401,
      )
    },
  )
}

overMemory('npm run demo goes through everything on both frameworks', async t => {
  const { child, output } = run('demo')
  const [code] = await once(child, 'exit')
  t.equal(code, 0, output().slice(-2000))
  t.match(output(), '✔ Express: complete')
  t.match(output(), '✔ Fastify: complete')
})

overMemory('npm run demo:connectors goes both ways', async t => {
  const { child, output } = run('demo:connectors')
  const [code] = await once(child, 'exit')
  t.equal(code, 0, output().slice(-2000))
  t.match(output(), '5 callers, 1 new token')
  t.match(output(), 'disconnected: true, revoked: true')
  t.match(output(), '✔ Connectors: complete')
})

overMemory('npm run demo:mcp lets an agent in on both frameworks', async t => {
  const { child, output } = run('demo:mcp')
  const [code] = await once(child, 'exit')
  t.equal(code, 0, output().slice(-2000))
  t.match(output(), /POST \S+\/oauth\/register\n← 201/)
  t.match(output(), 'error="insufficient_scope"')
  t.match(output(), '✔ Express: complete')
  t.match(output(), '✔ Fastify: complete')
})

overMemory('npm run demo:rules shows the rules of a host on both frameworks', async t => {
  const { child, output } = run('demo:rules')
  const [code] = await once(child, 'exit')
  t.equal(code, 0, output().slice(-2000))
  t.match(output(), '"claims":{"plan":"team","roles":["editor","billing"]}')
  t.match(output(), /event policy_denied: .*"during":"refresh"/)
  t.match(output(), '✔ Express: complete')
  t.match(output(), '✔ Fastify: complete')
})

overMemory('npm run openapi writes the document', async t => {
  const file = join(t.testdir(), 'openapi.json')
  const { child, output } = run('openapi', [file])
  const [code] = await once(child, 'exit')
  t.equal(code, 0, output())
  t.match(JSON.parse(readFileSync(file, 'utf8')), {
    openapi: '3.1.0',
    paths: { '/oauth/token': {}, '/oauth-clients/{appId}': {} },
  })
})

if (runsOn('postgres'))
  t.test('the custom store passes the contract, as its README says to run it', async t => {
    const test = join('examples', 'custom-store', 'contract.test.ts')
    const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', '--test', '--test-reporter=tap', test], {
      cwd: ROOT,
      encoding: 'utf8',
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    })
    t.equal(status, 0, stdout.slice(-4000))
    t.match(stdout, /^# pass [1-9]/m)
    t.match(stdout, /^# skipped 0$/m)
  })

overMemory('what the documents show of the custom store is in its files', async t => {
  const folder = join('examples', 'custom-store')
  const read = (...path: readonly string[]) => readFileSync(join(ROOT, ...path), 'utf8').replaceAll(/^ +/gm, '')
  const files = ['postgres-store.ts', 'grants.ts', 'database.ts', 'schema.sql', 'contract.test.ts'].map(name =>
    read(folder, name),
  )
  const excerpts = [...read('docs', 'storage.md').matchAll(/^```(?:ts|sql)\n([\s\S]*?)^```/gm)].map(([, code = '']) => code)
  t.ok(excerpts.length >= 8)
  for (const excerpt of excerpts)
    t.ok(
      files.some(file => file.includes(excerpt)),
      excerpt,
    )
})
