import { spawn } from 'node:child_process'
import { getEventListeners, once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type LookupFunction, type Server } from 'node:net'
import { Readable } from 'node:stream'
import { text as bodyOf } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import * as oauth from 'oauth4webapi'
import t, { type Test } from 'tap'
import { createOutbound } from '../../src/outbound/outbound.ts'
import { checkOutboundUrl, OutboundError, type OutboundReason } from '../../src/outbound/outbound-url.ts'

const MIB = 1_048_576

/** An address in space that nobody has been given, yet public by every rule. */
const NOWHERE = { address: '3ffe::1', family: 6 }
const HERE = { address: '127.0.0.1', family: 4 }

async function listen(t: Test, server: Server): Promise<number> {
  server.listen(0)
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** A provider on this machine. */
async function provider(t: Test, handler: RequestListener): Promise<string> {
  const server = createServer(handler)
  t.teardown(() => server.closeAllConnections())
  return `http://localhost:${await listen(t, server)}`
}

/** Something nobody should reach: says how many tried. */
async function canary(t: Test): Promise<{ readonly port: number; heard: number }> {
  const bird = { port: 0, heard: 0 }
  const server = createTcpServer(socket => {
    bird.heard += 1
    socket.on('error', () => {})
    socket.destroy()
  })
  bird.port = await listen(t, server)
  return bird
}

function always(...addresses: { address: string; family: number }[]): LookupFunction {
  return (_hostname, _options, callback) => callback(null, addresses)
}

const outbound = createOutbound({ allowLoopback: true })
const local = (options: { timeoutMs?: number; maxBytes?: number; lookup?: LookupFunction } = {}) =>
  createOutbound({ allowLoopback: true, ...options })

async function failsWith(t: Test, reason: OutboundReason, run: Promise<unknown>, about = ''): Promise<OutboundError> {
  const error = await run.then(
    () => null,
    (error: unknown) => error,
  )
  t.ok(error instanceof OutboundError, `${about} fails with OutboundError`)
  t.match(error, { reason }, about)
  return error as OutboundError
}

function reasonOf(url: string, allowLoopback: boolean): OutboundReason | null {
  try {
    checkOutboundUrl(url, { allowLoopback })
    return null
  } catch (error) {
    if (error instanceof OutboundError) return error.reason
    throw error
  }
}

const LOOPBACK = [
  '127.0.0.1',
  '127.1',
  '2130706433',
  '0x7f000001',
  '0177.0.0.1',
  '127.255.0.9',
  '１２７.0.0.1',
  '127.0.0.1.',
  'localhost',
]
const LOOPBACK6 = ['[::1]', '[0:0:0:0:0:0:0:1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', 'app.localhost', 'LOCALHOST']
const PRIVATE = [
  ...['0', '0.0.0.0', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', '100.100.100.200'],
  ...['169.254.169.254', '0xa9fea9fe', '198.18.0.1', '192.0.0.192', '192.0.2.1', '203.0.113.9', '224.0.0.1', '240.0.0.1'],
  ...['255.255.255.255', '[::]', '[fd00::1]', '[fd00:ec2::254]', '[fe80::1]', '[fec0::1]', '[ff02::1]', '[2001:db8::1]'],
  ...['[::ffff:169.254.169.254]', '[::ffff:10.0.0.1]', '[::ffff:0.0.0.0]', '[64:ff9b::7f00:1]', '[64:ff9b::a9fe:a9fe]'],
  ...['[64:ff9b:1::7f00:1]', '[2002:7f00:1::]', '[2001:0:7f00:1::]', '[::127.0.0.1]', '[::10.0.0.1]', '[::ffff:0:127.0.0.1]'],
  ...['[100::1]', '[4000::1]', '[5f00::1]'],
]

t.test('no address that is not public is called, however it is written', async t => {
  const bird = await canary(t)
  const strict = createOutbound({ allowLoopback: false })
  for (const host of [...LOOPBACK, ...LOOPBACK6, ...PRIVATE]) {
    for (const url of [`http://${host}/`, `https://${host}/`, `http://${host}:${bird.port}/`, `https://${host}:${bird.port}/`]) {
      t.equal(reasonOf(url, false), 'refused', url)
      await failsWith(t, 'refused', strict.fetch(url, {}), url)
    }
  }
  t.equal(bird.heard, 0)
})

t.test('a provider on this machine is called where that is allowed, and nothing else that is private', async t => {
  const bird = await canary(t)
  for (const host of ['127.0.0.1', '127.1', '0x7f000001', 'localhost']) {
    await failsWith(t, 'network', outbound.fetch(`http://${host}:${bird.port}/`, {}), host)
    await failsWith(t, 'network', outbound.fetch(`https://${host}:${bird.port}/`, {}), host)
  }
  t.equal(bird.heard, 8)
  for (const host of [...LOOPBACK, ...LOOPBACK6]) t.equal(reasonOf(`http://${host}:6379/`, true), null, host)
  for (const host of PRIVATE) {
    t.equal(reasonOf(`http://${host}/`, true), 'refused', host)
    t.equal(reasonOf(`https://${host}/`, true), 'refused', host)
  }
  t.equal(reasonOf('http://accounts.example/', true), 'refused', 'plain http to another machine')
})

t.test('only https is spoken, to ports where https is plausible, without a password in the URL', async t => {
  for (const url of [
    'http://accounts.example/',
    'http://8.8.8.8/',
    'gopher://accounts.example:70/_x',
    'file:///etc/passwd',
    'ftp://accounts.example/',
    'data:application/json,{}',
    'blob:https://accounts.example/1',
    'javascript:1',
    'https://user:pw@accounts.example/',
    'https://user@accounts.example/',
    'https://:pw@accounts.example/',
    'https://accounts.example@127.0.0.1/',
    'https://[fe80::1%25eth0]/',
    'https://1.2.3.4.5/',
    'https://',
    '/token',
    '//accounts.example/',
    '',
    ...[1, 22, 25, 80, 389, 1023, 3306, 5432, 6000, 6379, 10080, 11211, 27017].map(port => `https://accounts.example:${port}/`),
  ])
    t.equal(reasonOf(url, false), 'refused', url)
  for (const url of [
    'https://accounts.example',
    'https://accounts.example:443/a?b=c#d',
    'https://accounts.example:8443/',
    'https://8.8.8.8/',
    'https://[2606:4700::1111]/',
  ])
    t.equal(reasonOf(url, false), null, url)
})

t.test('a name is refused for any one address that is not public, at the moment of connecting', async t => {
  const bird = await canary(t)
  const url = `https://accounts.example:${bird.port}/`
  for (const addresses of [[HERE], [NOWHERE, HERE], [HERE, NOWHERE], [NOWHERE, { address: '::ffff:127.0.0.1', family: 6 }]]) {
    const strict = createOutbound({ allowLoopback: false, lookup: always(...addresses) })
    await failsWith(t, 'refused', strict.fetch(url, {}), JSON.stringify(addresses))
  }
  for (const address of ['169.254.169.254', '10.0.0.1', 'fd00::1', 'fe80::1%lo', '64:ff9b::7f00:1', '0x7f.1', 'localhost', '']) {
    const lookup = always(NOWHERE, { address, family: address.includes(':') ? 6 : 4 })
    for (const allowLoopback of [true, false])
      await failsWith(t, 'refused', createOutbound({ allowLoopback, lookup }).fetch(url, {}), address)
  }
  t.equal(bird.heard, 0)
  await failsWith(t, 'network', local({ lookup: always(HERE) }).fetch(url, {}))
  t.equal(bird.heard, 1, 'the canary was listening')
})

t.test('a name that changes its address between two requests is vetted at both', async t => {
  const bird = await canary(t)
  let asked = 0
  const lookup: LookupFunction = (_hostname, _options, callback) => callback(null, [asked++ === 0 ? NOWHERE : HERE])
  const strict = createOutbound({ allowLoopback: false, lookup, timeoutMs: 300 })
  const url = `https://accounts.example:${bird.port}/`
  const first = await strict.fetch(url, {}).catch((error: unknown) => error)
  t.not((first as OutboundError).reason, 'refused', 'the public address was tried')
  for (const _again of [1, 2, 3]) await failsWith(t, 'refused', strict.fetch(url, {}))
  t.equal(asked, 4)
  t.equal(bird.heard, 0)
})

t.test('a resolver that answers with one address, none, or an error is understood', async t => {
  const bird = await canary(t)
  const url = `https://accounts.example:${bird.port}/`
  const single: LookupFunction = (_hostname, _options, callback) => callback(null, '127.0.0.1', 4)
  await failsWith(t, 'refused', createOutbound({ allowLoopback: false, lookup: single }).fetch(url, {}))
  t.equal(bird.heard, 0)
  await failsWith(t, 'network', local({ lookup: single }).fetch(url, {}))
  t.equal(bird.heard, 1)
  await failsWith(t, 'network', local({ lookup: always() }).fetch(url, {}))
  const broken: LookupFunction = (_hostname, _options, callback) =>
    callback(Object.assign(new Error('x'), { code: 'ENOTFOUND' }), '')
  const error = await failsWith(t, 'network', local({ lookup: broken }).fetch(url, {}))
  t.match(error.message, /^the exchange with accounts\.example:\d+ failed: ENOTFOUND$/)
})

t.test('a host that may be private is called at a private address, over https, and no other host is', async t => {
  const bird = await canary(t)
  const named = { allowLoopback: false, allowPrivateHosts: ['login.corp.example', '10.1.2.3', 'fd00::1', '169.254.169.254'] }
  const reason = (url: string) => {
    try {
      checkOutboundUrl(url, named)
      return null
    } catch (error) {
      return (error as OutboundError).reason
    }
  }
  for (const url of [
    'https://login.corp.example/',
    'https://LOGIN.corp.example:8443/x',
    'https://10.1.2.3/',
    'https://[fd00::1]/',
  ])
    t.equal(reason(url), null, url)
  for (const url of [
    ...['http://login.corp.example/', 'http://10.1.2.3/', 'https://10.1.2.4/', 'https://[fd00::2]/', 'https://192.168.1.1/'],
    ...['https://169.254.169.254/', 'https://127.0.0.1/', 'https://localhost/', 'https://10.1.2.3:22/'],
  ])
    t.equal(reason(url), 'refused', url)

  const at = (host: string, address: string) => {
    const lookup = always({ address, family: address.includes(':') ? 6 : 4 })
    return createOutbound({ ...named, lookup, timeoutMs: 300, proxy: false })
      .fetch(`https://${host}:${bird.port}/`, {})
      .then(String, (error: OutboundError) => error.reason)
  }
  for (const address of ['10.0.0.1', '192.168.1.1', '172.16.0.1', '100.64.0.1', 'fd00::1', '::ffff:10.0.0.1'])
    t.not(await at('login.corp.example', address), 'refused', address)
  for (const address of ['127.0.0.1', '::1', '169.254.169.254', 'fe80::1', '0.0.0.0', '224.0.0.1'])
    t.equal(await at('login.corp.example', address), 'refused', address)
  for (const host of ['corp.example', 'x.login.corp.example', 'login.corp.example.evil.example', 'accounts.example'])
    t.equal(await at(host, '10.0.0.1'), 'refused', host)
  t.equal(bird.heard, 0)
})

t.test('localhost is this machine, whatever a resolver says', async t => {
  const lookup = always(NOWHERE)
  for (const url of ['http://localhost:8080/', 'http://app.localhost:8080/', 'https://localhost/'])
    await failsWith(t, 'refused', local({ lookup }).fetch(url, {}), url)
})

t.test('a redirect is not followed, so what was sent is sent once', async t => {
  const bird = await canary(t)
  const targets = [`http://localhost:${bird.port}/`, `https://localhost:${bird.port}/`, '/elsewhere']
  let heard = 0
  const url = await provider(t, (request, response) => {
    heard += 1
    const [, status, target] = (request.url ?? '').split('/')
    response.writeHead(Number(status), { location: targets[Number(target)] }).end('moved')
  })
  const statuses = [300, 301, 302, 303, 304, 305, 307, 308]
  for (const status of statuses)
    for (const target of targets.keys())
      await failsWith(
        t,
        'redirect',
        outbound.fetch(`${url}/${status}/${target}`, { method: 'POST', body: 'client_secret=x' }),
        String(status),
      )
  t.equal(heard, statuses.length * targets.length)
  t.equal(bird.heard, 0)
})

t.test('a request passes its method, headers and body, and the answer its status, headers and body', async t => {
  let got: { method: string | undefined; headers: IncomingMessage['headers']; body: string } | undefined
  const url = await provider(t, async (request, response) => {
    const chunks = await request.toArray()
    got = { method: request.method, headers: request.headers, body: Buffer.concat(chunks).toString() }
    response.writeHead(201, { 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'], etag: 'x' })
    response.end('{"ok":true}')
  })
  const answer = await outbound.fetch(`${url}/token?x=1`, {
    method: 'POST',
    headers: { Authorization: 'Bearer s', 'Content-Type': 'application/json' },
    body: '{"a":"é"}',
  })
  t.ok(answer instanceof Response)
  t.equal(answer.status, 201)
  t.strictSame(await answer.json(), { ok: true })
  t.strictSame(answer.headers.getSetCookie(), ['a=1', 'b=2'])
  t.equal(answer.headers.get('etag'), 'x')
  t.match(got, {
    method: 'POST',
    headers: {
      authorization: 'Bearer s',
      'content-type': 'application/json',
      'user-agent': 'authmount',
      accept: 'application/json',
      connection: 'close',
    },
    body: '{"a":"é"}',
  })
  await outbound.fetch(url, { method: 'POST', body: new URLSearchParams({ a: '1' }), headers: { ACCEPT: 'text/plain' } })
  t.match(got, { headers: { 'content-type': /^application\/x-www-form-urlencoded/, accept: 'text/plain' }, body: 'a=1' })
  await outbound.fetch(url, { method: 'POST', body: new Uint8Array([104, 105]), headers: { 'user-agent': 'me' } })
  t.match(got, { headers: { 'user-agent': 'me' }, body: 'hi' })
  await outbound.fetch(url, {})
  t.match(got, { method: 'GET', body: '' })
  t.notMatch(got?.headers, { cookie: /./ }, 'no cookie comes back')
})

t.test('oauth4webapi calls through it', async t => {
  let url = ''
  const listener: RequestListener = (request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(
      JSON.stringify(
        request.method === 'GET'
          ? { issuer: url, token_endpoint: `${url}/token`, jwks_uri: `${url}/jwks` }
          : { access_token: 'at', token_type: 'bearer', expires_in: 60 },
      ),
    )
  }
  url = await provider(t, listener)
  const options = { [oauth.customFetch]: outbound.fetch, [oauth.allowInsecureRequests]: true }
  const issuer = new URL(url)
  const as = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { ...options, algorithm: 'oauth2' }),
  )
  const client = { client_id: 'c' }
  const response = await oauth.clientCredentialsGrantRequest(as, client, oauth.ClientSecretPost('s'), {}, options)
  t.equal((await oauth.processClientCredentialsResponse(as, client, response)).access_token, 'at')
  const strict = { ...options, [oauth.customFetch]: createOutbound({ allowLoopback: false }).fetch }
  await failsWith(t, 'refused', oauth.discoveryRequest(issuer, strict))
})

t.test('an answer of any status is passed on, with or without a body', async t => {
  const url = await provider(t, (request, response) => {
    const status = Number(request.url?.slice(1))
    response
      .writeHead(status, { 'www-authenticate': 'Bearer' })
      .end(status === 204 || status === 205 ? undefined : '{"error":"x"}')
  })
  for (const status of [200, 204, 205, 400, 401, 403, 404, 429, 500, 503]) {
    const answer = await outbound.fetch(`${url}/${status}`, { method: 'POST', body: 'a=1' })
    t.equal(answer.status, status)
    t.equal(await answer.text(), status === 204 || status === 205 ? '' : '{"error":"x"}')
  }
  t.equal(await (await outbound.fetch(`${url}/200`, { method: 'HEAD' })).text(), '')
  for (const status of [407, 600, 999]) await failsWith(t, 'network', outbound.fetch(`${url}/${status}`, {}), String(status))
})

t.test('a request says how long its body is, whatever its method', async t => {
  const url = await provider(t, async (request, response) => {
    const body = await bodyOf(request)
    response.end(
      JSON.stringify({ body, length: request.headers['content-length'], coding: request.headers['transfer-encoding'] }),
    )
  })
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    const answer = await outbound.fetch(url, { method, body: '{"name":"Zoë"}' })
    t.strictSame(await answer.json(), { body: '{"name":"Zoë"}', length: '15' }, method)
  }
})

t.test('a compressed body arrives decompressed, and no header says otherwise', async t => {
  const text = JSON.stringify({ keys: 'x'.repeat(5000) })
  const packed = {
    gzip: gzipSync(text),
    deflate: deflateSync(text),
    br: brotliCompressSync(text),
    'gzip, gzip': gzipSync(gzipSync(text)),
  }
  const url = await provider(t, (request, response) => {
    const encoding = decodeURIComponent(request.url?.slice(1) ?? '') as keyof typeof packed
    response.writeHead(200, { 'content-encoding': encoding, 'content-length': packed[encoding].length }).end(packed[encoding])
  })
  for (const encoding of Object.keys(packed)) {
    const answer = await outbound.fetch(`${url}/${encodeURIComponent(encoding)}`, {})
    t.equal(await answer.text(), text, encoding)
    t.equal(answer.headers.get('content-encoding'), null)
    t.equal(answer.headers.get('content-length'), null)
  }
})

t.test('a body is taken up to the limit, and not one byte over', async t => {
  const url = await provider(t, (request, response) => response.end('x'.repeat(Number(request.url?.slice(1)))))
  const small = local({ maxBytes: 1000 })
  t.equal((await (await small.fetch(`${url}/1000`, {})).text()).length, 1000)
  await failsWith(t, 'too_large', small.fetch(`${url}/1001`, {}))
  t.equal((await (await outbound.fetch(`${url}/${MIB}`, {})).text()).length, MIB)
  await failsWith(t, 'too_large', outbound.fetch(`${url}/${MIB + 1}`, {}))
})

/** Writes `chunk` for as long as somebody reads; gives the bytes that left. */
async function flood(response: ServerResponse, chunk: Buffer): Promise<number> {
  let sent = 0
  const chunks = function* () {
    for (; sent < 1024 * MIB; sent += chunk.length) yield chunk
  }
  await pipeline(Readable.from(chunks(), { highWaterMark: 1 }), response).catch(() => {})
  return sent
}

t.test('an endless body is read up to the limit and hung up on, compressed or not', async t => {
  const zeros = Buffer.alloc(4 * MIB)
  const bodies: Record<string, Buffer> = {
    identity: Buffer.alloc(65_536),
    gzip: gzipSync(zeros),
    deflate: deflateSync(zeros),
    br: brotliCompressSync(zeros),
    'gzip, gzip': gzipSync(gzipSync(zeros)),
    // Complete and empty, over and over: it decompresses to nothing.
    'x-gzip': Buffer.concat(Array.from({ length: 3000 }, () => gzipSync(''))),
  }
  let sent: Promise<number> = Promise.resolve(0)
  const url = await provider(t, (request, response) => {
    const encoding = decodeURIComponent(request.url?.slice(1) ?? '')
    response.writeHead(200, { 'content-encoding': encoding })
    sent = flood(response, bodies[encoding] ?? Buffer.alloc(0))
  })
  for (const encoding of Object.keys(bodies)) {
    const before = process.memoryUsage.rss()
    await failsWith(t, 'too_large', outbound.fetch(`${url}/${encodeURIComponent(encoding)}`, {}), encoding)
    t.ok((await sent) < 12 * MIB, `${encoding}: ${await sent} bytes left the server`)
    t.ok(process.memoryUsage.rss() - before < 128 * MIB, `${encoding}: memory stays small`)
  }
})

t.test('a body in very many tiny chunks costs little memory', async t => {
  const chunk = Buffer.from('1\r\nx\r\n'.repeat(10_000))
  const server = createTcpServer(async socket => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
    for (let round = 0; round < 20; round += 1) if (!socket.write(chunk)) await once(socket, 'drain')
    socket.end('0\r\n\r\n')
  })
  const before = process.memoryUsage.rss()
  const answer = await outbound.fetch(`http://localhost:${await listen(t, server)}/`, {})
  t.equal((await answer.arrayBuffer()).byteLength, 200_000)
  t.ok(process.memoryUsage.rss() - before < 150 * MIB)
})

t.test('silence ends in time, wherever it falls', async t => {
  const quick = local({ timeoutMs: 200 })
  const silent = await listen(
    t,
    createTcpServer(socket => void socket.on('error', () => {})),
  )
  const trickle = createTcpServer(socket => {
    const timer = setInterval(() => socket.write('x-a: b\r\n'), 20)
    socket.on('error', () => {}).on('close', () => clearInterval(timer))
    socket.write('HTTP/1.1 200 OK\r\n')
  })
  const url = await provider(t, (request, response) => {
    if (request.url === '/no-body') return response.writeHead(200, { 'content-length': 5 }).flushHeaders()
    if (request.url === '/packed')
      return void response.writeHead(200, { 'content-encoding': 'gzip' }).write(gzipSync('xx').subarray(0, 12))
    if (request.url === '/hints') {
      const timer = setInterval(() => response.writeProcessing(), 20)
      return void response.on('close', () => clearInterval(timer))
    }
    const timer = setInterval(() => response.write('x'), 20)
    response.on('close', () => clearInterval(timer))
  })
  const cases: Record<string, () => Promise<unknown>> = {
    'a body that never ends': () => quick.fetch(`${url}/trickle`, {}),
    'a body that never starts': () => quick.fetch(`${url}/no-body`, {}),
    'a compressed body that stops': () => quick.fetch(`${url}/packed`, {}),
    'interim answers for ever': () => quick.fetch(`${url}/hints`, {}),
    'headers for ever': async () => quick.fetch(`http://localhost:${await listen(t, trickle)}`, {}),
    'no answer': () => quick.fetch(`http://localhost:${silent}`, { method: 'POST', body: 'x' }),
    'no TLS handshake': () => quick.fetch(`https://localhost:${silent}`, {}),
    'no answer from the resolver': () => local({ timeoutMs: 200, lookup: () => {} }).fetch(`${url}/`, {}),
  }
  for (const [about, run] of Object.entries(cases)) {
    const began = performance.now()
    const error = await failsWith(t, 'timeout', run(), about)
    const took = performance.now() - began
    t.ok(took > 150 && took < 1500, `${about}: ${took.toFixed(0)} ms`)
    t.match(error.message, /^the exchange with localhost:\d+ took more than 200 ms$/)
  }
})

t.test('the caller’s signal ends a request with its own reason, and keeps no listener afterwards', async t => {
  let gone: Promise<unknown> = Promise.resolve()
  const url = await provider(t, (request, response) => {
    if (request.url === '/fast') return response.end('{}')
    gone = once(response, 'close')
    return response.write('x')
  })
  const before = new AbortController()
  before.abort(new Error('too late'))
  await t.rejects(outbound.fetch(`${url}/fast`, { signal: before.signal }), { message: 'too late' })

  const during = new AbortController()
  const pending = outbound.fetch(`${url}/slow`, { signal: during.signal })
  await sleep(100)
  during.abort(new Error('changed my mind'))
  await t.rejects(pending, { message: 'changed my mind' })
  await gone

  const after = new AbortController()
  const answer = await outbound.fetch(`${url}/fast`, { signal: after.signal })
  t.equal(getEventListeners(after.signal, 'abort').length, 0)
  after.abort()
  t.equal(await answer.text(), '{}', 'an answer already here stays')
})

t.test('a request makes one connection and closes it, however it ends', async t => {
  const open = new Set<unknown>()
  let connections = 0
  const server = createServer((request, response) => {
    if (request.url === '/fast') return response.end('{}')
    if (request.url === '/moved') return response.writeHead(302, { location: '/' }).write('x')
    if (request.url === '/big') return response.write(Buffer.alloc(2 * MIB))
    return response.write('x')
  })
  server.on('connection', socket => {
    connections += 1
    open.add(socket)
    socket.on('close', () => open.delete(socket))
  })
  const url = `http://localhost:${await listen(t, server)}`
  t.equal((await outbound.fetch(`${url}/fast`, {})).status, 200)
  await failsWith(t, 'redirect', outbound.fetch(`${url}/moved`, {}))
  await failsWith(t, 'too_large', outbound.fetch(`${url}/big`, {}))
  await failsWith(t, 'timeout', local({ timeoutMs: 100 }).fetch(`${url}/slow`, {}))
  await t.rejects(outbound.fetch(`${url}/slow`, { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' })
  await sleep(100)
  t.equal(connections, 5)
  t.equal(open.size, 0)
})

t.test('a body that is cut off is no answer', async t => {
  const url = await provider(t, (request, response) => {
    if (request.url === '/length') response.writeHead(200, { 'content-length': 10 })
    response.write('{}')
    setTimeout(() => response.destroy(), 30)
  })
  for (const path of ['/length', '/chunked']) {
    const error = await failsWith(t, 'network', outbound.fetch(url + path, {}), path)
    t.notMatch(error.message, /undefined/)
  }
})

t.test('closing ends what is under way', async t => {
  const closing = local()
  const url = await provider(t, (_request, response) => void response.write('x'))
  const pending = [closing.fetch(url, {}), closing.fetch(url, {})].map(run => failsWith(t, 'network', run))
  await sleep(100)
  await closing.close()
  await Promise.all(pending)
  await closing.close()
})

t.test('no error says what was sent or what came back', async t => {
  const server = createTcpServer(socket => {
    socket.on('error', () => {})
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: nonsense SECRET\r\n\r\nSECRET')
  })
  const garbled = `http://localhost:${await listen(t, server)}/SECRET?code=SECRET#SECRET`
  const redirecting = await provider(t, (_request, response) =>
    response.writeHead(302, { location: '/?SECRET', 'x-a': 'SECRET' }).end('SECRET'),
  )
  const secret = { method: 'POST', headers: { authorization: 'Bearer SECRET' }, body: 'client_secret=SECRET' }
  const errors = [
    await failsWith(t, 'network', outbound.fetch(garbled, secret)),
    await failsWith(t, 'redirect', outbound.fetch(`${redirecting}/?SECRET`, secret)),
    await failsWith(t, 'network', outbound.fetch(redirecting, { headers: { authorization: 'Bearer SECRET\r\nx: y' } })),
    await failsWith(t, 'network', outbound.fetch(redirecting, { headers: { 'SECRET ': 'x' } })),
    await failsWith(t, 'network', outbound.fetch(redirecting, { method: 'TRACE SECRET' })),
    await failsWith(t, 'refused', outbound.fetch('https://SECRET:SECRET@10.0.0.1/?SECRET', secret)),
    await failsWith(t, 'refused', outbound.fetch('https://10.0.0.1/?SECRET', secret)),
    await failsWith(t, 'refused', outbound.fetch('SECRET', secret)),
  ]
  for (const error of errors) {
    t.notMatch(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`, /SECRET/)
    t.match(error, { name: 'OutboundError', message: /^[^\n]+$/ })
  }
})

t.test('requests keep no process alive, whether answered, refused, aborted or late', async t => {
  const url = await provider(t, (request, response) => (request.url === '/hang' ? response.write('x') : response.end('{}')))
  const script = `
    import { createOutbound } from './src/outbound/outbound.ts'
    const outbound = createOutbound({ allowLoopback: true })
    const nowhere = createOutbound({ allowLoopback: false, lookup: (_host, _options, done) => done(null, [{ address: '3ffe::1', family: 6 }]) })
    const late = createOutbound({ allowLoopback: true, timeoutMs: 100 })
    await outbound.fetch('${url}/', {})
    await Promise.allSettled([
      outbound.fetch('http://10.0.0.1/', {}),
      late.fetch('${url}/hang', {}),
      outbound.fetch('${url}/hang', { signal: AbortSignal.timeout(100) }),
      nowhere.fetch('https://accounts.example/', { signal: AbortSignal.timeout(100) }),
    ])
    console.log(performance.now())
    process.on('exit', () => console.log(performance.now()))`
  const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output, [code]] = await Promise.all([child.stdout.toArray(), once(child, 'exit')])
  const [done = 0, exited = 0] = Buffer.concat(output).toString().split('\n').map(Number)
  t.equal(code, 0)
  t.ok(done > 0 && exited - done < 2000, `${(exited - done).toFixed(0)} ms after the last answer`)
})
