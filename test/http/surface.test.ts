import { once } from 'node:events'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { Test } from 'tap'
import type { Answer } from '../support/client.ts'
import { everyFramework } from '../support/everywhere.ts'
import { fastest, slowness } from '../support/fastest.ts'

const POSTED = ['/oauth/token', '/oauth/revoke', '/oauth/introspect'] as const
const FORM = 'application/x-www-form-urlencoded'

function refused(t: Test, answer: Answer, statuses: readonly number[], what: string): void {
  t.ok(statuses.includes(answer.status), `${what}: ${answer.status}`)
  t.ok(typeof answer.body.error === 'string', `${what}: an OAuth error`)
  t.equal(answer.headers.get('cache-control'), 'no-store', what)
  t.notMatch(answer.text, /\bat .*:\d+:\d+|node_modules|Error:/, `${what}: no stack`)
}

everyFramework('form and JSON bodies are the same to token, revoke and introspect', async (t, host) => {
  const app = await host.confidentialApp()
  const json = (path: string, fields: object) =>
    host.send(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify({ client_id: app.clientId, client_secret: app.clientSecret, ...fields }),
    })
  const { body } = await json('/oauth/token', { grant_type: 'client_credentials' })
  t.match(body.access_token, /^am_at_/)
  t.equal((await json('/oauth/introspect', { token: body.access_token })).body.active, true)
  t.equal((await json('/oauth/revoke', { token: body.access_token })).status, 200)
  t.equal((await json('/oauth/introspect', { token: body.access_token })).body.active, false)
})

everyFramework('a body of another type, or none, is 400 or 415', async (t, host) => {
  const app = await host.confidentialApp()
  const text = `grant_type=client_credentials&client_id=${app.clientId}&client_secret=${app.clientSecret}`
  const types = [
    'text/plain',
    `${FORM}\tx`,
    `${FORM} x`,
    `${FORM};charset=utf-7`,
    `${FORM}; charset=utf-16`,
    'multipart/form-data; boundary=x',
    'application/json\ta',
    'application/jsonp',
    'application/xml',
    `x${FORM}`,
  ]
  for (const path of POSTED) {
    for (const type of types) {
      const answer = await host.send(path, { method: 'POST', headers: { 'content-type': type }, body: Buffer.from(text) })
      refused(t, answer, [400, 415], `${path} ${JSON.stringify(type)}`)
    }
    refused(t, await host.send(path, { method: 'POST', body: Buffer.from(text) }), [400, 415], `${path} without a type`)
    refused(t, await host.send(path, { method: 'POST' }), [400, 415], `${path} without a body`)
    const gzip = { 'content-type': FORM, 'content-encoding': 'gzip' }
    refused(
      t,
      await host.send(path, { method: 'POST', headers: gzip, body: gzipSync('a'.repeat(1e6)) }),
      [400, 415],
      `${path} compressed`,
    )
  }
  for (const type of [FORM, `${FORM}; charset=UTF-8`, `${FORM};charset="utf-8"`, FORM.toUpperCase()]) {
    const answer = await host.send('/oauth/token', { method: 'POST', headers: { 'content-type': type }, body: Buffer.from(text) })
    t.equal(answer.status, 200, type)
  }
})

everyFramework('a media type costs no more to refuse than to read', async (t, host) => {
  const spaces = ' '.repeat(15_000)
  for (const type of [
    `application/json${spaces};x=1`,
    `application/json; charset=utf-8${spaces};x=1`,
    `application/json${';'.repeat(15_000)}`,
  ]) {
    const ms = await fastest(async () => {
      const answer = await host.send('/oauth/token', { method: 'POST', headers: { 'content-type': type }, body: '{}' })
      t.ok([400, 415].includes(answer.status))
    })
    t.ok(ms < 100 * (await slowness()), `${ms.toFixed(1)} ms`)
  }
})

everyFramework('too much is 413, and costs nothing', async (t, host) => {
  const app = await host.confidentialApp()
  const bodies: Record<string, string> = {
    '17 KiB': `a=${'x'.repeat(17 * 1024)}`,
    '1 MB': `a=${'x'.repeat(1e6)}`,
    '10 MB': `a=${'x'.repeat(1e7)}`,
    'ten thousand parameters': Array.from({ length: 10_000 }, (_, index) => `p${index}=1`).join('&'),
    'a hundred thousand ampersands': '&'.repeat(100_000),
  }
  for (const [what, body] of Object.entries(bodies)) {
    const answer = await host.send('/oauth/token', { method: 'POST', headers: { 'content-type': FORM }, body })
    refused(t, answer, [413], what)
  }
  const stream = new ReadableStream({
    start(controller) {
      for (let index = 0; index < 20; index++) controller.enqueue(new TextEncoder().encode('x'.repeat(1024)))
      controller.close()
    },
  })
  const chunked = { method: 'POST', headers: { 'content-type': FORM }, body: stream, duplex: 'half' } as RequestInit
  refused(t, await host.send('/oauth/token', chunked), [413], 'chunked, of no announced length')
  const sixteen = `a=${'x'.repeat(16 * 1024 - 2)}`
  refused(
    t,
    await host.send('/oauth/token', { method: 'POST', headers: { 'content-type': FORM }, body: sixteen }),
    [400],
    'exactly 16 KiB',
  )
  t.equal((await host.clientCredentials(app)).status, 200, 'and the server goes on')
})

everyFramework('a body without an end is answered, and its connection closed', async (t, host) => {
  for (const [path, type] of [
    ['/oauth/token', FORM],
    ['/oauth/token', 'text/plain'],
    ['/oauth-clients', 'application/json'],
  ] as const) {
    const { hostname, port } = new URL(host.url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    let text = ''
    socket.on('data', chunk => {
      text += chunk
    })
    socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`)
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`
    let written = 0
    while (!socket.destroyed && !text.includes('\r\n\r\n') && written < 100_000_000) {
      written += chunk.length
      if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), once(socket, 'close'), once(socket, 'data')])
      await new Promise(setImmediate)
    }
    if (!socket.destroyed) await once(socket, 'close')
    t.ok(written < 100_000_000, `${path}: not read for ever`)
    // A reset of the connection may overtake the answer.
    if (text !== '') t.match(text, /^HTTP\/1\.1 (413|415|401) [\s\S]*\r\nconnection: close\r\n/i, `${path} ${type}`)
  }
  const app = await host.confidentialApp()
  t.equal((await host.clientCredentials(app)).headers.get('connection'), 'keep-alive', 'a good request keeps its connection')
})

everyFramework('JSON that is nested without end, or has lists without end, is refused in a few milliseconds', async (t, host) => {
  const nested = `${'['.repeat(8000)}${']'.repeat(8000)}`
  const deep = `${'{"a":'.repeat(2500)}1${'}'.repeat(2500)}`
  for (const body of [nested, deep]) {
    const answer = await host.send('/oauth/token', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    refused(t, answer, [400, 413], body.slice(0, 9))
  }
  const authorization = 'Bearer host-anna'
  const send = (body: string, path = '/oauth-clients', method = 'POST') =>
    host.send(path, { method, headers: { authorization, 'content-type': 'application/json' }, body })
  for (const body of [nested, deep]) t.match(await send(body), { status: 400, body: { error: { code: 'VALIDATION_ERROR' } } })
  const lists = {
    numbers: JSON.stringify({ name: 'A', allowedGrantTypes: Array.from({ length: 30_000 }, () => 1) }),
    scopes: JSON.stringify({ name: 'A', allowedScopes: Array.from({ length: 900 }, (_, index) => `s${index}`) }),
    fields: JSON.stringify(Object.fromEntries(Array.from({ length: 6000 }, (_, index) => [`f${index}`, 1]))),
  }
  for (const [what, body] of Object.entries(lists)) {
    const answer = await send(body)
    t.equal(answer.status, 400, what)
    t.ok(answer.text.length < 6000, `${what}: an answer of ${answer.text.length} characters`)
    const { details } = answer.body.error as { details: { path: string; message: string }[] }
    t.ok(details.length <= 20, what)
    t.equal(new Set(details.map(({ message, path }) => path + message)).size, details.length, `${what}: each once`)
  }
  const names = Array.from({ length: 3800 }, (_, index) => (index + 676).toString(26))
  const query = `/oauth-clients?${names.join('&')}`
  const ms = await fastest(async () => {
    const answer = await host.send(query, { headers: { authorization } })
    t.ok(answer.text.length < 6000)
  })
  t.ok(ms < 20 * (await slowness()), `${ms.toFixed(1)} ms`)
})

everyFramework('a client that hangs up in the middle of a body harms nobody', async (t, host) => {
  const app = await host.confidentialApp()
  const { hostname, port } = new URL(host.url)
  await new Promise<void>(resolve => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: ${FORM}\r\nContent-Length: 500\r\n\r\ngrant_type=client`,
      )
      setImmediate(() => socket.destroy())
    })
    socket.on('close', () => resolve())
  })
  t.equal((await host.clientCredentials(app)).status, 200)
})

everyFramework('a wrong method is 405 with Allow, and HEAD runs nothing', async (t, host) => {
  const app = await host.confidentialApp()
  for (const path of POSTED) {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH']) {
      const answer = await host.send(path, { method })
      t.equal(answer.status, 405, `${method} ${path}`)
      t.equal(answer.headers.get('allow'), 'POST')
    }
  }
  await host.approve(app)
  const authorize = `/oauth/authorize?${host.authorizeQuery(app)}`
  for (const method of ['HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const answer = await host.browse(authorize, 'anna', { method })
    t.equal(answer.status, 405, `${method} authorize`)
    t.equal(answer.headers.get('allow'), 'GET, POST')
    t.equal(answer.location, undefined)
  }
  t.equal((await host.browse(authorize, 'anna')).status, 302)
})

everyFramework('parameters of a POST do not belong in its URL', async (t, host) => {
  const app = await host.confidentialApp()
  const fields = { grant_type: 'client_credentials', client_id: app.clientId, client_secret: app.clientSecret ?? '' }
  for (const name of Object.keys(fields)) {
    const rest = Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name))
    const value = Object.entries(fields).find(([key]) => key === name)?.[1] ?? ''
    const answer = await host.send(`/oauth/token?${new URLSearchParams({ [name]: value })}`, {
      method: 'POST',
      body: new URLSearchParams(rest),
    })
    refused(t, answer, [400], name)
  }
  const traced = await host.send('/oauth/token?trace=1', { method: 'POST', body: new URLSearchParams(fields) })
  t.equal(traced.status, 200, 'a parameter that is not ours is no concern of ours')
})

everyFramework('anything but one string is a clean 400, for every parameter of every route', async (t, host) => {
  const app = await host.confidentialApp()
  const seen: unknown[] = []
  const values = [
    { $ne: null },
    { $gt: '' },
    { $regex: '.*' },
    { $where: 'sleep(1)' },
    ['a'],
    ['a', 'b'],
    [],
    {},
    1,
    0,
    true,
    false,
    null,
  ]
  const names = [
    'grant_type',
    'client_id',
    'client_secret',
    'code',
    'redirect_uri',
    'refresh_token',
    'scope',
    'code_verifier',
    'token',
    'token_type_hint',
  ]
  for (const path of POSTED) {
    for (const name of names) {
      for (const value of values) {
        const body = JSON.stringify({
          grant_type: 'client_credentials',
          token: 'x',
          client_id: app.clientId,
          client_secret: app.clientSecret,
          [name]: value,
        })
        const answer = await host.send(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
        if (answer.status !== 400 || answer.body.error !== 'invalid_request') seen.push([path, name, value, answer.status])
      }
    }
  }
  t.strictSame(seen, [])
  for (const body of ['[]', '"x"', 'null', '1', '{', '', '{"a":1}{', '\u0000']) {
    const answer = await host.send('/oauth/token', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    refused(t, answer, [400], `JSON ${JSON.stringify(body)}`)
  }
})

everyFramework('a form field given twice, or with brackets, is never taken for one', async (t, host) => {
  const app = await host.confidentialApp()
  const good = `grant_type=client_credentials&client_id=${app.clientId}&client_secret=${app.clientSecret}`
  const post = (body: string) => host.send('/oauth/token', { method: 'POST', headers: { 'content-type': FORM }, body })
  for (const name of ['grant_type', 'client_id', 'client_secret', 'scope']) {
    const value = new URLSearchParams(good).get(name) ?? 'read:records'
    refused(t, await post(`${good}&scope=read:records&${name}=${value}`), [400], `${name} twice`)
  }
  const without = `grant_type=client_credentials&client_id=${app.clientId}`
  for (const name of ['client_secret[$ne]', 'client_secret[]', 'client_secret[0]', 'client_secret[a][b]']) {
    refused(t, await post(`${without}&${encodeURIComponent(name)}=${app.clientSecret}`), [400, 401], name)
  }
})

everyFramework('no prototype is touched by what is sent', async (t, host) => {
  const app = await host.confidentialApp()
  const credentials = `"grant_type":"client_credentials","client_id":"${app.clientId}","client_secret":"${app.clientSecret}"`
  const bodies = [
    `{"__proto__":{"x":1},${credentials}}`,
    `{"constructor":{"prototype":{"x":1}},${credentials}}`,
    `{"a":{"b":{"__proto__":{"x":1}}},${credentials}}`,
    `{"__proto__":"x",${credentials}}`,
  ]
  for (const body of bodies) {
    const { status } = await host.send('/oauth/token', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    t.ok(status === 400 || status === 200, body.slice(0, 30))
  }
  await host.send('/oauth/authorize?__proto__[x]=1&__proto__=x&constructor=x')
  await host.send('/oauth/token', {
    method: 'POST',
    headers: { 'content-type': FORM },
    body: '__proto__[x]=1&__proto__.x=1&__proto__=1',
  })
  t.equal(({} as { x?: unknown }).x, undefined)
})

everyFramework('nothing that is sent becomes a header', async (t, host) => {
  const app = await host.confidentialApp()
  const evil = 'x\r\nSet-Cookie: evil=1\r\n\r\n<script>'
  const answers = [
    await host.authorize(app, { state: evil, scope: evil }),
    await host.authorize(app, { redirect_uri: evil }),
    await host.authorize(app, { response_type: evil }),
    await host.authorize(app, { state: evil }, null),
    await host.clientCredentials(app, { scope: evil }),
    await host.clientCredentials(app, { grant_type: evil }),
    await host.send('/records', { headers: { authorization: 'Bearer a"b\\c' } }),
  ]
  for (const answer of answers) {
    t.equal(answer.headers.get('set-cookie'), null)
    t.ok(answer.status < 500)
    const { error_description: description } = answer.body
    if (typeof description === 'string')
      t.match(description, /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/, 'the characters of RFC 6749 §5.2')
  }
})

everyFramework('a page of another origin reads the answers of its own app, and documents; nothing else', async (t, host) => {
  const app = await host.publicApp({ redirectUris: ['https://spa.example/cb'] })
  const secret = await host.confidentialApp({ redirectUris: ['https://spa.example/cb'] })
  const allowed = (answer: Answer) => answer.headers.get('access-control-allow-origin')
  const ask = (path: string, of: typeof app, origin: string) =>
    host.post(path, of, { grant_type: 'refresh_token', refresh_token: 'x', token: 'x' }, { headers: { origin } })
  for (const path of ['/oauth/token', '/oauth/revoke']) {
    const own = await ask(path, app, 'https://spa.example')
    t.equal(allowed(own), 'https://spa.example')
    t.match(own.headers.get('vary'), /origin/i)
    for (const origin of ['https://evil.example', 'null', 'https://spa.example.evil.example', 'http://spa.example']) {
      t.equal(allowed(await ask(path, app, origin)), null, `${path} ${origin}`)
    }
    t.equal(allowed(await ask(path, secret, 'https://spa.example')), null, 'a confidential app has no business in a page')
    const preflight = await host.send(path, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://spa.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    })
    t.equal(preflight.status, 204)
    t.equal(allowed(preflight), 'https://spa.example')
    t.match(preflight.headers.get('access-control-allow-headers'), /content-type/)
    const instrumented = 'content-type, sentry-trace, baggage, traceparent'
    const asked = {
      origin: 'https://spa.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': instrumented,
    }
    const second = await host.send(path, { method: 'OPTIONS', headers: asked })
    t.equal(second.headers.get('access-control-allow-headers'), instrumented, 'what an instrumented browser adds')
  }
  const none = { headers: { origin: 'https://spa.example', 'access-control-request-method': 'POST' } }
  const sandboxed = await host.send('/oauth/token', {
    method: 'OPTIONS',
    headers: { origin: 'null', 'access-control-request-method': 'POST' },
  })
  t.equal(allowed(sandboxed), null, 'nor is a sandboxed page anyone’s own')
  t.equal(allowed(await ask('/oauth/introspect', secret, 'https://spa.example')), null)
  t.equal(allowed(await host.send('/oauth/introspect', { method: 'OPTIONS', ...none })), null)
  t.equal(allowed(await host.browse(`/oauth/authorize?${host.authorizeQuery(app)}`, 'anna', none)), null)
  t.equal(allowed(await host.browse('/oauth/authorize', 'anna', { method: 'OPTIONS', ...none })), null)
  for (const answer of [await ask('/oauth/token', app, 'https://spa.example')]) {
    t.equal(answer.headers.get('access-control-allow-credentials'), null)
  }
})
