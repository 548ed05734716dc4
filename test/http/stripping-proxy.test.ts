/** A proxy that passes on `/app/oauth/token` as `/oauth/token`, as nginx does with `location /app/ { proxy_pass http://up/; }`. */
import { createServer, request as forward } from 'node:http'
import { type Authmount, createAuthmount } from 'authmount'
import { authmountConsole, authmountRouter } from 'authmount/express'
import authmountPlugin, { authmountConsole as fastifyConsole } from 'authmount/fastify'
import { memoryStore } from 'authmount/stores/memory'
import express from 'express'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { CHALLENGE, VERIFIER } from '../support/client.ts'
import { listen, type Mount, SCOPES, startHost } from '../support/host.ts'
import { SIGN_IN } from '../support/sign-in.ts'

const PREFIX = '/app'

const mounts: Readonly<Record<string, Mount>> = {
  express: async (authmount: Authmount) => {
    const app = express()
    app.use(authmountRouter(authmount))
    app.use('/admin/oauth', authmountConsole(authmount))
    return listen(app)
  },
  fastify: async authmount => {
    const app = Fastify({ forceCloseConnections: true })
    await app.register(authmountPlugin, { authmount })
    await app.register(fastifyConsole, { authmount, prefix: '/admin/oauth' })
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  },
}

/** Listens on a port of its own and passes on what is below the prefix, without it. Anything else is another server's: 404. */
async function startProxy(t: Test): Promise<{ readonly origin: string; upstream: string; readonly strays: string[] }> {
  const state = { origin: '', upstream: '', strays: [] as string[] }
  const server = createServer((request, response) => {
    const { headers, method, url = '' } = request
    if (!url.startsWith(`${PREFIX}/`)) {
      state.strays.push(url)
      response.writeHead(404).end()
      return
    }
    const passed = forward(new URL(url.slice(PREFIX.length), state.upstream), { method, headers }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    passed.on('error', () => response.destroy())
    request.pipe(passed)
  })
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  state.origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  return state
}

for (const [name, mount] of Object.entries(mounts)) {
  for (const mountPath of ['', '/api/v1']) {
    t.test(`${name}, routes at '${mountPath}': behind a proxy that strips a prefix, nothing leads outside it`, async t => {
      const proxy = await startProxy(t)
      const issuer = `${proxy.origin}${PREFIX}`
      const options = { ...SIGN_IN, issuer, mountPath, proxyPath: PREFIX, logoutUrl: '/sign-out' }
      const host = await startHost(mount, {
        ...options,
        connectors: {
          baseUrls: [proxy.origin],
          provider: () => ({
            clientId: 'us',
            scopes: ['x'],
            endpoints: { authorization: 'https://provider.example/authorize', token: 'https://provider.example/token' },
          }),
        },
      })
      t.teardown(host.close)
      proxy.upstream = host.url
      const app = await host.publicApp({ allowedScopes: ['openid', 'read:records'] })
      const visit = async (url: string, init: RequestInit = {}, user: string | null = 'anna') => {
        const cookie: Record<string, string> = user === null ? {} : { cookie: `session=${user}` }
        const answer = await fetch(url, { redirect: 'manual', ...init, headers: { ...cookie, ...init.headers } })
        const location = answer.headers.get('location')
        const text = await answer.text()
        return { status: answer.status, text, location: location === null ? null : new URL(location, url) }
      }

      t.comment('a client discovers it below its issuer, and every address is there')
      const discovered = await visit(`${issuer}/.well-known/openid-configuration`, {}, null)
      const metadata = JSON.parse(discovered.text) as Record<string, string>
      t.equal(metadata.issuer, issuer)
      for (const [member, url] of Object.entries(metadata).filter(([member]) => /_endpoint$|_uri$/.test(member)))
        t.ok(url.startsWith(`${issuer}${mountPath}/`), `${member}: ${url}`)

      t.comment('a browser is sent to the login, and comes back')
      const query = new URLSearchParams({
        response_type: 'code',
        client_id: app.clientId,
        redirect_uri: 'https://app.example/cb',
        scope: 'openid read:records',
        state: 's',
        code_challenge: CHALLENGE,
        code_challenge_method: 'S256',
      })
      const toLogin = await visit(`${metadata.authorization_endpoint}?${query}`, {}, null)
      t.equal(toLogin.location?.pathname, `${PREFIX}/login`)
      const returnTo = toLogin.location?.searchParams.get('returnTo') ?? ''
      t.ok(returnTo.startsWith(`${PREFIX}${mountPath}/oauth/authorize?`), returnTo)
      const toScreen = await visit(`${proxy.origin}${returnTo}`)
      const screen = await visit(String(toScreen.location))
      t.equal(screen.status, 200)
      const action = /<form[^>]* action="([^"]+)"/.exec(screen.text)?.[1] ?? ''
      const consent = { consent_id: toScreen.location?.searchParams.get('consent_id') ?? '', consent: 'granted' }
      const agreed = await visit(`${proxy.origin}${action}`, { method: 'POST', body: new URLSearchParams(consent) })
      const code = agreed.location?.searchParams.get('code') ?? ''
      t.equal(agreed.location?.origin, 'https://app.example')

      t.comment('the app redeems the code, and reads what there is')
      const redeemed = await visit(String(metadata.token_endpoint), {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          code,
          client_id: app.clientId,
          redirect_uri: 'https://app.example/cb',
          code_verifier: VERIFIER,
        }),
      })
      const tokens = JSON.parse(redeemed.text) as Record<string, string>
      const bearer = { headers: { authorization: `Bearer ${tokens.access_token}` } }
      t.equal((await visit(String(metadata.userinfo_endpoint), bearer, null)).status, 200)
      t.match((await visit(String(metadata.jwks_uri), {}, null)).text, /"keys"/)

      t.comment('pages, APIs and the console')
      const accept = { headers: { accept: 'text/html' } }
      const connected = await visit(`${issuer}${mountPath}/oauth/connected-apps`, accept)
      t.match(connected.text, `action="${PREFIX}${mountPath}/oauth/connected-apps/`)
      const toLogout = await visit(`${metadata.end_session_endpoint}?client_id=${app.clientId}`)
      t.equal(toLogout.location?.pathname, `${PREFIX}/sign-out`)
      t.ok(toLogout.location?.searchParams.get('returnTo')?.startsWith(`${PREFIX}${mountPath}/oauth/logout/done?`))
      const begun = await visit(`${issuer}${mountPath}/connectors/x/oauth/authorize`)
      const { authorizationUrl } = JSON.parse(begun.text) as { authorizationUrl: string }
      t.equal(new URL(authorizationUrl).searchParams.get('redirect_uri'), `${issuer}${mountPath}/connectors/oauth/callback`)
      const page = await visit(`${issuer}/admin/oauth/`)
      t.match(page.text, `data-api="${PREFIX}${mountPath}/oauth-clients" data-login="${PREFIX}/login"`)
      t.equal((await visit(`${issuer}${mountPath}/oauth-clients`)).status, 200)
      t.match(host.authmount.openapi(), { servers: [{ url: issuer }], paths: { [`${mountPath}/oauth/token`]: {} } })
      t.strictSame(proxy.strays, [], 'no request went past the prefix')
      t.strictSame(host.logged, [])
    })
  }
}

t.test('a login that is elsewhere stays there', async t => {
  const host = await startHost(mounts.express as Mount, {
    issuer: 'https://x.example/app',
    proxyPath: PREFIX,
    loginUrl: 'https://login.example/in',
  })
  t.teardown(host.close)
  const answer = await host.authorize(await host.confidentialApp(), {}, null)
  t.match(answer.headers.get('location'), /^https:\/\/login\.example\/in\?returnTo=%2Fapp%2Foauth%2Fauthorize/)
})

t.test('a mountPath that repeats what the proxy removes is refused, and a proxyPath that is none', async t => {
  const create = (paths: object) =>
    createAuthmount({
      issuer: 'https://x.example/app',
      store: memoryStore(),
      authenticate: () => null,
      scopes: SCOPES,
      ...paths,
    })
  for (const mountPath of ['/app', '/app/v1'])
    t.throws(() => create({ mountPath, proxyPath: '/app' }), /mountPath must be the path that arrives here, without "\/app"/)
  for (const proxyPath of ['app', '/app/', '/', 'https://x.example/app'])
    t.throws(() => create({ proxyPath }), /proxyPath must be a path/, proxyPath)
  t.doesNotThrow(() => create({ mountPath: '/application', proxyPath: '/app' }))
})
