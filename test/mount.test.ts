import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { createAuthmount } from 'authmount'
import { authmountRouter } from 'authmount/express'
import authmountPlugin from 'authmount/fastify'
import { memoryStore } from 'authmount/stores/memory'
import express from 'express'
import Fastify from 'fastify'
import t from 'tap'
import { frameworks, listen, mounts, startHost } from './support/host.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

/** A body that arrives in pieces, without an announced length. */
function inPieces(text: string, size: number): ReadableStream<Uint8Array> {
  const pieces = text.match(new RegExp(`.{1,${size}}`, 'g')) ?? []
  let next = 0
  return new ReadableStream({
    async pull(controller) {
      await new Promise(setImmediate)
      const piece = pieces[next++]
      if (piece === undefined) controller.close()
      else controller.enqueue(new TextEncoder().encode(piece))
    },
  })
}

for (const [name, mount] of Object.entries(mounts)) {
  for (const mountPath of ['', '/api/v1']) {
    t.test(`${name}, ${mountPath || 'without a prefix'}`, async t => {
      const host = await startHost(mount, { mountPath })
      t.teardown(host.close)
      const app = await host.confidentialApp()

      t.test('the whole flow works', async t => {
        const { access, refresh } = await host.tokens(app)
        t.equal(await host.records(access), 200)
        const { body } = await host.refresh(app, refresh)
        t.equal(await host.isActive(app, body.access_token), true)
        t.equal((await host.post('/oauth/revoke', app, { token: String(body.refresh_token) })).status, 200)
        t.equal(await host.records(body.access_token), 401)
      })

      t.test('JSON bodies work as well', async t => {
        const body = JSON.stringify({
          grant_type: 'client_credentials',
          client_id: app.clientId,
          client_secret: app.clientSecret,
        })
        const answer = await host.send(`${mountPath}/oauth/token`, { method: 'POST', headers: JSON_TYPE, body })
        t.equal(answer.status, 200)
      })

      t.test('bad bodies get our answers, not the framework’s', async t => {
        const cases: readonly (readonly [type: string, body: string, statuses: readonly number[]])[] = [
          ['application/json', '{', [400]],
          ['application/json', `{"a":"${'x'.repeat(200_000)}"}`, [413]],
          ['application/x-www-form-urlencoded', `a=${'x'.repeat(200_000)}`, [413]],
          ['application/x-www-form-urlencoded', `a=${'x'.repeat(17_000)}`, [413]],
          ['application/x-www-form-urlencoded', `grant_type=client_credentials&client_id[$ne]=x`, [400, 401]],
          ['application/x-www-form-urlencoded', `grant_type=client_credentials&grant_type=client_credentials`, [400]],
          ['application/x-www-form-urlencoded; charset=utf-7', 'a=b', [415]],
          ['text/plain', 'a=b', [415]],
          ['application/json', `{"grant_type":"client_credentials","a":"${'x'.repeat(17_000)}"}`, [413]],
        ]
        for (const [type, body, statuses] of cases) {
          const answer = await host.send(`${mountPath}/oauth/token`, { method: 'POST', headers: { 'content-type': type }, body })
          t.ok(statuses.includes(answer.status), `${type} ${body.slice(0, 40)}: ${answer.status}`)
          t.match(answer.body, { error: /^invalid_(request|client)$/, error_description: String })
          t.equal(answer.headers.get('cache-control'), 'no-store')
        }
      })

      t.test('odd bodies are read, or refused in our words', async t => {
        const form = 'application/x-www-form-urlencoded'
        const path = `${mountPath}/oauth/token`
        const fields = new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: app.clientId,
          client_secret: app.clientSecret ?? '',
        }).toString()
        for (const encoding of ['gzip', 'deflate', 'br']) {
          const headers = { 'content-type': form, 'content-encoding': encoding }
          const answer = await host.send(path, { method: 'POST', headers, body: fields })
          t.equal(answer.status, 415, `${encoding} that is none`)
          t.equal(answer.body.error, 'invalid_request', encoding)
          t.equal(answer.headers.get('cache-control'), 'no-store', encoding)
        }
        const bearer = { authorization: 'Bearer host-anna', 'content-type': 'application/json' }
        const malformed = await host.send(`${mountPath}/oauth-clients/${'f'.repeat(24)}`, {
          method: 'DELETE',
          headers: bearer,
          body: '{',
        })
        // Behind a parser of the host that has failed, no flow runs: the middleware after it was skipped.
        t.match(malformed.body, { error: { code: /^(NOT_FOUND|VALIDATION_ERROR)$/ } }, 'a method that takes no body')
        t.ok([400, 404].includes(malformed.status))
        for (const type of ['constructor', '__proto__', 'toString'])
          t.equal((await host.send(path, { method: 'POST', headers: { 'content-type': type }, body: fields })).status, 415, type)
        const inBrackets = fields.replace('client_secret=', 'client_secret[]=')
        t.not((await host.send(path, { method: 'POST', headers: { 'content-type': form }, body: inBrackets })).status, 200)
        for (const size of [1, 7, 40, Math.ceil(fields.length / 2)]) {
          const answer = await host.send(path, {
            method: 'POST',
            headers: { 'content-type': form },
            body: inPieces(fields, size),
            duplex: 'half',
          } as RequestInit)
          t.equal(answer.status, 200, `in pieces of ${size}`)
        }
        const tooLong = inPieces(`a=${'x'.repeat(20_000)}`, 4000)
        const chunked = { method: 'POST', headers: { 'content-type': form }, body: tooLong, duplex: 'half' } as RequestInit
        t.equal((await host.send(path, chunked)).status, 413, 'a chunked form')
        const nested = `${'['.repeat(30_000)}${']'.repeat(30_000)}`
        const deep = await host.send(path, { method: 'POST', headers: JSON_TYPE, body: nested })
        t.ok([400, 413].includes(deep.status), `nested arrays: ${deep.status}`)
        t.match(deep.body, { error: 'invalid_request' })
      })

      t.test('wrong methods are 405', async t => {
        for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
          t.equal((await host.send(`${mountPath}/oauth/token`, { method })).status, 405, method)
        }
      })

      t.test('the host goes on as before', async t => {
        const echo = await host.send('/echo', { method: 'POST', headers: JSON_TYPE, body: '{"a":{"b":[1]}}' })
        const parsed = echo.body.body
        t.strictSame(typeof parsed === 'string' ? JSON.parse(parsed) : parsed, { a: { b: [1] } })
        t.equal((await host.send('/nothing')).status, 404)
        t.equal((await host.send('/open')).status, 200)
        const form = await host.send('/echo', { method: 'POST', body: new URLSearchParams({ a: 'b' }) })
        // A bare Fastify takes no forms, and authmount's parser must not leak to it.
        t.equal(form.status, name === 'fastify' ? 415 : 200)
      })
    })
  }
}

t.test('express: an error of the host’s is the host’s, whatever it looks like', async t => {
  const host = await startHost(async authmount => {
    const app = express().set('env', 'test')
    app.use((_request, _response, next) =>
      next(Object.assign(new Error('blocked'), { type: 'https://host.example/probs/blocked', status: 403 })),
    )
    app.use(authmountRouter(authmount))
    return listen(app)
  })
  t.teardown(host.close)
  const app = await host.confidentialApp()
  for (const [path, method] of [
    [`/oauth/authorize?${host.authorizeQuery(app)}`, 'GET'],
    ['/oauth/token', 'POST'],
  ] as const) {
    t.equal((await fetch(host.url + path, { method, headers: { cookie: 'session=anna' }, redirect: 'manual' })).status, 403)
  }
})

t.test('express: a body that somebody has read before, and kept, is answered and not waited for', async t => {
  const host = await startHost(async authmount => {
    const app = express()
    app.use((request, _response, next) => {
      request.resume().once('end', () => next())
    })
    app.use(authmountRouter(authmount))
    return listen(app)
  })
  t.teardown(host.close)
  const answer = await host.clientCredentials(await host.confidentialApp())
  t.equal(answer.status, 400)
  t.equal(answer.body.error, 'invalid_request')
})

t.test('fastify: what its router refuses never reaches authmount', async t => {
  const { express, fastify } = frameworks
  if (!express || !fastify) throw new Error('no framework')
  const expected = { fastify: [400, 414, 404], express: [400, 400, 405] }
  for (const [name, mount] of Object.entries({ fastify, express })) {
    const host = await startHost(mount)
    t.teardown(host.close)
    const statuses = [
      await statusOf(host.url, 'GET', '/oauth-clients/%zz'),
      await statusOf(host.url, 'GET', `/oauth-clients/${'f'.repeat(101)}`),
      await statusOf(host.url, 'LINK', '/oauth/token'),
    ]
    t.strictSame(statuses, expected[name as 'fastify' | 'express'], name)
  }
})

/** By Node's own client: fetch knows fewer methods. */
async function statusOf(url: string, method: string, path: string): Promise<number | undefined> {
  const headers = { authorization: 'Bearer host-anna' }
  const request = httpRequest(new URL(path, url), { method, headers, agent: false })
  request.end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.resume()
  return response.statusCode
}

t.test('fastify: registered below a prefix, it refuses to start and says what to do', async t => {
  const authmount = createAuthmount({
    issuer: 'https://issuer.example',
    store: memoryStore(),
    authenticate: () => null,
    scopes: { read: { description: 'Read' } },
  })
  const app = Fastify()
  app.register(async child => child.register(authmountPlugin, { authmount }), { prefix: '/api' })
  await t.rejects(async () => await app.ready(), /must be registered at the root of the app, not below \/api: set mountPath/)
})

t.test('fastify: a prefix of its own, or no server at all, is refused', async t => {
  const authmount = createAuthmount({
    issuer: 'https://issuer.example',
    store: memoryStore(),
    authenticate: () => null,
    scopes: { read: { description: 'Read' } },
  })
  await t.rejects(
    async () => await Fastify().register(authmountPlugin, { authmount, prefix: '/api' }),
    /not below \/api: set mountPath/,
  )
  await t.rejects(
    async () => await Fastify().register(authmountPlugin, authmount as never),
    /register the plugin with what createAuthmount returned/,
  )
})

t.test('fastify: two servers live in one app', async t => {
  const make = (mountPath: string) =>
    createAuthmount({
      issuer: `https://issuer.example${mountPath}`,
      mountPath,
      store: memoryStore(),
      authenticate: () => null,
      scopes: { read: { description: 'Read' } },
    })
  const app = Fastify()
  await app.register(authmountPlugin, { authmount: make('/one') })
  // The documents of the root are the first one's: the second must not claim them.
  await t.rejects(async () => await app.register(authmountPlugin, { authmount: make('/two') }), {
    code: 'FST_ERR_DUPLICATED_ROUTE',
  })
})

t.test('a host’s own OpenAPI document has none of our routes', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  const shown: string[] = []
  app.addHook('onRoute', ({ schema, url }) => {
    if (!(schema as { readonly hide?: boolean } | undefined)?.hide) shown.push(url)
  })
  const authmount = createAuthmount({
    issuer: 'https://issuer.example',
    store: memoryStore(),
    authenticate: () => null,
    scopes: { read: { description: 'Read' } },
  })
  await app.register(authmountPlugin, { authmount: authmount as never })
  app.get('/mine', async () => 1)
  await app.ready()
  t.strictSame([...new Set(shown)], ['/mine'])
})
