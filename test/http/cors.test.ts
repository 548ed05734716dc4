/** Which pages of other origins may read an answer, whatever CORS the host has of its own. */
import fastifyCors, { type FastifyCorsOptions } from '@fastify/cors'
import type { Authmount } from 'authmount'
import { authmountRouter } from 'authmount/express'
import authmountPlugin from 'authmount/fastify'
import cors from 'cors'
import express from 'express'
import Fastify from 'fastify'
import t from 'tap'
import type { Answer, TestApp } from '../support/client.ts'
import { everyFramework, everywhere } from '../support/everywhere.ts'
import { listen, type Mount, startHost, type TestHost } from '../support/host.ts'
import { SIGN_IN } from '../support/sign-in.ts'

const OWN = 'https://app.example'
const allowed = ({ headers }: Answer) => headers.get('access-control-allow-origin')

const ask = (host: TestHost, app: TestApp, origin: string, path = '/oauth/token') =>
  host.post(path, app, { grant_type: 'refresh_token', refresh_token: 'x', token: 'x' }, { headers: { origin } })

const preflight = (host: TestHost, origin: string, path = '/oauth/token', asked = 'authorization, sentry-trace') =>
  host.send(path, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': asked },
  })

const ORIGINS = ['capacitor://localhost', 'chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai', 'https://ui.example:8443']

everywhere(
  'a page at an allowed origin of an app reads its answers; one elsewhere does not',
  async (t, host) => {
    const app = await host.publicApp({ allowedScopes: ['openid', 'read:records'], allowedOrigins: ORIGINS })
    const { access } = await host.tokens(app, { scope: 'openid read:records' })
    const userinfo = (origin: string) => host.send('/oauth/userinfo', { headers: { origin, authorization: `Bearer ${access}` } })
    const posted = (origin: string) =>
      host.send('/oauth/userinfo', { method: 'POST', headers: { origin }, body: new URLSearchParams({ access_token: access }) })
    for (const origin of [...ORIGINS, OWN]) {
      for (const path of ['/oauth/token', '/oauth/revoke']) {
        t.equal(allowed(await ask(host, app, origin, path)), origin, `${path} ${origin}`)
        t.equal(allowed(await preflight(host, origin, path)), origin)
      }
      for (const read of [await userinfo(origin), await posted(origin)]) t.strictSame([read.status, allowed(read)], [200, origin])
    }
    const others = ['capacitor://localhost.evil', 'http://localhost', 'https://ui.example', 'null', 'chrome-extension://other']
    for (const origin of others) {
      t.equal(allowed(await ask(host, app, origin)), null, origin)
      t.equal(allowed(await userinfo(origin)), null, origin)
      t.equal(allowed(await posted(origin)), null, origin)
    }
    t.equal(allowed(await ask(host, await host.publicApp(), 'capacitor://localhost')), null, 'another app’s are its own')
  },
  SIGN_IN,
)

everywhere('allowed origins are a field of the API', async (t, host) => {
  const send = (method: string, path: string, fields: object) =>
    host.browse(`/oauth-clients${path}`, 'anna', {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(fields),
    })
  const fields = { name: 'Pocket', redirectUris: ['https://app.example/cb'], allowedScopes: ['read:records'] }
  const created = await send('POST', '', { ...fields, isConfidential: false, allowedOrigins: ORIGINS })
  t.strictSame([created.status, created.body.allowedOrigins], [201, ORIGINS])
  const changed = await send('PUT', `/${created.body.id}`, { allowedOrigins: ['tauri://localhost', 'tauri://localhost'] })
  t.strictSame(changed.body.allowedOrigins, ['tauri://localhost'])
  const app = { clientId: String(created.body.clientId), clientSecret: null }
  t.equal(allowed(await ask(host, app, 'tauri://localhost')), 'tauri://localhost')
  t.equal(allowed(await ask(host, app, 'capacitor://localhost')), null, 'counts at once')
  t.equal((await send('PUT', `/${created.body.id}`, { name: 'Pocket 2' })).body.allowedOrigins?.toString(), 'tauri://localhost')
  t.equal((await send('PUT', `/${created.body.id}`, { allowedOrigins: [] })).body.allowedOrigins, undefined)

  const refused = await send('POST', '', { ...fields, allowedOrigins: ORIGINS })
  t.equal(refused.status, 400)
  t.match(refused.text, /allowedOrigins must be empty: only a public app/)
  const { body: confidential } = await send('POST', '', fields)
  t.equal((await send('PUT', `/${confidential.id}`, { allowedOrigins: ORIGINS })).status, 400)
})

everyFramework('a fixed app gets the origins it is given', async (t, host) => {
  const seed = (allowedOrigins?: readonly string[]) =>
    host.publicApp({ clientId: 'pocket', clientSecret: undefined, allowedOrigins })
  await seed(['capacitor://localhost'])
  await seed()
  t.equal(allowed(await ask(host, await seed(), 'capacitor://localhost')), 'capacitor://localhost')
  t.equal(allowed(await ask(host, await seed([]), 'capacitor://localhost')), null)
})

everyFramework('what is no origin is refused, with what is', async (t, host) => {
  const problem = (origin: string) =>
    host.publicApp({ allowedOrigins: [origin] }).then(
      () => null,
      (error: Error) => error.message,
    )
  const good = [
    ...ORIGINS,
    'https://[2001:db8::1]',
    'http://localhost:8100',
    'http://127.0.0.1',
    'http://app.localhost:3000',
    'ionic://localhost',
    'app://obsidian.md',
    'moz-extension://0b2f1c44-93a3-4a7c-9a3e-3a4f5ac1b1aa',
    'safari-web-extension://E5D8C7B6-1234-4ABC-8DEF-0123456789AB',
  ]
  for (const origin of good) t.equal(await problem(origin), null, origin)
  const bad: Readonly<Record<string, RegExp>> = {
    '*': /must be an origin such as/,
    null: /must be an origin such as/,
    '': /must be an origin such as/,
    'https://app.example/': /without a path/,
    'https://app.example/cb': /without a path/,
    'https://*.app.example': /must be an origin such as/,
    'https://user@app.example': /must be an origin such as/,
    'https://app.example:443': /as a browser sends it: https:\/\/app\.example$/,
    'https://APP.example': /as a browser sends it: https:\/\/app\.example$/,
    'http://app.example': /must use https/,
    'file://localhost': /scheme file:/,
    'javascript://localhost': /scheme javascript:/,
    'wss://app.example': /scheme wss:/,
    'capacitor:localhost': /must be an origin such as/,
    [`https://${'a'.repeat(250)}.example`]: /at most 255/,
  }
  for (const [origin, message] of Object.entries(bad)) t.match(await problem(origin), message, origin)
})

/** What hosts do: the middleware that a blog recommends, before everything. */
const HOST_CORS: Readonly<Record<string, FastifyCorsOptions & cors.CorsOptions>> = {
  'one origin, with credentials': { origin: 'https://spa.example', credentials: true },
  'a list': { origin: ['https://spa.example', 'https://other.example'] },
}

const hosts = (options: FastifyCorsOptions & cors.CorsOptions): Readonly<Record<string, Mount>> => ({
  fastify: async (authmount: Authmount) => {
    const app = Fastify({ forceCloseConnections: true })
    await app.register(fastifyCors, options)
    await app.register(authmountPlugin, { authmount })
    app.get('/mine', async () => 1)
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  },
  'express, mounted first': async authmount => {
    const app = express()
    app.use(authmountRouter(authmount))
    app.use(cors(options))
    app.get('/mine', (_request, response) => response.json(1))
    return listen(app)
  },
})

for (const [kind, options] of Object.entries(HOST_CORS)) {
  for (const [name, mount] of Object.entries(hosts(options))) {
    t.test(`${name}: the host's own cors(), ${kind}, shuts no app out`, async t => {
      const host = await startHost(mount)
      t.teardown(host.close)
      const app = await host.publicApp()
      const first = await preflight(host, OWN)
      t.strictSame([first.status, allowed(first)], [204, OWN])
      t.equal(first.headers.get('access-control-allow-headers'), 'authorization, sentry-trace')
      t.equal(first.headers.get('access-control-allow-credentials'), null)
      t.equal(allowed(await ask(host, app, OWN)), OWN)
      t.equal(allowed(await preflight(host, OWN, '/.well-known/oauth-authorization-server')), '*')
      // The host's own routes are as before.
      t.equal(allowed(await host.send('/mine', { headers: { origin: 'https://spa.example' } })), 'https://spa.example')
      t.equal(allowed(await preflight(host, 'https://spa.example', '/mine')), 'https://spa.example')
      t.strictSame(host.logged, [])
    })
  }

  t.test(`express, mounted after the host's own cors(), ${kind}: says once what to change`, async t => {
    const host = await startHost(async authmount => {
      const app = express()
      app.use(cors(options))
      app.use(authmountRouter(authmount))
      return listen(app)
    })
    t.teardown(host.close)
    const app = await host.publicApp()
    t.not(allowed(await preflight(host, OWN)), OWN, 'the router never sees it')
    t.strictSame(host.logged, [])
    for (const _ of [1, 2]) {
      const answer = await ask(host, app, OWN)
      t.equal(allowed(answer), OWN)
      t.equal(answer.headers.get('access-control-allow-credentials'), null)
    }
    t.match(host.logged, [
      [/^cors\(\) before authmountRouter answers the preflights .* https:\/\/app\.example, .*: put app\.use\(authmountRouter/],
    ])
    t.equal(host.logged.length, 1)
  })
}

t.test('express, after a cors() that is open to all, works, and nothing is said', async t => {
  const host = await startHost(async authmount => {
    const app = express()
    app.use(cors())
    app.use(authmountRouter(authmount))
    return listen(app)
  })
  t.teardown(host.close)
  const app = await host.publicApp()
  t.equal(allowed(await preflight(host, OWN)), '*')
  t.equal(allowed(await ask(host, app, OWN)), OWN)
  t.equal(allowed(await ask(host, app, 'https://evil.example')), '*', 'what the host said of the others')
  t.strictSame(host.logged, [])
})
