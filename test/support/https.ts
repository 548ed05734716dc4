import { createServer as createPlainServer, type RequestListener, request, type Server } from 'node:http'
import { createServer } from 'node:https'
import { generate } from 'selfsigned'
import { Agent, fetch as undiciFetch } from 'undici'

/** A reverse proxy. Its address is known before the host behind it listens, so that it can be the issuer. */
export interface Front {
  readonly url: string
  /** Where what arrives is passed on to. */
  forwardTo(url: string): void
  close(): Promise<void>
}

/** A TLS terminator, as most servers have one in front, and a fetch that trusts its certificate. */
export interface TlsFront extends Front {
  /** In PEM, for clients that fetch by themselves and have to be told whom to trust. */
  readonly certificate: string
  readonly fetch: (url: string, options: object) => Promise<Response>
}

/** Without TLS, as during development: on a loopback address clients accept that. */
export async function startFront(): Promise<Front> {
  const proxy = new ReverseProxy('http')
  const server = createPlainServer(proxy.listener)
  return { url: `http://127.0.0.1:${await listen(server)}`, forwardTo: proxy.forwardTo, close: () => close(server) }
}

export async function startTlsFront(): Promise<TlsFront> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  })
  const proxy = new ReverseProxy('https')
  const server = createServer({ cert, key }, proxy.listener)
  const port = await listen(server)
  const dispatcher = new Agent({ connect: { ca: cert } })
  const trusting: unknown = (url: string, options: object) => undiciFetch(url, { ...options, dispatcher })
  return {
    url: `https://localhost:${port}`,
    certificate: cert,
    fetch: trusting as TlsFront['fetch'],
    forwardTo: proxy.forwardTo,
    async close() {
      await dispatcher.close()
      await close(server)
    },
  }
}

class ReverseProxy {
  readonly #protocol: 'http' | 'https'
  #target = ''

  constructor(protocol: 'http' | 'https') {
    this.#protocol = protocol
  }

  readonly forwardTo = (url: string): void => {
    this.#target = url
  }

  readonly listener: RequestListener = (incoming, outgoing) => {
    const { headers, method, url } = incoming
    const passed = request(
      new URL(url ?? '/', this.#target),
      { method, headers: { ...headers, 'x-forwarded-proto': this.#protocol } },
      answer => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      },
    )
    passed.on('error', () => outgoing.destroy())
    incoming.pipe(passed)
  }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
}
