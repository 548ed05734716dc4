/** authmount/mcp: what an MCP server behind its guards answers, beside the authorization server and elsewhere. */
import fastifyCors from '@fastify/cors'
import * as errors1 from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import * as sdk2 from '@modelcontextprotocol/server'
import { authmountRouter } from 'authmount/express'
import authmountPlugin from 'authmount/fastify'
import { authOf, type McpErrors, mcpHandler, mcpHook, mcpMetadata, mcpMiddleware, mcpTokenVerifier } from 'authmount/mcp'
import { memoryStore } from 'authmount/stores/memory'
import cors from 'cors'
import express from 'express'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { REDIRECT_URI, VERIFIER } from './support/client.ts'
import { askToken, ProofKey } from './support/dpop.ts'
import { FaultyStore } from './support/faulty-store.ts'
import { listen, type Mount, startHost, type TestHost } from './support/host.ts'
import { mcpMounts } from './support/mcp.ts'
import { StoreTimeout } from './support/store-timeout.ts'
import { API, ISSUER, start } from './support/verifier.ts'

const MCP = `${ISSUER}/mcp`
const METADATA = `${ISSUER}/.well-known/oauth-protected-resource/mcp`
const EXPOSED = 'www-authenticate, mcp-session-id, mcp-protocol-version, retry-after, dpop-nonce'

/** Sends a message as a client in a browser would. */
function call(url: string, token: string | null, tool = 'whose', init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}/mcp`, {
    method: 'POST',
    headers: {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      origin: 'https://inspector.example',
      ...(token !== null && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, arguments: {} } }),
    ...init,
  })
}

/** The texts that a tool has answered. */
async function textsOf(response: Response): Promise<readonly string[]> {
  const [, data = ''] = /^data: (.+)$/m.exec(await response.text()) ?? []
  const { result } = JSON.parse(data) as { result: { content: readonly { text: string }[] } }
  return result.content.map(({ text }) => text)
}

for (const [name, mount] of Object.entries(mcpMounts)) {
  t.test(`${name}: beside the authorization server`, async t => {
    const timeout = new StoreTimeout()
    const faulty = new FaultyStore(memoryStore(), timeout)
    const host = await startHost(authmount => mount({ authmount }, MCP), { resources: [MCP], store: faulty.store })
    t.teardown(host.close)
    const app = await host.publicApp()
    const { access } = await host.tokens(app)

    await t.test('a token is what tools of the SDK expect', async t => {
      const answer = await call(host.url, access)
      t.equal(answer.status, 200)
      t.equal(answer.headers.get('access-control-allow-origin'), '*')
      t.equal(answer.headers.get('access-control-expose-headers'), EXPOSED)
      const [whose, info = ''] = await textsOf(answer)
      t.equal(whose, 'anna')
      const { expiresAt, grantId } = await host.authmount.checkToken(access)
      t.strictSame(JSON.parse(info), {
        token: access,
        clientId: app.clientId,
        scopes: ['read:records'],
        expiresAt: Math.floor(expiresAt / 1000),
        resource: MCP,
        extra: { userId: 'anna', orgId: 'org-1', grantId },
      })
    })

    await t.test('no token and a bad one are 401 that pages can read, and say what to ask for', async t => {
      for (const [token, error] of [
        [null, ''],
        ['nonsense', ', error="invalid_token", error_description="[^"]+"'],
      ] as const) {
        const refused = await call(host.url, token)
        t.equal(refused.status, 401)
        t.match(
          refused.headers.get('www-authenticate'),
          new RegExp(`^Bearer realm="${ISSUER}", resource_metadata="${METADATA}"${error}, scope="read:records"$`),
        )
        t.equal(refused.headers.get('access-control-allow-origin'), '*')
        t.equal(refused.headers.get('access-control-expose-headers'), EXPOSED)
      }
      const metadata = await fetch(`${host.url}${new URL(METADATA).pathname}`)
      t.match(await metadata.json(), { resource: MCP, authorization_servers: [ISSUER] })
    })

    await t.test('a preflight needs no token', async t => {
      const asked = 'authorization, content-type, mcp-protocol-version, mcp-session-id, last-event-id'
      const preflight = await fetch(`${host.url}/mcp`, {
        method: 'OPTIONS',
        headers: {
          origin: 'https://inspector.example',
          'access-control-request-method': 'POST',
          'access-control-request-headers': asked,
        },
      })
      t.equal(preflight.status, 204)
      t.equal(preflight.headers.get('access-control-allow-origin'), '*')
      t.equal(preflight.headers.get('access-control-allow-headers'), asked)
      t.match(preflight.headers.get('access-control-allow-methods'), 'DELETE')
      t.equal(preflight.headers.get('access-control-allow-credentials'), null)
      t.equal((await fetch(`${host.url}/mcp`, { method: 'OPTIONS' })).status, 401, 'it is none')
    })

    await t.test('a tool’s own scopes are a 403 that names those of the token too', async t => {
      const refused = await call(host.url, access, 'change')
      t.equal(refused.status, 403)
      t.match(refused.headers.get('www-authenticate'), /error="insufficient_scope".*, scope="read:records write:records"$/)
      const body = JSON.stringify([
        { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whose' } },
        { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'change' } },
      ])
      t.equal((await call(host.url, access, '', { body })).status, 403, 'in a batch')
      const wide = await host.tokens(app, { scope: 'read:records write:records' })
      t.strictSame(await textsOf(await call(host.url, wide.access, 'change')), ['changed'])
    })

    await t.test('a bound token needs a proof, which the scopes of a tool do not use up', async t => {
      const key = new ProofKey()
      const fields = {
        grant_type: 'authorization_code',
        code: await host.approve(app),
        redirect_uri: REDIRECT_URI,
        code_verifier: VERIFIER,
      }
      const token = String((await askToken(host, app, fields, key.proof(host))).body.access_token)
      const callBound = (tool: string) =>
        call(host.url, null, tool, {
          headers: {
            accept: 'application/json, text/event-stream',
            'content-type': 'application/json',
            authorization: `DPoP ${token}`,
            dpop: key.proof(host, { url: MCP, token }),
          },
        })
      const [whose, info = ''] = await textsOf(await callBound('whose'))
      t.equal(whose, 'anna')
      t.match(JSON.parse(info), { token })
      const refused = await callBound('change')
      t.equal(refused.status, 403)
      t.match(refused.headers.get('www-authenticate'), /^DPoP .*resource_metadata="[^"]+", error="insufficient_scope"/)
      t.equal((await call(host.url, token)).status, 401)
    })

    await t.test('a body that is no message is refused, and nothing fails', async t => {
      for (const body of ['', '{', '7', 'null', '{"method":"tools/call","params":7}', '[[[]]]']) {
        const { status } = await call(host.url, access, '', { body })
        t.ok(status >= 400 && status < 500, `${body}: ${status}`)
      }
      t.equal((await call(host.url, access, '', { body: `"${'x'.repeat(4_194_304)}"` })).status, 413)
    })

    await t.test('a store that fails is 503, never 401', async t => {
      const refused = await faulty.during(1, 'rejects before', () => call(host.url, access))
      t.equal(refused.status, 503)
      t.equal(refused.headers.get('retry-after'), '1')
      t.equal(refused.headers.get('access-control-allow-origin'), '*')
    })
  })

  t.test(`${name}: in a process of its own`, async t => {
    const { host, verifier, network } = await start('opaque')
    const service = await mount({ verifier }, API)
    t.teardown(() => Promise.all([service.close(), host.close()]))
    const { access } = await host.tokens(await host.publicApp(), { resource: API })
    const [whose, info = ''] = await textsOf(await call(service.url, access))
    t.equal(whose, 'anna')
    t.match(JSON.parse(info), { resource: `${API}/` })

    const refused = await call(service.url, null)
    const metadata = `${API}/.well-known/oauth-protected-resource`
    t.equal(
      refused.headers.get('www-authenticate'),
      `Bearer realm="${ISSUER}", scope="read:records", resource_metadata="${metadata}"`,
    )
    const document = await fetch(`${service.url}${new URL(metadata).pathname}`)
    t.equal(document.headers.get('access-control-allow-origin'), '*')
    t.strictSame(await document.json(), {
      resource: API,
      resource_name: 'Records',
      authorization_servers: [ISSUER],
      scopes_supported: ['read:records'],
      bearer_methods_supported: ['header'],
    })
    const preflight = { method: 'OPTIONS', headers: { 'access-control-request-method': 'GET' } }
    t.equal((await fetch(`${service.url}${new URL(metadata).pathname}`, preflight)).status, 204)
    t.equal((await fetch(`${service.url}/elsewhere`)).status, 404)
    t.equal((await call(service.url, access, 'change')).status, 403)
    network.down = true
    const other = await host.tokens(await host.publicApp(), { resource: API })
    t.equal((await call(service.url, other.access)).status, 503, 'the authorization server does not answer')
  })
}

/** A host whose own CORS comes first, and is for its own pages. */
const hostsWithCors: Readonly<Record<string, Mount>> = {
  express: authmount => {
    const app = express()
    app.use(cors({ origin: 'https://spa.example', credentials: true }))
    app.use(authmountRouter(authmount))
    app.all('/mcp', mcpMiddleware(authmount, { resource: MCP }), (request, response) => {
      response.send(authOf(request).extra.userId)
    })
    return listen(app)
  },
  fastify: async authmount => {
    const app = Fastify()
    await app.register(fastifyCors, { origin: 'https://spa.example', credentials: true })
    await app.register(authmountPlugin, { authmount })
    app.post('/mcp', { preHandler: mcpHook(authmount, { resource: MCP }) }, async request => authOf(request).extra.userId)
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  },
}

for (const [framework, mount] of Object.entries(hostsWithCors)) {
  t.test(`${framework}: answers are for every page, whatever CORS the host has before`, async t => {
    const host = await startHost(mount, { resources: [MCP] })
    t.teardown(host.close)
    const { access } = await host.tokens(await host.publicApp())
    for (const [token, status] of [
      [access, 200],
      ['nonsense', 401],
    ] as const) {
      const answer = await call(host.url, token)
      t.equal(answer.status, status)
      t.equal(answer.headers.get('access-control-allow-origin'), '*')
      t.equal(answer.headers.get('access-control-expose-headers'), EXPOSED)
      t.equal(answer.headers.get('access-control-allow-credentials'), null)
    }
  })
}

/** The SDK's own guard of each version, with our verifier: a route that answers the user. */
const guardsOfSdk: Readonly<Record<string, (t: Test, host: TestHost) => Promise<(authorization: string) => Promise<Response>>>> =
  {
    'version 1': async (t, host) => {
      const verifier = mcpTokenVerifier(host.authmount, MCP, errors1)
      const app = express()
      const guard = requireBearerAuth({ verifier, requiredScopes: ['read:records'], expectedResource: new URL(MCP) })
      app.get('/', guard, (request, response) => {
        response.send(authOf(request).extra.userId)
      })
      const { close, url } = await listen(app)
      t.teardown(close)
      return authorization => fetch(url, { headers: { authorization } })
    },
    'version 2': async (_t, host) => {
      const verifier = mcpTokenVerifier(host.authmount, MCP, sdk2)
      const gate = sdk2.requireBearerAuth({ verifier, requiredScopes: ['read:records'], expectedResource: new URL(MCP) })
      return async authorization => {
        const auth = await gate(new Request(MCP, { headers: { authorization } }))
        return auth instanceof Response ? auth : new Response(String(auth.extra?.userId))
      }
    },
  }

for (const [version, guard] of Object.entries(guardsOfSdk)) {
  t.test(`the SDK’s own requireBearerAuth, ${version}, takes the verifier`, async t => {
    const timeout = new StoreTimeout()
    const faulty = new FaultyStore(memoryStore(), timeout)
    const mount = mcpMounts.express
    if (!mount) throw new Error('there is no Express')
    const resources = [MCP, API]
    const host = await startHost(authmount => mount({ authmount }, MCP), { resources, store: faulty.store })
    t.teardown(host.close)
    const app = await host.publicApp()
    const ask = await guard(t, host)
    const { access } = await host.tokens(app)
    t.equal(await (await ask(`Bearer ${access}`)).text(), 'anna')
    const elsewhere = await host.tokens(app, { resource: API })
    for (const token of ['nonsense', elsewhere.access]) {
      const refused = await ask(`Bearer ${token}`)
      t.equal(refused.status, 401, token)
      t.match(refused.headers.get('www-authenticate'), 'error="invalid_token"')
    }
    const narrow = await host.tokens(app, { scope: 'write:records' })
    t.equal((await ask(`Bearer ${narrow.access}`)).status, 403)
    const failed = await faulty.during(1, 'rejects before', () => ask(`Bearer ${access}`))
    t.equal(failed.status, 500, 'the SDK has no 503; the client keeps its token')
    t.match(host.logged, [[/^the store failed/]], 'the log says why')
  })
}

t.test('what cannot work is refused where it is said', async t => {
  const mount = mcpMounts.express
  if (!mount) throw new Error('there is no Express')
  const host = await startHost(authmount => mount({ authmount }, MCP), { resources: [MCP] })
  t.teardown(host.close)
  const { authmount } = host
  for (const make of [mcpMiddleware, mcpHook] as const) {
    t.throws(() => make({} as never, { resource: MCP }), /createAuthmount or createVerifier/)
    t.throws(() => make(authmount, { resource: '/mcp' }), /resource must be the URL/)
    t.throws(() => make(authmount, { resource: `${ISSUER}/other` }), /not one of this server's resources/)
    t.throws(() => make(authmount, { resource: MCP, scopes: ['read:everything'] }), /not one of this server's scopes/)
    t.throws(() => make(authmount, { resource: MCP, tools: { change: ['read:everything'] } }), /scopes/)
    t.throws(() => make(authmount, { resource: MCP, scope: 'read:records' } as never), /scope is not an option/)
  }
  t.throws(() => mcpHandler(authmount, { resource: '' }, () => {}), TypeError)
  t.throws(() => mcpTokenVerifier(authmount, MCP, {} as McpErrors), /InvalidTokenError or OAuthError/)
  t.throws(() => mcpMetadata({ resource: MCP, issuer: 'example.com' }), /issuer must be a URL/)
  t.throws(() => authOf({ headers: {} }), /no guard/)
  t.doesNotThrow(() => mcpTokenVerifier(authmount, MCP, { InvalidTokenError: errors1.InvalidTokenError }))
})

t.test('on Fastify, scopes of tools need the body: a hook that comes before it lets nobody in', async t => {
  const mount: Mount = async authmount => {
    const app = Fastify()
    await app.register(authmountPlugin, { authmount })
    const onRequest = mcpHook(authmount, { resource: MCP, tools: { change: ['write:records'] } })
    app.post('/mcp', { onRequest }, async () => 'reached')
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  }
  const host = await startHost(mount, { resources: [MCP] })
  t.teardown(host.close)
  const { access } = await host.tokens(await host.publicApp())
  const answer = await call(host.url, access)
  t.equal(answer.status, 500)
  t.match(await answer.json(), { message: 'with tools, mcpHook must be a preHandler of its route' })
})
