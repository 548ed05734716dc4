/** Requests to providers through a proxy: what goes that way, what never does, and what the proxy is told. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAuthmount, OptionsError } from 'authmount'
import { memoryStore } from 'authmount/stores/memory'
import t, { type Test } from 'tap'
import { createOutbound } from '../../src/outbound/outbound.ts'
import type { OutboundError } from '../../src/outbound/outbound-url.ts'
import { proxyFor } from '../../src/outbound/proxy.ts'
import { startTlsFront } from '../support/https.ts'

async function listen(t: Test, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

interface Proxy {
  readonly url: string
  /** What it was asked to connect to, and with what credentials. */
  readonly asked: (readonly [string | undefined, string | undefined])[]
  readonly open: Set<Socket>
}

/** A proxy that connects everything to one port of this machine. */
async function startProxy(t: Test, port: number): Promise<Proxy> {
  const asked: Proxy['asked'] = []
  const open: Proxy['open'] = new Set()
  const server = createServer((_request, response) => response.writeHead(400).end())
  server.on('connect', (request, client: Socket) => {
    asked.push([request.url, request.headers['proxy-authorization']])
    const target = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      target.pipe(client).pipe(target)
    })
    client.on('end', () => target.destroy())
    for (const socket of [client, target]) {
      open.add(socket)
      socket
        .on('error', () => {})
        .on('close', () => {
          open.delete(socket)
          client.destroy()
          target.destroy()
        })
    }
  })
  return { url: `http://127.0.0.1:${await listen(t, server)}`, asked, open }
}

/** A provider with TLS, whose certificate is nobody's. */
async function startProvider(t: Test) {
  const seen: string[] = []
  const plain = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    seen.push(`${request.method} ${request.headers.host}${request.url} ${body}`)
    response.setHeader('content-type', 'application/json')
    response.end('{"ok":true}')
  })
  const front = await startTlsFront()
  front.forwardTo(`http://127.0.0.1:${await listen(t, plain)}`)
  t.teardown(() => front.close())
  return { port: Number(new URL(front.url).port), seen }
}

/** As if the certificates of tests were known. */
async function trusting<T>(run: () => Promise<T>): Promise<T> {
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  try {
    return await run()
  } finally {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
  }
}

async function withEnvironment<T>(variables: Readonly<Record<string, string>>, run: () => Promise<T>): Promise<T> {
  Object.assign(process.env, variables)
  try {
    return await run()
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name]
  }
}

const noLookup = () => {
  throw new Error('a name was looked up')
}
const failure = (run: Promise<unknown>) =>
  run.then(
    () => undefined,
    (error: OutboundError) => error,
  )

t.jobs = 1

t.test('a request goes through the proxy, which resolves the name', async t => {
  const { port, seen } = await startProvider(t)
  const proxy = await startProxy(t, port)
  const { host } = new URL(proxy.url)
  const outbound = createOutbound({ allowLoopback: false, proxy: `http://anna:s%20ecret@${host}`, lookup: noLookup })
  await trusting(async () => {
    const answer = await outbound.fetch('https://accounts.example/token?x=1', {
      method: 'POST',
      body: new URLSearchParams({ a: '1' }),
    })
    t.strictSame(await answer.json(), { ok: true })
    await outbound.fetch('https://accounts.example:8443/', {})
    await outbound.fetch('https://8.8.8.8/', {})
  })
  const basic = `Basic ${Buffer.from('anna:s ecret').toString('base64')}`
  t.strictSame(proxy.asked, [
    ['accounts.example:443', basic],
    ['accounts.example:8443', basic],
    ['8.8.8.8:443', basic],
  ])
  t.strictSame(seen, ['POST accounts.example/token?x=1 a=1', 'GET accounts.example:8443/ ', 'GET 8.8.8.8/ '])
  t.ok(await closes(proxy), 'no connection is kept')
})

t.test('the certificate is the provider’s, whoever is between', async t => {
  const { port, seen } = await startProvider(t)
  const proxy = await startProxy(t, port)
  const outbound = createOutbound({ allowLoopback: false, proxy: proxy.url })
  const error = await failure(outbound.fetch('https://accounts.example/', { headers: { authorization: 'Bearer SECRET' } }))
  t.match(error, { name: 'OutboundError', reason: 'network', message: /CERT|certificate/i })
  t.strictSame(seen, [])
  t.equal(proxy.asked.length, 1)
})

t.test('the usual variables name the proxy, unless the host says otherwise', async t => {
  const { port } = await startProvider(t)
  const proxy = await startProxy(t, port)
  const url = 'https://accounts.example/'
  const lookup = (_host: string, _options: object, done: (error: Error) => void) => done(new Error('direct'))
  const direct = (options: object) => createOutbound({ allowLoopback: false, lookup: lookup as never, ...options })
  await trusting(() =>
    withEnvironment({ HTTPS_PROXY: proxy.url, NO_PROXY: 'inside.example' }, async () => {
      t.equal((await direct({}).fetch(url, {})).status, 200)
      t.equal(proxy.asked.length, 1)
      t.match(await failure(direct({}).fetch('https://x.inside.example/', {})), { reason: 'network' })
      t.match(await failure(direct({ proxy: false }).fetch(url, {})), { reason: 'network' })
      t.match(await failure(direct({ allowPrivateHosts: ['accounts.example'] }).fetch(url, {})), { reason: 'network' })
      t.equal(proxy.asked.length, 1, 'none of these went through it')
      const other = await startProxy(t, port)
      t.equal((await direct({ proxy: other.url }).fetch(url, {})).status, 200)
      t.equal(other.asked.length, 1)
      t.equal(proxy.asked.length, 1)
    }),
  )
})

t.test('a provider on this machine is called directly, whatever the proxy', async t => {
  const proxy = await startProxy(t, 9)
  const server = createServer((_request, response) => response.end('{}'))
  const url = `http://localhost:${await listen(t, server)}/`
  t.equal((await createOutbound({ allowLoopback: true, proxy: proxy.url }).fetch(url, {})).status, 200)
  t.strictSame(proxy.asked, [])
})

t.test('what may never be called is not called through a proxy either', async t => {
  const proxy = await startProxy(t, 9)
  const outbound = createOutbound({ allowLoopback: false, proxy: proxy.url })
  for (const url of [
    ...['http://accounts.example/', 'https://10.0.0.1/', 'https://127.0.0.1/', 'https://localhost/', 'https://[::1]/'],
    ...[
      'https://169.254.169.254/',
      'https://accounts.example:22/',
      'https://u:p@accounts.example/',
      'gopher://accounts.example/',
    ],
  ])
    t.match(await failure(outbound.fetch(url, {})), { reason: 'refused' }, url)
  t.strictSame(proxy.asked, [])
})

t.test('a proxy that refuses, fails or is silent ends the request, and nobody goes round it', async t => {
  const bird = { heard: 0 }
  const canary = await listen(
    t,
    createTcpServer(socket => {
      bird.heard += 1
      socket.destroy()
    }),
  )
  const lookup = (_host: string, _options: object, done: (error: null, found: object[]) => void) =>
    done(null, [{ address: '127.0.0.1', family: 4 }])
  const answering = (status: string) =>
    createTcpServer(socket =>
      socket.on('error', () => {}).once('data', () => socket.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`)),
    )
  const proxies: Readonly<Record<string, readonly [Server | undefined, object]>> = {
    'wants credentials': [answering('407 Proxy Authentication Required'), { reason: 'network', message: /answered 407$/ }],
    forbids: [answering('403 Forbidden'), { reason: 'network', message: /answered 403$/ }],
    'cannot connect': [answering('502 Bad Gateway'), { reason: 'network', message: /answered 502$/ }],
    'hangs up': [createTcpServer(socket => socket.destroy()), { reason: 'network' }],
    'speaks another protocol': [
      createTcpServer(socket => socket.on('error', () => {}).write('SECRET\r\n\r\n')),
      { reason: 'network' },
    ],
    'is silent': [createTcpServer(socket => socket.on('error', () => {})), { reason: 'timeout' }],
    'is not there': [undefined, { reason: 'network', message: /ECONNREFUSED$/ }],
  }
  for (const [what, [server, expected]] of Object.entries(proxies)) {
    const proxy = `http://user:SECRET@127.0.0.1:${server ? await listen(t, server) : 1}`
    const outbound = createOutbound({ allowLoopback: false, lookup: lookup as never, proxy, timeoutMs: 400 })
    const error = await failure(outbound.fetch(`https://accounts.example:${canary}/`, {}))
    t.match(error, { name: 'OutboundError', ...expected }, what)
    t.notMatch(`${error?.stack} ${JSON.stringify(error)}`, /SECRET/, what)
  }
  t.equal(bird.heard, 0)
})

t.test('a signal ends a request in the tunnel too', async t => {
  const silent = await listen(
    t,
    createTcpServer(socket => socket.on('error', () => {})),
  )
  const proxy = await startProxy(t, silent)
  const outbound = createOutbound({ allowLoopback: false, proxy: proxy.url, timeoutMs: 5000 })
  await t.rejects(outbound.fetch('https://accounts.example/', { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' })
  t.ok(await closes(proxy), 'no connection is left')
})

/** Whether the proxy has no connection left, now or within two seconds: an idle one that is kept lives for four. */
async function closes({ open }: { readonly open: ReadonlySet<unknown> }): Promise<boolean> {
  for (let tries = 0; open.size > 0 && tries < 40; tries++) await sleep(50)
  return open.size === 0
}

t.test('which proxy, by the variables', async t => {
  const chosen = (url: string, environment: Readonly<Record<string, string>>) =>
    proxyFor(new URL(url), null, environment)?.href ?? null
  const P = 'http://p.example:3128/'
  const target = 'https://a.b.example/'
  for (const [environment, expected] of [
    [{}, null],
    [{ HTTPS_PROXY: P }, P],
    [{ https_proxy: P, HTTPS_PROXY: 'http://other.example' }, P],
    [{ HTTP_PROXY: P }, P],
    [{ HTTP_PROXY: 'http://other.example', HTTPS_PROXY: P }, P],
    [{ HTTPS_PROXY: '' }, null],
    [{ HTTPS_PROXY: 'p.example:3128' }, P],
    [{ HTTPS_PROXY: P, NO_PROXY: 'b.example' }, null],
    [{ HTTPS_PROXY: P, NO_PROXY: '.b.example' }, null],
    [{ HTTPS_PROXY: P, NO_PROXY: '*.B.example' }, null],
    [{ HTTPS_PROXY: P, no_proxy: 'x, a.b.example' }, null],
    [{ HTTPS_PROXY: P, NO_PROXY: '*' }, null],
    [{ HTTPS_PROXY: P, NO_PROXY: 'b.example:443' }, null],
    [{ HTTPS_PROXY: P, NO_PROXY: 'b.example:8443' }, P],
    [{ HTTPS_PROXY: P, NO_PROXY: 'xb.example other.example .example.com' }, P],
    [{ HTTPS_PROXY: P, NO_PROXY: '' }, P],
    [{ HTTPS_PROXY: P, NO_PROXY: ',' }, P],
  ] as const)
    t.equal(chosen(target, environment as Record<string, string>), expected, JSON.stringify(environment))
  t.equal(chosen('https://[fd00::1]/', { HTTPS_PROXY: P, NO_PROXY: 'fd00::1' }), null)
  t.equal(chosen('https://10.0.0.1:8443/', { HTTPS_PROXY: P, NO_PROXY: '10.0.0.1:8443' }), null)
  for (const wrong of ['socks5://p.example', 'file:///x', 'http://', '://'])
    t.throws(() => chosen(target, { HTTPS_PROXY: wrong }), { name: 'OutboundError', reason: 'refused' }, wrong)
})

t.test('options that cannot work are refused at the start', async t => {
  const make = (outbound: object) =>
    createAuthmount({
      issuer: 'https://x.example',
      store: memoryStore(),
      authenticate: () => null,
      scopes: { a: { description: 'a' } },
      outbound,
    })
  for (const good of [
    {},
    { proxy: false },
    { proxy: 'http://proxy.example:3128' },
    { allowPrivateHosts: ['Login.corp.example', '10.1.2.3', 'fd00::1'] },
  ])
    t.doesNotThrow(() => make(good), JSON.stringify(good))
  for (const wrong of [
    { proxy: true },
    { proxy: 'socks5://proxy.example' },
    { proxy: '' },
    { allowPrivateHosts: 'login.corp.example' },
    { allowPrivateHosts: ['https://login.corp.example'] },
    { allowPrivateHosts: ['login.corp.example:8443'] },
    { allowPrivateHosts: ['10.0.0.0/8'] },
    { allowPrivateHosts: [''] },
    { allowPrivateHosts: [5] },
    { more: 1 },
  ])
    t.throws(() => make(wrong), OptionsError, JSON.stringify(wrong))
})
