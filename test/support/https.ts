import { request } from 'node:http'
import { createServer } from 'node:https'
import { generate } from 'selfsigned'
import { Agent, fetch as undiciFetch } from 'undici'

/** A TLS terminator, as most servers have one in front, and a fetch that trusts its certificate. */
export interface TlsFront {
  readonly url: string
  /** In PEM, for clients that fetch by themselves and have to be told whom to trust. */
  readonly certificate: string
  readonly fetch: (url: string, options: object) => Promise<Response>
  /** Where what arrives is passed on to. */
  forwardTo(url: string): void
  close(): Promise<void>
}

export async function startTlsFront(): Promise<TlsFront> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  })
  let target = ''
  const server = createServer({ cert, key }, (incoming, outgoing) => {
    const { headers, method, url } = incoming
    const passed = request(
      new URL(url ?? '/', target),
      { method, headers: { ...headers, 'x-forwarded-proto': 'https' } },
      answer => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      },
    )
    passed.on('error', () => outgoing.destroy())
    incoming.pipe(passed)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const dispatcher = new Agent({ connect: { ca: cert } })
  const trusting: unknown = (url: string, options: object) => undiciFetch(url, { ...options, dispatcher })
  return {
    url: `https://localhost:${typeof address === 'object' ? address?.port : ''}`,
    certificate: cert,
    fetch: trusting as TlsFront['fetch'],
    forwardTo(url) {
      target = url
    },
    async close() {
      await dispatcher.close()
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
